/* Text with each run of white space as one space, as UTF-8: what `" ".join(text.split()).encode()` gives. */
#define PY_SSIZE_T_CLEAN
#include "text.h"

#include <string.h>

static Py_ssize_t put(char *out, Py_UCS4 c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* The bits of the codes of ASCII's white space, as Python has it. */
#define ASCII_SPACES 0x1F0003E00u

/* How many characters of a text are kept, spaces included, and their UTF-8 in `out`. Whether the next character is a
   space is chance, so none of the common ones is a branch: a space after a space is overwritten. */
#define SQUEEZE(TYPE)                                                                                    \
    static Py_ssize_t squeeze_##TYPE(const TYPE *at, const TYPE *end, char *out, Py_ssize_t *characters) \
    {                                                                                                    \
        char *start = out;                                                                               \
        Py_ssize_t more = 0, size;                                                                       \
        int was_space = 1;                                                                               \
        for (; at < end; at++) {                                                                         \
            if (*at < 0x80 || Py_UNICODE_ISSPACE(*at)) {                                                 \
                int is_space = *at >= 0x80 || (*at <= ' ' && ASCII_SPACES >> *at & 1);                   \
                *out = (char)(is_space ? ' ' : *at);                                                     \
                out += !(is_space & was_space);                                                          \
                was_space = is_space;                                                                    \
                continue;                                                                                \
            }                                                                                            \
            size = put(out, *at);                                                                        \
            out += size;                                                                                 \
            more += size - 1;                                                                            \
            was_space = 0;                                                                               \
        }                                                                                                \
        out -= was_space && out > start;                                                                 \
        *characters = out - start - more;                                                                \
        return out - start;                                                                              \
    }

SQUEEZE(Py_UCS1)
SQUEEZE(Py_UCS2)
SQUEEZE(Py_UCS4)

PyObject *squeezed(PyObject *module, PyObject *text)
{
    (void)module;
    if (!PyUnicode_Check(text))
        return PyErr_Format(PyExc_TypeError, "expected str, got %.200s", Py_TYPE(text)->tp_name);
    if (PyUnicode_READY(text) < 0)
        return NULL;
    Py_ssize_t length = PyUnicode_GET_LENGTH(text), kept = 0, used;
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    Py_ssize_t widest = PyUnicode_IS_ASCII(text) ? 1 : kind == PyUnicode_4BYTE_KIND ? 4 : kind + 1;
    PyObject *utf8 = PyBytes_FromStringAndSize(NULL, widest * length);
    if (!utf8)
        return NULL;
    char *out = PyBytes_AS_STRING(utf8);
    if (kind == PyUnicode_1BYTE_KIND)
        used = squeeze_Py_UCS1(data, (const Py_UCS1 *)data + length, out, &kept);
    else if (kind == PyUnicode_2BYTE_KIND)
        used = squeeze_Py_UCS2(data, (const Py_UCS2 *)data + length, out, &kept);
    else
        used = squeeze_Py_UCS4(data, (const Py_UCS4 *)data + length, out, &kept);
    if (_PyBytes_Resize(&utf8, used) < 0)
        return NULL;
    return Py_BuildValue("(Nn)", utf8, kept);
}
