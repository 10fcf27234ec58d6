/* Links, head elements, title and text of a page, first as bytes, then as Python's objects. */
#include "harvest.h"

#include <string.h>

#include "references.h"

#define REPLACEMENT "\xEF\xBF\xBD"

typedef struct {
    Piece href;
    bool is_nofollow;
} Link;

typedef struct {
    const char *tag;
    Piece values[WANTED];
} Head;

static const struct { const char *name; Py_ssize_t length; } WANTED_NAMES[WANTED] = {
    {"href", 4}, {"rel", 3}, {"name", 4}, {"http-equiv", 10}, {"content", 7},
};
static const struct { const char *word; Py_ssize_t length; } NOFOLLOW_WORDS[] = {
    {"nofollow", 8}, {"ugc", 3}, {"sponsored", 9},
};
static PyObject *wanted_keys[WANTED];

void take_wanted(Value *values, const Attribute *attribute)
{
    for (int i = 0; i < WANTED; i++)
        if (attribute->name_length == WANTED_NAMES[i].length
            && matches(attribute->name, WANTED_NAMES[i].name, attribute->name_length)) {
            if (!values[i].is_there)
                values[i] = attribute->value;
            return;
        }
}

bool may_say(Value value, const char *word, Py_ssize_t length)
{
    return value.is_there
        && (memchr(value.at, '&', (size_t)value.length) || contains(value.at, value.at + value.length, word, length));
}

static const char *bytes_of(const Harvest *harvest, const Piece *piece)
{
    return piece->at ? piece->at : harvest->strings.bytes + piece->place;
}

/* Put U+FFFD for each NUL in what was added to the strings from `place` on. */
static bool replace_nuls(Buffer *strings, Py_ssize_t place)
{
    Buffer replaced = {0};
    const char *at = strings->bytes + place, *end = strings->bytes + strings->length;
    bool is_well = true;
    while (is_well && at < end) {
        const char *nul = memchr(at, '\0', (size_t)(end - at));
        is_well = buffer_add(&replaced, at, (nul ? nul : end) - at) && (!nul || buffer_add(&replaced, REPLACEMENT, 3));
        at = nul ? nul + 1 : end;
    }
    strings->length = place;
    is_well = is_well && buffer_add(strings, replaced.bytes, replaced.length);
    strings->has_failed = !is_well;
    buffer_free(&replaced);
    return is_well;
}

/* The text of an attribute: most stay where they are. */
static bool take_value(Harvest *harvest, Value value, Piece *piece)
{
    *piece = (Piece){value.at, 0, value.length, value.is_there};
    if (!value.is_there || !value.length)
        return true;
    bool has_nul = memchr(value.at, '\0', (size_t)value.length);
    if (!has_nul && !memchr(value.at, '&', (size_t)value.length))
        return true;
    Buffer *strings = &harvest->strings;
    *piece = (Piece){NULL, strings->length, 0, true};
    bool is_taken = decode_references(strings, value.at, value.at + value.length, true)
        && (!has_nul || replace_nuls(strings, piece->place));
    piece->length = strings->length - piece->place;
    return is_taken;
}

static void strip(const Harvest *harvest, Piece *piece)
{
    const char *bytes = bytes_of(harvest, piece);
    while (piece->length && is_space(bytes[piece->length - 1]))
        piece->length--;
    while (piece->length && is_space(*bytes)) {
        bytes++;
        piece->length--;
        if (piece->at)
            piece->at++;
        else
            piece->place++;
    }
}

/* Whether a rel's words, apart by white space, say that the target isn't vouched for. */
static bool is_nofollow(const char *at, const char *end)
{
    while (at < end) {
        const char *from = at;
        while (at < end && !is_space(*at))
            at++;
        for (int i = 0; i < 3; i++)
            if (at - from == NOFOLLOW_WORDS[i].length && matches(from, NOFOLLOW_WORDS[i].word, at - from))
                return true;
        at++;
    }
    return false;
}

bool harvest_link(Harvest *harvest, const Value *values)
{
    if (!values[HREF].is_there)
        return true;
    if (!harvest->links_left) {
        harvest->is_capped = true;
        return true;
    }
    harvest->links_left--;
    Link link = {0};
    Piece rel = {0};
    if (!take_value(harvest, values[HREF], &link.href) || !take_value(harvest, values[REL], &rel))
        return false;
    strip(harvest, &link.href);
    if (rel.length)
        link.is_nofollow = is_nofollow(bytes_of(harvest, &rel), bytes_of(harvest, &rel) + rel.length);
    return buffer_add(&harvest->links, (const char *)&link, sizeof(link));
}

bool harvest_head(Harvest *harvest, const char *tag, const Value *values)
{
    Head head = {.tag = tag};
    for (int i = 0; i < WANTED; i++)
        if (!take_value(harvest, values[i], &head.values[i]))
            return false;
    return buffer_add(&harvest->heads, (const char *)&head, sizeof(head));
}

bool harvest_title(Harvest *harvest, const char *from, const char *to)
{
    Buffer *strings = &harvest->strings;
    if (harvest->title.is_there)
        return true;
    harvest->title = (Piece){NULL, strings->length, 0, true};
    if (!decode_references(strings, from, to, false))
        return false;
    if (strings->length > harvest->title.place
        && memchr(strings->bytes + harvest->title.place, '\0', (size_t)(strings->length - harvest->title.place))
        && !replace_nuls(strings, harvest->title.place))
        return false;
    harvest->title.length = strings->length - harvest->title.place;
    return true;
}

bool harvest_has_failed(const Harvest *harvest)
{
    return harvest->links.has_failed || harvest->heads.has_failed || harvest->strings.has_failed
        || harvest->text.has_failed;
}

void harvest_free(Harvest *harvest)
{
    buffer_free(&harvest->links);
    buffer_free(&harvest->heads);
    buffer_free(&harvest->strings);
    buffer_free(&harvest->text);
}

static PyObject *text_of(const Harvest *harvest, const Piece *piece, const char *errors)
{
    return piece->length ? PyUnicode_DecodeUTF8(bytes_of(harvest, piece), piece->length, errors) : PyUnicode_New(0, 0);
}

static bool append(PyObject *list, PyObject *item)
{
    bool is_added = item && PyList_Append(list, item) == 0;
    Py_XDECREF(item);
    return is_added;
}

static bool list_links(const Harvest *harvest, const char *errors, PyObject *hrefs, PyObject *nofollow)
{
    const Link *links = (const Link *)(const void *)harvest->links.bytes;
    for (Py_ssize_t at = 0; at < harvest->links.length / (Py_ssize_t)sizeof(Link); at++)
        if (!append(links[at].is_nofollow ? nofollow : hrefs, text_of(harvest, &links[at].href, errors)))
            return false;
    return true;
}

/* (tag, attributes). */
static PyObject *head_of(const Harvest *harvest, const Head *head, const char *errors)
{
    PyObject *attributes = PyDict_New();
    bool is_kept = attributes != NULL;
    for (int i = 0; is_kept && i < WANTED; i++) {
        if (!head->values[i].is_there)
            continue;
        PyObject *text = text_of(harvest, &head->values[i], errors);
        is_kept = text && PyDict_SetItem(attributes, wanted_keys[i], text) == 0;
        Py_XDECREF(text);
    }
    PyObject *pair = is_kept ? Py_BuildValue("(sO)", head->tag, attributes) : NULL;
    Py_XDECREF(attributes);
    return pair;
}

static bool list_heads(const Harvest *harvest, const char *errors, PyObject *into)
{
    const Head *heads = (const Head *)(const void *)harvest->heads.bytes;
    for (Py_ssize_t at = 0; at < harvest->heads.length / (Py_ssize_t)sizeof(Head); at++)
        if (!append(into, head_of(harvest, &heads[at], errors)))
            return false;
    return true;
}

PyObject *harvest_found(const Harvest *harvest, const char *errors)
{
    const Piece all = {harvest->text.bytes, 0, harvest->text.length, true};
    PyObject *hrefs = PyList_New(0), *nofollow = PyList_New(0), *heads = PyList_New(0), *answer = NULL;
    PyObject *title = harvest->title.is_there ? text_of(harvest, &harvest->title, errors) : Py_NewRef(Py_None);
    PyObject *text = title ? text_of(harvest, &all, errors) : NULL;
    if (hrefs && nofollow && heads && title && text && list_links(harvest, errors, hrefs, nofollow)
        && list_heads(harvest, errors, heads))
        answer = PyTuple_Pack(6, hrefs, nofollow, harvest->is_capped ? Py_True : Py_False, heads, title, text);
    Py_XDECREF(hrefs);
    Py_XDECREF(nofollow);
    Py_XDECREF(heads);
    Py_XDECREF(title);
    Py_XDECREF(text);
    return answer;
}

bool harvest_init(void)
{
    for (int i = 0; i < WANTED; i++)
        if (!(wanted_keys[i] = PyUnicode_InternFromString(WANTED_NAMES[i].name)))
            return false;
    return references_init();
}
