/* The table of tags: open addressing over the name's first letters. */
#include "tags.h"

#include <string.h>
#include <strings.h>

#define SLOTS 1024
#define LONGEST 16

static const Tag UNKNOWN = {NULL, 0, ORDINARY};

static const Tag KNOWN[] = {
#define TAG(name, rule) {name, sizeof(name) - 1, rule},
    TAG("a", ANCHOR)
    TAG("b", FORMATTING) TAG("big", FORMATTING) TAG("code", FORMATTING) TAG("em", FORMATTING) TAG("font", FORMATTING)
    TAG("i", FORMATTING) TAG("s", FORMATTING) TAG("small", FORMATTING) TAG("strike", FORMATTING)
    TAG("strong", FORMATTING) TAG("tt", FORMATTING) TAG("u", FORMATTING)
    TAG("option", OPTION) TAG("optgroup", OPTGROUP)
    TAG("address", DIVISION) TAG("article", BLOCK) TAG("aside", BLOCK) TAG("blockquote", BLOCK) TAG("center", BLOCK)
    TAG("details", BLOCK) TAG("dir", BLOCK) TAG("div", DIVISION) TAG("dl", BLOCK) TAG("fieldset", BLOCK)
    TAG("figcaption", BLOCK) TAG("figure", BLOCK) TAG("footer", BLOCK) TAG("header", BLOCK) TAG("main", BLOCK)
    TAG("menu", BLOCK) TAG("nav", BLOCK) TAG("ol", LIST) TAG("section", BLOCK) TAG("summary", BLOCK) TAG("ul", LIST)
    TAG("h1", HEADING) TAG("h2", HEADING) TAG("h3", HEADING) TAG("h4", HEADING) TAG("h5", HEADING) TAG("h6", HEADING)
    TAG("p", PARAGRAPH) TAG("pre", PREFORMATTED) TAG("li", ITEM) TAG("dd", DESCRIPTION) TAG("dt", DESCRIPTION)
    TAG("form", FORM) TAG("button", BUTTON) TAG("applet", ISLAND) TAG("marquee", ISLAND) TAG("object", ISLAND)
    TAG("table", TABLE) TAG("tbody", SECTION) TAG("thead", SECTION) TAG("tfoot", SECTION) TAG("tr", ROW)
    TAG("td", CELL) TAG("th", CELL) TAG("caption", CAPTION) TAG("colgroup", COLUMN_GROUP) TAG("col", COLUMN)
    TAG("select", SELECT) TAG("svg", SVG) TAG("noscript", NOSCRIPT)
    TAG("html", HTML) TAG("head", HEAD) TAG("body", BODY)
    TAG("basefont", VOID) TAG("bgsound", VOID) TAG("br", BREAK) TAG("embed", VOID) TAG("img", VOID) TAG("input", VOID)
    TAG("param", VOID) TAG("source", VOID) TAG("track", VOID) TAG("wbr", VOID) TAG("hr", RULE) TAG("area", AREA)
    TAG("base", BASE) TAG("meta", META) TAG("link", LINK) TAG("title", TITLE) TAG("textarea", TEXTAREA)
    TAG("style", RAW) TAG("iframe", RAW) TAG("noembed", RAW) TAG("noframes", RAW) TAG("script", SCRIPT)
    /* Drawings, formulas and templates have trees of their own; of the others, readers differ or few pages have any. */
    TAG("math", REFUSED) TAG("template", REFUSED) TAG("frameset", REFUSED) TAG("frame", REFUSED)
    TAG("plaintext", REFUSED) TAG("xmp", REFUSED) TAG("listing", REFUSED) TAG("nobr", REFUSED) TAG("image", REFUSED)
    TAG("keygen", REFUSED) TAG("isindex", REFUSED) TAG("ruby", REFUSED) TAG("rb", REFUSED) TAG("rt", REFUSED)
    TAG("rp", REFUSED) TAG("rtc", REFUSED) TAG("dialog", REFUSED) TAG("search", REFUSED) TAG("hgroup", REFUSED)
    TAG("menuitem", REFUSED) TAG("selectedcontent", REFUSED) TAG("command", REFUSED) TAG("nextid", REFUSED)
    TAG("multicol", REFUSED) TAG("spacer", REFUSED) TAG("blink", REFUSED)
#undef TAG
};

static const char *const DRAWINGS[] = {
    "a", "animate", "animatemotion", "animatetransform", "circle", "clippath", "defs", "desc", "ellipse", "feblend",
    "fecolormatrix", "fecomposite", "feflood", "fegaussianblur", "femerge", "femergenode", "feoffset", "filter", "g",
    "image", "line", "lineargradient", "marker", "mask", "metadata", "path", "pattern", "polygon", "polyline",
    "radialgradient", "rect", "set", "stop", "switch", "symbol", "text", "textpath", "title", "tspan", "use", "view",
};

static const Tag *slots[SLOTS];

static unsigned slot_of(const char *name, size_t length)
{
    unsigned first = (unsigned char)name[0], middle = (unsigned char)name[length / 2];
    unsigned last = (unsigned char)name[length - 1];
    return (first * 61 + middle * 17 + last * 5 + (unsigned)length) % SLOTS;
}

void tags_init(void)
{
    for (size_t at = 0; at < sizeof(KNOWN) / sizeof(*KNOWN); at++) {
        unsigned slot = slot_of(KNOWN[at].name, KNOWN[at].length);
        while (slots[slot] && slots[slot] != &KNOWN[at])
            slot = (slot + 1) % SLOTS;
        slots[slot] = &KNOWN[at];
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
    char lower[LONGEST];
    if (length == 0 || length > LONGEST)
        return &UNKNOWN;
    for (size_t at = 0; at < length; at++)
        lower[at] = name[at] >= 'A' && name[at] <= 'Z' ? (char)(name[at] | 0x20) : name[at];
    for (unsigned slot = slot_of(lower, length); slots[slot]; slot = (slot + 1) % SLOTS)
        if (slots[slot]->length == length && !memcmp(slots[slot]->name, lower, length))
            return slots[slot];
    return &UNKNOWN;
}
