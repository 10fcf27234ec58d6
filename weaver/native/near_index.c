/* The index's part of a document: which rows are near, and where a new one goes; dedupe/near*.py say how. */
#include "near.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* As in dedupe/near_bands.py and dedupe/near_rows.py. */
#define WAYS 32
#define MOST_CANDIDATES (BANDS * WAYS)
#define NUMBER_BITS 24
#define NUMBER ((1u << NUMBER_BITS) - 1)
#define PART_SHIFT 56
#define BLOCK_ROWS 64
/* Of word 0, as in dedupe/sketch.py. */
#define COUNT_BITS 12
#define COUNT ((1u << COUNT_BITS) - 1)
#define SKETCH_BITS (64 * SKETCH_WORDS)
#define MOST_HELD 600
#define FEW 4
#define ROUNDS 4

typedef struct {
    uint32_t *slots;
    uint32_t first, count, half;
} Bands;

typedef struct {
    uint64_t *words;
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

static bool are_rows(Rows *rows, const Py_buffer *places, const Py_buffer *most_bits)
{
    rows->places = places->buf;
    rows->ring_mask = (size_t)places->len / 4 - 1;
    if (places->len >= 4 && most_bits->len == COUNT + 1)
        return true;
    PyErr_SetString(PyExc_ValueError, "expected the places of blocks, and how many bits may differ");
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

/* The row of a number, NULL where the ring has none. */
static uint64_t *row_of(const Rows *rows, uint32_t number)
{
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
    uint32_t newest = (uint32_t)(rows->next_number - 1), last = newest & NUMBER;
    size_t count = 0;
    for (int band = 0; band < BANDS; band++)
        __builtin_prefetch(bucket_of(bands, signature[ROW_WORDS + band]));
    for (int band = 0; band < BANDS; band++) {
        const uint32_t *bucket = bucket_of(bands, signature[ROW_WORDS + band]);
        for (int way = 0; way < WAYS; way++) {
            uint32_t age = (last - (bucket[way] & NUMBER)) & NUMBER;
            const uint64_t *row = (Py_ssize_t)age < rows->held ? row_of(rows, newest - age) : NULL;
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

/* What word 0 says of a signature. */
typedef struct {
    uint32_t bins, filled, held, span; /* of the bins, `filled` have a value, and the first `span` are in the sketch */
    double load;                       /* values per bin that fill so many of them */
} Header;

static Header header_of(uint64_t word)
{
    Header header = {.bins = 1u << ((word & UINT32_MAX) >> 2 * COUNT_BITS & 31), .filled = word & COUNT,
                     .held = word >> COUNT_BITS & COUNT};
    double filled = header.filled < header.bins ? header.filled : header.bins - 0.5;
    header.span = header.filled <= MOST_HELD ? header.bins : header.bins * MOST_HELD / header.filled;
    header.load = -log1p(-filled / header.bins);
    return header;
}

/* `common` of the bins that the union fills, which in turn depends on how much is common. */
static double share_of(double common, double least_union, double span, double load)
{
    double share = common / least_union;
    for (int round = 0; round < ROUNDS; round++) {
        double filled = span * -expm1(-load / (1 + share));
        share = common / (common > filled ? common : filled);
        share = share < 1 ? share : 1;
    }
    return share;
}

/* As in dedupe/sketch.py, in its order of operations, so that both give the same number. */
static double similarity(const Header *one, uint64_t word, uint32_t bits)
{
    Header other = header_of(word);
    if (one->bins != other.bins || 2 * bits >= SKETCH_BITS)
        return 0;
    if (one->filled <= FEW || other.filled <= FEW)
        return !bits && one->filled == other.filled && one->filled;
    uint32_t span = one->span < other.span ? one->span : other.span;
    double here = (double)(one->held * span) / one->span, there = (double)(other.held * span) / other.span;
    double beyond = one->held - here + other.held - there;
    double differing = -SKETCH_BITS / 2 * log(1 - (double)(2 * bits) / SKETCH_BITS) - beyond;
    double common = (here + there - differing) / 2;
    common = here < common ? here : common;
    common = there < common ? there : common;
    return common > 0 ? share_of(common, here + there - common, span, one->load + other.load) : 0;
}

static PyObject *near_list(const Near *near, size_t count, uint64_t word)
{
    Header header = header_of(word);
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t at = 0; list && at < count; at++) {
        PyObject *one = Py_BuildValue("(KId)", (unsigned long long)near[at].word, (unsigned int)near[at].bits,
                                      similarity(&header, near[at].word, near[at].bits));
        if (one)
            PyList_SET_ITEM(list, (Py_ssize_t)at, one);
        else
            Py_CLEAR(list);
    }
    return list;
}

/* The row of a document is that of its signature, its id in the high half of the first word. */
static void put_row(uint64_t *row, const uint64_t *signature, uint32_t doc_id)
{
    memcpy(row, signature, ROW_WORDS * sizeof *row);
    row[0] = (row[0] & UINT32_MAX) | (uint64_t)doc_id << 32;
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

static bool is_held(const Near *near, size_t count, uint64_t word)
{
    for (size_t at = 0; at < count; at++)
        if (near[at].word == word && !near[at].bits)
            return true;
    return false;
}

/* What `near_observe` gives; the document becomes the next row, if there is a place for it and it isn't there yet. */
static PyObject *observed(const Bands *bands, const Rows *rows, const uint64_t *signature, const uint8_t *most_bits,
                          uint64_t *place, uint32_t doc_id)
{
    Near near[MOST_CANDIDATES];
    uint64_t row[ROW_WORDS];
    uint32_t filled = signature[0] & COUNT, held = signature[0] >> COUNT_BITS & COUNT;
    if (!filled)
        Py_RETURN_NONE;
    size_t count = find_near(bands, rows, signature, filled > FEW ? most_bits[held] : 0, near);
    put_row(row, signature, doc_id);
    bool is_new = place && !is_held(near, count, row[0]);
    if (is_new) {
        memcpy(place, row, sizeof row);
        put(bands, signature, (uint32_t)rows->next_number);
    }
    PyObject *close = near_list(near, count, signature[0]);
    return close ? Py_BuildValue("(Ny#y#N)", close, (const char *)row, (Py_ssize_t)sizeof row,
                                 (const char *)(signature + ROW_WORDS), (Py_ssize_t)(BANDS * sizeof *signature),
                                 PyBool_FromLong(is_new))
                 : NULL;
}

/* near_observe(signature, slots, first, count, half, rows, places, next_number, held, most_bits, has_room, doc_id):
   (of each row that may be near, the oldest first, word 0, how many bits differ and how similar it is; the document's
   row; its keys; whether it is the next row from now on, which it becomes where there is room and it isn't there); None
   where it is empty. */
PyObject *near_observe(PyObject *module, PyObject *arguments)
{
    Py_buffer signature, slots, words, places, most_bits;
    Bands bands;
    Rows rows;
    unsigned int doc_id;
    int has_room;
    PyObject *found = NULL;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*w*IIIw*y*Kny*pI", &signature, &slots, &bands.first, &bands.count, &bands.half,
                          &words, &places, &rows.next_number, &rows.held, &most_bits, &has_room, &doc_id))
        return NULL;
    rows.words = words.buf;
    rows.most_rows = (size_t)words.len / 8 / ROW_WORDS;
    if (are_bands(&slots, &signature, &bands) && are_rows(&rows, &places, &most_bits)) {
        uint64_t *place = has_room ? row_of(&rows, (uint32_t)rows.next_number) : NULL;
        found = observed(&bands, &rows, signature.buf, most_bits.buf, place, doc_id);
    }
    PyBuffer_Release(&signature);
    PyBuffer_Release(&slots);
    PyBuffer_Release(&words);
    PyBuffer_Release(&places);
    PyBuffer_Release(&most_bits);
    return found;
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
        put_row((uint64_t *)words.buf + row * ROW_WORDS, signature.buf, doc_id);
        put(&bands, signature.buf, number);
    }
    PyBuffer_Release(&signature);
    PyBuffer_Release(&slots);
    PyBuffer_Release(&words);
    if (!is_well)
        return NULL;
    Py_RETURN_NONE;
}

/* Of each bucket the slots with a bit of their part move to the one above it; both stay in order. */
static void split(uint32_t *lower, uint32_t *upper, size_t buckets, uint32_t bit)
{
    for (size_t bucket = 0; bucket < buckets; bucket++, lower += WAYS, upper += WAYS) {
        size_t kept = 0, gone = 0;
        for (size_t way = 0; way < WAYS; way++) {
            uint32_t slot = lower[way];
            if (slot & bit)
                upper[gone++] = slot;
            else
                lower[kept++] = slot;
        }
        memset(lower + kept, 0, (WAYS - kept) * sizeof *lower);
        memset(upper + gone, 0, (WAYS - gone) * sizeof *upper);
    }
}

/* near_split(slots, lower, upper, buckets, bit): split so many buckets from `lower` on into those from `upper` on. */
PyObject *near_split(PyObject *module, PyObject *arguments)
{
    Py_buffer slots;
    Py_ssize_t lower, upper, buckets;
    unsigned int bit;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "w*nnnI", &slots, &lower, &upper, &buckets, &bit))
        return NULL;
    Py_ssize_t all = slots.len / 4 / WAYS;
    bool is_well = lower >= 0 && buckets >= 0 && lower <= upper && upper <= all && buckets <= upper - lower
                   && buckets <= all - upper;
    if (is_well)
        split((uint32_t *)slots.buf + lower * WAYS, (uint32_t *)slots.buf + upper * WAYS, (size_t)buckets, bit);
    else
        PyErr_SetString(PyExc_ValueError, "expected buckets to split and room for what leaves them");
    PyBuffer_Release(&slots);
    if (!is_well)
        return NULL;
    Py_RETURN_NONE;
}
