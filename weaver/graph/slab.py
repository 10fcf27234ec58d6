"""Slab: a run of pages' edges in arrival order, in arrays that never move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaver.codec import Kinds, Targets
from weaver.memory.reserve import reserved_zeros

EDGE_BYTES = 4 + 1
ROW_BYTES = 4 + 4
# The row directory is full together with the edges at 8 edges a row; sparser pages end a slab early.
EDGES_PER_ROW = 8
# A locator holds a row's number in 16 bits.
MAX_ROWS = 1 << 16
# From here on a slab has a mapping of its own, whose pages the system has back as soon as the slab is dropped; what is
# freed to the allocator's heap stays there (measured: 3.4 MiB in 100,000 pages).
MAPPED_BYTES = 1 << 15


def slab_rows(edge_capacity: int) -> int:
    """Rows that a slab of so many edges has room for."""
    return min(MAX_ROWS, edge_capacity // EDGES_PER_ROW + 1)


def slab_bytes(edge_capacity: int) -> int:
    """What a slab of so many edges is charged at."""
    return edge_capacity * EDGE_BYTES + slab_rows(edge_capacity) * ROW_BYTES


def _block(size_bytes: int) -> NDArray[np.uint8]:
    return reserved_zeros(size_bytes, np.uint8) if size_bytes >= MAPPED_BYTES else np.zeros(size_bytes, np.uint8)


class Slab:
    """Rows of edges, one after the other: appended, read, and dropped together with their slab.

    Whether a row still counts is its owner's knowledge, who tells it here: `oldest` is the first row that was not
    evicted, `live_rows` how many count, `replaced_edges` the edges of rows that newer ones replaced. Invariants:
    `oldest <= rows <= row capacity`; row `i` is `ends[i - 1]:ends[i]`; the last end is `edges`. All calls are O(row),
    but `find`, O(edges) in numpy.
    """

    __slots__ = (
        "_end_ids", "_ends", "_kinds", "_nodes", "_row_capacity", "_targets", "edge_capacity", "edges", "live_rows",
        "oldest", "replaced_edges", "rows",
    )  # fmt: skip

    def __init__(self, edge_capacity: int) -> None:
        self.edge_capacity = edge_capacity
        self._row_capacity = rows = slab_rows(edge_capacity)
        block = _block(slab_bytes(edge_capacity))
        numbers = block[: 4 * (2 * rows + edge_capacity)].view(np.uint32)
        # Scalars are read and written through memoryviews, which give Python ints at a third of numpy's cost.
        self._nodes = numbers[:rows].data
        self._end_ids = numbers[rows : 2 * rows]
        self._ends = self._end_ids.data
        self._targets: Targets = numbers[2 * rows :]
        self._kinds: Kinds = block[4 * len(numbers) :]
        self.edges = self.rows = self.live_rows = self.oldest = self.replaced_edges = 0

    def __repr__(self) -> str:
        return f"Slab(edges={self.edges} of {self.edge_capacity}, rows={self.live_rows} live of {self.rows})"

    @property
    def bytes(self) -> int:
        """What it is charged at."""
        return slab_bytes(self.edge_capacity)

    def has_room(self, edges: int) -> bool:
        """Whether one more row of so many edges fits."""
        return self.edges + edges <= self.edge_capacity and self.rows < self._row_capacity

    def append(self, node: int, targets: Targets, kinds: Kinds) -> int:
        """Add a row, which there is room for; its number."""
        row, start = self.rows, self.edges
        end = start + len(targets)
        self._targets[start:end] = targets
        self._kinds[start:end] = kinds
        self._nodes[row] = node
        self._ends[row] = end
        self.edges, self.rows = end, row + 1
        self.live_rows += 1
        return row

    def node(self, row: int) -> int:
        """Whose row it is."""
        return self._nodes[row]

    def length(self, row: int) -> int:
        """How many edges the row has."""
        return self._ends[row] - (self._ends[row - 1] if row else 0)

    def read(self, row: int) -> tuple[Targets, Kinds]:
        """The row's edges, copied out: a view would keep the whole slab in RAM."""
        start, end = self._ends[row - 1] if row else 0, self._ends[row]
        return self._targets[start:end].copy(), self._kinds[start:end].copy()

    def find(self, target: int) -> tuple[list[int], Kinds]:
        """The rows that have an edge to `target`, live or not, and the edges' kinds."""
        hits = np.flatnonzero(self._targets[: self.edges] == target)
        return np.searchsorted(self._end_ids[: self.rows], hits, side="right").tolist(), self._kinds[hits]

    def check(self) -> None:
        """Assert the invariants; O(rows)."""
        ends = self._ends[: self.rows].tolist()
        assert ends == sorted(ends), self
        assert self.edges == (ends[-1] if ends else 0) <= self.edge_capacity, self
        assert 0 <= self.oldest <= self.rows <= self._row_capacity, self
        assert 0 <= self.live_rows <= self.rows - self.oldest, self
        assert 0 <= self.replaced_edges <= self.edges, self
