"""The sketch: what a signature is made of, and how alike two of them say that their texts are.

A signature is ROW_WORDS words of 64 bits that are kept for each document, and BANDS keys under which it is found:

- word 0: in its low half how many bins have a value, how many of these the sketch holds, and log2 of the bins; the high
  half is free, and holds a document's id in an index;
- SKETCH_WORDS words: an odd sketch (Mitzenmacher, Pagh and Pham 2014) of the bins' least values, a bit a parity;
- BANDS words: a hash of BAND_VALUES coarse minima each.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

SKETCH_WORDS = 6
SKETCH_BITS = 64 * SKETCH_WORDS
ROW_WORDS = 1 + SKETCH_WORDS
BANDS = 8
BAND_VALUES = 4
SIGNATURE_WORDS = ROW_WORDS + BANDS
# Of bins with a value the sketch holds about so many at most: more would fill it (benchmarks/near.py).
MOST_HELD = 600
# Fewer values than a threshold can tell apart: the sketch is then a hash of them all, equal or not.
FEW = 4
FEWEST_BINS, MOST_BINS = 64, 2_048
_COUNT_BITS = 12
_COUNT_MASK = (1 << _COUNT_BITS) - 1
_HEADER_MASK = (1 << 32) - 1
_ROUNDS = 4


def bins_held(bins: int, filled: int) -> int:
    """Of so many bins, `filled` of them with a value, the first ones whose values the sketch holds."""
    return bins if filled <= MOST_HELD else bins * MOST_HELD // filled


def header(bins: int, filled: int, held: int) -> int:
    """Word 0 without an id."""
    return (bins.bit_length() - 1) << 2 * _COUNT_BITS | held << _COUNT_BITS | filled


def most_bits_of(signature: Words, by_count: bytes) -> int:
    """The bound for a signature, out of `most_bits_by_count`."""
    filled, held = _counts(int(signature[0]))
    return by_count[held] if filled > FEW else 0


@lru_cache(maxsize=8)
def most_bits_by_count(least_similarity: float) -> bytes:
    """`most_differing_bits` for sketches of FEW values and more, by how many they hold: a bound that fits a byte."""
    by_count = bytearray(_COUNT_MASK + 1)
    for held in range(MOST_BINS + 1):
        by_count[held] = most_differing_bits(header(MOST_BINS, MOST_BINS, held), least_similarity)
    return bytes(by_count)


def is_empty(signature: Words) -> bool:
    """Whether the text had no word at all."""
    return not int(signature[0]) & _COUNT_MASK


def similarity(one: int, other: int, differing_bits: int) -> float:
    """The Jaccard index that two headers and the number of differing bits of their sketches speak for, 0 to 1.

    From the bits the number of differing values (Mitzenmacher et al., section 3), and with it and the counts the
    share of values in common among all bins that the union of both would fill (Li, Owen and Zhang 2012).
    """
    bins = _bins(one)
    filled, held, others_filled, others_held = *_counts(one), *_counts(other)
    if bins != _bins(other) or 2 * differing_bits >= SKETCH_BITS:
        return 0.0
    if min(filled, others_filled) <= FEW:
        return float(differing_bits == 0 and filled == others_filled > 0)
    span, others_span = bins_held(bins, filled), bins_held(bins, others_filled)
    common_span = min(span, others_span)
    here, there = held * common_span / span, others_held * common_span / others_span
    beyond = held - here + others_held - there
    differing = -SKETCH_BITS / 2 * math.log(1 - 2 * differing_bits / SKETCH_BITS) - beyond
    common = min((here + there - differing) / 2, here, there)
    if common <= 0:
        return 0.0
    return _share(common, here + there - common, common_span, _load(bins, filled) + _load(bins, others_filled))


def most_differing_bits(one: int, least_similarity: float) -> int:
    """How many bits of a sketch may differ from this one where the texts are so similar; with four deviations of room.

    A bound to pass over candidates by, before anything is estimated.
    """
    filled, held = _counts(one)
    if filled <= FEW:
        return 0
    others = held / least_similarity
    differing = (held + others) * (1 - least_similarity) / (1 + least_similarity) + (others - held) / 2
    bits = SKETCH_BITS / 2 * (1 - math.exp(-2 * differing / SKETCH_BITS))
    return min(SKETCH_BITS // 2 - 1, int(bits + 4 * math.sqrt(bits + 1)))


def _share(common: float, least_union: float, span: int, load: float) -> float:
    """`common` of the bins that the union fills, which in turn depends on how much is common."""
    share = common / least_union
    for _ in range(_ROUNDS):
        union = span * -math.expm1(-load / (1 + share))
        share = min(1.0, common / max(union, common))
    return share


def _load(bins: int, filled: int) -> float:
    """Values per bin that fill so many of them."""
    return -math.log1p(-min(filled, bins - 0.5) / bins)


def _bins(word: int) -> int:
    return 1 << ((word & _HEADER_MASK) >> 2 * _COUNT_BITS)


def _counts(word: int) -> tuple[int, int]:
    return word & _COUNT_MASK, word >> _COUNT_BITS & _COUNT_MASK
