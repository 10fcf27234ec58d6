/* Text of markup with its character references decoded (WHATWG HTML, 13.2.5.72 to 13.2.5.80). */
#ifndef WEAVER_REFERENCES_H
#define WEAVER_REFERENCES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

typedef struct {
    char *bytes;
    Py_ssize_t length, capacity;
} Buffer;

typedef struct {
    PyObject *names; /* borrowed: `html.entities.html5` */
    Buffer scratch;
} References;

bool buffer_add(Buffer *buffer, const char *bytes, Py_ssize_t length);
void buffer_free(Buffer *buffer);

/* Append what the markup between from and to says; false where it is odd, or with an error set where memory is out. */
bool decode_references(References *references, Buffer *into, const char *from, const char *to, bool is_attribute);

#endif
