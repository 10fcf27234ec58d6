#ifndef WEAVER_ASCII_H
#define WEAVER_ASCII_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* So many characters at once, where that is of use: in lanes whose order is that of their words. */
#define STEP 16
#define ONES 0x0101010101010101u
#define HAS_STEPS(KIND) ((KIND) != PyUnicode_4BYTE_KIND && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

typedef uint8_t Bytes __attribute__((vector_size(STEP)));
typedef uint16_t Shorts __attribute__((vector_size(2 * STEP)));

/* Have a lane's value read from memory: compilers take vectors apart one lane after the other, which is slow. */
#define IN_MEMORY(ARRAY) __asm__("" : "+m"(ARRAY))

/* STEP characters, where all are ASCII; false where they are not. */
ALWAYS_INLINE bool load_ascii(int kind, const void *at, Bytes *chars)
{
    uint64_t all = 0, word;
#pragma GCC unroll 4
    for (int offset = 0; offset < STEP * kind; offset += 8) {
        memcpy(&word, (const char *)at + offset, sizeof word);
        all |= word;
    }
    if (all & (kind == PyUnicode_1BYTE_KIND ? 0x8080808080808080u : 0xFF80FF80FF80FF80u))
        return false;
    if (kind == PyUnicode_1BYTE_KIND) {
        memcpy(chars, at, sizeof *chars);
    } else {
        Shorts shorts;
        memcpy(&shorts, at, sizeof shorts);
        *chars = __builtin_convertvector(shorts, Bytes);
    }
    return true;
}

/* Of flags of a byte, those whose neighbour before them is set; before the first one stands `first`. */
ALWAYS_INLINE void flags_after(const uint64_t flags[2], bool first, uint64_t after[2])
{
    after[0] = flags[0] << 8 | (uint64_t)first * 0xFF;
    after[1] = flags[1] << 8 | flags[0] >> 56;
}

#endif
