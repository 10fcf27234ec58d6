#ifndef WEAVER_XXH64_H
#define WEAVER_XXH64_H

#include <stddef.h>
#include <stdint.h>

#define XXH64_STRIPE 32

/* XXH64 over bytes that come in parts: all but the last of whole stripes. */
typedef struct {
    uint64_t lanes[4], seed, length;
} Xxh64;

void xxh64_begin(Xxh64 *hash, uint64_t seed);
void xxh64_stripes(Xxh64 *hash, const unsigned char *bytes, size_t length);
uint64_t xxh64_end(Xxh64 *hash, const unsigned char *bytes, size_t length);

#endif
