/* Character references, named and numeric; needs no lock, for the names are copied when the module is loaded. */
#include "references.h"

#include <stdint.h>
#include <string.h>

#define LONGEST_NAME 32
#define LONGEST_BARE_NAME 6 /* of those that count without their semicolon */
#define LONGEST_TEXT 7
#define SLOTS 4096
#define MOST_NAMES 3072
#define LAST_CODE 0x10FFFF
#define REPLACEMENT 0xFFFD

typedef struct {
    char name[LONGEST_NAME], text[LONGEST_TEXT];
    uint8_t name_length, text_length;
} Named;

static Named names[SLOTS];

/* What the numbers of 0x80 to 0x9F mean (13.2.5.80). */
static const uint16_t WINDOWS[32] = {
    0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D, 0x017D,
    0x8F, 0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,
    0x017E, 0x0178,
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_alphanumeric(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* The place of a name, or the free one where it belongs. */
static Named *slot_of(const char *name, Py_ssize_t length)
{
    uint32_t hash = 2166136261u;
    for (Py_ssize_t at = 0; at < length; at++)
        hash = (hash ^ (uint8_t)name[at]) * 16777619u;
    Named *slot = &names[(hash ^ hash >> 15) % SLOTS];
    while (slot->name_length && (slot->name_length != length || memcmp(slot->name, name, (size_t)length)))
        slot = slot == &names[SLOTS - 1] ? names : slot + 1;
    return slot;
}

static bool add_name(PyObject *key, PyObject *value)
{
    Py_ssize_t name_length, text_length;
    const char *name = PyUnicode_AsUTF8AndSize(key, &name_length);
    const char *text = name ? PyUnicode_AsUTF8AndSize(value, &text_length) : NULL;
    if (!text)
        return false;
    if (!name_length || name_length > LONGEST_NAME || text_length > LONGEST_TEXT) {
        PyErr_SetString(PyExc_ValueError, "a character's name is too long");
        return false;
    }
    Named *slot = slot_of(name, name_length);
    memcpy(slot->name, name, (size_t)name_length);
    memcpy(slot->text, text, (size_t)text_length);
    slot->name_length = (uint8_t)name_length;
    slot->text_length = (uint8_t)text_length;
    return true;
}

bool references_init(void)
{
    PyObject *module = PyImport_ImportModule("html.entities");
    PyObject *known = module ? PyObject_GetAttrString(module, "html5") : NULL, *key, *value;
    bool is_well = known && PyDict_Check(known) && PyDict_GET_SIZE(known) <= MOST_NAMES;
    if (known && !is_well)
        PyErr_SetString(PyExc_ValueError, "expected a dict of at most 3072 names");
    for (Py_ssize_t at = 0; is_well && PyDict_Next(known, &at, &key, &value);)
        is_well = add_name(key, value);
    Py_XDECREF(known);
    Py_XDECREF(module);
    return is_well;
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

static int value_of(char c, bool is_hex)
{
    if (is_digit(c))
        return c - '0';
    char low = (char)(c | 0x20);
    return is_hex && low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* The character of a number (13.2.5.80). */
static unsigned long meant(unsigned long code)
{
    if (code >= 0x80 && code < 0xA0)
        return WINDOWS[code - 0x80];
    return !code || code > LAST_CODE || (code >= 0xD800 && code <= 0xDFFF) ? REPLACEMENT : code;
}

/* Where to go on, NULL where memory is out; `from` is behind the `&#`. */
static const char *numeric(Buffer *into, const char *from, const char *to)
{
    bool is_hex = from < to && (*from == 'x' || *from == 'X');
    const char *digits = from + is_hex, *at = digits;
    unsigned long code = 0;
    for (int digit; at < to && (digit = value_of(*at, is_hex)) >= 0; at++)
        if (code <= LAST_CODE)
            code = code * (is_hex ? 16 : 10) + (unsigned long)digit;
    if (at == digits)
        return buffer_add(into, "&#", 2) ? from : NULL;
    if (!add_character(into, meant(code)))
        return NULL;
    return at + (at < to && *at == ';');
}

/* The longest name of those that need no semicolon; NULL where none stands here. */
static const Named *bare_name(const char *name, Py_ssize_t length)
{
    for (Py_ssize_t bare = length < LONGEST_BARE_NAME ? length : LONGEST_BARE_NAME; bare >= 2; bare--) {
        const Named *found = slot_of(name, bare);
        if (found->name_length)
            return found;
    }
    return NULL;
}

/* A reference, or a mere `&`; where to go on, NULL where memory is out. `from` is behind the `&`. */
static const char *reference(Buffer *into, const char *from, const char *to, bool is_attribute)
{
    const char *at = from;
    if (at < to && *at == '#')
        return numeric(into, at + 1, to);
    while (at < to && is_alphanumeric(*at) && at - from < LONGEST_NAME)
        at++;
    Py_ssize_t length = at - from;
    const Named *found = NULL;
    if (length && length < LONGEST_NAME && at < to && *at == ';')
        found = slot_of(from, length + 1);
    if (!found || !found->name_length) {
        found = bare_name(from, length);
        /* In an attribute, a name without a semicolon is none where a letter, a digit or `=` follows. */
        const char *next = found ? from + found->name_length : to;
        if (is_attribute && next < to && (*next == '=' || is_alphanumeric(*next)))
            found = NULL;
    }
    if (!found)
        return buffer_add(into, "&", 1) ? from : NULL;
    return buffer_add(into, found->text, found->text_length) ? from + found->name_length : NULL;
}

bool decode_references(Buffer *into, const char *from, const char *to, bool is_attribute)
{
    while (from && from < to) {
        const char *next = memchr(from, '&', (size_t)(to - from));
        if (!buffer_add(into, from, (next ? next : to) - from))
            return false;
        if (!next)
            return true;
        from = reference(into, next + 1, to, is_attribute);
    }
    return from != NULL;
}
