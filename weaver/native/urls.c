/* References that need no parser: joined to their page's folder letter by letter, others left to the standard's own.

   Taken: a path of letters that the URL standard keeps as they are (section 1.3, path percent-encode set), with `../`
   and `./` at its front only, then a query of such letters; a fragment goes. What could be a scheme, a host, a dot
   segment in disguise (`%2e`) or a backslash is left. */
#include "urls.h"

#include <stdbool.h>
#include <string.h>

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

/* A URL with a host of its own, without its fragment. */
static PyObject *absolute(const char *href, const char *end)
{
    const char *path = path_of_absolute(href, end);
    const char *last = path && (path == end || *path == '#') ? path : path ? plain_end(path, end, false) : NULL;
    PyObject *url = last ? PyUnicode_New(last - href, 127) : NULL;
    if (url)
        memcpy(PyUnicode_1BYTE_DATA(url), href, (size_t)(last - href));
    return url;
}

/* The joined URL; NULL with no error set where the parser must say. */
static PyObject *joined(const Base *base, const char *href, Py_ssize_t length)
{
    const char *at = href, *end = href + length;
    Py_ssize_t kept;
    if (length > base->origin && href[base->origin] == '/' && !memcmp(href, base->text, (size_t)base->origin))
        at += base->origin;
    else if (*at == 'h' && length > 8 && (at[4] == ':' || at[5] == ':'))
        return absolute(href, end);
    if (*at == '/') {
        at++;
        kept = base->origin + 1;
    } else {
        kept = pass_dots(base, &at, end);
    }
    const char *last = at < end && *at != '?' && *at != '#' ? plain_end(at, end, at == href) : NULL;
    if (!last)
        return NULL;
    PyObject *url = PyUnicode_New(kept + (last - at), 127);
    if (url) {
        memcpy(PyUnicode_1BYTE_DATA(url), base->text, (size_t)kept);
        memcpy(PyUnicode_1BYTE_DATA(url) + kept, at, (size_t)(last - at));
    }
    return url;
}

/* For each href, the URL that it is joined to `base`, without a fragment, or None where that needs a parser. */
PyObject *joined_plain(PyObject *module, PyObject *arguments)
{
    PyObject *base_text, *hrefs;
    Base base = {0};
    (void)module;
    if (!PyArg_ParseTuple(arguments, "UO!", &base_text, &PyList_Type, &hrefs))
        return NULL;
    Py_ssize_t count = PyList_GET_SIZE(hrefs);
    PyObject *urls = PyList_New(count);
    bool is_plain = PyUnicode_IS_ASCII(base_text)
        && read_base(&base, (const char *)PyUnicode_1BYTE_DATA(base_text), PyUnicode_GET_LENGTH(base_text));
    for (Py_ssize_t at = 0; urls && at < count; at++) {
        PyObject *href = PyList_GET_ITEM(hrefs, at), *url = NULL;
        if (is_plain && PyUnicode_Check(href) && PyUnicode_IS_ASCII(href) && PyUnicode_GET_LENGTH(href))
            url = joined(&base, (const char *)PyUnicode_1BYTE_DATA(href), PyUnicode_GET_LENGTH(href));
        if (!url && PyErr_Occurred())
            Py_CLEAR(urls);
        else
            PyList_SET_ITEM(urls, at, url ? url : Py_NewRef(Py_None));
    }
    return urls;
}
