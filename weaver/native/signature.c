/* A text's signature out of its shingles: minima, sketch and bands; dedupe/signature.py says how. */
#include <string.h>

#include "words.h"

#define MOST_BINS 2048
#define MOST_HELD 600
#define FEW 4
#define SKETCH_BITS (64 * SKETCH_WORDS)
#define BAND_VALUES 4
#define COARSE (BANDS * BAND_VALUES)
#define PROBES 64
#define EMPTY UINT64_MAX

/* As dedupe/signature.py lays it out. */
typedef struct {
    ShinglePlan shingles;
    uint64_t bits, place_factor, band_mixer;
    uint64_t band_factors[COARSE], band_seeds[BANDS], probes[COARSE * PROBES];
} Plan;

typedef struct {
    uint64_t minima[MOST_BINS], run[MOST_WORDS + PIECE];
    uint16_t bins[MOST_BINS + 4]; /* those with a value, and room for one that is none */
} Work;

static_assert(sizeof(Work) == SIGN_WORK_BYTES, "the buffer's size");

typedef struct {
    WordReader reader;
    const Plan *plan;
    Work *work;
    uint64_t *row;
    size_t filled; /* bins */
} Signer;

ALWAYS_INLINE void take_least(Signer *signer, size_t count, size_t shingle_words)
{
    uint64_t *minima = signer->work->minima;
    uint16_t *bins = signer->work->bins;
    const int bits = (int)signer->plan->bits;
    size_t filled = signer->filled;
    for (size_t at = 0; at < count; at++) {
        uint64_t hash = shingle_at(&signer->reader, at, shingle_words), value = hash << bits;
        uint64_t *least = minima + (hash >> (64 - bits));
        bins[filled] = (uint16_t)(hash >> (64 - bits));
        filled += *least == EMPTY;
        *least = value < *least ? value : *least;
    }
    signer->filled = filled;
}

/* Keep the least of each bin. */
static void take_shingles(WordReader *reader, size_t count)
{
    size_t shingle_words = (size_t)reader->plan->shingle_words;
    if (shingle_words == 5)
        take_least((Signer *)reader, count, 5);
    else
        take_least((Signer *)reader, count, shingle_words);
}

/* Flip one bit for each value of the first `span` bins. */
static void sketch(const Signer *signer, size_t span)
{
    const Work *work = signer->work;
    uint8_t parities[SKETCH_BITS] = {0};
    for (size_t at = 0; at < signer->filled; at++) {
        uint64_t value = work->minima[work->bins[at]];
        parities[(value * signer->plan->place_factor >> 32) * SKETCH_BITS >> 32] ^= work->bins[at] < span;
    }
    for (int word = 0; word < SKETCH_WORDS; word++)
        for (int bit = 0; bit < 64; bit++)
            signer->row[1 + word] |= (uint64_t)parities[word * 64 + bit] << bit;
}

static void spell_out(const Signer *signer)
{
    uint64_t total = 0;
    for (size_t at = 0; at < signer->filled; at++)
        total += signer->work->minima[signer->work->bins[at]];
    for (int word = 1; word < ROW_WORDS; word++) {
        total = total * signer->plan->place_factor + (uint64_t)word;
        total ^= total >> 29;
        signer->row[word] = total;
    }
}

/* A coarse bin without a value takes that of the first one of its own row of probes that has one. */
static void densify(const Plan *plan, uint64_t *coarse)
{
    uint64_t values[COARSE], first = EMPTY;
    memcpy(values, coarse, sizeof values);
    for (int index = 0; index < COARSE; index++)
        first = values[index] < first ? values[index] : first;
    for (int index = 0; index < COARSE; index++) {
        const uint64_t *probe = plan->probes + index * PROBES, *end = probe + PROBES;
        if (values[index] != EMPTY)
            continue;
        while (probe < end && values[*probe % COARSE] == EMPTY)
            probe++;
        coarse[index] = probe < end ? values[*probe % COARSE] : first;
    }
}

static void set_bands(const Signer *signer)
{
    const Plan *plan = signer->plan;
    const Work *work = signer->work;
    uint64_t coarse[COARSE];
    bool has_empty = false;
    memset(coarse, 0xFF, sizeof coarse);
    for (size_t at = 0; at < signer->filled; at++) {
        uint64_t *least = coarse + ((size_t)work->bins[at] * COARSE >> plan->bits), value = work->minima[work->bins[at]];
        *least = value < *least ? value : *least;
    }
    for (int index = 0; index < COARSE; index++)
        has_empty |= coarse[index] == EMPTY;
    if (has_empty)
        densify(plan, coarse);
    for (int band = 0; band < BANDS; band++) {
        uint64_t key = plan->band_seeds[band];
        for (int at = band * BAND_VALUES; at < (band + 1) * BAND_VALUES; at++)
            key += coarse[at] * plan->band_factors[at];
        signer->row[ROW_WORDS + band] = mixed(key, plan->band_mixer);
    }
}

static size_t filled_below(const Signer *signer, size_t span)
{
    size_t filled = 0;
    for (size_t at = 0; at < signer->filled; at++)
        filled += signer->work->bins[at] < span;
    return filled;
}

static void set_row(const Signer *signer)
{
    size_t bins = (size_t)1 << signer->plan->bits;
    size_t filled = signer->filled;
    if (!filled)
        return;
    size_t span = filled <= MOST_HELD ? bins : bins * MOST_HELD / filled;
    signer->row[0] = signer->plan->bits << 24 | (uint64_t)filled_below(signer, span) << 12 | filled;
    if (filled > FEW)
        sketch(signer, span);
    else
        spell_out(signer);
    set_bands(signer);
}

static bool is_fit(const Plan *plan, const Py_buffer *plan_bytes, const Py_buffer *work, const Py_buffer *row)
{
    if (plan_bytes->len == sizeof(Plan) && work->len == SIGN_WORK_BYTES && row->len == SIGNATURE_WORDS * 8
        && plan->bits >= 6 && plan->bits <= 11)
        return true;
    PyErr_SetString(PyExc_ValueError, "expected the plan and the buffers of a signature engine");
    return false;
}

/* sign(text, plan, work, letters, row, normalised, fill): put the text's signature into `row`. */
PyObject *sign(PyObject *module, PyObject *arguments)
{
    PyObject *string, *normalised, *fill;
    Py_buffer plan, work, letters, row;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "Uy*w*y*w*OO", &string, &plan, &work, &letters, &row, &normalised, &fill))
        return NULL;
    bool is_well = PyUnicode_READY(string) == 0 && is_fit(plan.buf, &plan, &work, &row) && can_read(plan.buf, &letters);
    if (is_well) {
        Signer signer = {
            .reader = {.plan = plan.buf, .letters = letters.buf, .take = take_shingles},
            .plan = plan.buf, .work = work.buf, .row = row.buf,
        };
        signer.reader.run = signer.work->run;
        memset(signer.row, 0, sizeof(uint64_t) * SIGNATURE_WORDS);
        memset(signer.work->minima, 0xFF, sizeof(uint64_t) << signer.plan->bits);
        is_well = read_words(&signer.reader, string, normalised, fill);
        if (is_well)
            set_row(&signer);
    }
    PyBuffer_Release(&plan);
    PyBuffer_Release(&work);
    PyBuffer_Release(&letters);
    PyBuffer_Release(&row);
    if (!is_well)
        return NULL;
    Py_RETURN_NONE;
}
