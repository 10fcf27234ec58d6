/* A text's set of shingles, for exact similarity: the upper halves of their hashes; dedupe/shingles.py says how. */
#include <string.h>

#include "words.h"

#define FEWEST_HALVES 2048
#define DIGITS 256
#define DIGIT_BITS 8
#define PASSES 4

typedef struct {
    WordReader reader;
    uint32_t *halves;
    size_t count, room;
    bool has_failed; /* to get memory */
} Collector;

static bool has_room(Collector *collector, size_t more)
{
    size_t room = collector->room ? collector->room : FEWEST_HALVES;
    if (collector->count + more <= collector->room)
        return true;
    while (room < collector->count + more)
        room *= 2;
    uint32_t *halves = PyMem_RawRealloc(collector->halves, room * sizeof *halves);
    collector->has_failed |= !halves;
    if (halves) {
        collector->halves = halves;
        collector->room = room;
    }
    return halves != NULL;
}

ALWAYS_INLINE void take_halves(Collector *collector, size_t count, size_t shingle_words)
{
    uint32_t *out = collector->halves + collector->count;
    for (size_t at = 0; at < count; at++)
        out[at] = (uint32_t)(shingle_at(&collector->reader, at, shingle_words) >> 32);
    collector->count += count;
}

static void take_shingles(WordReader *reader, size_t count)
{
    Collector *collector = (Collector *)reader;
    size_t shingle_words = (size_t)reader->plan->shingle_words;
    if (!has_room(collector, count))
        return;
    if (shingle_words == 5)
        take_halves(collector, count, 5);
    else
        take_halves(collector, count, shingle_words);
}

/* By one digit after the other, the lowest first; `scratch` is as long, and the last pass ends where it began. */
static void sort(uint32_t *halves, uint32_t *scratch, size_t count)
{
    size_t ends[PASSES][DIGITS] = {{0}};
    for (size_t at = 0; at < count; at++)
        for (int pass = 0; pass < PASSES; pass++)
            ends[pass][halves[at] >> DIGIT_BITS * pass & (DIGITS - 1)]++;
    for (int pass = 0; pass < PASSES; pass++) {
        size_t *place = ends[pass], start = 0;
        for (int digit = 0; digit < DIGITS; digit++) {
            size_t size = place[digit];
            place[digit] = start;
            start += size;
        }
        for (size_t at = 0; at < count; at++)
            scratch[place[halves[at] >> DIGIT_BITS * pass & (DIGITS - 1)]++] = halves[at];
        uint32_t *sorted = scratch;
        scratch = halves;
        halves = sorted;
    }
}

static size_t only_distinct(uint32_t *halves, size_t count)
{
    size_t kept = 0;
    for (size_t at = 0; at < count; at++)
        if (!kept || halves[at] != halves[kept - 1])
            halves[kept++] = halves[at];
    return kept;
}

static PyObject *distinct(Collector *collector)
{
    size_t count = collector->count;
    if (!has_room(collector, count))
        return NULL;
    if (collector->reader.is_long) {
        Py_BEGIN_ALLOW_THREADS
        sort(collector->halves, collector->halves + count, count);
        count = only_distinct(collector->halves, count);
        Py_END_ALLOW_THREADS
    } else {
        sort(collector->halves, collector->halves + count, count);
        count = only_distinct(collector->halves, count);
    }
    return PyBytes_FromStringAndSize((const char *)collector->halves, (Py_ssize_t)(count * sizeof *collector->halves));
}

/* shingle_set(text, plan, run, letters, normalised, fill): the distinct upper halves of the shingles' hashes, rising. */
PyObject *shingle_set(PyObject *module, PyObject *arguments)
{
    PyObject *string, *normalised, *fill, *set = NULL;
    Py_buffer plan, run, letters;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "Uy*w*y*OO", &string, &plan, &run, &letters, &normalised, &fill))
        return NULL;
    if (plan.len != sizeof(ShinglePlan) || run.len != SHINGLE_RUN_BYTES) {
        PyErr_SetString(PyExc_ValueError, "expected the plan and the run of shingles");
    } else if (PyUnicode_READY(string) == 0 && can_read(plan.buf, &letters)) {
        Collector collector = {
            .reader = {.plan = plan.buf, .letters = letters.buf, .run = run.buf, .take = take_shingles},
        };
        if (read_words(&collector.reader, string, normalised, fill))
            set = distinct(&collector);
        if (collector.has_failed)
            PyErr_NoMemory();
        PyMem_RawFree(collector.halves);
    }
    PyBuffer_Release(&plan);
    PyBuffer_Release(&run);
    PyBuffer_Release(&letters);
    return set;
}
