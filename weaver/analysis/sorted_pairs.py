"""PairSorter: pairs of 32-bit ids sorted beyond RAM, by runs in one nameless file that are merged window by window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.edge_stream import EdgeWindow, offsets_of, sorted_distinct
from weaver.analysis.scratch_file import ScratchFile

BYTES_PER_PAIR = 40
"""What a pair of a run takes at most while the run is sorted: as it came, joined, as its own copy without repeats."""
LEAST_BLOCK_PAIRS = 1 << 12
BLOCK_PAIRS = 1 << 18

Pairs = NDArray[np.uint64]
Ids = NDArray[np.uint32]

_HIGH = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


class PairSorter:
    """Takes (first, second) pairs in any order; gives each back once, sorted by first and then second.

    O(n log n); `memory_bytes` bounds the arrays, 8 B a pair go to a file in `directory` where they are more than fit.
    """

    def __init__(self, memory_bytes: int, directory: Path) -> None:
        self._run_pairs = max(LEAST_BLOCK_PAIRS, memory_bytes // BYTES_PER_PAIR)
        self._directory = directory
        self._waiting: list[Pairs] = []
        self._waiting_pairs = 0
        self._file: ScratchFile | None = None
        self._runs: list[tuple[int, int]] = []

    def __repr__(self) -> str:
        return f"PairSorter(waiting={self._waiting_pairs}, runs={len(self._runs)})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, firsts: Ids, seconds: Ids) -> None:
        """Take pairs, two columns of one length."""
        for at in range(0, len(firsts), self._run_pairs):
            pairs = firsts[at : at + self._run_pairs].astype(np.uint64)
            pairs <<= _HIGH
            pairs |= seconds[at : at + self._run_pairs]
            if self._waiting_pairs + len(pairs) > self._run_pairs:
                self._write_run()
            self._waiting.append(pairs)
            self._waiting_pairs += len(pairs)

    def windows(self) -> Iterator[EdgeWindow]:
        """All pairs as rows by their firsts, whole ones only, every kind 0; to be called once."""
        if self._file is None:
            run = self._sorted_run()
            blocks: Iterable[Pairs] = (run[at : at + BLOCK_PAIRS] for at in range(0, len(run), BLOCK_PAIRS))
        else:
            self._write_run()
            blocks = self._merged(self._file)
        return _rows(blocks)

    def close(self) -> None:
        """Let the pairs go, and the file."""
        self._waiting = []
        if self._file is not None:
            self._file.close()

    def _sorted_run(self) -> Pairs:
        waiting, self._waiting, self._waiting_pairs = self._waiting, [], 0
        return sorted_distinct(np.concatenate(waiting)) if waiting else np.zeros(0, np.uint64)

    def _write_run(self) -> None:
        if self._file is None:
            self._file = ScratchFile(self._directory)
        begin = self._file.size_bytes // 8
        self._file.append(self._sorted_run())
        self._runs.append((begin, self._file.size_bytes // 8))

    def _merged(self, file: ScratchFile) -> Iterator[Pairs]:
        """The runs' pairs in order: of each run a block is at hand, and what no later block can precede goes out."""
        block_pairs = max(LEAST_BLOCK_PAIRS, self._run_pairs // max(1, len(self._runs)))
        runs = [_Run(file, begin, end, block_pairs) for begin, end in self._runs]
        while runs := [run for run in runs if run.fill()]:
            boundary = min((run.last for run in runs if run.has_more), default=None)
            yield sorted_distinct(np.concatenate([run.take(boundary) for run in runs]))


class _Run:
    """A sorted run that is read a block at a time."""

    def __init__(self, file: ScratchFile, begin: int, end: int, block_pairs: int) -> None:
        self._file, self._next, self._end, self._block_pairs = file, begin, end, block_pairs
        self._block = np.zeros(0, np.uint64)

    @property
    def has_more(self) -> bool:
        return self._next < self._end

    @property
    def last(self) -> np.uint64:
        return np.uint64(self._block[-1])

    def fill(self) -> bool:
        """Have a block at hand; False at the end."""
        if not len(self._block) and self.has_more:
            end = min(self._end, self._next + self._block_pairs)
            self._block = self._file.read(np.uint64, self._next, end)
            self._next = end
        return len(self._block) > 0

    def take(self, boundary: np.uint64 | None) -> Pairs:
        """What is at hand up to the boundary, or all."""
        count = len(self._block) if boundary is None else int(np.searchsorted(self._block, boundary, side="right"))
        taken, self._block = self._block[:count], self._block[count:]
        return taken


def _rows(blocks: Iterable[Pairs]) -> Iterator[EdgeWindow]:
    """Blocks of sorted pairs as windows of whole rows: the last row of a block waits for the next one."""
    rest = np.zeros(0, np.uint64)
    for block in blocks:
        pairs = np.concatenate((rest, block)) if len(rest) else block
        if len(pairs):
            count = int(np.searchsorted(pairs, pairs[-1] & ~_LOW))
            if count:
                yield _window(pairs[:count])
            rest = pairs[count:].copy()
    if len(rest):
        yield _window(rest)


def _window(pairs: Pairs) -> EdgeWindow:
    firsts = (pairs >> _HIGH).astype(np.uint32)
    begins = np.flatnonzero(np.concatenate((np.ones(1, np.bool_), firsts[1:] != firsts[:-1])))
    degrees = np.diff(begins, append=len(firsts))
    seconds = pairs.astype(np.uint32)
    return EdgeWindow(firsts[begins], offsets_of(degrees), seconds, np.zeros(len(pairs), np.uint8))
