/* A count of what opens with `<`, by the two bytes after it: parse/census.py has the table and says what for. */
#include "census.h"

#include <string.h>

/* The kinds' numbers, in the order of parse/census.py. */
enum { OTHER, END, DECLARATION, PLAIN, ANCHOR, FORMATTING, STYLE, FRAME, SCRIPT, ROOT, KINDS = 16 };
#define PAIRS (1 << 16)

/* As in parse/guard.py. */
#define MOST_ROOTS 50
#define MOST_OPENINGS 100000
#define UNSEEN_OPENINGS 2 /* in the last two bytes */

typedef struct {
    const unsigned char *at, *last; /* `last` has two bytes after it */
    const unsigned char *kinds;
} Opens;

static bool is_open(Opens *opens, const Py_buffer *markup, const Py_buffer *kinds)
{
    opens->at = markup->buf;
    opens->last = opens->at + markup->len - 2;
    opens->kinds = kinds->buf;
    return kinds->len == PAIRS;
}

/* The kind of what opens next; `at` is behind its `<`. -1 at the end. */
static int next_kind(Opens *opens)
{
    if (opens->at >= opens->last)
        return -1;
    const unsigned char *found = memchr(opens->at, '<', (size_t)(opens->last - opens->at));
    if (!found)
        return -1;
    opens->at = found + 1;
    return opens->kinds[found[1] << 8 | found[2]];
}

bool has_few_tags(const Py_buffer *markup, const Py_buffer *kinds)
{
    Opens opens;
    long long openings = UNSEEN_OPENINGS, roots = 0;
    if (!is_open(&opens, markup, kinds))
        return false;
    for (int kind; (kind = next_kind(&opens)) >= 0;) {
        openings++;
        roots += kind == ROOT;
    }
    return roots <= MOST_ROOTS && openings <= MOST_OPENINGS;
}

static bool add_place(PyObject *places, Py_ssize_t place)
{
    PyObject *number = PyLong_FromSsize_t(place);
    bool is_added = number && PyList_Append(places, number) == 0;
    Py_XDECREF(number);
    return is_added;
}

/* (counts by kind, places of the formatting elements, places of the anchors). */
PyObject *census(PyObject *module, PyObject *arguments)
{
    Py_buffer markup, kinds;
    Opens opens;
    Py_ssize_t counts[256] = {0};
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*", &markup, &kinds))
        return NULL;
    PyObject *all = PyList_New(KINDS), *formatting = PyList_New(0), *anchors = PyList_New(0), *answer = NULL;
    bool is_well = all && formatting && anchors;
    if (is_well && !is_open(&opens, &markup, &kinds)) {
        PyErr_SetString(PyExc_ValueError, "expected a kind for each pair of bytes");
        is_well = false;
    }
    for (int kind; is_well && (kind = next_kind(&opens)) >= 0;) {
        Py_ssize_t place = opens.at - 1 - (const unsigned char *)markup.buf;
        counts[kind]++;
        if (kind == ANCHOR)
            is_well = add_place(anchors, place);
        else if (kind >= FORMATTING && kind <= FRAME)
            is_well = add_place(formatting, place);
    }
    for (int kind = 0; is_well && kind < KINDS; kind++) {
        PyObject *number = PyLong_FromSsize_t(counts[kind]);
        is_well = number != NULL;
        if (number)
            PyList_SET_ITEM(all, kind, number);
    }
    if (is_well)
        answer = PyTuple_Pack(3, all, formatting, anchors);
    Py_XDECREF(all);
    Py_XDECREF(formatting);
    Py_XDECREF(anchors);
    PyBuffer_Release(&markup);
    PyBuffer_Release(&kinds);
    return answer;
}
