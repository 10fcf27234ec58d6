"""Candidates: which pairs of documents are worth comparing, each named once, on disk beyond the memory given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.corpora import Corpora, Numbers
from weaver.analysis.corpus_keys import SMALL, RareFirst
from weaver.analysis.edge_stream import EdgeWindow
from weaver.analysis.sorted_pairs import PairSorter

ALL_PAIRS = 1_024
"""Documents with one key; where there are more, each is compared with a part of them."""
PAIRS_PER_KEY = 1 << 20
LEAST_NEIGHBOURS = 16
"""With how many that follow it in its key's row a document is compared, however long the row is."""
BATCH_SHINGLES = 512
MOST_COUNTERS = 1 << 22

Indices = NDArray[np.int64]


@dataclass(slots=True)
class Cut:
    """What was left out to keep the work linear: rows of one key with more than ALL_PAIRS documents."""

    keys: int = 0
    longest: int = 0


class CandidateFinder:
    """Pairs of documents that share a key and whose sizes allow the threshold; one of the two is our own.

    O(keys log keys + pairs), and the pairs of a key are bounded, so that a flood of documents with one key costs no
    more than others. Arrays stay within `memory_bytes`; what is sorted lies in files without names in `directory`.
    """

    def __init__(
        self,
        corpora: Corpora,
        sizes: Numbers,
        threshold: float,
        memory_bytes: int,
        directory: Path,
    ) -> None:
        self._corpora = corpora
        self._sizes = sizes
        self._threshold = threshold
        self._sort_bytes = memory_bytes // 3
        self._counters = min(MOST_COUNTERS, max(1 << 10, memory_bytes // 32))
        self._directory = directory
        self.cut = Cut()

    def find(self, candidates: PairSorter) -> Iterator[float]:
        """Put all candidates into the sorter; yields how much is done, 0 to 1."""
        bands = self._corpora.own.bands()
        for done, band in enumerate(bands):
            with PairSorter(self._sort_bytes, self._directory) as rows:
                for keys, numbers in self._corpora.key_blocks(band):
                    rows.add(keys, numbers)
                self._pair_up(rows, candidates)
            yield (done + 1) / (len(bands) + 1)
        with PairSorter(self._sort_bytes, self._directory) as rows:
            self._add_rarest(rows)
            self._pair_up(rows, candidates)
        yield 1.0

    def _add_rarest(self, rows: PairSorter) -> None:
        rare = RareFirst(self._threshold, self._counters)
        small = np.flatnonzero((self._sizes > 0) & (self._sizes <= SMALL)).astype(np.uint32)
        for number in small.tolist():
            rare.count(self._corpora.shingles_on_disk(number))
        for at in range(0, len(small), BATCH_SHINGLES):
            numbers = small[at : at + BATCH_SHINGLES].tolist()
            keys = [rare.keys(self._corpora.shingles_on_disk(number)) for number in numbers]
            rows.add(np.concatenate(keys), np.repeat(np.array(numbers, np.uint32), list(map(len, keys))))

    def _pair_up(self, rows: PairSorter, candidates: PairSorter) -> None:
        for window in rows.windows():
            lengths = window.degrees
            is_cut = lengths > ALL_PAIRS
            if is_cut.any():
                self.cut.keys += int(is_cut.sum())
                self.cut.longest = max(self.cut.longest, int(lengths.max()))
            for firsts, seconds in _neighbours(window):
                sizes, others = self._sizes[firsts], self._sizes[seconds]
                smaller, larger = np.minimum(sizes, others), np.maximum(sizes, others)
                # A hair below the product: 0.7 * 10 is 7.000000000000001.
                is_possible = (smaller >= self._threshold * larger - 1e-9) & (seconds > self._corpora.own_offset)
                candidates.add(firsts[is_possible], seconds[is_possible])


def _neighbours(window: EdgeWindow) -> Iterator[tuple[Numbers, Numbers]]:
    """Pairs within each row: all, or in a row longer than ALL_PAIRS each with so many that follow it."""
    lengths = window.degrees
    rest: Indices = np.arange(len(window.targets))
    left = np.repeat(window.offsets[1:], lengths) - rest - 1
    reach = np.where(lengths <= ALL_PAIRS, ALL_PAIRS, np.maximum(LEAST_NEIGHBOURS, PAIRS_PER_KEY // lengths))
    np.minimum(left, np.repeat(reach, lengths), out=left)
    distance = 1
    while len(rest := rest[left[rest] >= distance]):
        yield window.targets[rest], window.targets[rest + distance]
        distance += 1
