/* Words by rule, their hashes, and their shingles; dedupe/words.py and shingles.py say how. */
#include "words.h"

#include <string.h>

#include "ascii.h"

/* What dedupe/character_table.py says of a character. */
#define LETTER 0x1FFFFFu
#define IS_PLAIN (1u << 31)
#define IS_KNOWN (1u << 30)
#define IS_UNSPACED (1u << 29)
#define MORE_SHIFT 24
#define MORE 7u

typedef struct {
    int kind;
    const void *data;
    Py_ssize_t length;
} Text;

static Text text_of(PyObject *string)
{
    return (Text){(int)PyUnicode_KIND(string), PyUnicode_DATA(string), PyUnicode_GET_LENGTH(string)};
}

ALWAYS_INLINE uint32_t entry_of(const uint32_t *letters, Py_UCS4 c)
{
    return letters[c <= LAST_LETTER ? c : LAST_LETTER + 1];
}

/* The word that is being read: its hash so far, the power of its last letter, how many there are, and where it goes. */
typedef struct {
    uint64_t hash, power, *out;
    size_t length;
} Word;

/* Where a word ends is chance, so it is no branch: what is put down too early is overwritten. */
ALWAYS_INLINE void take_letter(Word *word, const WordReader *reader, uint32_t letter)
{
    const size_t is_letter = letter != 0;
    word->power = word->length < POWERS ? reader->powers[word->length] : word->power * reader->plan->base;
    word->hash += letter * word->power;
    *word->out = word->hash;
    word->out += (is_letter ^ 1) & (word->length != 0);
    word->length = (word->length + 1) & -is_letter;
    word->hash &= -(uint64_t)is_letter;
}

/* The same for some of ASCII, whose letters are known without a table; not beyond the powers that are kept. */
ALWAYS_INLINE void take_ascii(Word *word, const WordReader *reader, Bytes chars)
{
    const Bytes lower = chars | 0x20;
    const Bytes is_large = (Bytes)(lower - 'a' <= 'z' - 'a'), is_other = (Bytes)(chars - '0' <= 9) | (Bytes)(chars == '_');
    const Bytes is_letter = is_large | is_other, shown = (lower & is_large) | (chars & is_other);
    uint64_t flags[2], after[2], hash = word->hash, *out = word->out;
    uint8_t letters[STEP], ends[STEP];
    size_t length = word->length;
    memcpy(flags, &is_letter, sizeof flags);
    flags_after(flags, length != 0, after);
    after[0] &= ~flags[0] & ONES;
    after[1] &= ~flags[1] & ONES;
    memcpy(ends, after, sizeof ends);
    memcpy(letters, &shown, sizeof letters);
    IN_MEMORY(ends);
    IN_MEMORY(letters);
#pragma GCC unroll 16
    for (int at = 0; at < STEP; at++) {
        size_t goes_on = -(size_t)(letters[at] != 0);
        hash += letters[at] * reader->powers[length];
        *out = hash;
        out += ends[at];
        hash &= goes_on;
        length = (length + 1) & goes_on;
    }
    *word = (Word){hash, reader->powers[POWERS - 1], out, length};
}

/* Put the words' hashes behind those held; how many. `all` are the bits that every character has. */
ALWAYS_INLINE size_t words_of(const WordReader *reader, int kind, const void *data, Py_ssize_t at, Py_ssize_t end,
                              uint32_t *all)
{
    const uint32_t alone = kind != PyUnicode_1BYTE_KIND && reader->plan->has_characters ? IS_UNSPACED : 0;
    uint64_t *words = reader->run + reader->held;
    uint32_t bits = *all;
    Word word = {.out = words};
    for (Py_ssize_t stop; at < end; at = stop) {
        Bytes chars;
        stop = at + STEP < end ? at + STEP : end;
        if (HAS_STEPS(kind) && stop - at == STEP && word.length <= POWERS - STEP
            && load_ascii(kind, (const char *)data + at * kind, &chars)) {
            take_ascii(&word, reader, chars);
            continue;
        }
        for (; at < stop; at++) {
            uint32_t entry = entry_of(reader->letters, PyUnicode_READ(kind, data, at));
            bits &= entry;
            if (entry & alone && entry & LETTER) {
                take_letter(&word, reader, 0);
                *word.out++ = (entry & LETTER) * reader->plan->base;
            } else {
                take_letter(&word, reader, entry & LETTER);
            }
        }
    }
    word.out += word.length != 0;
    for (uint64_t *put = words; put < word.out; put++)
        *put = mixed(*put, reader->plan->word_mixer);
    *all = bits;
    return (size_t)(word.out - words);
}

static size_t piece_words(const WordReader *reader, const Text *text, Py_ssize_t at, Py_ssize_t end, uint32_t *all)
{
    if (text->kind == PyUnicode_1BYTE_KIND)
        return words_of(reader, PyUnicode_1BYTE_KIND, text->data, at, end, all);
    if (text->kind == PyUnicode_2BYTE_KIND)
        return words_of(reader, PyUnicode_2BYTE_KIND, text->data, at, end, all);
    return words_of(reader, PyUnicode_4BYTE_KIND, text->data, at, end, all);
}

/* Further words are in the run: their shingles, and the words that the next ones begin with. */
static void take_words(WordReader *reader, size_t count)
{
    size_t size = reader->held + count, shingle_words = (size_t)reader->plan->shingle_words;
    reader->held = size;
    if (size < shingle_words)
        return;
    reader->has_any = true;
    reader->take(reader, size - shingle_words + 1);
    reader->held = shingle_words - 1;
    memmove(reader->run, reader->run + size - reader->held, reader->held * sizeof(uint64_t));
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
static bool learn(const WordReader *reader, const Text *text, Py_ssize_t at, Py_ssize_t end, PyObject *fill)
{
    for (; at < end; at++) {
        Py_UCS4 c = PyUnicode_READ(text->kind, text->data, at);
        if (entry_of(reader->letters, c) & IS_KNOWN)
            continue;
        PyObject *none = PyObject_CallFunction(fill, "I", (unsigned int)c);
        if (!none)
            return false;
        Py_DECREF(none);
    }
    return true;
}

/* Whether the words are those of the normal form, which is no longer than a piece. */
static bool is_as_normal(const WordReader *reader, const Text *text, Py_ssize_t at, Py_ssize_t end)
{
    Py_ssize_t length = end - at;
    for (; at < end; at++) {
        uint32_t entry = entry_of(reader->letters, PyUnicode_READ(text->kind, text->data, at));
        if (!(entry & IS_PLAIN) && !(entry >> MORE_SHIFT & MORE))
            return false;
        length += entry >> MORE_SHIFT & MORE;
    }
    return length <= PIECE;
}

static bool take_normalised(WordReader *reader, PyObject *string, Py_ssize_t at, Py_ssize_t end, PyObject *normalised,
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
        is_well = learn(reader, &text, 0, text.length, fill);
        for (at = 0; is_well && at < text.length; at += PIECE) {
            uint32_t all = 0;
            end = at + PIECE < text.length ? at + PIECE : text.length;
            take_words(reader, piece_words(reader, &text, at, end, &all));
        }
    }
    Py_XDECREF(normal);
    return is_well;
}

static void hold_lock(WordReader *reader)
{
    if (reader->others)
        PyEval_RestoreThread(reader->others);
    reader->others = NULL;
}

static void release_lock(WordReader *reader)
{
    if (reader->is_long)
        reader->others = PyEval_SaveThread();
}

/* A piece of characters that are not known yet, or have another form. */
static bool take_asked(WordReader *reader, PyObject *string, Py_ssize_t at, Py_ssize_t end, PyObject *normalised,
                       PyObject *fill)
{
    Text text = text_of(string);
    uint32_t all = 0;
    if (!learn(reader, &text, at, end, fill))
        return false;
    if (!is_as_normal(reader, &text, at, end))
        return take_normalised(reader, string, at, end, normalised, fill);
    take_words(reader, piece_words(reader, &text, at, end, &all));
    return true;
}

/* Whether the engine's constants and its characters' entries are what is read by; else an exception is set. */
bool can_read(const ShinglePlan *plan, const Py_buffer *letters)
{
    if (plan->shingle_words >= 1 && plan->shingle_words <= MOST_WORDS && letters->len == (LAST_LETTER + 2) * 4)
        return true;
    PyErr_SetString(PyExc_ValueError, "expected the plan and the buffers of a signature engine");
    return false;
}

/* Give all shingles of a text to `take`, in order: those of a piece at a time, whose words count where all its
   characters are known and plain, or all the same to the words. A text of fewer words is one shorter shingle. */
bool read_words(WordReader *reader, PyObject *string, PyObject *normalised, PyObject *fill)
{
    Text text = text_of(string);
    uint64_t power = 1;
    bool is_well = true;
    for (int at = 0; at < POWERS; at++)
        reader->powers[at] = power *= reader->plan->base;
    reader->held = 0;
    reader->has_any = false;
    reader->is_long = text.length > LONG_TEXT;
    release_lock(reader);
    for (Py_ssize_t at = 0, end; is_well && at < text.length; at = end) {
        uint32_t all = IS_PLAIN | IS_KNOWN;
        end = cut(&text, at);
        size_t count = piece_words(reader, &text, at, end, &all);
        if (all & IS_PLAIN || (all & IS_KNOWN && is_as_normal(reader, &text, at, end))) {
            take_words(reader, count);
            continue;
        }
        hold_lock(reader);
        is_well = take_asked(reader, string, at, end, normalised, fill);
        release_lock(reader);
    }
    if (is_well && reader->held && !reader->has_any) {
        size_t missing = (size_t)reader->plan->shingle_words - reader->held;
        memset(reader->run + reader->held, 0, missing * sizeof(uint64_t));
        reader->take(reader, 1);
    }
    hold_lock(reader);
    return is_well;
}
