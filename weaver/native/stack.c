/* What a start or end tag does to the stack of open elements (WHATWG HTML, 13.2.6.4.7 to 13.2.6.4.15).

   Followed exactly: implied end tags, scopes, tables, what is left open or closed twice, formatting elements that are
   opened again. Refused: what moves elements that have been built, or depends on the page's mode. */
#include "stack.h"

#include <string.h>
#include <strings.h>

static Rule rule_at(const Stack *stack, int place) { return stack->open[place].tag->rule; }
static Rule top_rule(const Stack *stack) { return rule_at(stack, stack->depth - 1); }

static bool is_formatting(Rule rule) { return rule == FORMATTING || rule == ANCHOR; }

/* Default scope (13.2.4.2). */
static bool is_scope(Rule rule)
{
    return rule == HTML || rule == TABLE || rule == CELL || rule == CAPTION || rule == ISLAND;
}

static bool is_of_table(Rule rule) { return rule >= TABLE && rule <= COLUMN; }

static bool is_between_cells(Rule rule)
{
    return rule == TABLE || rule == SECTION || rule == ROW || rule == COLUMN_GROUP;
}

static bool is_same(const Element *one, const Element *two)
{
    if (one->tag->name || two->tag->name)
        return one->tag == two->tag;
    return one->length == two->length && !strncasecmp(one->name, two->name, one->length);
}

static void count(Stack *stack, Rule rule, int step)
{
    stack->formatting += is_formatting(rule) ? step : 0;
    stack->tables += rule == TABLE ? step : 0;
    stack->drawings += rule == SVG || rule == DRAWN ? step : 0;
    stack->selects += rule == SELECT ? step : 0;
}

/* The cells and islands in which the list of active elements begins anew. */
static bool is_marked(Rule rule) { return rule == CELL || rule == CAPTION || rule == ISLAND; }

static Verdict put(Stack *stack, Element element)
{
    if (stack->depth + stack->formatting + stack->loose >= stack->most)
        return REFUSE;
    stack->open[stack->depth++] = element;
    stack->has_border = stack->has_border || element.tag->is_block;
    count(stack, element.tag->rule, 1);
    return ENTER;
}

/* The last active element of this name behind the last marker; -1 where there is none. */
static int active_of(const Stack *stack, const Tag *tag)
{
    int at = stack->actives - 1;
    while (at >= 0 && stack->active[at].element.tag && stack->active[at].element.tag != tag)
        at--;
    return at >= 0 && stack->active[at].element.tag ? at : -1;
}

/* Put what is on top of the stack at the end of the list. */
static Verdict activate(Stack *stack, Element element)
{
    static const Element marker;
    int alike = 1;
    if (stack->actives == MOST_ACTIVE)
        return REFUSE;
    for (int at = stack->actives - 1; at >= 0 && stack->active[at].element.tag; at--)
        alike += stack->active[at].element.tag == element.tag;
    stack->is_crowded = stack->is_crowded || alike > 3;
    stack->active[stack->actives++] = (Active){is_marked(element.tag->rule) ? marker : element, stack->depth - 1};
    return ENTER;
}

static void deactivate(Stack *stack, int at)
{
    stack->actives--;
    memmove(&stack->active[at], &stack->active[at + 1], (size_t)(stack->actives - at) * sizeof(Active));
}

static void forget_to_marker(Stack *stack)
{
    while (stack->actives && stack->active[--stack->actives].element.tag)
        continue;
}

static Verdict push(Stack *stack, Element element)
{
    Rule rule = element.tag->rule;
    if (put(stack, element) == REFUSE)
        return REFUSE;
    return is_formatting(rule) || is_marked(rule) ? activate(stack, element) : ENTER;
}

static Verdict push_implied(Stack *stack, const char *name)
{
    size_t length = strlen(name);
    return push(stack, (Element){tag_of(name, length), name, length});
}

static void pop(Stack *stack)
{
    const Tag *tag = stack->open[--stack->depth].tag;
    stack->has_border = stack->has_border || tag->is_block;
    count(stack, tag->rule, -1);
    for (int at = stack->actives - 1; is_formatting(tag->rule) && at >= 0; at--)
        if (stack->active[at].place == stack->depth) {
            stack->active[at].place = -1;
            break;
        }
}

static bool is_closed_by_others(Rule rule)
{
    return rule == PARAGRAPH || rule == ITEM || rule == DESCRIPTION || rule == OPTION || is_of_table(rule);
}

/* Close the element at this place and all in it; of those, formatting elements are lost, and a form is refused. */
static Verdict close_from(Stack *stack, int place)
{
    int loose = 0, lost = 0;
    Rule own = rule_at(stack, place);
    for (int at = stack->depth - 1; at > place; at--) {
        Rule rule = rule_at(stack, at);
        if (rule == FORM || is_marked(rule))
            return REFUSE;
        lost += is_formatting(rule);
        loose += !is_formatting(rule) && (!is_closed_by_others(rule) || own == CELL);
    }
    if (lost && stack->is_crowded)
        return REFUSE;
    stack->is_unproven = stack->is_unproven || lost;
    stack->loose += loose ? loose + 1 : 0;
    while (stack->depth > place)
        pop(stack);
    if (is_marked(own))
        forget_to_marker(stack);
    return ENTER;
}

/* The place of the innermost element like this one (of its rule, where `by_rule`) in scope; -1 where there is none. */
static int in_scope(const Stack *stack, const Element *element, bool by_rule, Rule wall)
{
    for (int at = stack->depth - 1; at >= 0; at--) {
        Rule rule = rule_at(stack, at);
        if (by_rule ? rule == element->tag->rule : is_same(&stack->open[at], element))
            return at;
        if (is_scope(rule) || rule == wall)
            return -1;
    }
    return -1;
}

static int open_paragraph(const Stack *stack)
{
    static const Tag tag = {"p", 1, PARAGRAPH, true};
    static const Element paragraph = {&tag, "p", 1};
    return in_scope(stack, &paragraph, true, BUTTON);
}

static Verdict close_paragraph(Stack *stack)
{
    int at = open_paragraph(stack);
    return at < 0 ? ENTER : close_from(stack, at);
}

/* An li closes the one before it, a dd or dt the dd or dt before it. */
static Verdict start_item(Stack *stack, Element element)
{
    Rule rule = element.tag->rule;
    for (int at = stack->depth - 1; at >= 0; at--) {
        Rule passed = rule_at(stack, at);
        if (passed == rule) {
            if (close_from(stack, at) == REFUSE)
                return REFUSE;
            break;
        }
        if (passed >= FIRST_SPECIAL && passed != PARAGRAPH && passed != DIVISION)
            break;
    }
    return close_paragraph(stack) == REFUSE ? REFUSE : push(stack, element);
}

static Verdict start_in_select(Stack *stack, Element element)
{
    Rule rule = element.tag->rule;
    if (rule == SCRIPT)
        return ENTER;
    if (rule != OPTION && rule != OPTGROUP)
        return REFUSE;
    if (top_rule(stack) == OPTION)
        pop(stack);
    if (rule == OPTGROUP && top_rule(stack) == OPTGROUP)
        pop(stack);
    return push(stack, element);
}

/* The place of the innermost part of a table; -1 outside of tables. */
static int table_part(const Stack *stack)
{
    for (int at = stack->depth - 1; stack->tables && at >= 0; at--)
        if (is_of_table(rule_at(stack, at)))
            return at;
    return -1;
}

static Verdict start_of_table(Stack *stack, Element element)
{
    Rule rule = element.tag->rule;
    int part = table_part(stack);
    if (part < 0)
        return IGNORE;
    if (rule_at(stack, part) == CELL && close_from(stack, part) == REFUSE)
        return REFUSE;
    if (top_rule(stack) == COLUMN_GROUP && rule != COLUMN)
        pop(stack);
    if (top_rule(stack) == ROW && rule != CELL)
        pop(stack);
    if (top_rule(stack) == SECTION && rule != CELL && rule != ROW)
        pop(stack);
    if (top_rule(stack) == TABLE) {
        if (rule == COLUMN && push_implied(stack, "colgroup") == REFUSE)
            return REFUSE;
        if ((rule == CELL || rule == ROW) && push_implied(stack, "tbody") == REFUSE)
            return REFUSE;
    }
    if (top_rule(stack) == SECTION && rule == CELL && push_implied(stack, "tr") == REFUSE)
        return REFUSE;
    if (rule == COLUMN)
        return top_rule(stack) == COLUMN_GROUP ? ENTER : REFUSE;
    Rule parent = rule == CELL ? ROW : rule == ROW ? SECTION : TABLE;
    return top_rule(stack) == parent ? push(stack, element) : REFUSE;
}

/* A drawing holds elements of its own; what HTML would break out of it with, or goes on in, is refused (13.2.6.5). */
static Verdict start_in_drawing(Stack *stack, Element element, bool is_empty)
{
    static const Tag drawn = {NULL, 0, DRAWN, false};
    size_t length = stack->open[stack->depth - 1].length;
    bool is_text_only = top_rule(stack) == DRAWN && (length == 4 || length == 5)
        && (!strncasecmp(stack->open[stack->depth - 1].name, "desc", length)
            || !strncasecmp(stack->open[stack->depth - 1].name, "title", length));
    if (is_text_only || !is_of_drawing(element.name, element.length))
        return REFUSE;
    element.tag = &drawn;
    return is_empty ? ENTER : push(stack, element);
}

static Verdict end_in_drawing(Stack *stack, Element element)
{
    Element *top = &stack->open[stack->depth - 1];
    if (top->length != element.length || strncasecmp(top->name, element.name, element.length))
        return REFUSE;
    pop(stack);
    return ENTER;
}

static Verdict start_block(Stack *stack, Element element)
{
    if (close_paragraph(stack) == REFUSE)
        return REFUSE;
    if (element.tag->rule == HEADING && top_rule(stack) == HEADING)
        pop(stack);
    return push(stack, element);
}

static Verdict start_form(Stack *stack, Element element)
{
    if (stack->has_form)
        return REFUSE;
    stack->has_form = true;
    return start_block(stack, element);
}

Verdict stack_start(Stack *stack, Element element, bool is_empty)
{
    Rule rule = element.tag->rule;
    if (stack->drawings)
        return start_in_drawing(stack, element, is_empty);
    if (stack->selects)
        return start_in_select(stack, element);
    if (is_of_table(rule) && rule != TABLE)
        return start_of_table(stack, element);
    if (is_between_cells(top_rule(stack)))
        return rule == SCRIPT && top_rule(stack) != COLUMN_GROUP ? ENTER : REFUSE;
    switch (rule) {
    case BLOCK: case DIVISION: case LIST: case HEADING: case PARAGRAPH: case PREFORMATTED:
        return start_block(stack, element);
    case FORM:
        return start_form(stack, element);
    case ITEM: case DESCRIPTION:
        return start_item(stack, element);
    case RULE:
        return close_paragraph(stack);
    case BUTTON:
        return in_scope(stack, &element, true, HTML) < 0 ? push(stack, element) : REFUSE;
    case TABLE:
        if (stack->is_quirky)
            return open_paragraph(stack) < 0 ? push(stack, element) : REFUSE;
        return start_block(stack, element);
    case OPTION: case OPTGROUP:
        if (top_rule(stack) == OPTION)
            pop(stack);
        return push(stack, element);
    case ORDINARY: case FORMATTING: case ANCHOR: case ISLAND: case SELECT: case NOSCRIPT:
        return push(stack, element);
    case SVG:
        return is_empty ? ENTER : push(stack, element);
    case VOID: case BARE_VOID: case BREAK: case AREA: case BASE: case META: case LINK: case TEXTAREA: case RAW:
    case SCRIPT:
        return ENTER;
    default:
        return REFUSE;
    }
}

static Verdict end_in_select(Stack *stack, Element element)
{
    int at = stack->depth - 1;
    if (element.tag->rule == OPTGROUP && top_rule(stack) == OPTION && rule_at(stack, at - 1) == OPTGROUP)
        at--;
    if (element.tag->rule == SELECT)
        while (rule_at(stack, at) == OPTION || rule_at(stack, at) == OPTGROUP)
            at--;
    return is_same(&stack->open[at], &element) ? close_from(stack, at) : REFUSE;
}

static Verdict end_of_table(Stack *stack, Element element)
{
    int part = table_part(stack);
    if (part < 0)
        return element.tag->rule == COLUMN ? REFUSE : IGNORE;
    int own = part;
    while (own > 0 && rule_at(stack, own) != TABLE && !is_same(&stack->open[own], &element))
        own--;
    if (!is_same(&stack->open[own], &element))
        return REFUSE;
    Rule innermost = rule_at(stack, part);
    if (innermost == CAPTION && own != part)
        return REFUSE;
    if (element.tag->rule == CELL && own != part)
        return REFUSE;
    if (innermost == CELL || innermost == CAPTION) {
        if (close_from(stack, part) == REFUSE)
            return REFUSE;
    }
    return stack->depth > own ? close_from(stack, own) : ENTER;
}

/* An end tag without a rule of its own closes its element, unless a special one is in between. */
static Verdict end_ordinary(Stack *stack, Element element)
{
    for (int at = stack->depth - 1; at >= 0; at--) {
        if (is_same(&stack->open[at], &element))
            return close_from(stack, at);
        if (rule_at(stack, at) >= FIRST_SPECIAL)
            return IGNORE;
    }
    return IGNORE;
}

/* The adoption agency (13.2.6.4.7), as far as nothing is adopted: no special element is open within. */
static Verdict end_formatting(Stack *stack, Element element)
{
    int at = active_of(stack, element.tag), place = at < 0 ? -1 : stack->active[at].place;
    if (at < 0) {
        for (int open = stack->depth - 1; open >= 0; open--)
            if (is_same(&stack->open[open], &element))
                return REFUSE;
        return IGNORE;
    }
    for (int open = stack->depth - 1; place >= 0 && open > place; open--) {
        stack->is_unproven = true;
        if (rule_at(stack, open) >= FIRST_SPECIAL || stack->is_crowded)
            return REFUSE;
    }
    while (place >= 0 && stack->depth > place)
        pop(stack);
    deactivate(stack, at);
    return place < 0 ? IGNORE : ENTER;
}

static Verdict end_form(Stack *stack, Element element)
{
    if (!stack->has_form)
        return IGNORE;
    int at = in_scope(stack, &element, false, HTML);
    if (at < 0)
        return REFUSE;
    for (int inner = stack->depth - 1; inner > at; inner--) {
        Rule rule = rule_at(stack, inner);
        if (rule != PARAGRAPH && rule != ITEM && rule != DESCRIPTION && rule != OPTION && rule != OPTGROUP)
            return REFUSE;
    }
    stack->has_form = false;
    return close_from(stack, at);
}

static Verdict end_in_scope(Stack *stack, Element element)
{
    Rule rule = element.tag->rule;
    Rule wall = rule == PARAGRAPH ? BUTTON : rule == ITEM ? LIST : HTML;
    int at = in_scope(stack, &element, rule == HEADING, wall);
    if (at >= 0)
        return close_from(stack, at);
    /* An end tag of a paragraph that isn't open makes an empty one. */
    return rule == PARAGRAPH ? ENTER : IGNORE;
}

Verdict stack_end(Stack *stack, Element element)
{
    Rule rule = element.tag->rule;
    if (stack->drawings)
        return end_in_drawing(stack, element);
    if (stack->selects)
        return end_in_select(stack, element);
    if (is_of_table(rule))
        return end_of_table(stack, element);
    if (is_between_cells(top_rule(stack)))
        return REFUSE;
    switch (rule) {
    case BLOCK: case DIVISION: case LIST: case HEADING: case PARAGRAPH: case PREFORMATTED:
    case ITEM: case DESCRIPTION: case BUTTON: case ISLAND:
        return end_in_scope(stack, element);
    case FORM:
        return end_form(stack, element);
    case FORMATTING: case ANCHOR:
        return end_formatting(stack, element);
    case ORDINARY: case OPTION: case OPTGROUP: case NOSCRIPT:
        return end_ordinary(stack, element);
    case VOID: case BARE_VOID: case RULE: case AREA: case BASE: case META: case LINK:
        return IGNORE;
    case BREAK:
        return ENTER;
    default:
        return REFUSE;
    }
}

static bool is_last_lost(const Stack *stack)
{
    const Active *last = stack->actives ? &stack->active[stack->actives - 1] : NULL;
    return last && last->element.tag && last->place < 0 && !stack->drawings && !stack->selects;
}

bool stack_has_lost(const Stack *stack) { return is_last_lost(stack) && !is_between_cells(top_rule(stack)); }

Verdict stack_reopen(Stack *stack, Element *element)
{
    int at = stack->actives;
    if (!stack_has_lost(stack))
        return IGNORE;
    while (at && stack->active[at - 1].element.tag && stack->active[at - 1].place < 0)
        at--;
    *element = stack->active[at].element;
    stack->active[at].place = stack->depth;
    return put(stack, *element);
}

Verdict stack_close_anchor(Stack *stack)
{
    static const char name[] = "a";
    int at = active_of(stack, tag_of(name, 1));
    if (at < 0)
        return IGNORE;
    stack->is_unproven = true;
    return end_formatting(stack, stack->active[at].element);
}

bool stack_moves_text(const Stack *stack) { return is_between_cells(top_rule(stack)); }

bool stack_moves_paragraph(const Stack *stack)
{
    bool is_moved = is_between_cells(top_rule(stack)) && top_rule(stack) != COLUMN_GROUP;
    return is_moved && !is_last_lost(stack) && !stack->drawings && !stack->selects;
}
