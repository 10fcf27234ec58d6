"""CorpusComparing: candidates become verified pairs in the store, in an order in which it goes on after a kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.corpora import Columns, Corpora
from weaver.analysis.corpus_candidates import CandidateFinder, Cut
from weaver.analysis.corpus_keys import SMALL, KeyMaker, estimated_jaccard
from weaver.analysis.corpus_shingles import ShingleSet, jaccard
from weaver.analysis.sorted_pairs import PairSorter

BATCH_PAIRS = 4_096
"""Of one commit."""
BYTES_PER_SHINGLE = 24
"""What a shingle takes while it is compared: itself, joined with others, its place in the other set."""
FINDING_SHARE = 0.3
COMPARED = "compared"
"""The store's value that says up to which first document all pairs were compared."""

OnShare = Callable[[float], None]
Pair = tuple[int, int, float]


class CorpusComparing:
    """Compares what was read with itself and with the earlier corpora.

    Exact: |A & B| / |A | B| of the shingle sets; where large sets were kept as signatures only, an estimate with an
    error of some 0.03.
    """

    def __init__(self, corpora: Corpora, keys: KeyMaker, memory_bytes: int, directory: Path, *, is_exact: bool) -> None:
        self._corpora = corpora
        self._keys = keys
        self._memory_bytes = memory_bytes
        self._directory = directory
        self._is_exact = is_exact
        self._waiting: list[Pair] = []
        self.candidates = 0

    def compare(self, columns: Columns, on_share: OnShare) -> Cut:
        """Find all candidates, compare each, and remember those at the threshold or above."""
        sizes = np.where(columns.same_as == 0, columns.shingles, np.uint32(0))
        finder = CandidateFinder(self._corpora, sizes, self._keys.threshold, self._memory_bytes // 2, self._directory)
        compared = int(self._corpora.own.meta(COMPARED) or 0)
        with PairSorter(self._memory_bytes // 2, self._directory) as candidates:
            for share in finder.find(candidates):
                on_share(FINDING_SHARE * share)
            for window in candidates.windows():
                self.candidates += len(window.targets)
                for index, first in enumerate(window.nodes.tolist()):
                    if first > compared:
                        seconds = window.targets[window.offsets[index] : window.offsets[index + 1]]
                        self._compare_one(first, seconds, sizes)
                on_share(FINDING_SHARE + (1 - FINDING_SHARE) * int(window.nodes[-1]) / self._corpora.total)
        self._commit(self._corpora.total)
        return finder.cut

    def _compare_one(self, first: int, seconds: NDArray[np.uint32], sizes: NDArray[np.uint32]) -> None:
        one = self._corpora.shingles_of(first)
        for batch in self._batches(seconds, sizes):
            ratios = self._ratios(one, int(sizes[first]), batch.tolist(), sizes)
            is_similar = ratios >= self._keys.threshold
            for second, ratio in zip(batch[is_similar].tolist(), ratios[is_similar].tolist(), strict=True):
                self._waiting.append((first, second, ratio))
        if len(self._waiting) >= BATCH_PAIRS:
            self._commit(first)

    def _batches(self, seconds: NDArray[np.uint32], sizes: NDArray[np.uint32]) -> Iterator[NDArray[np.uint32]]:
        """The documents in parts that have so few shingles together that comparing them takes a sixth of the memory."""
        most = self._memory_bytes // (6 * BYTES_PER_SHINGLE)
        is_small = sizes[seconds] <= SMALL
        for part in (seconds[is_small], seconds[~is_small]):
            ends = np.flatnonzero(np.diff(np.cumsum(sizes[part], dtype=np.int64) // most)) + 1
            yield from (batch for batch in np.split(part, ends) if len(batch))

    def _ratios(self, one: ShingleSet, size: int, seconds: list[int], sizes: NDArray[np.uint32]) -> NDArray[np.float64]:
        others = [self._corpora.shingles_of(second) for second in seconds]
        if self._is_exact:
            return jaccard(one, others)
        # Of small sets the shingles are there in any case, and their signatures say little.
        if size <= SMALL and sizes[seconds[0]] <= SMALL:
            return jaccard(one, others)
        signature = self._signature(one, size)
        rows = [self._signature(other, int(sizes[second])) for other, second in zip(others, seconds, strict=True)]
        return estimated_jaccard(signature, np.stack(rows))

    def _signature(self, kept: ShingleSet, size: int) -> NDArray[np.uint32]:
        return kept if size > SMALL else self._keys.signature(kept)

    def _commit(self, compared: int) -> None:
        store = self._corpora.own
        with store.transaction():
            store.add_pairs(self._waiting)
            store.set_meta(COMPARED, compared)
        self._waiting.clear()
