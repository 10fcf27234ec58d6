/* The letters and attributes of HTML; nothing is read from `end` on. */
#include "markup.h"

const unsigned char NAME_ENDS[256] = {
    [' '] = ENDS_TAG_NAME, ['\t'] = ENDS_TAG_NAME, ['\n'] = ENDS_TAG_NAME, ['\f'] = ENDS_TAG_NAME,
    ['\r'] = ENDS_TAG_NAME, ['/'] = ENDS_TAG_NAME, ['>'] = ENDS_TAG_NAME, ['='] = ENDS_ATTRIBUTE_NAME,
};

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

bool is_blank(const char *from, const char *to)
{
    while (from < to && is_space(*from))
        from++;
    return from == to;
}

bool matches(const char *at, const char *name, Py_ssize_t length)
{
    for (Py_ssize_t i = 0; i < length; i++)
        if (lower(at[i]) != name[i])
            return false;
    return true;
}

bool contains(const char *from, const char *end, const char *text, Py_ssize_t length)
{
    for (; end - from >= length; from++)
        if (matches(from, text, length))
            return true;
    return false;
}

static const char *read_value(Attribute *attribute, const char *at)
{
    const char *end = attribute->end;
    while (at < end && is_space(*at))
        at++;
    if (at < end && (*at == '"' || *at == '\'')) {
        const char *close = find(at + 1, end, *at);
        attribute->is_cut = !close;
        attribute->value = (Value){at + 1, (close ? close : end) - at - 1, true};
        return close ? close + 1 : end;
    }
    const char *from = at;
    while (at < end && !is_space(*at) && *at != '>')
        at++;
    attribute->value = (Value){from, at - from, true};
    return at;
}

bool next_attribute(Attribute *attribute)
{
    const char *at = attribute->at, *end = attribute->end;
    while (at < end && (is_space(*at) || *at == '/'))
        at++;
    if (at >= end || *at == '>') {
        attribute->is_closed = at < end;
        attribute->is_empty_tag = at > attribute->at && at[-1] == '/';
        attribute->at = at < end ? at + 1 : end;
        return false;
    }
    attribute->name = at++;
    while (at < end && !ends_attribute_name(*at))
        at++;
    attribute->name_length = at - attribute->name;
    attribute->value = (Value){at, 0, true};
    while (at < end && is_space(*at))
        at++;
    attribute->at = at < end && *at == '=' ? read_value(attribute, at + 1) : at;
    return true;
}
