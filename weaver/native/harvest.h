/* What is found in a page, gathered in plain memory: Python's objects are made of it at the end. */
#ifndef WEAVER_HARVEST_H
#define WEAVER_HARVEST_H

#include "buffer.h"
#include "markup.h"
#include "tags.h"

/* The attributes that mean something to a crawl. */
enum { HREF, REL, NAME, HTTP_EQUIV, CONTENT, WANTED };

/* Bytes of the markup, or, where `at` is NULL, of the harvest's own strings. */
typedef struct {
    const char *at;
    Py_ssize_t place, length;
    bool is_there;
} Piece;

typedef struct {
    Buffer links; /* of Link */
    Buffer heads; /* of Head */
    Buffer strings;
    Buffer text;
    Piece title;
    Py_ssize_t links_left;
    bool is_capped;
} Harvest;

/* Keep a tag's attribute of this name, if it is wanted; the first of each counts. */
void take_wanted(Value *values, const Attribute *attribute);

/* Whether a value may hold a word; one with references may hold any. */
bool may_say(Value value, const char *word, Py_ssize_t length);

/* The three below: false where memory is out. */

/* A link, if it has an href: followed or not (`rel`), as long as there is room for it. */
bool harvest_link(Harvest *harvest, const Value *values);

/* A head element, for the code that reads those of a tree. */
bool harvest_head(Harvest *harvest, const char *tag, const Value *values);

/* The first title counts. */
bool harvest_title(Harvest *harvest, const char *from, const char *to);

bool harvest_has_failed(const Harvest *harvest);
void harvest_free(Harvest *harvest);

/* (hrefs, nofollow hrefs, is_capped, heads, title or None, text); NULL with an error, which is a UnicodeDecodeError where
   bytes are no UTF-8 and `errors` is "strict". */
PyObject *harvest_found(const Harvest *harvest, const char *errors);

/* Make the keys of the head elements' attributes; call once. */
bool harvest_init(void);

#endif
