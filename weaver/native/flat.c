/* A page as mere markup: its links, head elements and text without nesting; parse/flat.py is the twin. */
#define PY_SSIZE_T_CLEAN
#include "flat.h"

#include <string.h>
#include <strings.h>

#include "harvest.h"
#include "references.h"

#define MOST_TOKENS 600000
#define MOST_HEADS 1000
#define MOST_ISLAND_PARTS 1000
/* As in parse/guard.py. */
#define MOST_ATTRIBUTES 60000
#define MOST_TAG_ATTRIBUTES 1000
/* From here on, Python's lock is given up while a page is read. */
#define SHARED_BYTES (128 << 10)

typedef struct {
    const char *at, *end; /* the token's `<`, and behind it */
    const char *name;     /* of a tag; NULL where the token is none */
    Py_ssize_t name_length;
    bool is_end, is_closed, is_title;
    const char *content; /* of a title */
} Token;

typedef struct {
    const char *at, *end;
    Value values[WANTED];
    long long attributes, most_of_a_tag;
} Scan;

/* Elements whose content is text up to their own end tag. */
static const char *const RAW_TEXT[] = {
    "script", "style", "title", "textarea", "iframe", "noframes", "noembed", "xmp", NULL,
};
/* The elements of plain drawings and formulas, which neither break out to HTML nor let it in, and those that hold text. */
static const char *const OF_DRAWINGS[] = {
    "a", "animate", "animatemotion", "animatetransform", "circle", "clippath", "defs", "ellipse", "feblend",
    "fecolormatrix", "fecomposite", "feflood", "fegaussianblur", "femerge", "femergenode", "feoffset", "filter", "g",
    "image", "line", "lineargradient", "marker", "mask", "metadata", "path", "pattern", "polygon", "polyline",
    "radialgradient", "rect", "set", "stop", "switch", "symbol", "text", "textpath", "tspan", "use", "view", NULL,
};
static const char *const TEXT_OF_DRAWINGS[] = {"title", "desc", "style", NULL};
static const char *const OF_FORMULAS[] = {
    "maction", "menclose", "merror", "mfenced", "mfrac", "mmultiscripts", "mover", "mpadded", "mphantom",
    "mprescripts", "mroot", "mrow", "mspace", "msqrt", "mstyle", "msub", "msubsup", "msup", "mtable", "mtd", "mtr",
    "munder", "munderover", "none", "semantics", NULL,
};
static const char *const TEXT_OF_FORMULAS[] = {"mi", "mn", "mo", "ms", "mtext", "annotation", NULL};

/* The end of the name that begins here. */
static const char *name_end(const char *at, const char *end)
{
    while (at < end && !ends_tag_name(*at))
        at++;
    return at;
}

static bool is_named(const char *name, Py_ssize_t length, const char *wanted)
{
    return (Py_ssize_t)strlen(wanted) == length && !strncasecmp(name, wanted, (size_t)length);
}

static bool is_one_of(const char *name, Py_ssize_t length, const char *const *names)
{
    while (*names && !is_named(name, length, *names))
        names++;
    return *names != NULL;
}

/* Behind the tag whose name ends here. */
static const char *pass_attributes(Scan *scan, const char *at, bool *is_closed)
{
    Attribute attribute = {.at = at, .end = scan->end};
    long long count = 0;
    while (next_attribute(&attribute)) {
        count++;
        take_wanted(scan->values, &attribute);
    }
    scan->attributes += count;
    scan->most_of_a_tag = count > scan->most_of_a_tag ? count : scan->most_of_a_tag;
    *is_closed = attribute.is_closed;
    return attribute.at;
}

static const char *pass_comment(const char *at, const char *end)
{
    if (at < end && *at == '>')
        return at + 1;
    if (end - at >= 2 && at[0] == '-' && at[1] == '>')
        return at + 2;
    while ((at = find(at, end, '-'))) {
        if (end - at >= 3 && at[1] == '-' && at[2] == '>')
            return at + 3;
        if (end - at >= 4 && at[1] == '-' && at[2] == '!' && at[3] == '>')
            return at + 4;
        at++;
    }
    return end;
}

/* The end tag of this name, or the end of all. */
static const char *end_tag_of(const char *at, const char *end, const char *name, Py_ssize_t length)
{
    while ((at = find(at, end, '<'))) {
        if (end - at > length + 2 && at[1] == '/' && ends_tag_name(at[length + 2])
            && !strncasecmp(at + 2, name, (size_t)length))
            return at;
        at++;
    }
    return end;
}

/* Behind `</name >` if that stands here, else NULL. */
static const char *pass_plain_end(const char *at, const char *end, const char *name, Py_ssize_t length)
{
    if (end - at < length + 3 || at[0] != '<' || at[1] != '/' || strncasecmp(at + 2, name, (size_t)length))
        return NULL;
    for (at += length + 2; at < end && is_space(*at);)
        at++;
    return at < end && *at == '>' ? at + 1 : NULL;
}

/* Behind one part of a drawing or formula; NULL where none stands here. */
static const char *pass_part(Scan *scan, const char *at, const char *const *names, const char *const *leaves)
{
    const char *end = scan->end;
    bool is_closed;
    if (*at != '<') {
        const char *next = find(at, end, '<');
        return next ? next : end;
    }
    const char *name = at + 1 + (end - at > 1 && at[1] == '/'), *rest = name_end(name, end);
    if (rest == end)
        return NULL;
    if (is_one_of(name, rest - name, names))
        return pass_attributes(scan, rest, &is_closed);
    if (name != at + 1 || !is_one_of(name, rest - name, leaves))
        return NULL;
    at = find(pass_attributes(scan, rest, &is_closed), end, '<');
    return at ? pass_plain_end(at, end, name, rest - name) : NULL;
}

/* Behind a plain drawing or formula, whose name begins here; NULL where it is none. */
static const char *pass_island(Scan *scan, const char *name, const char *rest)
{
    bool is_drawing = is_named(name, rest - name, "svg"), is_closed;
    if (rest == scan->end || (!is_drawing && !is_named(name, rest - name, "math")))
        return NULL;
    const char *at = pass_attributes(scan, rest, &is_closed), *next;
    for (int parts = 0; parts < MOST_ISLAND_PARTS && at < scan->end; parts++, at = next)
        if (!(next = pass_part(scan, at, is_drawing ? OF_DRAWINGS : OF_FORMULAS, is_drawing ? TEXT_OF_DRAWINGS : TEXT_OF_FORMULAS)))
            break;
    return at < scan->end ? pass_plain_end(at, scan->end, name, rest - name) : NULL;
}

static void read_tag(Scan *scan, Token *token)
{
    const char *name = token->at + 1 + token->is_end, *rest = name_end(name, scan->end), *island;
    Scan before = *scan;
    if (!token->is_end && (island = pass_island(scan, name, rest))) {
        token->end = island;
        return;
    }
    *scan = before;
    memset(scan->values, 0, sizeof(scan->values));
    token->end = pass_attributes(scan, rest, &token->is_closed);
    token->name_length = rest - name;
    if (token->is_end || rest == scan->end || !is_one_of(name, rest - name, RAW_TEXT)) {
        token->name = name;
        return;
    }
    token->is_title = token->is_closed && is_named(name, rest - name, "title");
    token->content = token->end;
    token->end = end_tag_of(token->end, scan->end, name, rest - name);
}

/* The next token; false where only text is left. */
static bool next_token(Scan *scan, Token *token)
{
    const char *at = scan->at;
    while ((at = find(at, scan->end, '<')) && scan->end - at > 1) {
        *token = (Token){.at = at};
        if (is_letter(at[1]) || (at[1] == '/' && scan->end - at > 2 && is_letter(at[2]))) {
            token->is_end = at[1] == '/';
            read_tag(scan, token);
        } else if (scan->end - at > 3 && at[1] == '!' && at[2] == '-' && at[3] == '-') {
            token->end = pass_comment(at + 4, scan->end);
        } else if (at[1] == '!' || at[1] == '?' || at[1] == '/') {
            const char *close = find(at, scan->end, '>');
            token->end = close ? close + 1 : scan->end;
        } else {
            at++;
            continue;
        }
        scan->at = token->end;
        return true;
    }
    return false;
}

typedef struct {
    Scan scan;
    Harvest harvest;
    long long templates;
    bool is_in_head, has_text, has_border;
    int heads;
} Flat;

static bool is_seen(const Flat *flat, const char *from, const char *to)
{
    while (from < to && (is_space(*from) || *from == '\v'))
        from++;
    return from < to && !flat->templates;
}

static bool add_text(Flat *flat, const char *from, const char *to, bool is_markup)
{
    Buffer *text = &flat->harvest.text;
    if (!is_seen(flat, from, to))
        return true;
    flat->is_in_head = false;
    if (flat->has_text && !buffer_add(text, flat->has_border ? "\n" : " ", 1))
        return false;
    flat->has_text = true;
    flat->has_border = false;
    return is_markup ? decode_references(text, from, to, false) : buffer_add(text, from, to - from);
}

static void take_end(Flat *flat, const Token *token)
{
    if (is_named(token->name, token->name_length, "template") && flat->templates)
        flat->templates--;
    else if (is_named(token->name, token->name_length, "head"))
        flat->is_in_head = false;
}

static bool take_head(Flat *flat, const char *tag)
{
    return ++flat->heads > MOST_HEADS || harvest_head(&flat->harvest, tag, flat->scan.values);
}

static bool take_start(Flat *flat, const Token *token)
{
    static const char *const OF_THE_HEAD[] = {
        "base", "meta", "link", "html", "head", "title", "script", "style", "noscript", "template", NULL,
    };
    const char *name = token->name;
    Py_ssize_t length = token->name_length;
    flat->templates += is_named(name, length, "template");
    flat->is_in_head = flat->is_in_head && is_one_of(name, length, OF_THE_HEAD);
    if (flat->templates || !token->is_closed)
        return true;
    if (is_named(name, length, "a") || is_named(name, length, "area"))
        return harvest_link(&flat->harvest, flat->scan.values);
    if (is_named(name, length, "base"))
        return take_head(flat, "base");
    if (is_named(name, length, "meta"))
        return take_head(flat, "meta");
    return !flat->is_in_head || !is_named(name, length, "link") || take_head(flat, "link");
}

static bool take_token(Flat *flat, const Token *token)
{
    if (token->is_title)
        return harvest_title(&flat->harvest, token->content, token->end);
    if (!token->name)
        return true;
    flat->has_border = flat->has_border || tag_of(token->name, (size_t)token->name_length)->is_block;
    if (token->is_end)
        take_end(flat, token);
    return token->is_end || take_start(flat, token);
}

static bool read_all(Flat *flat)
{
    const char *text_from = flat->scan.at;
    Token token;
    for (int tokens = 0; next_token(&flat->scan, &token); tokens++) {
        if (!add_text(flat, text_from, token.at, true))
            return false;
        if (tokens == MOST_TOKENS)
            return true;
        text_from = token.end;
        if (token.name && !token.is_end && is_named(token.name, token.name_length, "plaintext"))
            return add_text(flat, text_from, flat->scan.end, false);
        if (!take_token(flat, &token))
            return false;
    }
    return add_text(flat, text_from, flat->scan.end, true);
}

PyObject *read_flat(PyObject *module, PyObject *arguments)
{
    Flat flat = {.is_in_head = true};
    Py_buffer markup;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*n", &markup, &flat.harvest.links_left))
        return NULL;
    flat.scan.at = markup.buf;
    flat.scan.end = flat.scan.at + markup.len;
    PyThreadState *thread = markup.len >= SHARED_BYTES ? PyEval_SaveThread() : NULL;
    bool is_read = read_all(&flat);
    if (thread)
        PyEval_RestoreThread(thread);
    PyObject *answer = is_read ? harvest_found(&flat.harvest, "replace") : PyErr_NoMemory();
    harvest_free(&flat.harvest);
    PyBuffer_Release(&markup);
    return answer;
}

PyObject *is_wide(PyObject *module, PyObject *markup)
{
    Scan scan = {0};
    Py_buffer view;
    Token token;
    (void)module;
    if (PyObject_GetBuffer(markup, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    scan.at = view.buf;
    scan.end = scan.at + view.len;
    PyThreadState *thread = view.len >= SHARED_BYTES ? PyEval_SaveThread() : NULL;
    while (scan.attributes <= MOST_ATTRIBUTES && scan.most_of_a_tag <= MOST_TAG_ATTRIBUTES && next_token(&scan, &token))
        continue;
    if (thread)
        PyEval_RestoreThread(thread);
    PyBuffer_Release(&view);
    return PyBool_FromLong(scan.attributes > MOST_ATTRIBUTES || scan.most_of_a_tag > MOST_TAG_ATTRIBUTES);
}
