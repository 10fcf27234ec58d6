/* Look-up in memory/table.py's columns: two buckets of eight slots for each key. */
#include "table.h"

#include <stdbool.h>
#include <stdint.h>

#define WAYS 8

typedef struct {
    const uint64_t *keys;
    const uint32_t *ids;
    Py_ssize_t slots;
    uint32_t mask, half, buckets;
} Table;

/* The slot of a key, -1 where it isn't there. */
static Py_ssize_t slot_of(const Table *table, uint64_t key)
{
    for (int choice = 0; choice < 2; choice++) {
        uint32_t bucket = (uint32_t)(choice ? key >> 32 : key) & table->mask;
        if (bucket >= table->buckets)
            bucket -= table->half;
        Py_ssize_t slot = (Py_ssize_t)bucket * WAYS;
        for (Py_ssize_t end = slot + WAYS; slot < end && slot < table->slots; slot++)
            if (table->keys[slot] == key && table->ids[slot])
                return slot;
    }
    return -1;
}

static bool find_all(const Table *table, PyObject *keys, PyObject *ids, PyObject *slots)
{
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(keys); at++) {
        uint64_t key = PyLong_AsUnsignedLongLong(PyList_GET_ITEM(keys, at));
        if (key == (uint64_t)-1 && PyErr_Occurred())
            return false;
        Py_ssize_t slot = slot_of(table, key);
        PyObject *id = PyLong_FromUnsignedLong(slot < 0 ? 0 : table->ids[slot]);
        if (!id)
            return false;
        PyList_SET_ITEM(ids, at, id);
        PyObject *number = slot < 0 ? NULL : PyLong_FromSsize_t(slot);
        bool is_noted = slot < 0 || (number && PyList_Append(slots, number) == 0);
        Py_XDECREF(number);
        if (!is_noted)
            return false;
    }
    return true;
}

/* (the id of each key or 0, the slots of those that are there). */
PyObject *found_in_table(PyObject *module, PyObject *arguments)
{
    PyObject *keys, *answer = NULL;
    Py_buffer key_column, id_column;
    Table table;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "O!y*y*III", &PyList_Type, &keys, &key_column, &id_column, &table.mask,
                          &table.half, &table.buckets))
        return NULL;
    table.keys = key_column.buf;
    table.ids = id_column.buf;
    table.slots = key_column.len / 8 < id_column.len / 4 ? key_column.len / 8 : id_column.len / 4;
    PyObject *ids = PyList_New(PyList_GET_SIZE(keys)), *slots = PyList_New(0);
    if (ids && slots && find_all(&table, keys, ids, slots))
        answer = PyTuple_Pack(2, ids, slots);
    Py_XDECREF(ids);
    Py_XDECREF(slots);
    PyBuffer_Release(&key_column);
    PyBuffer_Release(&id_column);
    return answer;
}
