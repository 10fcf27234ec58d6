/* The elements of HTML by name, each with the rule by which a tree builder opens and closes it (13.2.6). */
#ifndef WEAVER_TAGS_H
#define WEAVER_TAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    ORDINARY,   /* no rule of its own; all that is not named here */
    FORMATTING, /* may be opened again after it was closed in the wrong order */
    ANCHOR,     /* formatting, and a link */
    OPTION,
    OPTGROUP,
    FIRST_SPECIAL, /* from here on, an end tag's search for its element goes no further */
    BLOCK = FIRST_SPECIAL, /* closes an open p */
    DIVISION,              /* div and address: blocks that don't end an item's search for the one before it */
    LIST,                  /* ol and ul: blocks that hide an outer item */
    HEADING,
    PARAGRAPH,
    PREFORMATTED,
    ITEM,
    DESCRIPTION, /* dd and dt */
    FORM,
    BUTTON,
    ISLAND, /* applet, marquee, object: a scope */
    TABLE,
    SECTION, /* tbody, thead, tfoot */
    ROW,
    CELL,
    CAPTION,
    COLUMN_GROUP,
    COLUMN,
    SELECT,
    SVG,
    DRAWN, /* what is open in a drawing */
    NOSCRIPT,
    HTML,
    HEAD,
    BODY,
    VOID,
    BARE_VOID, /* one that opens no formatting elements again */
    BREAK, /* br: its end tag makes one too */
    RULE, /* hr */
    AREA,
    BASE,
    META,
    LINK,
    TITLE,
    TEXTAREA,
    RAW,     /* style, and frames: content that nobody sees */
    SCRIPT,
    REFUSED, /* what has rules that are not followed here */
} Rule;

typedef struct {
    const char *name; /* NULL: not in the table */
    size_t length;
    Rule rule;
    bool is_block; /* by the standard's style sheet: its borders end lines of the text */
} Tag;

/* Whether a name is that of a drawing's element whose content follows no rules of its own. */
bool is_of_drawing(const char *name, size_t length);

/* Fill the table; call once before tag_of. */
void tags_init(void);

/* The tag of a name in any case; never NULL, and the same pointer for the same known name. */
const Tag *tag_of(const char *name, size_t length);

#endif
