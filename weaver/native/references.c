/* Character references, named and numeric; those that readers differ on are refused. */
#include "references.h"

#include <string.h>

#define LONGEST_NAME 40
#define LONGEST_BARE_NAME 6 /* of those that count without their semicolon */
#define MOST_DIGITS 7

bool buffer_add(Buffer *buffer, const char *bytes, Py_ssize_t length)
{
    if (buffer->length + length > buffer->capacity) {
        Py_ssize_t capacity = 2 * (buffer->length + length) + 4096;
        char *grown = PyMem_Realloc(buffer->bytes, (size_t)capacity);
        if (!grown) {
            PyErr_NoMemory();
            return false;
        }
        buffer->bytes = grown;
        buffer->capacity = capacity;
    }
    if (length)
        memcpy(buffer->bytes + buffer->length, bytes, (size_t)length);
    buffer->length += length;
    return true;
}

void buffer_free(Buffer *buffer) { PyMem_Free(buffer->bytes); }

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_alphanumeric(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    char low = (char)(c | 0x20);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

static bool add_character(Buffer *into, unsigned long code)
{
    char utf8[4];
    int length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (length == 1) {
        utf8[0] = (char)code;
    } else {
        for (int at = length - 1; at > 0; at--, code >>= 6)
            utf8[at] = (char)(0x80 | (code & 0x3F));
        utf8[0] = (char)((0xF00 >> length & 0xFF) | code);
    }
    return buffer_add(into, utf8, length);
}

/* `&#...;` of an ordinary character; `from` is behind the `#`. Control characters and the like are refused. */
static const char *numeric(Buffer *into, const char *from, const char *to)
{
    bool is_hex = from < to && (*from == 'x' || *from == 'X');
    const char *at = from + is_hex, *digits = at;
    unsigned long code = 0;
    while (at < to && at - digits <= MOST_DIGITS && (is_hex ? hex_value(*at) >= 0 : is_digit(*at)))
        code = code * (is_hex ? 16 : 10) + (unsigned long)hex_value(*at++);
    bool is_plain = (code >= 0xA0 || (code >= 0x20 && code < 0x7F) || code == '\n' || code == '\t')
        && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    if (at == digits || at >= to || *at != ';' || !is_plain || !add_character(into, code))
        return NULL;
    return at + 1;
}

/* The text of a name with or without its semicolon; borrowed, NULL where there is none or with an error set. */
static PyObject *named(const References *references, const char *name, Py_ssize_t length)
{
    PyObject *key = PyUnicode_DecodeLatin1(name, length, NULL);
    PyObject *text = key ? PyDict_GetItemWithError(references->names, key) : NULL;
    Py_XDECREF(key);
    return text;
}

static bool add_named(Buffer *into, PyObject *text)
{
    Py_ssize_t length;
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &length);
    return utf8 && buffer_add(into, utf8, length);
}

/* Whether a name of those that need no semicolon stands here. */
static bool has_bare_name(const References *references, const char *name, Py_ssize_t length)
{
    for (Py_ssize_t bare = 2; bare <= length && bare <= LONGEST_BARE_NAME; bare++)
        if (named(references, name, bare))
            return true;
    return false;
}

/* A reference, or a mere `&`; where to go on, NULL where it is odd. `from` is behind the `&`. */
static const char *reference(
    const References *references, Buffer *into, const char *from, const char *to, bool is_attribute)
{
    const char *at = from;
    if (at < to && *at == '#')
        return numeric(into, at + 1, to);
    while (at < to && is_alphanumeric(*at))
        at++;
    Py_ssize_t length = at - from;
    if (length && at < to && *at == ';' && length < LONGEST_NAME) {
        PyObject *text = named(references, from, length + 1);
        if (text)
            return add_named(into, text) ? at + 1 : NULL;
    }
    /* In an attribute, a name without a semicolon is none where a letter, a digit or `=` follows. */
    bool is_bare = !(is_attribute && at < to && *at == '=') && has_bare_name(references, from, length);
    if (PyErr_Occurred() || is_bare || !buffer_add(into, "&", 1))
        return NULL;
    return from;
}

bool decode_references(References *references, Buffer *into, const char *from, const char *to, bool is_attribute)
{
    while (from < to) {
        const char *next = memchr(from, '&', (size_t)(to - from));
        if (!buffer_add(into, from, (next ? next : to) - from))
            return false;
        if (!next)
            return true;
        from = reference(references, into, next + 1, to, is_attribute);
        if (!from)
            return false;
    }
    return true;
}
