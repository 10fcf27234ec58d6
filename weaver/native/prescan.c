/* The prescan of a page's first bytes for `<meta>` (WHATWG HTML, 13.2.3.2): what attributes each of them has. */
#include "prescan.h"

#include "markup.h"

static bool put(PyObject *attributes, const Attribute *attribute)
{
    PyObject *name = PyBytes_FromStringAndSize(attribute->name, attribute->name_length);
    PyObject *value = PyBytes_FromStringAndSize(attribute->value.at, attribute->value.length);
    bool is_put = name && value;
    if (is_put) {
        char *letters = PyBytes_AS_STRING(name);
        for (Py_ssize_t at = 0; at < attribute->name_length; at++)
            letters[at] |= letters[at] >= 'A' && letters[at] <= 'Z' ? 0x20 : 0;
        is_put = PyDict_SetDefault(attributes, name, value) != NULL;
    }
    Py_XDECREF(name);
    Py_XDECREF(value);
    return is_put;
}

/* Read a tag's attributes from `at` on, and keep them where it is a meta; where to go on, NULL with an error. */
static const char *read_tag(const char *at, const char *end, PyObject *metas)
{
    Attribute attribute = {.at = at, .end = end};
    PyObject *attributes = metas ? PyDict_New() : NULL;
    bool is_well = !metas || attributes;
    while (is_well && next_attribute(&attribute))
        is_well = !attributes || put(attributes, &attribute);
    if (is_well && attributes && attribute.is_cut)
        PyDict_Clear(attributes);
    is_well = is_well && (!attributes || PyList_Append(metas, attributes) == 0);
    Py_XDECREF(attributes);
    return is_well ? attribute.at : NULL;
}

static const char *after_comment(const char *at, const char *end)
{
    if (at < end && *at == '>')
        return at + 1;
    if (end - at >= 2 && at[0] == '-' && at[1] == '>')
        return at + 2;
    for (; end - at >= 3; at++)
        if (at[0] == '-' && at[1] == '-' && at[2] == '>')
            return at + 3;
    return end;
}

/* What opens at `at`, behind its `<`; where to go on, NULL with an error. */
static const char *pass(const char *at, const char *end, PyObject *metas)
{
    if (end - at >= 3 && at[0] == '!' && at[1] == '-' && at[2] == '-')
        return after_comment(at + 3, end);
    const char *name = at + (at < end && *at == '/');
    if (name < end && is_letter(*name)) {
        bool is_meta = name == at && end - at >= 5 && matches(at, "meta", 4) && (is_space(at[4]) || at[4] == '/');
        for (at = name; at < end && !is_space(*at) && *at != '>' && !(is_meta && *at == '/');)
            at++;
        return read_tag(at, end, is_meta ? metas : NULL);
    }
    if (at < end && (*at == '!' || *at == '/' || *at == '?')) {
        const char *close = find(at, end, '>');
        return close ? close : end;
    }
    return at;
}

PyObject *meta_attributes(PyObject *module, PyObject *start)
{
    Py_buffer view;
    (void)module;
    if (PyObject_GetBuffer(start, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    const char *at = view.buf, *end = at + view.len;
    PyObject *metas = PyList_New(0);
    while (metas && (at = find(at, end, '<'))) {
        at = pass(at + 1, end, metas);
        if (!at)
            Py_CLEAR(metas);
    }
    PyBuffer_Release(&view);
    return metas;
}
