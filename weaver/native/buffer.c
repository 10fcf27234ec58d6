/* Bytes that grow by half, for the memory of a large page counts. */
#include "buffer.h"

#include <string.h>

bool buffer_reserve(Buffer *buffer, Py_ssize_t length)
{
    if (buffer->capacity - buffer->length >= length)
        return true;
    Py_ssize_t capacity = buffer->length + length + buffer->length / 2 + 1024;
    char *grown = PyMem_RawRealloc(buffer->bytes, (size_t)capacity);
    if (!grown) {
        buffer->has_failed = true;
        return false;
    }
    buffer->bytes = grown;
    buffer->capacity = capacity;
    return true;
}

bool buffer_add(Buffer *buffer, const char *bytes, Py_ssize_t length)
{
    if (!buffer_reserve(buffer, length))
        return false;
    if (length)
        memcpy(buffer->bytes + buffer->length, bytes, (size_t)length);
    buffer->length += length;
    return true;
}

void buffer_free(Buffer *buffer) { PyMem_RawFree(buffer->bytes); }
