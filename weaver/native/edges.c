/* The sum of the hashes of many edges, for persistence/digest.py: each edge is a line that a start and an end make. */
#include "edges.h"

#include <stdbool.h>
#include <string.h>

#include "xxh3.h"

typedef unsigned __int128 Sum;

#define SUM_BYTES 16

/* What a list has at a place that a column names; NULL, with an error, where that is no bytes. */
static PyObject *part_of(PyObject *parts, const int64_t *places, Py_ssize_t at)
{
    int64_t place = places[at];
    PyObject *part = place < 0 || place >= PyList_GET_SIZE(parts) ? NULL : PyList_GET_ITEM(parts, (Py_ssize_t)place);
    if (part && PyBytes_Check(part))
        return part;
    PyErr_SetString(PyExc_ValueError, "expected places of bytes");
    return NULL;
}

/* Of a line of any other length the hash is asked of Python. */
static bool add_asked(Sum *sum, PyObject *start, PyObject *end, PyObject *hash)
{
    PyObject *line = Py_NewRef(start);
    PyBytes_Concat(&line, end);
    PyObject *digest = line ? PyObject_CallOneArg(hash, line) : NULL;
    Py_XDECREF(line);
    bool is_digest = digest && PyBytes_Check(digest) && PyBytes_GET_SIZE(digest) == SUM_BYTES;
    Sum number = 0;
    for (int at = 0; is_digest && at < SUM_BYTES; at++)
        number = number << 8 | (unsigned char)PyBytes_AS_STRING(digest)[at];
    *sum += number;
    if (digest && !is_digest)
        PyErr_SetString(PyExc_ValueError, "expected a digest of 16 bytes");
    Py_XDECREF(digest);
    return is_digest;
}

static bool add_line(Sum *sum, PyObject *start, PyObject *end, PyObject *hash)
{
    size_t first = (size_t)PyBytes_GET_SIZE(start), second = (size_t)PyBytes_GET_SIZE(end);
    unsigned char line[XXH3_MOST_BYTES];
    if (first + second < XXH3_LEAST_BYTES || first + second > XXH3_MOST_BYTES)
        return add_asked(sum, start, end, hash);
    memcpy(line, PyBytes_AS_STRING(start), first);
    memcpy(line + first, PyBytes_AS_STRING(end), second);
    Xxh128 hashed = xxh3_128(line, first + second);
    *sum += (Sum)hashed.high << 64 | hashed.low;
    return true;
}

/* The sum modulo 2^128 of the xxh3-128 of lines, as 16 bytes, big-endian. Line i is starts[heads[i]] and ends[tails[i]];
   heads and tails are columns of int64; `hash` gives the digest of a line that is too short or too long for C. */
PyObject *sum_of_lines(PyObject *module, PyObject *arguments)
{
    PyObject *starts, *ends, *hash;
    Py_buffer heads, tails;
    Sum sum = 0;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "O!y*O!y*O", &PyList_Type, &starts, &heads, &PyList_Type, &ends, &tails, &hash))
        return NULL;
    Py_ssize_t lines = heads.len / (Py_ssize_t)sizeof(int64_t);
    bool is_good = heads.len == tails.len;
    if (!is_good)
        PyErr_SetString(PyExc_ValueError, "expected two columns of one length");
    for (Py_ssize_t at = 0; is_good && at < lines; at++) {
        PyObject *start = part_of(starts, heads.buf, at), *end = start ? part_of(ends, tails.buf, at) : NULL;
        is_good = end && add_line(&sum, start, end, hash);
    }
    PyBuffer_Release(&heads);
    PyBuffer_Release(&tails);
    unsigned char digest[SUM_BYTES];
    for (int at = SUM_BYTES; at-- > 0; sum >>= 8)
        digest[at] = (unsigned char)sum;
    return is_good ? PyBytes_FromStringAndSize((const char *)digest, SUM_BYTES) : NULL;
}
