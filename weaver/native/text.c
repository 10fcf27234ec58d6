/* Text with each run of white space as one space, as UTF-8: what `" ".join(text.split()).encode()` gives. */
#define PY_SSIZE_T_CLEAN
#include "text.h"

#include "ascii.h"

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

typedef struct {
    char *out;
    Py_ssize_t more; /* bytes than characters */
    bool was_space;
} Squeezer;

/* Put some down, white space as spaces, of which one after another is overwritten. */
ALWAYS_INLINE void squeeze_step(Squeezer *squeezer, Bytes chars)
{
    Bytes is_space = (Bytes)(chars - 9 <= 4) | (Bytes)(chars - 0x1C <= 4), shown = (chars & ~is_space) | (is_space & ' ');
    uint64_t space[2], after[2];
    uint8_t keep[STEP], byte[STEP];
    char *out = squeezer->out;
    memcpy(space, &is_space, sizeof space);
    flags_after(space, squeezer->was_space, after);
    after[0] = ~(space[0] & after[0]) & ONES;
    after[1] = ~(space[1] & after[1]) & ONES;
    squeezer->was_space = space[1] >> 63;
    memcpy(keep, after, sizeof keep);
    memcpy(byte, &shown, sizeof byte);
    IN_MEMORY(keep);
    IN_MEMORY(byte);
#pragma GCC unroll 16
    for (int at = 0; at < STEP; at++) {
        *out = (char)byte[at];
        out += keep[at];
    }
    squeezer->out = out;
}

ALWAYS_INLINE void squeeze_one(Squeezer *squeezer, Py_UCS4 c)
{
    if (c < 0x80 || Py_UNICODE_ISSPACE(c)) {
        bool is_space = c >= 0x80 || (c <= ' ' && ASCII_SPACES >> c & 1);
        *squeezer->out = (char)(is_space ? ' ' : c);
        squeezer->out += !(is_space & squeezer->was_space);
        squeezer->was_space = is_space;
        return;
    }
    Py_ssize_t size = put(squeezer->out, c);
    squeezer->out += size;
    squeezer->more += size - 1;
    squeezer->was_space = false;
}

/* How many characters of a text are kept, spaces included, and their UTF-8 in `out`. Whether the next character is a
   space is chance, so it is no branch: a space after a space is overwritten. */
ALWAYS_INLINE Py_ssize_t squeeze(int kind, const void *data, Py_ssize_t length, char *out, Py_ssize_t *characters)
{
    Squeezer squeezer = {out, 0, true};
    for (Py_ssize_t at = 0, end; at < length; at = end) {
        Bytes chars;
        end = at + STEP < length ? at + STEP : length;
        if (HAS_STEPS(kind) && end - at == STEP && load_ascii(kind, (const char *)data + at * kind, &chars))
            squeeze_step(&squeezer, chars);
        else
            for (; at < end; at++)
                squeeze_one(&squeezer, PyUnicode_READ(kind, data, at));
    }
    squeezer.out -= squeezer.was_space && squeezer.out > out;
    *characters = squeezer.out - out - squeezer.more;
    return squeezer.out - out;
}

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
        used = squeeze(PyUnicode_1BYTE_KIND, data, length, out, &kept);
    else if (kind == PyUnicode_2BYTE_KIND)
        used = squeeze(PyUnicode_2BYTE_KIND, data, length, out, &kept);
    else
        used = squeeze(PyUnicode_4BYTE_KIND, data, length, out, &kept);
    if (_PyBytes_Resize(&utf8, used) < 0)
        return NULL;
    return Py_BuildValue("(Nn)", utf8, kept);
}
