/* The stack of open elements of a plain page, by the rules of a tree builder; what is not plain is refused. */
#ifndef WEAVER_STACK_H
#define WEAVER_STACK_H

#include <stdbool.h>

#include "tags.h"

#define DEEPEST 256

typedef struct {
    const Tag *tag;
    const char *name; /* as written */
    size_t length;
} Element;

typedef struct {
    Element open[DEEPEST];
    int depth;
    int most;  /* how deep it may be, at most DEEPEST */
    int loose; /* elements that were closed with another one: a coarser stack than this one may still hold them */
    int anchors, formatting, tables, selects, drawings;
    bool has_form;
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

/* Whether text other than white space would be moved out of a table here. */
bool stack_moves_text(const Stack *stack);

#endif
