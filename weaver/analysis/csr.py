"""Csr: a graph as rows of distinct targets, in RAM or in a scratch file, read by windows or by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.edge_stream import EDGES_PER_WINDOW, EdgeWindow
from weaver.analysis.scratch_file import ScratchFile

OFFSET_BYTES = 8
"""What each node takes in RAM, wherever the targets are."""
TARGET_BYTES = 4

Indices = NDArray[np.int64]
Offsets = NDArray[np.int64]
Targets = NDArray[np.uint32]


class Rows(NamedTuple):
    """Some rows: of the nodes at `nodes` (rising), `degrees[i]` targets each, one row after the other."""

    nodes: Indices
    degrees: Indices
    targets: Targets

    @property
    def sources(self) -> Indices:
        """The source of each edge."""
        return np.repeat(self.nodes, self.degrees)


class Csr:
    """Compressed sparse rows. A node is counted from 0 here: index i is the node of id i + 1.

    Invariant: row i is `offsets[i]:offsets[i + 1]` of the targets, rising, each target once.
    """

    def __init__(
        self, offsets: Offsets, targets: Targets | ScratchFile, edges_per_window: int = EDGES_PER_WINDOW
    ) -> None:
        self.offsets = offsets
        self._targets = targets
        self.edges_per_window = edges_per_window

    def __repr__(self) -> str:
        return f"Csr(nodes={self.nodes}, edges={self.edges}, {'resident' if self.is_resident else 'on disk'})"

    @property
    def nodes(self) -> int:
        return len(self.offsets) - 1

    @property
    def edges(self) -> int:
        return int(self.offsets[-1])

    @property
    def is_resident(self) -> bool:
        """Whether the targets are in RAM."""
        return isinstance(self._targets, np.ndarray)

    @property
    def resident_bytes(self) -> int:
        return OFFSET_BYTES * (self.nodes + 1) + (TARGET_BYTES * self.edges if self.is_resident else 0)

    @property
    def file_bytes(self) -> int:
        return 0 if self.is_resident else TARGET_BYTES * self.edges

    @property
    def degrees(self) -> Indices:
        """The number of targets of each node: a new array of 8 B a node."""
        return np.diff(self.offsets)

    def targets(self, begin: int, end: int) -> Targets:
        """The targets `begin` to `end` of all rows, one after the other."""
        if isinstance(self._targets, np.ndarray):
            return self._targets[begin:end]
        return self._targets.read(np.uint32, begin, end)

    def row(self, node: int) -> Targets:
        """The targets of one node."""
        return self.targets(int(self.offsets[node]), int(self.offsets[node + 1]))

    def windows(self) -> Iterator[Rows]:
        """All nodes with their rows, in order, about `edges_per_window` edges at a time and no more rows than that."""
        first = 0
        while first < self.nodes:
            begin = int(self.offsets[first])
            stop = np.searchsorted(self.offsets, begin + self.edges_per_window, side="right") - 1
            end = min(max(first + 1, int(stop)), first + self.edges_per_window, self.nodes)
            degrees = np.diff(self.offsets[first : end + 1])
            yield Rows(np.arange(first, end), degrees, self.targets(begin, int(self.offsets[end])))
            first = end

    def rows(self, nodes: Indices) -> Iterator[Rows]:
        """The rows of some nodes (rising), a window's edges at a time.

        O(their edges) where the targets are in RAM, or the nodes few; else one pass over all.
        """
        degrees = self.offsets[nodes + 1] - self.offsets[nodes]
        if not self.is_resident and int(degrees.sum()) > self.edges // 8:
            yield from self._rows_of_pass(nodes)
            return
        ends = np.cumsum(degrees)
        first = 0
        while first < len(nodes):
            before = int(ends[first - 1]) if first else 0
            end = max(first + 1, int(np.searchsorted(ends, before + self.edges_per_window, side="right")))
            yield Rows(nodes[first:end], degrees[first:end], self._gathered(nodes[first:end], degrees[first:end]))
            first = end

    def close(self) -> None:
        """Give the file back, if there is one."""
        if isinstance(self._targets, ScratchFile):
            self._targets.close()

    def _gathered(self, nodes: Indices, degrees: Indices) -> Targets:
        if not isinstance(self._targets, np.ndarray):
            return np.concatenate([self.row(node) for node in nodes.tolist()])
        ends = np.cumsum(degrees)
        shifts = np.repeat(self.offsets[nodes] - ends + degrees, degrees)
        return self._targets[shifts + np.arange(len(shifts))]

    def _rows_of_pass(self, nodes: Indices) -> Iterator[Rows]:
        for window in self.windows():
            first, end = np.searchsorted(nodes, (window.nodes[0], window.nodes[-1] + 1))
            if first < end:
                is_wanted = np.zeros(len(window.nodes), np.bool_)
                is_wanted[nodes[first:end] - window.nodes[0]] = True
                targets = window.targets[np.repeat(is_wanted, window.degrees)]
                yield Rows(nodes[first:end], window.degrees[is_wanted], targets)


def build_csr(
    windows: Iterable[EdgeWindow],
    nodes: int,
    resident_bytes: int,
    directory: Path,
    edges_per_window: int = EDGES_PER_WINDOW,
) -> Csr:
    """Rows in rising order as a Csr; the targets go to a scratch file once they take more than `resident_bytes`."""
    offsets = np.zeros(nodes + 1, np.int64)
    spool = _Spool(resident_bytes // TARGET_BYTES, directory)
    try:
        for window in windows:
            offsets[window.nodes] = window.degrees
            spool.append(window.targets - np.uint32(1))
    except BaseException:
        spool.close()
        raise
    np.cumsum(offsets, out=offsets)
    return Csr(offsets, spool.finished(), edges_per_window)


class _Spool:
    """Targets that come in one after the other: in an array of the size that is allowed, then in a file."""

    def __init__(self, resident_targets: int, directory: Path) -> None:
        self._directory = directory
        self._file: ScratchFile | None = None
        # What is not written to is not in RAM either: the whole room can be asked for at once.
        self._room = np.empty(resident_targets, np.uint32)
        self._count = 0

    def append(self, targets: Targets) -> None:
        if self._file is None and self._count + len(targets) > len(self._room):
            self._file = ScratchFile(self._directory)
            self._file.append(self._room[: self._count])
            self._room = np.empty(0, np.uint32)
        if self._file is not None:
            self._file.append(targets)
        else:
            self._room[self._count : self._count + len(targets)] = targets
        self._count += len(targets)

    def finished(self) -> Targets | ScratchFile:
        return self._room[: self._count] if self._file is None else self._file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
