/* The letters and attributes of HTML (WHATWG HTML, 13.2.5). */
#ifndef WEAVER_MARKUP_H
#define WEAVER_MARKUP_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <string.h>

typedef struct {
    const char *at;
    Py_ssize_t length;
    bool is_there;
} Value;

typedef struct {
    const char *at, *end; /* what is still to be read */
    const char *name;
    Py_ssize_t name_length;
    Value value;
    bool is_closed;    /* the tag's `>` was met; `at` is behind it */
    bool is_empty_tag; /* with a `/` before it */
    bool is_cut;       /* a quoted value has no end */
} Attribute;

static inline bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\f' || c == '\r'; }
static inline bool is_letter(char c) { return (unsigned char)((c | 0x20) - 'a') < 26; }

/* What ends a name: of a tag, and of an attribute. */
enum { ENDS_TAG_NAME = 1, ENDS_ATTRIBUTE_NAME = 2 };
extern const unsigned char NAME_ENDS[256];

static inline bool ends_tag_name(char c) { return NAME_ENDS[(unsigned char)c] & ENDS_TAG_NAME; }
static inline bool ends_attribute_name(char c) { return NAME_ENDS[(unsigned char)c]; }

bool is_blank(const char *from, const char *to);

/* Whether a name in lower case stands here in any case; `at` has as many bytes. */
bool matches(const char *at, const char *name, Py_ssize_t length);

bool contains(const char *from, const char *end, const char *text, Py_ssize_t length);

static inline const char *find(const char *from, const char *end, char c)
{
    return from < end ? memchr(from, c, (size_t)(end - from)) : NULL;
}

/* Read one attribute, after the tag's name or another one; false where there is none. */
bool next_attribute(Attribute *attribute);

#endif
