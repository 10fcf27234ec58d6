/* Look-up, and the plain way of putting keys, in memory/table.py's columns: two buckets of eight slots for each key. */
#include "table.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define WAYS 8

typedef struct {
    uint64_t *keys;
    uint32_t *ids;
    Py_ssize_t slots;
    uint32_t mask, half, buckets;
} Table;

/* The bucket that one half of a key names. */
static uint32_t bucket_of(const Table *table, uint64_t key, int choice)
{
    uint32_t bucket = (uint32_t)(choice ? key >> 32 : key) & table->mask;
    return bucket >= table->buckets ? bucket - table->half : bucket;
}

/* The slot of a key, -1 where it isn't there. */
static Py_ssize_t slot_of(const Table *table, uint64_t key)
{
    for (int choice = 0; choice < 2; choice++) {
        Py_ssize_t slot = (Py_ssize_t)bucket_of(table, key, choice) * WAYS;
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

/* Fill in ids and slots, and note the places of absent keys; how many are there, -1 where memory is out. */
static Py_ssize_t find_words(const Table *table, const Py_buffer *keys, char *ids, Py_ssize_t *slots, PyObject *absent)
{
    Py_ssize_t hits = 0;
    for (Py_ssize_t at = 0; at < keys->len / (Py_ssize_t)sizeof(uint64_t); at++) {
        uint64_t key;
        memcpy(&key, (const char *)keys->buf + at * (Py_ssize_t)sizeof key, sizeof key);
        Py_ssize_t slot = slot_of(table, key);
        uint32_t id = slot < 0 ? 0 : table->ids[slot];
        memcpy(ids + at * (Py_ssize_t)sizeof id, &id, sizeof id);
        PyObject *place = slot < 0 ? PyLong_FromSsize_t(at) : NULL;
        bool is_noted = slot >= 0 || (place && PyList_Append(absent, place) == 0);
        Py_XDECREF(place);
        if (!is_noted)
            return -1;
        if (slot >= 0)
            slots[hits++] = slot;
    }
    return hits;
}

/* Of keys as native words: (the ids as words of 32 bits, 0 for an absent key, the slots of those that are there, the
   places of those that are absent). */
PyObject *found_words(PyObject *module, PyObject *arguments)
{
    Py_buffer keys, key_column, id_column;
    Table table;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*y*III", &keys, &key_column, &id_column, &table.mask, &table.half,
                          &table.buckets))
        return NULL;
    Py_ssize_t count = keys.len / (Py_ssize_t)sizeof(uint64_t), hits = -1;
    table.keys = key_column.buf;
    table.ids = id_column.buf;
    table.slots = key_column.len / 8 < id_column.len / 4 ? key_column.len / 8 : id_column.len / 4;
    PyObject *answer = NULL, *absent = PyList_New(0);
    PyObject *ids = PyBytes_FromStringAndSize(NULL, count * (Py_ssize_t)sizeof(uint32_t));
    PyObject *slots = PyBytes_FromStringAndSize(NULL, count * (Py_ssize_t)sizeof(Py_ssize_t));
    if (absent && ids && slots)
        hits = find_words(&table, &keys, PyBytes_AS_STRING(ids), (Py_ssize_t *)PyBytes_AS_STRING(slots), absent);
    if (hits >= 0 && _PyBytes_Resize(&slots, hits * (Py_ssize_t)sizeof(Py_ssize_t)) == 0)
        answer = PyTuple_Pack(3, ids, slots, absent);
    Py_XDECREF(ids);
    Py_XDECREF(slots);
    Py_XDECREF(absent);
    PyBuffer_Release(&keys);
    PyBuffer_Release(&key_column);
    PyBuffer_Release(&id_column);
    return answer;
}

/* Have a key in a bucket that is not full. */
static void fill(const Table *table, uint8_t *taken, uint32_t bucket, uint64_t key, uint32_t id)
{
    Py_ssize_t slot = (Py_ssize_t)bucket * WAYS;
    while (table->ids[slot])
        slot++;
    table->keys[slot] = key;
    table->ids[slot] = id;
    taken[bucket]++;
}

/* Have an absent key in the emptier of its buckets, or in the place of a key whose other bucket is emptiest. */
static bool put_absent(const Table *table, uint8_t *taken, uint64_t key, uint32_t id, bool may_move)
{
    uint32_t buckets[2] = {bucket_of(table, key, 0), bucket_of(table, key, 1)}, least = WAYS, target = 0;
    uint32_t chosen = buckets[taken[buckets[1]] < taken[buckets[0]]];
    Py_ssize_t source = 0;
    if (taken[chosen] < WAYS) {
        fill(table, taken, chosen, key, id);
        return true;
    }
    for (int at = 0; may_move && at < 2 * WAYS; at++) {
        Py_ssize_t slot = (Py_ssize_t)buckets[at / WAYS] * WAYS + at % WAYS;
        uint32_t here = buckets[at / WAYS], first = bucket_of(table, table->keys[slot], 0);
        uint32_t other = first == here ? bucket_of(table, table->keys[slot], 1) : first;
        if (taken[other] < least) {
            least = taken[other];
            target = other;
            source = slot;
        }
    }
    if (least == WAYS)
        return false;
    fill(table, taken, target, table->keys[source], table->ids[source]);
    table->keys[source] = key;
    table->ids[source] = id;
    return true;
}

/* (how many keys are new in the table, the places of those that found no room). A bucket that is full stays full, whoever
   is in it, so a key that is given twice is left twice, in its order: the last id holds. */
PyObject *put_in_table(PyObject *module, PyObject *arguments)
{
    Py_buffer keys, ids, key_column, id_column, taken;
    Table table;
    int may_move;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*w*w*w*IIIp", &keys, &ids, &key_column, &id_column, &taken, &table.mask,
                          &table.half, &table.buckets, &may_move))
        return NULL;
    Py_ssize_t count = keys.len / (Py_ssize_t)sizeof(uint64_t), added = 0, behind = 0;
    Py_ssize_t *left = PyMem_New(Py_ssize_t, (size_t)count + 1);
    const uint64_t *new_keys = keys.buf;
    const uint32_t *new_ids = ids.buf;
    table.keys = key_column.buf;
    table.ids = id_column.buf;
    table.slots = key_column.len / 8 < id_column.len / 4 ? key_column.len / 8 : id_column.len / 4;
    for (Py_ssize_t at = 0; left && at < count; at++) {
        Py_ssize_t slot = slot_of(&table, new_keys[at]);
        if (slot >= 0)
            table.ids[slot] = new_ids[at];
        else if (put_absent(&table, taken.buf, new_keys[at], new_ids[at], may_move))
            added++;
        else
            left[behind++] = at;
    }
    PyObject *answer = left ? Py_BuildValue("ny#", added, left, behind * (Py_ssize_t)sizeof *left) : PyErr_NoMemory();
    PyMem_Free(left);
    PyBuffer_Release(&keys);
    PyBuffer_Release(&ids);
    PyBuffer_Release(&key_column);
    PyBuffer_Release(&id_column);
    PyBuffer_Release(&taken);
    return answer;
}
