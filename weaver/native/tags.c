/* The table of tags: open addressing, the names as numbers. */
#include "tags.h"

#include <string.h>
#include <strings.h>

#define SLOTS 1024
#define LONGEST 16

static const Tag UNKNOWN = {NULL, 0, ORDINARY, false};

static const Tag KNOWN[] = {
#define TAG(name, rule) {name, sizeof(name) - 1, rule, false},
#define BOX(name, rule) {name, sizeof(name) - 1, rule, true},
    TAG("a", ANCHOR)
    TAG("b", FORMATTING) TAG("big", FORMATTING) TAG("code", FORMATTING) TAG("em", FORMATTING) TAG("font", FORMATTING)
    TAG("i", FORMATTING) TAG("s", FORMATTING) TAG("small", FORMATTING) TAG("strike", FORMATTING)
    TAG("strong", FORMATTING) TAG("tt", FORMATTING) TAG("u", FORMATTING)
    BOX("option", OPTION) BOX("optgroup", OPTGROUP) BOX("legend", ORDINARY)
    BOX("address", DIVISION) BOX("article", BLOCK) BOX("aside", BLOCK) BOX("blockquote", BLOCK) BOX("center", BLOCK)
    BOX("details", BLOCK) BOX("dir", BLOCK) BOX("div", DIVISION) BOX("dl", BLOCK) BOX("fieldset", BLOCK)
    BOX("figcaption", BLOCK) BOX("figure", BLOCK) BOX("footer", BLOCK) BOX("header", BLOCK) BOX("main", BLOCK)
    BOX("menu", BLOCK) BOX("nav", BLOCK) BOX("ol", LIST) BOX("section", BLOCK) BOX("summary", BLOCK) BOX("ul", LIST)
    BOX("h1", HEADING) BOX("h2", HEADING) BOX("h3", HEADING) BOX("h4", HEADING) BOX("h5", HEADING) BOX("h6", HEADING)
    BOX("p", PARAGRAPH) BOX("pre", PREFORMATTED) BOX("li", ITEM) BOX("dd", DESCRIPTION) BOX("dt", DESCRIPTION)
    BOX("form", FORM) TAG("button", BUTTON) TAG("applet", ISLAND) TAG("marquee", ISLAND) TAG("object", ISLAND)
    BOX("table", TABLE) BOX("tbody", SECTION) BOX("thead", SECTION) BOX("tfoot", SECTION) BOX("tr", ROW)
    BOX("td", CELL) BOX("th", CELL) BOX("caption", CAPTION) TAG("colgroup", COLUMN_GROUP) TAG("col", COLUMN)
    TAG("select", SELECT) TAG("svg", SVG) TAG("noscript", NOSCRIPT)
    TAG("html", HTML) TAG("head", HEAD) TAG("body", BODY)
    TAG("embed", VOID) TAG("img", VOID) TAG("input", VOID) TAG("wbr", VOID) BOX("br", BREAK) BOX("hr", RULE)
    TAG("basefont", BARE_VOID) TAG("bgsound", BARE_VOID) TAG("param", BARE_VOID) TAG("source", BARE_VOID)
    TAG("track", BARE_VOID) TAG("area", AREA)
    TAG("base", BASE) TAG("meta", META) TAG("link", LINK) TAG("title", TITLE) TAG("textarea", TEXTAREA)
    TAG("style", RAW) TAG("iframe", RAW) TAG("noembed", RAW) TAG("noframes", RAW) TAG("script", SCRIPT)
    /* Drawings, formulas and templates have trees of their own; of the others, readers differ or few pages have any. */
    TAG("math", REFUSED) TAG("template", REFUSED) TAG("frameset", REFUSED) TAG("frame", REFUSED)
    BOX("plaintext", REFUSED) BOX("xmp", REFUSED) BOX("listing", REFUSED) TAG("nobr", REFUSED) TAG("image", REFUSED)
    TAG("keygen", REFUSED) TAG("isindex", REFUSED) TAG("ruby", REFUSED) TAG("rb", REFUSED) TAG("rt", REFUSED)
    TAG("rp", REFUSED) TAG("rtc", REFUSED) BOX("dialog", REFUSED) BOX("search", REFUSED) BOX("hgroup", REFUSED)
    TAG("menuitem", REFUSED) TAG("selectedcontent", REFUSED) TAG("command", REFUSED) TAG("nextid", REFUSED)
    TAG("multicol", REFUSED) TAG("spacer", REFUSED) TAG("blink", REFUSED)
#undef TAG
#undef BOX
};

static const char *const DRAWINGS[] = {
    "a", "animate", "animatemotion", "animatetransform", "circle", "clippath", "defs", "desc", "ellipse", "feblend",
    "fecolormatrix", "fecomposite", "feflood", "fegaussianblur", "femerge", "femergenode", "feoffset", "filter", "g",
    "image", "line", "lineargradient", "marker", "mask", "metadata", "path", "pattern", "polygon", "polyline",
    "radialgradient", "rect", "set", "stop", "switch", "symbol", "text", "textpath", "title", "tspan", "use", "view",
};

/* A name in lower case as a number of 128 bits: another one for each, for names begin with a letter. */
typedef struct {
    uint64_t first, rest;
} Key;

static struct {
    Key key;
    const Tag *tag;
} slots[SLOTS];

/* Of at most LONGEST letters. */
static Key key_of(const char *name, size_t length)
{
    Key key = {0, 0};
    for (size_t at = 0; at < length; at++) {
        unsigned char c = (unsigned char)name[at];
        key.rest = key.rest << 8 | key.first >> 56;
        key.first = key.first << 8 | (c | (unsigned char)((unsigned)(c - 'A') < 26) << 5);
    }
    return key;
}

static unsigned slot_of(Key key) { return (unsigned)((key.first ^ key.rest) * 0x9E3779B97F4A7C15u >> 54) % SLOTS; }

void tags_init(void)
{
    for (size_t at = 0; at < sizeof(KNOWN) / sizeof(*KNOWN); at++) {
        Key key = key_of(KNOWN[at].name, KNOWN[at].length);
        unsigned slot = slot_of(key);
        while (slots[slot].tag && slots[slot].tag != &KNOWN[at])
            slot = (slot + 1) % SLOTS;
        slots[slot].key = key;
        slots[slot].tag = &KNOWN[at];
    }
}

bool is_of_drawing(const char *name, size_t length)
{
    for (size_t at = 0; at < sizeof(DRAWINGS) / sizeof(*DRAWINGS); at++)
        if (strlen(DRAWINGS[at]) == length && !strncasecmp(DRAWINGS[at], name, length))
            return true;
    return false;
}

const Tag *tag_of(const char *name, size_t length)
{
    if (length == 0 || length > LONGEST)
        return &UNKNOWN;
    Key key = key_of(name, length);
    for (unsigned slot = slot_of(key); slots[slot].tag; slot = (slot + 1) % SLOTS)
        if (slots[slot].key.first == key.first && slots[slot].key.rest == key.rest)
            return slots[slot].tag;
    return &UNKNOWN;
}
