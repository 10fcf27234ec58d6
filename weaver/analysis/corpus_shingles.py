"""ShingleSets: a text as the set of its runs of words, a 32-bit hash each; how such sets are kept and compared."""

from __future__ import annotations

import threading

import numpy as np
import zstandard
from numpy.typing import NDArray

from weaver.dedupe.shingles import Shingles

ShingleSet = NDArray[np.uint32]
"""Distinct hashes, rising."""

_LOWEST_LEVEL = 1
_FEW = 128
_PLAIN, _COMPRESSED = b"\0", b"\1"


class _Zstd(threading.local):
    """A thread's own, made once: their room takes longer to get than a set to pack."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(_LOWEST_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_ZSTD = _Zstd()


class ShingleSets:
    """Makes the sets, by the words and shingles that the crawl's own near-duplicates have.

    Half of a shingle's 64 bits is kept: of two texts with a thousand words, one pair in 4,000 has a shingle in common
    that is none.
    """

    def __init__(self, words: int) -> None:
        self._shingles = Shingles(words)

    def of(self, text: str) -> ShingleSet:
        """The text's set; empty where it has no word."""
        return self._shingles.halves_of(text)


def jaccard(one: ShingleSet, others: list[ShingleSet]) -> NDArray[np.float64]:
    """The share of common shingles in all shingles, of one set with each of the others; none may be empty."""
    sizes = np.fromiter(map(len, others), np.int64, len(others))
    joined = np.concatenate(others)
    at = np.searchsorted(one, joined)
    is_common = one.take(at, mode="clip") == joined
    begins = np.cumsum(sizes) - sizes
    common = np.add.reduceat(is_common, begins, dtype=np.int64)
    ratio: NDArray[np.float64] = common / (len(one) + sizes - common)
    return ratio


def packed(shingles: ShingleSet) -> bytes:
    """The shingles as bytes: four for each of a few, some three for each of many."""
    if len(shingles) <= _FEW:
        return _PLAIN + shingles.astype("<u4").tobytes()
    steps = shingles.astype("<u4")
    steps[1:] -= shingles[:-1]
    columns = np.ascontiguousarray(steps.view(np.uint8).reshape(-1, 4).T)
    return _COMPRESSED + _ZSTD.compressor.compress(columns.tobytes())


def unpacked(blob: bytes) -> ShingleSet:
    """What `packed` made into bytes."""
    if blob[:1] == _PLAIN:
        return np.frombuffer(blob, "<u4", offset=1)
    columns = np.frombuffer(_ZSTD.decompressor.decompress(blob[1:]), np.uint8).reshape(4, -1)
    steps = np.ascontiguousarray(columns.T).view("<u4").ravel()
    return np.cumsum(steps, dtype=np.uint32)
