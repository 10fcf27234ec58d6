/* The stack of open elements of a plain page, by the rules of a tree builder; what is not plain is refused. */
#ifndef WEAVER_STACK_H
#define WEAVER_STACK_H

#include <stdbool.h>

#include "tags.h"

#define DEEPEST 256
#define MOST_ACTIVE 64

typedef struct {
    const Tag *tag;
    const char *name; /* as written */
    size_t length;
} Element;

/* An entry of the list of active formatting elements (13.2.4.3). */
typedef struct {
    Element element; /* without a tag: a marker */
    int place;       /* on the stack; -1: lost, that is closed with an element around it, to be opened again */
} Active;

typedef struct {
    Element open[DEEPEST];
    Active active[MOST_ACTIVE];
    int actives;
    int depth;
    int most;  /* how deep it may be, at most DEEPEST */
    int loose; /* elements that were closed with another one: a coarser stack than this one may still hold them */
    int formatting, tables, selects, drawings;
    bool has_form;
    bool has_border; /* a block's border was crossed since this was last set to false */
    bool is_crowded;  /* the list held four of one name, of which the first may have been dropped */
    bool is_unproven; /* formatting elements were lost: what the tree costs is to be looked at elsewhere */
    bool is_quirky; /* the page's mode isn't known to be a later one than quirks mode */
} Stack;

typedef enum {
    REFUSE,  /* not plain */
    IGNORE,  /* the tag means nothing: text goes on in the same node */
    ENTER,   /* open now, or void */
} Verdict;

/* `is_empty`: the tag ends with `/>`, which means something in drawings only. */
Verdict stack_start(Stack *stack, Element element, bool is_empty);
Verdict stack_end(Stack *stack, Element element);

/* Whether text and elements that come next here stand in formatting elements that were lost. */
bool stack_has_lost(const Stack *stack);

/* Open the first of the lost again, and tell which; IGNORE where there is none. */
Verdict stack_reopen(Stack *stack, Element *element);

/* Close the anchor that an anchor's start tag closes. */
Verdict stack_close_anchor(Stack *stack);

/* Whether text other than white space would be moved out of a table here. */
bool stack_moves_text(const Stack *stack);

/* Whether a paragraph that begins here is moved out of a table, and what is in it stands in no other element there. */
bool stack_moves_paragraph(const Stack *stack);

#endif
