/* XXH3 of 64 and of 128 bits for inputs of middle length, from its specification (doc/xxhash_spec.md of xxHash): what
   `xxhash.xxh3_64_intdigest` and `xxhash.xxh3_128_intdigest` give. */
#include "xxh3.h"

#include <string.h>

#define PRIME_1 0x9E3779B185EBCA87u
#define PRIME_2 0xC2B2AE3D27D4EB4Fu
#define PRIME_4 0x85EBCA77C2B2AE63u
#define PRIME_MX1 0x165667919E3779F9u
/* In bytes of input and secret. */
#define LANE 16
#define SHORT 128
#define LATER_SECRET 3
#define LAST_SECRET 119
#define LAST_SECRET_128 103

static const unsigned char secret[] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c, 0xde, 0xd4, 0x6d,
    0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, 0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0,
    0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21, 0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0,
    0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c, 0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b,
    0x1b, 0x53, 0x2e, 0xa3, 0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac,
    0xd8, 0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d, 0x8a, 0x51,
    0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64, 0xea, 0xc5, 0xac, 0x83, 0x34,
    0xd3, 0xeb,
};

static uint64_t little_64(const unsigned char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(word) : word;
}

/* Both halves of the product of 128 bits, in one. */
static uint64_t folded(uint64_t one, uint64_t other)
{
    unsigned __int128 product = (unsigned __int128)one * other;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t mixed(const unsigned char *bytes, size_t key, uint64_t seed)
{
    return folded(little_64(bytes) ^ (little_64(secret + key) + seed),
                  little_64(bytes + 8) ^ (little_64(secret + key + 8) - seed));
}

static uint64_t avalanche(uint64_t word)
{
    word = (word ^ word >> 37) * PRIME_MX1;
    return word ^ word >> 32;
}

/* Lanes from both ends towards the middle; they may overlap there. */
static uint64_t of_short(const unsigned char *bytes, size_t length, uint64_t seed)
{
    uint64_t sum = length * PRIME_1;
    for (size_t lane = (length - 1) / (2 * LANE) + 1; lane-- > 0;) {
        sum += mixed(bytes + LANE * lane, 2 * LANE * lane, seed);
        sum += mixed(bytes + length - LANE * (lane + 1), 2 * LANE * lane + LANE, seed);
    }
    return avalanche(sum);
}

static uint64_t of_long(const unsigned char *bytes, size_t length, uint64_t seed)
{
    uint64_t sum = length * PRIME_1;
    size_t at = 0;
    for (; at < SHORT; at += LANE)
        sum += mixed(bytes + at, at, seed);
    sum = avalanche(sum);
    for (; at + LANE <= length; at += LANE)
        sum += mixed(bytes + at, at - SHORT + LATER_SECRET, seed);
    return avalanche(sum + mixed(bytes + length - LANE, LAST_SECRET, seed));
}

uint64_t xxh3_64(const unsigned char *bytes, size_t length, uint64_t seed)
{
    return length <= SHORT ? of_short(bytes, length, seed) : of_long(bytes, length, seed);
}

/* Two lanes, each into its own half of the sum. */
static void mix_pair(Xxh128 *sum, const unsigned char *one, const unsigned char *other, size_t key)
{
    sum->low = (sum->low + mixed(one, key, 0)) ^ (little_64(other) + little_64(other + 8));
    sum->high = (sum->high + mixed(other, key + LANE, 0)) ^ (little_64(one) + little_64(one + 8));
}

static void mix_short(Xxh128 *sum, const unsigned char *bytes, size_t length)
{
    for (size_t lane = (length - 1) / (2 * LANE) + 1; lane-- > 0;)
        mix_pair(sum, bytes + LANE * lane, bytes + length - LANE * (lane + 1), 2 * LANE * lane);
}

static void mix_long(Xxh128 *sum, const unsigned char *bytes, size_t length)
{
    size_t at = 0;
    for (; at < SHORT; at += 2 * LANE)
        mix_pair(sum, bytes + at, bytes + at + LANE, at);
    sum->low = avalanche(sum->low);
    sum->high = avalanche(sum->high);
    for (; at + 2 * LANE <= length; at += 2 * LANE)
        mix_pair(sum, bytes + at, bytes + at + LANE, at - SHORT + LATER_SECRET);
    const unsigned char *end = bytes + length;
    mix_pair(sum, end - LANE, end - 2 * LANE, LAST_SECRET_128);
}

Xxh128 xxh3_128(const unsigned char *bytes, size_t length)
{
    Xxh128 sum = {length * PRIME_1, 0};
    if (length <= SHORT)
        mix_short(&sum, bytes, length);
    else
        mix_long(&sum, bytes, length);
    uint64_t high = sum.low * PRIME_1 + sum.high * PRIME_4 + length * PRIME_2;
    return (Xxh128){avalanche(sum.low + sum.high), 0 - avalanche(high)};
}
