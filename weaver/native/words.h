#ifndef WEAVER_WORDS_H
#define WEAVER_WORDS_H

#include <assert.h>
#include <stdbool.h>

#include "near.h"

#define PIECE 8192
#define MOST_WORDS 64 /* of a shingle */
#define POWERS 64     /* of the base, kept: few words are longer */
#define LAST_LETTER 0x323AF

/* As dedupe/shingles.py lays it out. */
typedef struct {
    uint64_t shingle_words, has_characters, base, word_mixer, shingle_mixer, factors[MOST_WORDS];
} ShinglePlan;

typedef struct WordReader WordReader;

/* A text's words on their way into shingles. */
struct WordReader {
    const ShinglePlan *plan;
    const uint32_t *letters; /* LAST_LETTER + 2 entries of dedupe/character_table.py */
    uint64_t *run;           /* of MOST_WORDS + PIECE: the words held, and those of a piece behind them */
    void (*take)(WordReader *reader, size_t shingles);
    size_t held;  /* words that the next shingles begin with */
    bool has_any; /* shingles */
    bool is_long;
    PyThreadState *others; /* run while a long text is read, but for what Python does with it */
    uint64_t powers[POWERS];
};

static_assert(SHINGLE_RUN_BYTES == 8 * (MOST_WORDS + PIECE), "the buffer's size");

ALWAYS_INLINE uint64_t mixed(uint64_t hash, uint64_t factor)
{
    hash = (hash ^ hash >> 29) * factor;
    return hash ^ hash >> 29;
}

ALWAYS_INLINE uint64_t shingle_at(const WordReader *reader, size_t at, size_t shingle_words)
{
    uint64_t hash = 0;
    for (size_t word = 0; word < shingle_words; word++)
        hash += reader->run[at + word] * reader->plan->factors[word];
    return mixed(hash, reader->plan->shingle_mixer);
}

bool can_read(const ShinglePlan *plan, const Py_buffer *letters);
bool read_words(WordReader *reader, PyObject *string, PyObject *normalised, PyObject *fill);

#endif
