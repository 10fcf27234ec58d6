"""Slab: a run of pages' edges in arrival order, in arrays that never move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaver.codec import Degrees, Kinds, Nodes, Row, Targets
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

RowNumbers = NDArray[np.int64]


def slab_rows(edge_capacity: int) -> int:
    """Rows that a slab of so many edges has room for."""
    return min(MAX_ROWS, edge_capacity // EDGES_PER_ROW + 1)


def slab_bytes(edge_capacity: int) -> int:
    """What a slab of so many edges is charged at."""
    return edge_capacity * EDGE_BYTES + slab_rows(edge_capacity) * ROW_BYTES


def places_of(wanted: Targets | None, found: Targets) -> NDArray[np.int64]:
    """Where in `found` the wanted nodes are; everywhere where None."""
    if wanted is None:
        return np.arange(len(found))
    return np.flatnonzero(found == wanted[0] if len(wanted) == 1 else np.isin(found, wanted))


def _block(size_bytes: int) -> NDArray[np.uint8]:
    return reserved_zeros(size_bytes, np.uint8) if size_bytes >= MAPPED_BYTES else np.zeros(size_bytes, np.uint8)


class Slab:
    """Rows of edges, one after the other: appended, read, killed, and dropped together with their slab.

    A row that no longer counts is killed: its node becomes 0, which is no node. `live_rows` and `live_edges` count the
    others, `oldest` is the first row that may be live, `replaced_edges` the edges of rows that newer ones replaced.
    A slab that is used again is of another `generation`. Invariants: `oldest <= rows <= row capacity`; row
    `i` is `ends[i - 1]:ends[i]`; the last end is `edges`. Calls for one row are O(row), those for all O(rows), or
    O(edges) in numpy.
    """

    __slots__ = (
        "_end_ids", "_ends", "_kind_bytes", "_kinds", "_node_ids", "_nodes", "_row_capacity", "_target_bytes",
        "_targets", "edge_capacity", "edges", "generation", "live_edges", "live_rows", "oldest", "replaced_edges",
        "rows",
    )  # fmt: skip

    def __init__(self, edge_capacity: int) -> None:
        self.edge_capacity = edge_capacity
        self.generation = 1
        self._row_capacity = rows = slab_rows(edge_capacity)
        block = _block(slab_bytes(edge_capacity))
        numbers = block[: 4 * (2 * rows + edge_capacity)].view(np.uint32)
        # Scalars and bytes are read and written through memoryviews, at a third of numpy's cost.
        self._node_ids: Nodes = numbers[:rows]
        self._nodes = self._node_ids.data
        self._end_ids = numbers[rows : 2 * rows]
        self._ends = self._end_ids.data
        self._targets: Targets = numbers[2 * rows :]
        self._target_bytes = block[8 * rows : 4 * len(numbers)].data
        self._kinds: Kinds = block[4 * len(numbers) :]
        self._kind_bytes = self._kinds.data
        self.edges = self.rows = self.live_rows = self.live_edges = self.oldest = self.replaced_edges = 0

    def __repr__(self) -> str:
        return (
            f"Slab(edges={self.edges} of {self.edge_capacity}, rows={self.live_rows} live of {self.rows}, "
            f"generation {self.generation})"
        )

    @property
    def size_bytes(self) -> int:
        """What it is charged at."""
        return slab_bytes(self.edge_capacity)

    def recycle(self) -> None:
        """Forget all rows, so that the slab can be used again, as one of the next generation."""
        assert not self.live_rows, f"{self!r} still has rows that count"
        self.generation += 1
        self.edges = self.rows = self.live_edges = self.oldest = self.replaced_edges = 0

    def has_room(self, edges: int) -> bool:
        """Whether one more row of so many edges fits."""
        return self.edges + edges <= self.edge_capacity and self.rows < self._row_capacity

    def append(self, node: int, targets: Targets | bytes, kinds: Kinds | bytes) -> int:
        """Add a row, which there is room for; its number. As bytes, edges come at half the cost."""
        row, start, edges = self.rows, self.edges, len(kinds)
        end = start + edges
        if isinstance(targets, bytes):
            self._target_bytes[4 * start : 4 * end] = targets
        else:
            self._targets[start:end] = targets
        if isinstance(kinds, bytes):
            self._kind_bytes[start:end] = kinds
        else:
            self._kinds[start:end] = kinds
        self._nodes[row] = node
        self._ends[row] = end
        self.edges, self.rows = end, row + 1
        self.live_rows += 1
        self.live_edges += edges
        return row

    def kill(self, row: int) -> int:
        """A live row counts no longer; how many edges it had."""
        edges = self.length(row)
        self._nodes[row] = 0
        self.live_rows -= 1
        self.live_edges -= edges
        return edges

    def kill_all(self, rows: RowNumbers) -> int:
        """Live rows count no longer; how many edges they had. O(rows) in numpy."""
        edges = int(self.nodes_and_degrees(rows)[1].sum())
        self._node_ids[rows] = 0
        self.live_rows -= len(rows)
        self.live_edges -= edges
        return edges

    def node(self, row: int) -> int:
        """Whose row it is; 0 for one that was killed."""
        return self._nodes[row]

    def length(self, row: int) -> int:
        """How many edges the row has."""
        return self._ends[row] - (self._ends[row - 1] if row else 0)

    def read(self, row: int) -> Row:
        """The row's edges, copied out: a view would keep the whole slab in RAM."""
        start, end = self._ends[row - 1] if row else 0, self._ends[row]
        return self._targets[start:end].copy(), self._kinds[start:end].copy()

    def live(self) -> tuple[RowNumbers, Nodes, Degrees]:
        """The live rows' numbers, whose they are, and how many edges each has."""
        rows = np.flatnonzero(self._node_ids[: self.rows])
        ends = self._end_ids[: self.rows]
        return rows, self._node_ids[rows], np.diff(ends, prepend=np.uint32(0))[rows]

    def nodes_and_degrees(self, rows: RowNumbers) -> tuple[Nodes, Degrees]:
        """Whose these rows are, and how many edges each has."""
        starts = np.where(rows > 0, self._end_ids[rows - 1], np.uint32(0))
        return self._node_ids[rows], self._end_ids[rows] - starts

    def gather(self, rows: RowNumbers) -> Row:
        """The edges of these rows, one row after the other."""
        starts = np.where(rows > 0, self._end_ids[rows - 1], np.uint32(0)).astype(np.int64)
        degrees = self._end_ids[rows] - starts
        before = np.cumsum(degrees) - degrees
        edges = np.arange(int(degrees.sum())) + np.repeat(starts - before, degrees)
        return self._targets[edges], self._kinds[edges]

    def find(self, targets: Targets | None) -> tuple[Nodes, Targets, Kinds]:
        """The live rows' edges to any of these nodes, to all where None, as (sources, targets, kinds)."""
        here = self._targets[: self.edges]
        hits = places_of(targets, here)
        nodes = self._node_ids[np.searchsorted(self._end_ids[: self.rows], hits, side="right")]
        hits, nodes = hits[nodes != 0], nodes[nodes != 0]
        return nodes, here[hits], self._kinds[hits]

    def check(self) -> None:
        """Assert the invariants; O(rows)."""
        ends = self._ends[: self.rows].tolist()
        assert ends == sorted(ends), self
        assert self.edges == (ends[-1] if ends else 0) <= self.edge_capacity, self
        assert 0 <= self.oldest <= self.rows <= self._row_capacity, self
        rows, _, degrees = self.live()
        assert not len(rows) or rows[0] >= self.oldest, self
        assert (len(rows), int(degrees.sum())) == (self.live_rows, self.live_edges), self
        assert 0 <= self.replaced_edges <= self.edges - self.live_edges, self
