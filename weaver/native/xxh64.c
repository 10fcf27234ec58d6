/* XXH64, from its specification (doc/xxhash_spec.md of xxHash): what `xxhash.xxh64_intdigest` gives. */
#include "xxh64.h"

#include <string.h>

#define P1 0x9E3779B185EBCA87u
#define P2 0xC2B2AE3D27D4EB4Fu
#define P3 0x165667B19E3779F9u
#define P4 0x85EBCA77C2B2AE63u
#define P5 0x27D4EB2F165667C5u

static uint64_t rotated(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

static uint64_t little_64(const unsigned char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(word) : word;
}

static uint64_t little_32(const unsigned char *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap32(word) : word;
}

static uint64_t turned(uint64_t lane, uint64_t word)
{
    return rotated(lane + word * P2, 31) * P1;
}

void xxh64_begin(Xxh64 *hash, uint64_t seed)
{
    hash->lanes[0] = seed + P1 + P2;
    hash->lanes[1] = seed + P2;
    hash->lanes[2] = seed;
    hash->lanes[3] = seed - P1;
    hash->seed = seed;
    hash->length = 0;
}

void xxh64_stripes(Xxh64 *hash, const unsigned char *bytes, size_t length)
{
    hash->length += length;
    for (const unsigned char *end = bytes + length; bytes < end; bytes += XXH64_STRIPE)
        for (int lane = 0; lane < 4; lane++)
            hash->lanes[lane] = turned(hash->lanes[lane], little_64(bytes + 8 * lane));
}

static uint64_t converged(const Xxh64 *hash)
{
    const uint64_t *lanes = hash->lanes;
    uint64_t word = rotated(lanes[0], 1) + rotated(lanes[1], 7) + rotated(lanes[2], 12) + rotated(lanes[3], 18);
    for (int lane = 0; lane < 4; lane++)
        word = (word ^ turned(0, lanes[lane])) * P1 + P4;
    return word;
}

uint64_t xxh64_end(Xxh64 *hash, const unsigned char *bytes, size_t length)
{
    size_t stripes = length - length % XXH64_STRIPE;
    const unsigned char *end = bytes + length;
    xxh64_stripes(hash, bytes, stripes);
    uint64_t word = hash->length ? converged(hash) : hash->seed + P5;
    bytes += stripes;
    word += hash->length + length % XXH64_STRIPE;
    for (; end - bytes >= 8; bytes += 8)
        word = rotated(word ^ turned(0, little_64(bytes)), 27) * P1 + P4;
    for (; end - bytes >= 4; bytes += 4)
        word = rotated(word ^ little_32(bytes) * P1, 23) * P2 + P3;
    for (; bytes < end; bytes++)
        word = rotated(word ^ *bytes * P5, 11) * P1;
    word = (word ^ word >> 33) * P2;
    word = (word ^ word >> 29) * P3;
    return word ^ word >> 32;
}
