/* The index's part of a document: which rows are near, and where a new one goes; dedupe/near*.py say how. */
#include "near.h"

#include <stdbool.h>
#include <string.h>

/* As in dedupe/near_bands.py and dedupe/near_rows.py. */
#define WAYS 32
#define MOST_CANDIDATES (BANDS * WAYS)
#define NUMBER_BITS 24
#define NUMBER ((1u << NUMBER_BITS) - 1)
#define PART_SHIFT 56
#define BLOCK_ROWS 64

typedef struct {
    uint32_t *slots;
    uint32_t first, count, half;
} Bands;

typedef struct {
    const uint64_t *words;
    const uint32_t *places;
    Py_ssize_t held;
    unsigned long long next_number;
    size_t most_rows, ring_mask;
} Rows;

typedef struct {
    const uint64_t *row;
    uint32_t age;
} Candidate;

typedef struct {
    uint32_t age, bits;
    uint64_t word;
} Near;

static uint32_t *bucket_of(const Bands *bands, uint64_t key)
{
    uint64_t home = key % bands->first + (key >> PART_SHIFT) * bands->first;
    home %= 2 * (uint64_t)bands->half;
    return bands->slots + (home < bands->count ? home : home - bands->half) * WAYS;
}

static bool are_bands(const Py_buffer *slots, const Py_buffer *signature, Bands *bands)
{
    bands->slots = slots->buf;
    if (signature->len == SIGNATURE_WORDS * 8 && bands->first && bands->half && bands->half <= bands->count
        && bands->count <= 2 * (uint64_t)bands->half && slots->len / 4 / WAYS >= (Py_ssize_t)bands->count)
        return true;
    PyErr_SetString(PyExc_ValueError, "expected a signature and the buckets of its bands");
    return false;
}

/* Without the instruction, which not every machine has; the sums of all words at once. */
static uint32_t differing_bits(const uint64_t *row, const uint64_t *signature)
{
    const uint64_t pairs = 0x5555555555555555u, fours = 0x3333333333333333u, bytes = 0x0F0F0F0F0F0F0F0Fu;
    uint64_t sums = 0;
    for (int word = 1; word < ROW_WORDS; word++) {
        uint64_t bits = row[word] ^ signature[word];
        bits -= bits >> 1 & pairs;
        bits = (bits & fours) + (bits >> 2 & fours);
        sums += (bits + (bits >> 4)) & bytes;
    }
    sums = (sums & 0x00FF00FF00FF00FFu) + (sums >> 8 & 0x00FF00FF00FF00FFu);
    return (uint32_t)(sums * 0x0001000100010001u >> 48);
}

/* The row of a document of some age, NULL where the ring has none. */
static const uint64_t *row_of(const Rows *rows, uint32_t age)
{
    uint32_t number = (uint32_t)(rows->next_number - 1) - age;
    size_t row = (size_t)rows->places[number / BLOCK_ROWS & rows->ring_mask] * BLOCK_ROWS + number % BLOCK_ROWS;
    return row < rows->most_rows ? rows->words + row * ROW_WORDS : NULL;
}

/* Put a row in its place, the oldest first, each once; how many there are then. */
static size_t put_near(Near *near, size_t count, Near row)
{
    size_t at = count;
    while (at && near[at - 1].age < row.age)
        at--;
    if (at && near[at - 1].age == row.age)
        return count;
    memmove(near + at + 1, near + at, (count - at) * sizeof *near);
    near[at] = row;
    return count + 1;
}

/* The rows that are in one of the buckets, on their way to the processor; they lie anywhere. */
static size_t gather(const Bands *bands, const Rows *rows, const uint64_t *signature, Candidate *candidates)
{
    uint32_t last = (uint32_t)(rows->next_number - 1) & NUMBER;
    size_t count = 0;
    for (int band = 0; band < BANDS; band++)
        __builtin_prefetch(bucket_of(bands, signature[ROW_WORDS + band]));
    for (int band = 0; band < BANDS; band++) {
        const uint32_t *bucket = bucket_of(bands, signature[ROW_WORDS + band]);
        for (int way = 0; way < WAYS; way++) {
            uint32_t age = (last - (bucket[way] & NUMBER)) & NUMBER;
            const uint64_t *row = (Py_ssize_t)age < rows->held ? row_of(rows, age) : NULL;
            if (!row)
                continue;
            __builtin_prefetch(row);
            __builtin_prefetch(row + ROW_WORDS - 1);
            candidates[count++] = (Candidate){row, age};
        }
    }
    return count;
}

/* Those of which at most so many bits differ. */
static size_t find_near(const Bands *bands, const Rows *rows, const uint64_t *signature, uint32_t most_bits, Near *near)
{
    Candidate candidates[MOST_CANDIDATES];
    size_t all = gather(bands, rows, signature, candidates), count = 0;
    for (size_t at = 0; at < all; at++) {
        uint32_t bits = differing_bits(candidates[at].row, signature);
        if (bits <= most_bits)
            count = put_near(near, count, (Near){candidates[at].age, bits, candidates[at].row[0]});
    }
    return count;
}

static PyObject *near_list(const Near *near, size_t count)
{
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t at = 0; list && at < count; at++) {
        PyObject *pair = Py_BuildValue("(KI)", (unsigned long long)near[at].word, (unsigned int)near[at].bits);
        if (pair)
            PyList_SET_ITEM(list, (Py_ssize_t)at, pair);
        else
            Py_CLEAR(list);
    }
    return list;
}

/* near_rows(signature, slots, first, count, half, rows, places, next_number, held, most_bits): word 0 of each row that
   may be near, and how many bits differ; the oldest first. */
PyObject *near_rows(PyObject *module, PyObject *arguments)
{
    Py_buffer signature, slots, words, places;
    Bands bands;
    Rows rows;
    unsigned int most_bits;
    Near near[MOST_CANDIDATES];
    PyObject *found = NULL;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*y*IIIy*y*KnI", &signature, &slots, &bands.first, &bands.count, &bands.half,
                          &words, &places, &rows.next_number, &rows.held, &most_bits))
        return NULL;
    rows.words = words.buf;
    rows.places = places.buf;
    rows.most_rows = (size_t)words.len / 8 / ROW_WORDS;
    rows.ring_mask = (size_t)places.len / 4 - 1;
    if (places.len >= 4 && are_bands(&slots, &signature, &bands))
        found = near_list(near, find_near(&bands, &rows, signature.buf, most_bits, near));
    else if (!PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "expected the places of blocks");
    PyBuffer_Release(&signature);
    PyBuffer_Release(&slots);
    PyBuffer_Release(&words);
    PyBuffer_Release(&places);
    return found;
}

static void put(const Bands *bands, const uint64_t *signature, uint32_t number)
{
    for (int band = 0; band < BANDS; band++) {
        uint64_t key = signature[ROW_WORDS + band];
        uint32_t *bucket = bucket_of(bands, key);
        memmove(bucket + 1, bucket, (WAYS - 1) * sizeof *bucket);
        bucket[0] = (uint32_t)(key >> PART_SHIFT) << NUMBER_BITS | (number & NUMBER);
    }
}

/* near_put(signature, slots, first, count, half, number, rows, row, doc_id): keep the signature as the row of a
   document, and the row's number under each of the band keys. */
PyObject *near_put(PyObject *module, PyObject *arguments)
{
    Py_buffer signature, slots, words;
    Bands bands;
    unsigned int number, doc_id;
    Py_ssize_t row;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*w*IIIIw*nI", &signature, &slots, &bands.first, &bands.count, &bands.half,
                          &number, &words, &row, &doc_id))
        return NULL;
    bool is_well = are_bands(&slots, &signature, &bands);
    if (is_well && (row < 0 || row >= words.len / 8 / ROW_WORDS)) {
        PyErr_SetString(PyExc_ValueError, "expected the row's place");
        is_well = false;
    }
    if (is_well) {
        uint64_t *kept = (uint64_t *)words.buf + row * ROW_WORDS;
        put(&bands, signature.buf, number);
        memcpy(kept, signature.buf, ROW_WORDS * sizeof *kept);
        kept[0] |= (uint64_t)doc_id << 32;
    }
    PyBuffer_Release(&signature);
    PyBuffer_Release(&slots);
    PyBuffer_Release(&words);
    if (!is_well)
        return NULL;
    Py_RETURN_NONE;
}
