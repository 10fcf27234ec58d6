/* References that need no parser: joined to their page's folder letter by letter, others left to the standard's own.

   Taken: a path of letters that the URL standard keeps as they are (section 1.3, path percent-encode set), with `../`
   and `./` at its front only, then a query of such letters; a fragment goes. What could be a scheme, a host, a dot
   segment in disguise (`%2e`) or a backslash is left. */
#include "urls.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "xxh3.h"

#define MOST_HOST_BYTES 253

enum { IN_PATH = 1, IN_QUERY = 2 };
static unsigned char uses[256];

void urls_init(void)
{
    for (const char *c = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$()*+,;=@%:/&"; *c; c++)
        uses[(unsigned char)*c] = IN_PATH | IN_QUERY;
    for (const char *c = "?[]{}|\\^`"; *c; c++)
        uses[(unsigned char)*c] = IN_QUERY;
}

typedef struct {
    const char *text;
    Py_ssize_t origin, folder; /* lengths of `http://host` and of `http://host/a/` */
} Base;

static bool read_base(Base *base, const char *text, Py_ssize_t length)
{
    Py_ssize_t authority = !strncmp(text, "http://", 7) ? 7 : !strncmp(text, "https://", 8) ? 8 : 0;
    const char *slash = authority ? memchr(text + authority, '/', (size_t)(length - authority)) : NULL;
    if (!slash || memchr(text, '#', (size_t)length) || memchr(text, '@', (size_t)(slash - text)))
        return false;
    const char *query = memchr(text, '?', (size_t)length), *end = query ? query : text + length;
    while (end[-1] != '/')
        end--;
    *base = (Base){text, slash - text, end - text};
    return true;
}

/* Whether a path segment is `.` or `..`, which takes a folder away or nothing. */
static bool is_dots(const char *from, const char *to)
{
    return to - from > 0 && to - from <= 2 && from[0] == '.' && to[-1] == '.';
}

/* The end of path and query, where the standard would keep each letter of them; NULL where it might not. */
static const char *plain_end(const char *at, const char *end, bool is_relative)
{
    const char *segment = at;
    for (; at < end && *at != '?' && *at != '#'; at++) {
        if (!(uses[(unsigned char)*at] & IN_PATH) || (*at == ':' && is_relative))
            return NULL;
        if (*at == '%' && end - at >= 3 && at[1] == '2' && (at[2] | 0x20) == 'e')
            return NULL;
        if (*at == '/') {
            if (at == segment || is_dots(segment, at))
                return NULL;
            segment = at + 1;
            is_relative = false;
        }
    }
    if (is_dots(segment, at))
        return NULL;
    for (; at < end && *at != '#'; at++)
        if (!(uses[(unsigned char)*at] & IN_QUERY))
            return NULL;
    return at;
}

/* The length of the folder above one, which at the root is the root. */
static Py_ssize_t parent(const Base *base, Py_ssize_t folder)
{
    if (folder > base->origin + 1)
        for (folder--; base->text[folder - 1] != '/';)
            folder--;
    return folder;
}

/* Pass `./` and `../` at the front; the length of the folder that they lead to. */
static Py_ssize_t pass_dots(const Base *base, const char **at, const char *end)
{
    Py_ssize_t folder = base->folder;
    for (;;) {
        Py_ssize_t left = end - *at;
        if (left >= 2 && !memcmp(*at, "./", 2)) {
            *at += 2;
        } else if (left >= 3 && !memcmp(*at, "../", 3)) {
            *at += 3;
            folder = parent(base, folder);
        } else {
            return folder;
        }
    }
}

/* The start of the path of `http://host/...`, where the host is a name that stays as it is; NULL elsewhere. */
static const char *path_of_absolute(const char *at, const char *end)
{
    bool is_plain = end - at > 7 && !memcmp(at, "http://", 7), is_secure = end - at > 8 && !memcmp(at, "https://", 8);
    const char *label = is_plain ? at + 7 : is_secure ? at + 8 : end;
    const char *host = label;
    for (at = label; at < end && *at != '/'; at++) {
        bool is_dot = *at == '.', is_name = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '-';
        if (!is_dot && !is_name)
            return NULL;
        if (is_dot && (at == label || (label = at + 1) == end))
            return NULL;
        /* `xn--` is checked by the parser. */
        if (*at == '-' && at - label == 2 && label[0] == 'x' && label[1] == 'n')
            return NULL;
    }
    /* A last label that begins with a digit may make it an address. */
    bool is_name = at > label && *label >= 'a' && *label <= 'z' && at - host <= MOST_HOST_BYTES;
    return is_name && at < end ? at + 1 : NULL;
}

/* A joined URL: so many bytes of the base, then some of the href. */
typedef struct {
    Py_ssize_t kept, added;
    const char *tail;
} Joined;

static void put_joined(const Base *base, const Joined *url, void *to)
{
    memcpy(to, base->text, (size_t)url->kept);
    if (url->added)
        memcpy((char *)to + url->kept, url->tail, (size_t)url->added);
}

/* A URL with a host of its own, without its fragment. */
static bool absolute(const char *href, const char *end, Joined *url)
{
    const char *path = path_of_absolute(href, end);
    const char *last = path && (path == end || *path == '#') ? path : path ? plain_end(path, end, false) : NULL;
    *url = (Joined){0, last ? last - href : 0, href};
    return last != NULL;
}

/* The joined URL; false where the parser must say. */
static bool join(const Base *base, const char *href, Py_ssize_t length, Joined *url)
{
    const char *at = href, *end = href + length;
    Py_ssize_t kept;
    if (length > base->origin && href[base->origin] == '/' && !memcmp(href, base->text, (size_t)base->origin))
        at += base->origin;
    else if (*at == 'h' && length > 8 && (at[4] == ':' || at[5] == ':'))
        return absolute(href, end, url);
    if (*at == '/') {
        at++;
        kept = base->origin + 1;
    } else {
        kept = pass_dots(base, &at, end);
    }
    const char *last = at < end && *at != '?' && *at != '#' ? plain_end(at, end, at == href) : NULL;
    *url = (Joined){kept, last ? last - at : 0, at};
    return last != NULL;
}

static PyObject *text_of(const Base *base, const Joined *url)
{
    PyObject *text = PyUnicode_New(url->kept + url->added, 127);
    if (text)
        put_joined(base, url, PyUnicode_1BYTE_DATA(text));
    return text;
}

static bool read_base_text(Base *base, PyObject *text)
{
    return PyUnicode_IS_ASCII(text)
        && read_base(base, (const char *)PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text));
}

static bool is_ascii(PyObject *href)
{
    return PyUnicode_Check(href) && PyUnicode_IS_ASCII(href);
}

/* For each href, the URL that it is joined to `base`, without a fragment, or None where that needs a parser. */
PyObject *joined_plain(PyObject *module, PyObject *arguments)
{
    PyObject *base_text, *hrefs;
    Base base = {0};
    Joined url;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "UO!", &base_text, &PyList_Type, &hrefs))
        return NULL;
    Py_ssize_t count = PyList_GET_SIZE(hrefs);
    PyObject *urls = PyList_New(count);
    bool is_plain = read_base_text(&base, base_text);
    for (Py_ssize_t at = 0; urls && at < count; at++) {
        PyObject *href = PyList_GET_ITEM(hrefs, at), *text = NULL;
        if (is_plain && is_ascii(href) && PyUnicode_GET_LENGTH(href)
            && join(&base, (const char *)PyUnicode_1BYTE_DATA(href), PyUnicode_GET_LENGTH(href), &url))
            text = text_of(&base, &url);
        if (!text && PyErr_Occurred())
            Py_CLEAR(urls);
        else
            PyList_SET_ITEM(urls, at, text ? text : Py_NewRef(Py_None));
    }
    return urls;
}

/* The distinct keys of a page's links, in order; a table of them, with linear probing, tells which are distinct. */
typedef struct {
    uint64_t *keys, *slots;
    uint32_t *places;
    size_t count, mask;
} Links;

static bool links_begin(Links *links, Py_ssize_t hrefs)
{
    size_t slots = 16;
    while (slots < 2 * (size_t)hrefs)
        slots *= 2;
    links->mask = slots - 1;
    links->slots = PyMem_Calloc(slots, sizeof *links->slots);
    links->keys = PyMem_New(uint64_t, (size_t)hrefs + 1);
    links->places = PyMem_New(uint32_t, (size_t)hrefs + 1);
    return links->slots && links->keys && links->places;
}

static void links_end(Links *links)
{
    PyMem_Free(links->slots);
    PyMem_Free(links->keys);
    PyMem_Free(links->places);
}

static void links_add(Links *links, uint64_t key, Py_ssize_t place)
{
    size_t slot = key & links->mask;
    while (links->slots[slot] && links->slots[slot] != key)
        slot = (slot + 1) & links->mask;
    if (links->slots[slot])
        return;
    links->slots[slot] = links->keys[links->count] = key;
    links->places[links->count++] = (uint32_t)place;
}

/* Names of parameters that the profile drops, in lower case, each between two `&`; no text where it sorts a query. */
typedef struct {
    const char *text;
    Py_ssize_t length;
} Names;

static bool is_dropped(const Names *names, const char *name, Py_ssize_t length)
{
    const char *end = names->text + names->length;
    for (const char *at = names->text + 1; at < end;) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        Py_ssize_t same = 0;
        if (stop - at == length)
            while (same < length && at[same] == (name[same] | (name[same] >= 'A' && name[same] <= 'Z' ? 0x20 : 0)))
                same++;
        if (stop - at == length && same == length)
            return true;
        at = stop + 1;
    }
    return false;
}

/* Whether the profile keeps the query of a URL as it is. */
static bool keeps_query(const Names *names, const char *url, Py_ssize_t length)
{
    const char *end = url + length, *at = memchr(url, '?', (size_t)length);
    if (!at)
        return true;
    if (!names->text || ++at == end)
        return false;
    for (const char *name = at;; at++)
        if (at == end || *at == '&' || *at == '=') {
            if (is_dropped(names, name, at - name))
                return false;
            while (at < end && *at != '&')
                at++;
            if (at == end)
                return true;
            name = at + 1;
        }
}

/* The key of the URL that an href leads to; 0 where a parser, or the profile, must say which it is. */
static uint64_t key_of(const Base *base, Py_ssize_t base_length, PyObject *href, uint64_t seed, const Names *dropped)
{
    char text[XXH3_MOST_BYTES];
    Joined url = {base_length, 0, NULL};
    if (!is_ascii(href))
        return 0;
    const char *bytes = (const char *)PyUnicode_1BYTE_DATA(href);
    Py_ssize_t length = PyUnicode_GET_LENGTH(href);
    bool is_own = !length || *bytes == '#';
    if (!is_own && !join(base, bytes, length, &url))
        return 0;
    Py_ssize_t whole = url.kept + url.added;
    if (whole < XXH3_LEAST_BYTES || whole > XXH3_MOST_BYTES)
        return 0;
    put_joined(base, &url, text);
    return keeps_query(dropped, text, whole) ? xxh3_64((unsigned char *)text, (size_t)whole, seed) : 0;
}

/* (the distinct keys of the URLs, the place of the first href of each, the hrefs that are left to others). */
PyObject *plain_keys(PyObject *module, PyObject *arguments)
{
    PyObject *base_text, *hrefs, *answer = NULL;
    unsigned long long seed;
    Base base = {0};
    Links links = {0};
    Names dropped;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "UO!Kz#", &base_text, &PyList_Type, &hrefs, &seed, &dropped.text, &dropped.length))
        return NULL;
    Py_ssize_t count = PyList_GET_SIZE(hrefs);
    PyObject *others = PyList_New(0);
    bool is_plain = read_base_text(&base, base_text), is_well = others && links_begin(&links, count);
    if (others && !is_well)
        PyErr_NoMemory();
    for (Py_ssize_t at = 0; is_well && at < count; at++) {
        PyObject *href = PyList_GET_ITEM(hrefs, at);
        uint64_t key = is_plain ? key_of(&base, PyUnicode_GET_LENGTH(base_text), href, seed, &dropped) : 0;
        if (key)
            links_add(&links, key, at);
        else
            is_well = !PyList_Append(others, href);
    }
    if (is_well)
        answer = Py_BuildValue("y#y#O", links.keys, (Py_ssize_t)(links.count * sizeof *links.keys), links.places,
                               (Py_ssize_t)(links.count * sizeof *links.places), others);
    links_end(&links);
    Py_XDECREF(others);
    return answer;
}
