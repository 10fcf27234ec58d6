"""In- and out-degrees of the whole graph on disk, counted by windows of ids in fixed memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from weaver.persistence.reader import CrawlReader

WINDOW_IDS = 1 << 22
"""Ids of one pass over all links: 16 MiB of counters and, for a moment, 32 MiB of a batch's."""
BATCH_EDGES = 1 << 20

Counts = npt.NDArray[np.uint32]


class InDegrees:
    """In-degrees for ids that are asked in rising order; a pass over all links is made for each window of ids.

    Every edge counts, whatever its kind; the links of pages beyond `last_id` don't.
    """

    def __init__(self, reader: CrawlReader, last_id: int, window_ids: int = WINDOW_IDS) -> None:
        self._reader = reader
        self._last_id = last_id
        self._window_ids = max(1, min(window_ids, last_id))
        self._first_id = 1
        self._counts: Counts | None = None

    def of(self, url_id: int) -> int:
        """How many edges point to `url_id`."""
        offset = url_id - self._first_id
        if self._counts is None or not 0 <= offset < self._window_ids:
            self._first_id += (offset // self._window_ids) * self._window_ids
            self._counts = self._count()
            offset = url_id - self._first_id
        return int(self._counts[offset])

    def _count(self) -> Counts:
        counts = np.zeros(self._window_ids, dtype=np.uint32)
        for targets in _batches(self._targets()):
            offsets = targets.astype(np.int64) - self._first_id
            inside = offsets[(offsets >= 0) & (offsets < self._window_ids)]
            counts += np.bincount(inside, minlength=self._window_ids).astype(np.uint32)
        return counts

    def _targets(self) -> Iterator[Counts]:
        for window in self._reader.adjacencies(self._last_id):
            yield window.targets


def _batches(arrays: Iterable[Counts]) -> Iterator[Counts]:
    waiting: list[Counts] = []
    edges = 0
    for array in arrays:
        waiting.append(array)
        edges += len(array)
        if edges >= BATCH_EDGES:
            yield np.concatenate(waiting)
            waiting, edges = [], 0
    if waiting:
        yield np.concatenate(waiting)
