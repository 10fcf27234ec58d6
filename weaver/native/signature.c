/* A text's signature: words, shingles, minima, sketch and bands; dedupe/words.py, shingles.py and signature.py say how. */
#include "near.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define PIECE 8192
#define MOST_WORDS 64 /* of a shingle */
#define MOST_BINS 2048
#define MOST_HELD 600
#define FEW 4
#define SKETCH_BITS (64 * SKETCH_WORDS)
#define BAND_VALUES 4
#define COARSE (BANDS * BAND_VALUES)
#define PROBES 64
#define EMPTY UINT64_MAX
#define LAST_LETTER 0x323AF

/* What dedupe/characters.py says of a character. */
#define LETTER 0x1FFFFFu
#define IS_PLAIN (1u << 31)
#define IS_KNOWN (1u << 30)
#define IS_UNSPACED (1u << 29)
#define MORE_SHIFT 24
#define MORE 7u

/* As dedupe/compiled_signature.py lays it out. */
typedef struct {
    uint64_t shingle_words, bits, has_characters, base, word_mixer, shingle_mixer, place_factor, band_mixer;
    uint64_t factors[MOST_WORDS], band_factors[COARSE], band_seeds[BANDS], probes[COARSE * PROBES];
} Plan;

typedef struct {
    uint64_t minima[MOST_BINS], run[MOST_WORDS + PIECE];
} Work;

static_assert(sizeof(Work) == SIGN_WORK_BYTES, "the buffer's size");

typedef struct {
    const Plan *plan;
    Work *work;
    const uint32_t *letters;
    uint64_t *row;
    size_t held;  /* words that the next shingles begin with */
    bool has_any; /* shingles */
} Signer;

typedef struct {
    int kind;
    const void *data;
    Py_ssize_t length;
} Text;

static Text text_of(PyObject *string)
{
    return (Text){(int)PyUnicode_KIND(string), PyUnicode_DATA(string), PyUnicode_GET_LENGTH(string)};
}

ALWAYS_INLINE uint64_t mixed(uint64_t hash, uint64_t factor)
{
    hash = (hash ^ hash >> 29) * factor;
    return hash ^ hash >> 29;
}

ALWAYS_INLINE uint32_t entry_of(const uint32_t *letters, Py_UCS4 c)
{
    return letters[c <= LAST_LETTER ? c : LAST_LETTER + 1];
}

/* Put the words' hashes behind those held; how many. `all` are the bits that every character has. */
ALWAYS_INLINE size_t words_of(const Signer *signer, int kind, const void *data, Py_ssize_t at, Py_ssize_t end,
                              uint32_t *all)
{
    const uint64_t base = signer->plan->base, mixer = signer->plan->word_mixer;
    const uint32_t *letters = signer->letters, alone = signer->plan->has_characters ? IS_UNSPACED : 0;
    uint64_t *words = signer->work->run + signer->held, *out = words;
    uint32_t bits = *all;
    while (at < end) {
        uint32_t entry = entry_of(letters, PyUnicode_READ(kind, data, at));
        uint64_t hash = 0, power = base;
        at++;
        bits &= entry;
        if (!(entry & LETTER))
            continue;
        hash = (entry & LETTER) * power;
        while (!(entry & alone) && at < end) {
            entry = entry_of(letters, PyUnicode_READ(kind, data, at));
            if (!(entry & LETTER) || entry & alone)
                break;
            at++;
            bits &= entry;
            power *= base;
            hash += (entry & LETTER) * power;
        }
        *out++ = mixed(hash, mixer);
    }
    *all = bits;
    return (size_t)(out - words);
}

static size_t piece_words(const Signer *signer, const Text *text, Py_ssize_t at, Py_ssize_t end, uint32_t *all)
{
    if (text->kind == PyUnicode_1BYTE_KIND)
        return words_of(signer, PyUnicode_1BYTE_KIND, text->data, at, end, all);
    if (text->kind == PyUnicode_2BYTE_KIND)
        return words_of(signer, PyUnicode_2BYTE_KIND, text->data, at, end, all);
    return words_of(signer, PyUnicode_4BYTE_KIND, text->data, at, end, all);
}

ALWAYS_INLINE void take_least(const Signer *signer, size_t count, size_t shingle_words)
{
    const uint64_t *run = signer->work->run, *factors = signer->plan->factors, mixer = signer->plan->shingle_mixer;
    uint64_t *minima = signer->work->minima;
    const int bits = (int)signer->plan->bits;
    for (size_t at = 0; at < count; at++) {
        uint64_t hash = 0;
        for (size_t word = 0; word < shingle_words; word++)
            hash += run[at + word] * factors[word];
        hash = mixed(hash, mixer);
        uint64_t *least = minima + (hash >> (64 - bits)), value = hash << bits;
        *least = value < *least ? value : *least;
    }
}

/* Further words are in the run: their shingles, and the words that the next ones begin with. */
static void take_words(Signer *signer, size_t count)
{
    size_t size = signer->held + count, shingle_words = (size_t)signer->plan->shingle_words;
    signer->held = size;
    if (size < shingle_words)
        return;
    signer->has_any = true;
    if (shingle_words == 5)
        take_least(signer, size - 4, 5);
    else
        take_least(signer, size - shingle_words + 1, shingle_words);
    signer->held = shingle_words - 1;
    memmove(signer->work->run, signer->work->run + size - signer->held, signer->held * sizeof(uint64_t));
}

/* Where a piece ends: at its last space, unless there is none. */
static Py_ssize_t cut(const Text *text, Py_ssize_t start)
{
    Py_ssize_t end = start + PIECE;
    if (end >= text->length)
        return text->length;
    for (Py_ssize_t at = end - 1; at > start; at--)
        if (PyUnicode_READ(text->kind, text->data, at) == ' ')
            return at;
    return end;
}

/* Have the blocks of all characters of a piece filled in. */
static bool learn(const Signer *signer, const Text *text, Py_ssize_t at, Py_ssize_t end, PyObject *fill)
{
    for (; at < end; at++) {
        Py_UCS4 c = PyUnicode_READ(text->kind, text->data, at);
        if (entry_of(signer->letters, c) & IS_KNOWN)
            continue;
        PyObject *none = PyObject_CallFunction(fill, "I", (unsigned int)c);
        if (!none)
            return false;
        Py_DECREF(none);
    }
    return true;
}

/* Whether the words are those of the normal form, which is no longer than a piece. */
static bool is_as_normal(const Signer *signer, const Text *text, Py_ssize_t at, Py_ssize_t end)
{
    Py_ssize_t length = end - at;
    for (; at < end; at++) {
        uint32_t entry = entry_of(signer->letters, PyUnicode_READ(text->kind, text->data, at));
        if (!(entry & IS_PLAIN) && !(entry >> MORE_SHIFT & MORE))
            return false;
        length += entry >> MORE_SHIFT & MORE;
    }
    return length <= PIECE;
}

static bool take_normalised(Signer *signer, PyObject *string, Py_ssize_t at, Py_ssize_t end, PyObject *normalised,
                            PyObject *fill)
{
    PyObject *piece = PyUnicode_Substring(string, at, end);
    PyObject *normal = piece ? PyObject_CallOneArg(normalised, piece) : NULL;
    Py_XDECREF(piece);
    bool is_well = normal && PyUnicode_Check(normal);
    if (normal && !is_well)
        PyErr_SetString(PyExc_TypeError, "expected str of the normal form");
    if (is_well) {
        Text text = text_of(normal);
        is_well = learn(signer, &text, 0, text.length, fill);
        for (at = 0; is_well && at < text.length; at += PIECE) {
            uint32_t all = 0;
            end = at + PIECE < text.length ? at + PIECE : text.length;
            take_words(signer, piece_words(signer, &text, at, end, &all));
        }
    }
    Py_XDECREF(normal);
    return is_well;
}

/* A piece at a time: its words count where all its characters are plain, else they are asked about first. */
static bool take_pieces(Signer *signer, PyObject *string, PyObject *normalised, PyObject *fill)
{
    Text text = text_of(string);
    for (Py_ssize_t at = 0, end; at < text.length; at = end) {
        uint32_t all = IS_PLAIN;
        end = cut(&text, at);
        size_t count = piece_words(signer, &text, at, end, &all);
        if (!(all & IS_PLAIN)) {
            if (!learn(signer, &text, at, end, fill))
                return false;
            if (!is_as_normal(signer, &text, at, end)) {
                if (!take_normalised(signer, string, at, end, normalised, fill))
                    return false;
                continue;
            }
            count = piece_words(signer, &text, at, end, &all);
        }
        take_words(signer, count);
    }
    return true;
}

static bool is_plain(const Signer *signer, const Text *text)
{
    for (Py_ssize_t at = 0; at < text->length; at++)
        if (!(entry_of(signer->letters, PyUnicode_READ(text->kind, text->data, at)) & IS_PLAIN))
            return false;
    return true;
}

static void take_plain_pieces(Signer *signer, const Text *text)
{
    uint32_t all = 0;
    for (Py_ssize_t at = 0, end; at < text->length; at = end) {
        end = cut(text, at);
        take_words(signer, piece_words(signer, text, at, end, &all));
    }
}

/* Flip one bit for each value of the first `span` bins; without branches, for which bins are filled is chance. */
static void sketch(const Signer *signer, size_t span)
{
    const uint64_t *minima = signer->work->minima, factor = signer->plan->place_factor;
    uint64_t words[SKETCH_WORDS] = {0};
    for (size_t bin = 0; bin < span; bin++) {
        uint64_t place = (minima[bin] * factor >> 32) * SKETCH_BITS >> 32;
        words[place / 64] ^= (uint64_t)(minima[bin] != EMPTY) << place % 64;
    }
    memcpy(signer->row + 1, words, sizeof words);
}

static void spell_out(const Signer *signer)
{
    uint64_t total = 0;
    for (size_t bin = 0; bin < (size_t)1 << signer->plan->bits; bin++)
        if (signer->work->minima[bin] != EMPTY)
            total += signer->work->minima[bin];
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
    const uint64_t *minimum = signer->work->minima;
    uint64_t coarse[COARSE];
    bool has_empty = false;
    for (int index = 0; index < COARSE; index++) {
        coarse[index] = EMPTY;
        for (const uint64_t *end = minimum + ((size_t)1 << plan->bits) / COARSE; minimum < end; minimum++)
            coarse[index] = *minimum < coarse[index] ? *minimum : coarse[index];
        has_empty |= coarse[index] == EMPTY;
    }
    if (has_empty)
        densify(plan, coarse);
    for (int band = 0; band < BANDS; band++) {
        uint64_t key = plan->band_seeds[band];
        for (int at = band * BAND_VALUES; at < (band + 1) * BAND_VALUES; at++)
            key += coarse[at] * plan->band_factors[at];
        signer->row[ROW_WORDS + band] = mixed(key, plan->band_mixer);
    }
}

static size_t filled_of(const Signer *signer, size_t span)
{
    size_t filled = 0;
    for (size_t bin = 0; bin < span; bin++)
        filled += signer->work->minima[bin] != EMPTY;
    return filled;
}

static void set_row(Signer *signer)
{
    size_t bins = (size_t)1 << signer->plan->bits, shingle_words = (size_t)signer->plan->shingle_words;
    if (signer->held && !signer->has_any) {
        memset(signer->work->run + signer->held, 0, (shingle_words - signer->held) * sizeof(uint64_t));
        take_least(signer, 1, shingle_words);
    }
    size_t filled = filled_of(signer, bins);
    if (!filled)
        return;
    size_t span = filled <= MOST_HELD ? bins : bins * MOST_HELD / filled;
    size_t held = span == bins ? filled : filled_of(signer, span);
    signer->row[0] = signer->plan->bits << 24 | (uint64_t)held << 12 | filled;
    if (filled > FEW)
        sketch(signer, span);
    else
        spell_out(signer);
    set_bands(signer);
}

static bool take_text(Signer *signer, PyObject *string, PyObject *normalised, PyObject *fill)
{
    Text text = text_of(string);
    bool is_long = text.length > LONG_TEXT;
    if (is_long && !learn(signer, &text, 0, text.length, fill))
        return false;
    if (is_long && is_plain(signer, &text)) {
        Py_BEGIN_ALLOW_THREADS
        take_plain_pieces(signer, &text);
        Py_END_ALLOW_THREADS
        return true;
    }
    return take_pieces(signer, string, normalised, fill);
}

static bool is_fit(const Plan *plan, const Py_buffer *plan_bytes, const Py_buffer *work, const Py_buffer *letters,
                   const Py_buffer *row)
{
    if (plan_bytes->len == sizeof(Plan) && work->len == SIGN_WORK_BYTES && row->len == SIGNATURE_WORDS * 8
        && letters->len == (LAST_LETTER + 2) * 4 && plan->shingle_words >= 1 && plan->shingle_words <= MOST_WORDS
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
    bool is_well = PyUnicode_READY(string) == 0 && is_fit(plan.buf, &plan, &work, &letters, &row);
    if (is_well) {
        Signer signer = {plan.buf, work.buf, letters.buf, row.buf, 0, false};
        memset(signer.row, 0, sizeof(uint64_t) * SIGNATURE_WORDS);
        memset(signer.work->minima, 0xFF, sizeof(uint64_t) << signer.plan->bits);
        is_well = take_text(&signer, string, normalised, fill);
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
