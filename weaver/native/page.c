/* A plain page read without a tree: its links, head elements and text, as the tree would have them; or nothing. */
#define PY_SSIZE_T_CLEAN
#include "page.h"

#include <string.h>

#include "census.h"
#include "harvest.h"
#include "references.h"
#include "stack.h"

/* From here on, Python's lock is given up while a page is read. */
#define SHARED_BYTES (128 << 10)
#define MOST_TAG_ATTRIBUTES 64
#define MOST_FORMATTING_ATTRIBUTES 8
/* Of tags without rules and of attributes; the guard of the tree allows a few more. */
#define MOST_NAMES 3500
#define NAMES_REMEMBERED 256
/* The rest as in parse/open_elements.py: whatever is plain, its simulation of the stack lets pass too. */
#define MOST_ATTRIBUTES 55000
#define MOST_CLONES 150000
#define MOST_STEPS 45000000
#define MOVED_BYTES_PER_STEP 10
#define MOST_DRAWN_TAGS 450
#define MOST_HEADS 1000
/* Of anchors' tags that are read again. */
#define MOST_REOPENED_BYTES (1 << 20)

typedef enum { BEFORE_HTML, BEFORE_HEAD, IN_HEAD, AFTER_HEAD, IN_BODY, AFTER_BODY, AFTER_HTML } Phase;

typedef struct {
    const char *at, *end;
    Py_ssize_t length;
    Phase phase;
    Stack stack;
    Value values[WANTED];
    int names, heads;
    Py_ssize_t reopened_bytes;
    long long attributes, tag_attributes, steps;
    int drawn_tags;  /* since the drawing began */
    bool has_odd_drawing; /* one that the simulation doesn't take whole */
    bool is_in_cell; /* text that follows stays where it is, as far as the simulation sees */
    bool is_empty_tag;
    long clones_left;
    bool has_doctype;
    uint32_t names_seen[NAMES_REMEMBERED];
    bool goes_on; /* what text comes next belongs to the text node before it */
    bool has_text;
    Py_ssize_t moved_to[DEEPEST]; /* by a table's place on the stack: where text moved out of it goes */
    Harvest harvest;
} Page;

/* Count distinct names, some of them twice: a name is forgotten when another one takes its place. */
static void note_name(Page *page, const char *name, Py_ssize_t length)
{
    if ((length == 5 && !memcmp(name, "class", 5)) || (length == 4 && !memcmp(name, "href", 4)))
        return;
    uint32_t hash = 2166136261u;
    for (Py_ssize_t at = 0; at < length; at++)
        hash = (hash ^ (uint8_t)name[at]) * 16777619u;
    uint32_t *seen = &page->names_seen[(hash ^ hash >> 16) % NAMES_REMEMBERED];
    page->names += *seen != hash;
    *seen = hash;
}

/* Read a tag's attributes up to behind its `>`; of those that are wanted, the first of each counts. */
static bool read_attributes(Page *page, bool is_wanted)
{
    Attribute attribute = {.at = page->at, .end = page->end};
    long long count = 0;
    if (is_wanted)
        memset(page->values, 0, sizeof(page->values));
    if (page->at < page->end && *page->at == '>') {
        page->at++;
        page->is_empty_tag = false;
        page->tag_attributes = 0;
        return page->names <= MOST_NAMES;
    }
    while (next_attribute(&attribute)) {
        count++;
        note_name(page, attribute.name, attribute.name_length);
        if (is_wanted)
            take_wanted(page->values, &attribute);
    }
    page->at = attribute.at;
    page->is_empty_tag = attribute.is_empty_tag;
    page->tag_attributes = count;
    page->attributes += count;
    page->steps += count * count / 2;
    return attribute.is_closed && count <= MOST_TAG_ATTRIBUTES && page->attributes <= MOST_ATTRIBUTES
        && page->names <= MOST_NAMES;
}

/* Of head elements, those that may say something of the page: parse/head.py looks closer. */
static bool is_telling(const Page *page, Rule rule)
{
    const Value *values = page->values;
    if (rule == LINK)
        return page->phase == IN_HEAD && may_say(values[REL], "canonical", 9);
    if (rule == META)
        return values[CONTENT].is_there
            && (may_say(values[HTTP_EQUIV], "refresh", 7) || may_say(values[NAME], "robots", 6)
                || may_say(values[NAME], "weaver", 6) || may_say(values[NAME], "*", 1));
    return rule == BASE;
}

/* Text of the body: one node, or what the node before it goes on with; the borders of blocks end lines. */
static bool add_text(Page *page, const char *from, const char *to)
{
    Buffer *text = &page->harvest.text;
    if (from == to)
        return true;
    if (!page->goes_on && page->has_text && !buffer_add(text, page->stack.has_border ? "\n" : " ", 1))
        return false;
    page->goes_on = page->has_text = true;
    page->stack.has_border = false;
    return decode_references(text, from, to, false);
}

/* Open the formatting elements again that were closed with others: an anchor becomes another link. */
static bool reopen(Page *page)
{
    Element element;
    Verdict verdict;
    while ((verdict = stack_reopen(&page->stack, &element)) == ENTER) {
        Attribute attribute = {.at = element.name + element.length, .end = page->end};
        Value values[WANTED] = {{0}};
        page->goes_on = false;
        while (element.tag->rule == ANCHOR && next_attribute(&attribute))
            take_wanted(values, &attribute);
        page->reopened_bytes += attribute.at - element.name;
        if (page->reopened_bytes > MOST_REOPENED_BYTES || !harvest_link(&page->harvest, values))
            return false;
    }
    return verdict == IGNORE;
}

/* What a start tag does before its element is there. */
static bool prepare(Page *page, Rule rule)
{
    if (page->stack.drawings || page->stack.selects)
        return true;
    if (rule == ANCHOR && stack_close_anchor(&page->stack) == REFUSE)
        return false;
    if ((rule == OPTION || rule == OPTGROUP) && stack_has_lost(&page->stack))
        return false;
    bool stands_in_lost = rule == ORDINARY || rule == FORMATTING || rule == ANCHOR || rule == BUTTON || rule == ISLAND
        || rule == SELECT || rule == SVG || rule == NOSCRIPT || rule == VOID || rule == BREAK || rule == AREA;
    return !stands_in_lost || reopen(page);
}

static bool is_cheap(Page *page, Rule rule);

static bool insert_text(Buffer *text, Py_ssize_t place, const char *bytes, Py_ssize_t length)
{
    if (!buffer_add(text, bytes, length))
        return false;
    memmove(text->bytes + place + length, text->bytes + place, (size_t)(text->length - length - place));
    memcpy(text->bytes + place, bytes, (size_t)length);
    return true;
}

/* White space that is moved before a table, between the borders of blocks. */
static bool add_moved(Page *page, Py_ssize_t *place, const char *from, const char *to)
{
    Buffer *text = &page->harvest.text;
    bool is_first = !*place, has_more = text->length > *place;
    if (from == to)
        return true;
    page->has_text = true;
    /* What stands behind it moves too. */
    page->steps += page->length / MOVED_BYTES_PER_STEP;
    if (page->steps > MOST_STEPS)
        return false;
    if (!is_first && !insert_text(text, (*place)++, "\n", 1))
        return false;
    if (!insert_text(text, *place, from, to - from))
        return false;
    *place += to - from;
    return !is_first || !has_more || insert_text(text, *place, "\n", 1);
}

/* A paragraph between the cells of a table, which is moved before it (13.2.6.1): one with nothing but line breaks. */
static bool take_moved_paragraph(Page *page)
{
    int table = page->stack.depth - 1;
    while (table > 0 && page->stack.open[table].tag->rule != TABLE)
        table--;
    if (!table || !read_attributes(page, false))
        return false;
    for (bool is_open = true; is_open;) {
        const char *from = page->at;
        while (page->at < page->end && is_space(*page->at))
            page->at++;
        const char *at = page->at;
        is_open = page->end - at > 3 && matches(at, "<br", 3) && ends_tag_name(at[3]);
        bool is_end = page->end - at > 3 && matches(at, "</p", 3) && ends_tag_name(at[3]);
        page->at += 3;
        if (!(is_open || is_end) || !add_moved(page, &page->moved_to[table], from, at) || !read_attributes(page, false))
            return false;
    }
    page->stack.is_unproven = true;
    return is_cheap(page, PARAGRAPH);
}

static bool add_head(Page *page, const Tag *tag)
{
    return ++page->heads <= MOST_HEADS && harvest_head(&page->harvest, tag->name, page->values);
}

/* Go to behind the end tag of an element whose content is no markup; its content, or false where it has no end. */
static bool pass_content(Page *page, const char *name, Py_ssize_t length, const char **from, const char **to)
{
    const char *at = *from = page->at;
    while ((at = find(at, page->end, '<'))) {
        if (page->end - at > length + 2 && at[1] == '/' && matches(at + 2, name, length)
            && (is_space(at[length + 2]) || at[length + 2] == '/' || at[length + 2] == '>'))
            break;
        at++;
    }
    if (!at)
        return false;
    *to = at;
    page->at = at + length + 2;
    return read_attributes(page, false);
}

/* In `<!-- <script` a script goes on past its end tag (13.2.5.18). */
static bool is_simple_script(const char *from, const char *to)
{
    const char *at = from;
    while ((at = find(at, to, '<'))) {
        if (to - at >= 4 && !memcmp(at, "<!--", 4))
            return !contains(at, to, "<script", 7);
        at++;
    }
    return true;
}

/* A line feed at the start of a pre or textarea is none (13.2.6.4.7); one that is a reference is refused. */
static bool pass_newline(const char **at, const char *end)
{
    if (*at < end && **at == '\n') {
        ++*at;
        return true;
    }
    return end - *at < 2 || (*at)[0] != '&' || ((*at)[1] != '#' && (*at)[1] != 'N');
}

static bool take_content(Page *page, const Tag *tag)
{
    const char *from, *to;
    if (!pass_content(page, tag->name, (Py_ssize_t)tag->length, &from, &to))
        return false;
    if (tag->rule == SCRIPT)
        return is_simple_script(from, to);
    if (tag->rule == TEXTAREA) {
        bool is_added = pass_newline(&from, to) && add_text(page, from, to);
        page->goes_on = false;
        return is_added;
    }
    return tag->rule != TITLE || harvest_title(&page->harvest, from, to);
}

static bool enter_body(Page *page)
{
    static const char html[] = "html", body[] = "body";
    page->phase = IN_BODY;
    page->goes_on = false;
    page->stack.open[0] = (Element){tag_of(html, 4), html, 4};
    page->stack.open[1] = (Element){tag_of(body, 4), body, 4};
    page->stack.depth = 2;
    return true;
}

static bool start_in_head(Page *page, const Tag *tag)
{
    bool is_wanted = tag->rule == BASE || tag->rule == META || tag->rule == LINK;
    if (!read_attributes(page, is_wanted))
        return false;
    if (is_wanted)
        return !is_telling(page, tag->rule) || add_head(page, tag);
    return take_content(page, tag);
}

static bool is_cheap(Page *page, Rule rule)
{
    page->clones_left += 2 - page->stack.formatting;
    page->steps += page->stack.depth + page->stack.formatting + page->stack.loose;
    bool is_wide = page->tag_attributes > MOST_FORMATTING_ATTRIBUTES && (rule == FORMATTING || rule == ANCHOR);
    return page->clones_left >= 0 && page->steps <= MOST_STEPS && !is_wide;
}

static bool start_in_body(Page *page, Element element)
{
    Rule rule = element.tag->rule;
    bool is_wanted = rule == ANCHOR || rule == AREA || rule == BASE || rule == META;
    bool is_drawn = page->stack.drawings > 0;
    if (rule == PARAGRAPH && stack_moves_paragraph(&page->stack))
        return take_moved_paragraph(page);
    if (!prepare(page, rule) || !read_attributes(page, is_wanted))
        return false;
    Verdict verdict = stack_start(&page->stack, element, page->is_empty_tag);
    page->drawn_tags = rule == SVG ? 0 : page->drawn_tags + is_drawn;
    if (page->drawn_tags > MOST_DRAWN_TAGS || (rule == SVG && page->is_empty_tag))
        page->has_odd_drawing = true;
    page->is_in_cell = rule == CELL || rule == CAPTION || (page->is_in_cell && (rule < TABLE || rule > COLUMN));
    if (verdict == REFUSE || !is_cheap(page, rule))
        return false;
    if (verdict == IGNORE)
        return true;
    page->goes_on = false;
    page->stack.has_border = page->stack.has_border || element.tag->is_block;
    if (rule == TABLE)
        page->moved_to[page->stack.depth - 1] = page->harvest.text.length;
    switch (is_drawn ? DRAWN : rule) {
    case ANCHOR: case AREA:
        return harvest_link(&page->harvest, page->values);
    case BASE: case META:
        return !is_telling(page, rule) || add_head(page, element.tag);
    case TEXTAREA: case RAW: case SCRIPT:
        return take_content(page, element.tag);
    case PREFORMATTED:
        return pass_newline(&page->at, page->end);
    default:
        return true;
    }
}

static bool start_tag(Page *page, Element element)
{
    Rule rule = element.tag->rule;
    if (page->phase == BEFORE_HTML) {
        page->phase = BEFORE_HEAD;
        if (rule == HTML)
            return read_attributes(page, false);
    }
    if (page->phase == BEFORE_HEAD && rule != HTML) {
        page->phase = IN_HEAD;
        if (rule == HEAD)
            return read_attributes(page, false);
    }
    bool is_of_head = rule == BASE || rule == META || rule == LINK || rule == TITLE || rule == SCRIPT
        || (rule == RAW && element.length == 5); /* style */
    if (page->phase == IN_HEAD && is_of_head)
        return start_in_head(page, element.tag);
    if (page->phase == IN_HEAD || page->phase == AFTER_HEAD) {
        if (is_of_head || rule == RAW || rule == NOSCRIPT || rule == HTML || rule == HEAD || rule == REFUSED)
            return false;
        enter_body(page);
        if (rule == BODY)
            return read_attributes(page, false);
    }
    return page->phase == IN_BODY && start_in_body(page, element);
}

static bool end_body(Page *page)
{
    for (int at = page->stack.depth - 1; at > 1; at--) {
        Rule rule = page->stack.open[at].tag->rule;
        if (rule != PARAGRAPH && rule != ITEM && rule != DESCRIPTION)
            return false;
    }
    page->phase = AFTER_BODY;
    return true;
}

static bool end_tag(Page *page, Element element)
{
    Rule rule = element.tag->rule;
    if (!read_attributes(page, false))
        return false;
    if (rule == HEAD && (page->phase == IN_HEAD || page->phase == BEFORE_HEAD)) {
        page->phase = AFTER_HEAD;
        return true;
    }
    if (rule == BODY && page->phase == IN_BODY)
        return end_body(page);
    if (rule == HTML && (page->phase == AFTER_BODY || page->phase == IN_BODY)) {
        bool is_ended = page->phase == AFTER_BODY || end_body(page);
        page->phase = AFTER_HTML;
        return is_ended;
    }
    if (page->phase != IN_BODY)
        return false;
    if (page->stack.drawings && (page->tag_attributes || ++page->drawn_tags > MOST_DRAWN_TAGS))
        page->has_odd_drawing = true;
    page->tag_attributes = 0;
    if (rule == BREAK && !prepare(page, rule))
        return false;
    Verdict verdict = stack_end(&page->stack, element);
    page->is_in_cell = page->is_in_cell && (rule < ISLAND || rule > COLUMN);
    page->goes_on = page->goes_on && verdict == IGNORE;
    page->stack.has_border = page->stack.has_border || (verdict == ENTER && element.tag->is_block);
    return verdict != REFUSE && is_cheap(page, ORDINARY);
}

static bool take_tag(Page *page, bool is_end)
{
    const char *name = page->at, *at = name;
    while (at < page->end && !ends_tag_name(*at))
        at++;
    Element element = {tag_of(name, (size_t)(at - name)), name, (size_t)(at - name)};
    page->at = at;
    if (!element.tag->name)
        note_name(page, name, at - name);
    return is_end ? end_tag(page, element) : start_tag(page, element);
}

/* `<?...>` and `<!...>` are comments that end at the first `>`; in drawings they may be text. */
static bool take_bogus_comment(Page *page)
{
    const char *end = page->stack.drawings ? NULL : find(page->at, page->end, '>');
    page->at = end ? end + 1 : NULL;
    if (page->phase < AFTER_BODY)
        page->goes_on = false;
    return end != NULL;
}

/* Whether a document's type is one of those that are known not to mean quirks mode (13.2.6.4.1). */
static bool is_of_later_mode(const char *from, const char *end)
{
    while (from < end && is_space(*from))
        from++;
    if (end - from < 4 || !matches(from, "html", 4))
        return false;
    return is_blank(from + 4, end) || contains(from, end, "\"-//w3c//dtd xhtml 1.0 strict//", 31)
        || contains(from, end, "\"-//w3c//dtd xhtml 1.0 transitional//", 37)
        || contains(from, end, "\"-//w3c//dtd html 4.01//", 24);
}

/* A comment with nothing odd about it, or the document's type. */
static bool take_declaration(Page *page)
{
    const char *at = page->at;
    page->has_odd_drawing = page->has_odd_drawing || page->stack.drawings;
    if (page->end - at >= 2 && at[0] == '-' && at[1] == '-') {
        at += 2;
        if (at < page->end && (*at == '>' || *at == '-'))
            return false;
        while ((at = find(at, page->end, '-'))) {
            if (page->end - at >= 3 && at[1] == '-' && at[2] == '>')
                break;
            if (page->end - at >= 4 && at[1] == '-' && at[2] == '!' && at[3] == '>')
                return false;
            at++;
        }
        page->at = at ? at + 3 : NULL;
        if (page->phase < AFTER_BODY)
            page->goes_on = false;
        return page->at != NULL;
    }
    if (page->end - at < 8 || !matches(at, "doctype", 7))
        return take_bogus_comment(page);
    if (page->phase != BEFORE_HTML || page->has_doctype)
        return false;
    const char *end = find(at, page->end, '>');
    page->has_doctype = true;
    page->stack.is_quirky = !end || !is_of_later_mode(at + 7, end);
    page->at = end ? end + 1 : NULL;
    return page->at != NULL;
}

static bool take_text(Page *page, const char *from, const char *to)
{
    bool is_white = is_blank(from, to);
    switch (page->phase) {
    case BEFORE_HTML: case BEFORE_HEAD: case IN_HEAD: case AFTER_HEAD:
        return is_white;
    case IN_BODY:
        if (page->stack.drawings && find(from, to, '<'))
            page->has_odd_drawing = true;
        if (!is_white && page->stack.tables && !page->is_in_cell)
            page->steps += page->length / MOVED_BYTES_PER_STEP;
        return (is_white || !stack_moves_text(&page->stack)) && reopen(page) && add_text(page, from, to);
    default:
        return is_white && reopen(page) && add_text(page, from, to);
    }
}

static bool opens_markup(char c) { return is_letter(c) || c == '/' || c == '!' || c == '?'; }

static bool read_all(Page *page)
{
    while (page->at < page->end) {
        const char *from = page->at, *next = find(from, page->end, '<');
        /* What doesn't open a tag is text. */
        while (next && (next + 1 >= page->end || !opens_markup(next[1])))
            next = find(next + 1, page->end, '<');
        if (!next)
            return take_text(page, from, page->end);
        if (next > from && !take_text(page, from, next))
            return false;
        if (next + 2 >= page->end)
            return false;
        page->at = next + 1 + !is_letter(next[1]);
        bool is_read = is_letter(next[1]) ? take_tag(page, false)
            : next[1] == '/' ? is_letter(next[2]) && take_tag(page, true)
            : next[1] == '!' ? take_declaration(page) : take_bogus_comment(page);
        if (!is_read)
            return false;
    }
    return true;
}

/* Whether it was a plain page, and all is read. */
static bool read_plain(Page *page, const Py_buffer *markup, const Py_buffer *kinds)
{
    int most = page->stack.most;
    page->at = markup->buf;
    page->end = page->at + markup->len;
    page->length = markup->len;
    page->stack.most = most < DEEPEST ? most : DEEPEST;
    if (most <= 2 || find(page->at, page->end, '\0') || find(page->at, page->end, '\r')
        || !has_few_tags(markup, kinds) || !read_all(page))
        return false;
    if (page->phase < IN_BODY)
        page->harvest.text.length = 0;
    return !page->has_odd_drawing && !page->stack.drawings;
}

static PyObject *nothing_unless_fatal(const Page *page)
{
    if (harvest_has_failed(&page->harvest))
        return PyErr_NoMemory();
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        return NULL;
    PyErr_Clear();
    Py_RETURN_NONE;
}

PyObject *read_page(PyObject *module, PyObject *arguments)
{
    Page page = {.clones_left = MOST_CLONES, .stack.is_quirky = true};
    Py_buffer markup, kinds;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*ni", &markup, &kinds, &page.harvest.links_left, &page.stack.most))
        return NULL;
    PyThreadState *thread = markup.len >= SHARED_BYTES ? PyEval_SaveThread() : NULL;
    bool is_plain = read_plain(&page, &markup, &kinds);
    if (thread)
        PyEval_RestoreThread(thread);
    PyObject *found = is_plain ? harvest_found(&page.harvest, "strict") : NULL;
    PyObject *answer = found ? Py_BuildValue("(NO)", found, page.stack.is_unproven ? Py_False : Py_True) : NULL;
    if (!answer)
        answer = nothing_unless_fatal(&page);
    harvest_free(&page.harvest);
    PyBuffer_Release(&markup);
    PyBuffer_Release(&kinds);
    return answer;
}
