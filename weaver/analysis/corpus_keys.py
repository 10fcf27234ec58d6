"""Keys: the few numbers of a document by which documents that may be similar find each other."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.corpus_shingles import ShingleSet

BINS = 128
"""Hashes of a signature."""
MISSED = 0.001
"""Of the pairs at the very threshold, those that bands of a signature may miss."""
SMALL = 128
"""ShingleSet; two sets up to here are found by a part of the sets themselves, which misses none."""
LEAST_THRESHOLD = 0.3
_PROBES_SEED = 20_261_121

Keys = NDArray[np.uint32]
"""32 bits: of a million documents, one in 5,000 meets another by chance in a band, and is told apart from it later."""


def bands_for(threshold: float) -> tuple[int, int]:
    """How many bands of how many rows: the longest rows with which at most MISSED of the pairs are missed."""
    fitting = [rows for rows in range(1, BINS + 1) if (1 - threshold**rows) ** (BINS // rows) <= MISSED]
    rows = max(fitting, default=1)
    return BINS // rows, rows


class KeyMaker:
    """Makes the keys of shingle sets, for pairs whose Jaccard similarity is at least the threshold.

    1. Both sets are SMALL: the rarest hashes of each (RareFirst). 2. One is not, so that the other has at least
    `threshold * SMALL`: bands (Broder 1997) of a signature of one permutation, whose empty bins borrow from others
    (Shrivastava 2017).
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.bands, self._rows = bands_for(threshold)
        self._least_banded = math.ceil(threshold * SMALL)
        self._edges = (np.arange(BINS, dtype=np.uint64) << np.uint64(32 - (BINS - 1).bit_length())).astype(np.uint32)
        chance = np.random.default_rng(_PROBES_SEED)
        self._probes = np.stack([chance.permutation(BINS) for _ in range(BINS)])
        self._factors = chance.integers(1, 1 << 63, self._rows, np.uint64) * np.uint64(2) + np.uint64(1)

    def __repr__(self) -> str:
        return f"KeyMaker(threshold={self.threshold}, bands={self.bands} of {self._rows})"

    def band_keys(self, shingles: ShingleSet) -> Keys | None:
        """One key for each band; None for a set that needs none."""
        if len(shingles) < self._least_banded:
            return None
        rows = self.signature(shingles)[: self.bands * self._rows].reshape(self.bands, self._rows)
        sums = (rows * self._factors).sum(axis=1, dtype=np.uint64)
        keys: Keys = ((sums ^ (sums >> np.uint64(29))) >> np.uint64(16)).astype(np.uint32)
        return keys

    def signature(self, shingles: ShingleSet) -> NDArray[np.uint32]:
        """The lowest hash of each of BINS equal parts of all hashes; an empty part has that of another."""
        at = np.searchsorted(shingles, self._edges)
        lowest = shingles.take(at, mode="clip")
        is_filled = np.empty(BINS, np.bool_)
        np.not_equal(at[1:], at[:-1], out=is_filled[:-1])
        is_filled[-1] = at[-1] < len(shingles)
        if not is_filled.all():
            empty = np.flatnonzero(~is_filled)
            probes = self._probes[empty]
            lowest[empty] = lowest[probes[np.arange(len(empty)), is_filled[probes].argmax(axis=1)]]
        return lowest


class RareFirst:
    """Finds small similar sets by their rarest hashes, so many that similar sets share one.

    That is the prefix filter (Chaudhuri, Ganti and Kaushik 2006). All sets are counted first, then asked; a hash shares
    its count with others where there are more than COUNTERS of them, which costs time and misses nothing.
    """

    def __init__(self, threshold: float, counters: int) -> None:
        self._threshold = threshold
        self._counts: NDArray[np.uint32] = np.zeros(counters, np.uint32)

    def count(self, shingles: ShingleSet) -> None:
        """Take a set into account."""
        np.add.at(self._counts, shingles % np.uint32(len(self._counts)), np.uint32(1))

    def keys(self, shingles: ShingleSet) -> ShingleSet:
        """The rarest hashes of a set that was counted; those that no other set has are left out."""
        counts = self._counts[shingles % np.uint32(len(self._counts))]
        # A hair below the product: 0.7 * 10 is 7.000000000000001, whose ceiling would be one too many.
        length = len(shingles) - math.ceil(self._threshold * len(shingles) - 1e-9) + 1
        rarest = np.argsort(counts, kind="stable")[:length]
        keys: ShingleSet = shingles[rarest[counts[rarest] > 1]]
        return keys


def estimated_jaccard(one: NDArray[np.uint32], others: NDArray[np.uint32]) -> NDArray[np.float64]:
    """The share of equal bins of one signature and each row of others."""
    ratio: NDArray[np.float64] = (others == one).mean(axis=1)
    return ratio
