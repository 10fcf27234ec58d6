/* Bytes that grow: plain memory, so that it can be filled without Python's lock. */
#ifndef WEAVER_BUFFER_H
#define WEAVER_BUFFER_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

typedef struct {
    char *bytes;
    Py_ssize_t length, capacity;
    bool has_failed; /* memory was out */
} Buffer;

/* Room for so many bytes more; false where memory is out. */
bool buffer_reserve(Buffer *buffer, Py_ssize_t length);

bool buffer_add(Buffer *buffer, const char *bytes, Py_ssize_t length);
void buffer_free(Buffer *buffer);

#endif
