/* The part of a text that its host does not repeat: dedupe/main_text.py says how. */
#include "blocks.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "near.h"
#include "xxh64.h"

/* As in dedupe/main_text.py. */
#define WAYS 8
#define SHARE 0.1
#define FEWEST_PAGES 5
#define MOST_PAGES 50
#define FEWEST_WORDS 4
#define LEAST_OWN 0.2
#define HALVED_BY 64
#define MOST_BLOCKS 4096
#define COUNT_LIMIT UINT16_MAX

#define KEYS (MOST_BLOCKS + 1) /* with the host's own */
#define SLOTS (4 * MOST_BLOCKS)
#define UTF8_PART 4096
#define AHEAD 16 /* buckets that are fetched before they are looked into */

typedef struct {
    Py_ssize_t start, end;
    Py_UCS4 bits; /* that any of its characters has */
} Span;

/* A bucket that new blocks are for: the last one's tag, and whether the counts are to be halved. */
typedef struct {
    uint32_t bucket, tag, is_halved;
} Entry;

typedef struct {
    uint64_t is_busy; /* while another thread reads without the interpreter's lock */
    uint64_t keys[KEYS];
    Span spans[MOST_BLOCKS];
    Entry entries[KEYS];
    uint16_t seen[KEYS], slots[SLOTS];
    unsigned char utf8[UTF8_PART], is_new[KEYS], is_repeated[MOST_BLOCKS];
} Work;

typedef struct {
    int kind;
    const void *data;
    Py_ssize_t length;
    bool is_ascii;
} Text;

typedef struct {
    uint32_t tags[WAYS];
    uint16_t counts[WAYS];
} Bucket;

typedef struct {
    Bucket *cells;
    uint32_t buckets;
    Py_ssize_t entered, left;
} Memory;

/* The blocks of a page: those that are looked at, and where the others begin. */
typedef struct {
    Work *work;
    uint64_t of_host;
    Py_ssize_t count, rest, chars, own_chars;
    bool is_whole; /* whether what it repeats is what it is */
} Page;

/* What is written of a page: characters with the breaks between blocks, and the bits that any of them has. */
typedef struct {
    Py_ssize_t length;
    Py_UCS4 bits;
} Extent;

/* A place among the blocks that are kept. */
typedef struct {
    Py_ssize_t index;
    Span span;
} Cursor;

ALWAYS_INLINE Py_UCS4 at_of(const Text *text, int kind, Py_ssize_t at)
{
    return PyUnicode_READ(kind, text->data, at);
}

ALWAYS_INLINE bool is_break(Py_UCS4 c)
{
    if (c < 0x20)
        return (c >= '\n' && c <= '\r') || (c >= 0x1C && c <= 0x1E);
    return c >= 0x85 && (c == 0x85 || c == 0x2028 || c == 0x2029);
}

/* How many characters are passed at once where all are ASCII and none breaks a line: what one word has, or none. */
ALWAYS_INLINE Py_ssize_t plain_chars(int kind, const void *data, Py_ssize_t at, Py_ssize_t end, unsigned char *narrow)
{
    const uint64_t tops = kind == PyUnicode_1BYTE_KIND ? 0x8080808080808080u : 0x8000800080008000u;
    const uint64_t spaces = kind == PyUnicode_1BYTE_KIND ? 0x2020202020202020u : 0x0020002000200020u;
    const uint64_t wide = kind == PyUnicode_1BYTE_KIND ? 0x8080808080808080u : 0xFF80FF80FF80FF80u;
    const Py_ssize_t chars = 8 / kind;
    uint64_t word;
    if (kind == PyUnicode_4BYTE_KIND || end - at < chars)
        return 0;
    memcpy(&word, (const char *)data + at * kind, sizeof word);
    if (word & wide || (word - spaces) & tops)
        return 0;
    if (narrow && kind == PyUnicode_2BYTE_KIND) {
        word = (word | word >> 8) & 0x0000FFFF0000FFFFu;
        uint32_t bytes = (uint32_t)(word | word >> 16);
        memcpy(narrow, &bytes, sizeof bytes);
    } else if (narrow) {
        memcpy(narrow, &word, sizeof word);
    }
    return chars;
}

/* The next line with something on it, from `at` on, without the white space around it; its low bytes in `narrow`, if
   there is one. */
ALWAYS_INLINE bool next_span(const Text *text, int kind, Py_ssize_t at, Span *span, unsigned char *narrow)
{
    const void *data = text->data; /* kept here, for to the compiler `narrow` may be anywhere */
    const Py_ssize_t length = text->length;
    Py_UCS4 bits = 0, c;
    while (at < length && Py_UNICODE_ISSPACE(PyUnicode_READ(kind, data, at)))
        at++;
    const Py_ssize_t start = at, narrow_end = narrow && length - start > UTF8_PART ? start + UTF8_PART : length;
    span->start = span->end = start;
    if (at == length)
        return false;
    for (Py_ssize_t plain, stop; at < narrow_end; at += plain) {
        plain = plain_chars(kind, data, at, narrow_end, narrow ? narrow + (at - start) : NULL);
        stop = plain || narrow_end - at < 4 ? narrow_end : at + 4;
        for (; !plain && at < stop; at++) {
            if (is_break(c = PyUnicode_READ(kind, data, at)))
                break;
            bits |= c;
            if (narrow)
                narrow[at - start] = (unsigned char)c;
        }
        if (!plain && at < stop)
            break;
    }
    for (; at < length && !is_break(c = PyUnicode_READ(kind, data, at)); at++)
        bits |= c;
    span->bits = bits;
    if (Py_UNICODE_ISSPACE(PyUnicode_READ(kind, data, at - 1))) {
        while (Py_UNICODE_ISSPACE(PyUnicode_READ(kind, data, at - 1)))
            at--;
        span->bits = 0;
        for (Py_ssize_t from = start; bits >= 0x80 && from < at; from++)
            span->bits |= PyUnicode_READ(kind, data, from);
    }
    span->end = at;
    return true;
}

static size_t put_wide(unsigned char *out, Py_UCS4 c)
{
    if (c < 0x800) {
        out[0] = (unsigned char)(0xC0 | c >> 6);
        out[1] = (unsigned char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (unsigned char)(0xE0 | c >> 12);
        out[1] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (unsigned char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (unsigned char)(0xF0 | c >> 18);
    out[1] = (unsigned char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (unsigned char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (unsigned char)(0x80 | (c & 0x3F));
    return 4;
}

ALWAYS_INLINE uint64_t wide_key_of(const Text *text, int kind, const Span *span, Xxh64 *hash, unsigned char *utf8)
{
    size_t size = 0;
    for (Py_ssize_t at = span->start; at < span->end; at++) {
        Py_UCS4 c = at_of(text, kind, at);
        if (c < 0x80)
            utf8[size++] = (unsigned char)c;
        else
            size += put_wide(utf8 + size, c);
        if (size > UTF8_PART - 4) {
            size_t stripes = size - size % XXH64_STRIPE;
            xxh64_stripes(hash, utf8, stripes);
            memmove(utf8, utf8 + stripes, size -= stripes);
        }
    }
    return xxh64_end(hash, utf8, size);
}

/* XXH64 of the block's UTF-8, the host's hash being the seed; `narrow` has its low bytes, where it isn't long. */
ALWAYS_INLINE uint64_t key_of(const Text *text, int kind, const Span *span, uint64_t of_host, unsigned char *narrow)
{
    Py_ssize_t length = span->end - span->start;
    Xxh64 hash;
    xxh64_begin(&hash, of_host);
    if (!narrow)
        return xxh64_end(&hash, (const unsigned char *)text->data + span->start, (size_t)length);
    if (span->bits < 0x80 && length <= UTF8_PART)
        return xxh64_end(&hash, narrow, (size_t)length);
    return wide_key_of(text, kind, span, &hash, narrow);
}

static uint32_t bucket_of(const Memory *memory, uint64_t key)
{
    return (uint32_t)(key >> 32) % memory->buckets;
}

ALWAYS_INLINE void split(const Text *text, int kind, Page *page)
{
    unsigned char *narrow = text->is_ascii ? NULL : page->work->utf8;
    Span span = {0, 0, 0};
    while (page->count < MOST_BLOCKS && next_span(text, kind, span.end, &span, narrow)) {
        page->chars += span.end - span.start;
        page->work->spans[page->count] = span;
        page->work->keys[page->count++] = key_of(text, kind, &span, page->of_host, narrow);
    }
    page->rest = span.end;
    while (next_span(text, kind, span.end, &span, NULL))
        page->chars += span.end - span.start;
}

static_assert(sizeof(Work) <= OWN_TEXT_WORK_BYTES, "the buffer's size");

static uint32_t cleared_slots(Work *work, Py_ssize_t items)
{
    uint32_t size = 64;
    while (size < 2 * items)
        size *= 2;
    memset(work->slots, 0, size * sizeof *work->slots);
    return size - 1;
}

/* Have a bucket, which lies anywhere, on its way to the processor. */
static void fetch(const Bucket *bucket)
{
    __builtin_prefetch(bucket);
    __builtin_prefetch(bucket->counts + WAYS - 1);
}

/* How often a key was seen before, which is one more from now on; -1 where it is new. */
static int seen_before(const Memory *memory, uint64_t key)
{
    Bucket *bucket = memory->cells + bucket_of(memory, key);
    for (int way = 0; way < WAYS; way++) {
        int count = bucket->counts[way];
        if (bucket->tags[way] != (uint32_t)key || !count)
            continue;
        bucket->counts[way] = (uint16_t)(count < COUNT_LIMIT ? count + 1 : COUNT_LIMIT);
        return count;
    }
    return -1;
}

/* Count the page's different blocks and, last, the host's pages; which blocks are new. */
static void count_blocks(Page *page, Memory *memory)
{
    Work *work = page->work;
    uint32_t mask = cleared_slots(work, page->count + 1);
    work->keys[page->count] = page->of_host;
    for (Py_ssize_t index = 0; index <= page->count; index++) {
        if (index + AHEAD <= page->count)
            fetch(memory->cells + bucket_of(memory, work->keys[index + AHEAD]));
        uint32_t slot = (uint32_t)work->keys[index] & mask;
        while (work->slots[slot] && work->keys[work->slots[slot] - 1] != work->keys[index])
            slot = (slot + 1) & mask;
        work->is_new[index] = 0;
        if (work->slots[slot]) {
            work->seen[index] = work->seen[work->slots[slot] - 1];
            continue;
        }
        work->slots[slot] = (uint16_t)(index + 1);
        int seen = seen_before(memory, work->keys[index]);
        work->is_new[index] = seen < 0;
        work->seen[index] = (uint16_t)(seen < 0 ? 0 : seen);
    }
}

/* A bucket's least counted block makes room for a new one; or, counted well, it and its neighbours age. */
static void enter(Memory *memory, const Entry *entry)
{
    uint16_t *counts = memory->cells[entry->bucket].counts;
    int way = 0;
    for (int other = 1; other < WAYS; other++)
        way = counts[other] < counts[way] ? other : way;
    bool has_room = counts[way] <= 1;
    for (int other = 0; other < WAYS; other++) {
        counts[other] = (uint16_t)(counts[other] - !has_room);
        counts[other] = (uint16_t)(counts[other] - (entry->is_halved ? counts[other] >> 1 : 0));
    }
    if (!has_room)
        return;
    memory->left += counts[way] != 0;
    memory->entered++;
    memory->cells[entry->bucket].tags[way] = entry->tag;
    counts[way] = 1;
}

/* One block a bucket, however many of the page's new ones are in it. */
static void enter_blocks(Page *page, Memory *memory)
{
    Work *work = page->work;
    uint32_t mask = cleared_slots(work, page->count + 1), entries = 0;
    for (Py_ssize_t index = 0; index <= page->count; index++) {
        if (!work->is_new[index])
            continue;
        uint32_t bucket = bucket_of(memory, work->keys[index]), slot = bucket & mask;
        while (work->slots[slot] && work->entries[work->slots[slot] - 1].bucket != bucket)
            slot = (slot + 1) & mask;
        if (!work->slots[slot]) {
            work->entries[entries] = (Entry){bucket, 0, 0};
            work->slots[slot] = (uint16_t)++entries;
        }
        Entry *entry = work->entries + work->slots[slot] - 1;
        entry->tag = (uint32_t)work->keys[index];
        entry->is_halved |= entry->tag % HALVED_BY == 0;
    }
    for (uint32_t at = 0; at < entries; at++)
        enter(memory, work->entries + at);
}

ALWAYS_INLINE bool is_of_few_words(const Text *text, int kind, const Span *span, const Span *end)
{
    Py_ssize_t words = 0;
    if (end - span >= FEWEST_WORDS)
        return false;
    for (; span < end; span++) {
        words++;
        for (Py_ssize_t at = span->start; at < span->end && words < FEWEST_WORDS; at++)
            words += at_of(text, kind, at) == ' ';
    }
    return words < FEWEST_WORDS;
}

/* Which blocks are repeated, runs of few words left in; and how much of the text that leaves. */
ALWAYS_INLINE void judge(const Text *text, int kind, Page *page)
{
    Work *work = page->work;
    double share = SHARE * work->seen[page->count], least = share > FEWEST_PAGES ? share : FEWEST_PAGES;
    least = least < MOST_PAGES ? least : MOST_PAGES;
    page->own_chars = page->chars;
    for (Py_ssize_t start = 0, end; start < page->count; start = end) {
        end = start + 1;
        work->is_repeated[start] = 0;
        if (work->seen[start] < least)
            continue;
        while (end < page->count && work->seen[end] >= least)
            end++;
        bool stays = is_of_few_words(text, kind, work->spans + start, work->spans + end);
        for (Py_ssize_t at = start; at < end; at++) {
            work->is_repeated[at] = !stays;
            page->own_chars -= stays ? 0 : work->spans[at].end - work->spans[at].start;
        }
    }
    page->is_whole = (double)page->own_chars < LEAST_OWN * (double)page->chars;
}

/* The next block that is kept. */
ALWAYS_INLINE bool next_kept(const Text *text, int kind, const Page *page, Cursor *cursor)
{
    while (cursor->index < page->count) {
        Py_ssize_t index = cursor->index++;
        cursor->span = page->work->spans[index];
        if (page->is_whole || !page->work->is_repeated[index])
            return true;
    }
    if (cursor->index++ == page->count)
        cursor->span.end = page->rest;
    return next_span(text, kind, cursor->span.end, &cursor->span, NULL);
}

ALWAYS_INLINE Extent extent_of(const Text *text, int kind, const Page *page)
{
    Extent extent = {0, 0};
    Cursor cursor = {0, {0, 0, 0}};
    while (next_kept(text, kind, page, &cursor)) {
        extent.length += cursor.span.end - cursor.span.start + 1;
        extent.bits |= cursor.span.bits;
    }
    extent.length -= extent.length > 0;
    return extent;
}

ALWAYS_INLINE Extent read_blocks(const Text *text, int kind, Page *page, Memory *memory)
{
    split(text, kind, page);
    count_blocks(page, memory);
    enter_blocks(page, memory);
    judge(text, kind, page);
    return extent_of(text, kind, page);
}

static Extent read_text(const Text *text, Page *page, Memory *memory)
{
    if (text->is_ascii)
        return read_blocks(text, PyUnicode_1BYTE_KIND, page, memory);
    if (text->kind == PyUnicode_1BYTE_KIND)
        return read_blocks(text, PyUnicode_1BYTE_KIND, page, memory);
    if (text->kind == PyUnicode_2BYTE_KIND)
        return read_blocks(text, PyUnicode_2BYTE_KIND, page, memory);
    return read_blocks(text, PyUnicode_4BYTE_KIND, page, memory);
}

ALWAYS_INLINE void write_kept(const Text *text, int kind, const Page *page, int out_kind, void *out)
{
    Cursor cursor = {0, {0, 0, 0}};
    for (Py_ssize_t to = 0; next_kept(text, kind, page, &cursor);) {
        Py_ssize_t from = cursor.span.start, length = cursor.span.end - from;
        if (to)
            PyUnicode_WRITE(out_kind, out, to++, '\n');
        if (kind == out_kind)
            memcpy((char *)out + to * kind, (const char *)text->data + from * kind, (size_t)(length * kind));
        else
            for (Py_ssize_t at = 0; at < length; at++)
                PyUnicode_WRITE(out_kind, out, to + at, at_of(text, kind, from + at));
        to += length;
    }
}

static PyObject *kept_text(const Text *text, const Page *page, Extent extent)
{
    Py_UCS4 widest = extent.bits < 0x80 ? 0x7F : extent.bits < 0x100 ? 0xFF : extent.bits < 0x10000 ? 0xFFFF : 0x10FFFF;
    PyObject *string = PyUnicode_New(extent.length, widest);
    if (!string)
        return NULL;
    void *out = PyUnicode_DATA(string);
    int narrow = (int)PyUnicode_KIND(string);
    if (text->kind == PyUnicode_1BYTE_KIND)
        write_kept(text, PyUnicode_1BYTE_KIND, page, PyUnicode_1BYTE_KIND, out);
    else if (text->kind == PyUnicode_2BYTE_KIND && narrow == PyUnicode_1BYTE_KIND)
        write_kept(text, PyUnicode_2BYTE_KIND, page, PyUnicode_1BYTE_KIND, out);
    else if (text->kind == PyUnicode_2BYTE_KIND)
        write_kept(text, PyUnicode_2BYTE_KIND, page, PyUnicode_2BYTE_KIND, out);
    else if (narrow == PyUnicode_4BYTE_KIND)
        write_kept(text, PyUnicode_4BYTE_KIND, page, PyUnicode_4BYTE_KIND, out);
    else
        write_kept(text, PyUnicode_4BYTE_KIND, page, narrow, out);
    return string;
}

static PyObject *answer(PyObject *string, uint64_t of_host, Memory *memory, Work *work)
{
    Text text = {(int)PyUnicode_KIND(string), PyUnicode_DATA(string), PyUnicode_GET_LENGTH(string),
                 PyUnicode_IS_ASCII(string)};
    Page page = {.work = work, .of_host = of_host};
    Extent extent;
    if (work->is_busy)
        return PyErr_Format(PyExc_RuntimeError, "a memory of blocks is for one thread at a time");
    if (text.length > LONG_TEXT) {
        work->is_busy = 1;
        Py_BEGIN_ALLOW_THREADS
        extent = read_text(&text, &page, memory);
        Py_END_ALLOW_THREADS
        work->is_busy = 0;
    } else {
        extent = read_text(&text, &page, memory);
    }
    PyObject *own = kept_text(&text, &page, extent);
    double boilerplate = page.chars ? 1 - (double)page.own_chars / (double)page.chars : 0;
    return own ? Py_BuildValue("(Ndnn)", own, boilerplate, memory->entered, memory->left) : NULL;
}

/* own_text(text, of_host, cells, buckets, work): (own text, share left out, blocks that came, that left). */
PyObject *own_text(PyObject *module, PyObject *arguments)
{
    PyObject *string, *own = NULL;
    unsigned long long of_host;
    Py_buffer cells, work;
    Memory memory = {0};
    (void)module;
    if (!PyArg_ParseTuple(arguments, "UKw*Iw*", &string, &of_host, &cells, &memory.buckets, &work))
        return NULL;
    memory.cells = cells.buf;
    if (!memory.buckets || (size_t)cells.len / sizeof(Bucket) < memory.buckets || work.len != OWN_TEXT_WORK_BYTES)
        PyErr_SetString(PyExc_ValueError, "expected the buffers of a memory of blocks");
    else if (PyUnicode_READY(string) == 0)
        own = answer(string, of_host, &memory, work.buf);
    PyBuffer_Release(&cells);
    PyBuffer_Release(&work);
    return own;
}
