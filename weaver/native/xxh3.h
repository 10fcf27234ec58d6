#ifndef WEAVER_XXH3_H
#define WEAVER_XXH3_H

#include <stddef.h>
#include <stdint.h>

#define XXH3_LEAST_BYTES 17
#define XXH3_MOST_BYTES 240

/* XXH3 of 64 bits, of inputs of these lengths only: those of URLs. */
uint64_t xxh3_64(const unsigned char *bytes, size_t length, uint64_t seed);

typedef struct {
    uint64_t low, high;
} Xxh128;

/* XXH3 of 128 bits without a seed, of inputs of the same lengths. */
Xxh128 xxh3_128(const unsigned char *bytes, size_t length);

#endif
