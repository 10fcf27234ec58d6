"""GraphStore: the part of the link graph that is in RAM, the newest pages' edges and the newest nodes' in-degrees."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping

import numpy as np

from weaver.base.page import EdgeKind
from weaver.base.settings import GraphSettings
from weaver.codec import Kinds, Targets
from weaver.graph.in_degrees import COUNTER_BYTES, InDegrees
from weaver.graph.row_index import CHUNK_BYTES, RowIndex
from weaver.graph.slab import EDGE_BYTES, EDGES_PER_ROW, ROW_BYTES, Slab, slab_bytes
from weaver.memory.bounded import StoreStatistics
from weaver.memory.budget import Account

FIRST_SLAB_EDGES = 1 << 10
MOST_SLAB_EDGES = 1 << 16
LEAST_SLAB_EDGES = 1 << 6
# A locator is a slab's id in the high 16 bits, a row's number in the low ones; slab ids begin at 1.
MOST_SLABS = (1 << 16) - 1
# No slab takes more than this part of the account, so that dropping one costs little of what is kept.
SLABS_AT_LEAST = 32
SLABS_PER_SHRINK = 8
# In-degrees may take a quarter of the account: they outlive the edges that they count.
IN_DEGREE_SHARE = 4


class GraphStore:
    """Pages' edges in slabs, in the order they were added; what was added first leaves first.

    Four bounds: `max_nodes` (pages with edges here, and nodes with an in-degree), `max_edges`, and the account's
    bytes, under which it shrinks before it grows. The whole graph is on disk; here are

    - for each resident page its edges, hence its out-degree, exact;
    - for each of the newest nodes its in-degree, exact over all edges ever added, in RAM or not;
    - the number of all edges ever added, exact, as long as a page that is added again is still resident: the old
      edges of one that is not can't be taken back, and count twice.

    A row that replaces another is a new row; a slab of which more than half the edges were replaced has its other
    rows moved to the newest end, where they count as just added. Invariants: a resident page has one row, in one
    slab, and its locator leads there; `resident_edges` is the sum of their lengths; what is charged is the slabs,
    the row index's chunks and the in-degrees. `version` moves with every change of structure.
    """

    def __init__(self, settings: GraphSettings, account: Account) -> None:
        self._account = account
        self._most_nodes = settings.max_nodes or sys.maxsize
        self._most_edges = settings.max_edges or sys.maxsize
        affordable = account.limit // SLABS_AT_LEAST // (EDGE_BYTES + 1)
        self._most_slab_edges = max(LEAST_SLAB_EDGES, min(MOST_SLAB_EDGES, _power_of_two_below(affordable)))
        self._next_slab_edges = min(FIRST_SLAB_EDGES, self._most_slab_edges)
        counters = account.limit // IN_DEGREE_SHARE // COUNTER_BYTES
        self._in_degrees = InDegrees(min(self._most_nodes, counters), account)
        self._index = RowIndex(account)
        self._slabs: OrderedDict[int, Slab] = OrderedDict()
        self._slab_bytes = 0
        self._tail_id = 0
        self._newest_id = 0
        # Slabs to be looked at for replaced rows, before the call that found them returns.
        self._sealed: list[int] = []
        self._edges_by_kind = [0] * len(EdgeKind)
        self.edges = 0
        self.resident_edges = 0
        self.version = 0
        self._peak = self._hits = self._misses = self._evicted = self._refused = 0

    def __repr__(self) -> str:
        return (
            f"GraphStore(edges={self.resident_edges} of {self.edges}, pages={len(self)}, "
            f"nodes={self.resident_nodes} of {self.nodes}, {self.resident_bytes} B)"
        )

    def __len__(self) -> int:
        """Pages whose edges are in RAM."""
        return len(self._index)

    def __contains__(self, node: int) -> bool:
        return self._index.get(node) != 0

    @property
    def capacity(self) -> int:
        """The most pages it could hold, each with few edges."""
        return min(self._most_nodes, self._account.limit // (EDGES_PER_ROW * EDGE_BYTES + ROW_BYTES))

    @property
    def edge_capacity(self) -> int:
        """About as many edges as it can hold; on resume, more need not be loaded."""
        return min(self._most_edges, self._account.limit * (IN_DEGREE_SHARE - 1) // IN_DEGREE_SHARE // (EDGE_BYTES + 1))

    @property
    def nodes(self) -> int:
        """Nodes ever seen: ids are dense, so the highest one."""
        return self._in_degrees.last

    @property
    def resident_nodes(self) -> int:
        """Nodes whose in-degree is in RAM."""
        return len(self._in_degrees)

    @property
    def resident_bytes(self) -> int:
        """What the store has charged to its account."""
        return self._slab_bytes + self._index.bytes + self._in_degrees.bytes

    @property
    def edges_by_kind(self) -> Mapping[EdgeKind, int]:
        """Edges ever added, by kind; after a resume, of those that this process was given."""
        return {kind: self._edges_by_kind[kind] for kind in EdgeKind}

    def add_page(self, node: int, targets: Targets | bytes, kinds: bytes) -> None:
        """Add a page with its out-edges, each (target, kind) once; a page added again gets these edges instead.

        `targets` are ids >= 1 (an array, or native 32-bit integers as bytes), `kinds` a byte an edge. Never raises for
        want of room: older pages leave, and a page that could never fit is counted, but not kept.
        """
        ids = np.frombuffer(targets, np.uint32) if isinstance(targets, bytes) else targets.astype(np.uint32, copy=False)
        assert node > 0, f"expected a node id >= 1, got {node}"
        assert len(ids) == len(kinds), f"node {node}: {len(ids)} targets with {len(kinds)} kinds"
        self.version += 1
        self._take_back(node)
        self._discover(max(node, int(ids.max())) if len(ids) else node)
        self._in_degrees.add(ids)
        self._count(kinds, 1)
        self._keep(node, ids, np.frombuffer(kinds, np.uint8))
        while self._sealed:
            self._rescue(self._sealed.pop())

    def restore_totals(self, *, edges: int, nodes: int = 0) -> None:
        """After a resume has added what it loaded: how many edges and nodes the graph has on disk.

        Where not all edges were loaded, in-degrees are known only for nodes discovered from now on.
        """
        self.version += 1
        self._discover(nodes)
        if edges != self.edges:
            self._in_degrees.forget()
        self.edges = edges

    def neighbours(self, node: int) -> tuple[Targets, Kinds] | None:
        """The page's edges as (targets, kinds), copied out; None where they are not in RAM. O(edges)."""
        locator = self._index.get(node)
        if not locator:
            self._misses += 1
            return None
        self._hits += 1
        return self._slabs[locator >> 16].read(locator & 0xFFFF)

    def predecessors(self, node: int) -> tuple[Targets, Kinds]:
        """Who links to the node, as (sources, kinds), of the edges in RAM.

        Scans all of them, O(resident edges) at about a nanosecond each: a reverse index would double every edge.
        """
        sources: list[int] = []
        found: list[int] = []
        for slab_id, slab in self._slabs.items():
            rows, kinds = slab.find(node)
            for row, kind in zip(rows, kinds.tolist(), strict=True):
                source = slab.node(row)
                if self._index.get(source) == slab_id << 16 | row:
                    sources.append(source)
                    found.append(kind)
        return np.array(sources, np.uint32), np.array(found, np.uint8)

    def rows(self) -> Iterator[tuple[int, Targets, Kinds]]:
        """Every resident page with its edges, oldest first. RuntimeError if the graph changes meanwhile."""
        version = self.version
        for slab_id, slab in self._slabs.items():
            for row in range(slab.oldest, slab.rows):
                if self.version != version:
                    raise RuntimeError(f"expected the graph to keep version {version} meanwhile, got {self.version}")
                node = slab.node(row)
                if self._index.get(node) == slab_id << 16 | row:
                    yield node, *slab.read(row)

    def out_degree(self, node: int) -> int | None:
        """How many edges leave the page; None where they are not in RAM."""
        locator = self._index.get(node)
        return self._slabs[locator >> 16].length(locator & 0xFFFF) if locator else None

    def in_degree(self, node: int) -> int | None:
        """How many edges ever added lead to the node; None where it is no longer counted, or not yet known."""
        return self._in_degrees.of(node)

    def evict(self, n: int) -> list[int]:
        """Let the edges of the `n` oldest pages go; whose they were. Their bytes are free once a slab is empty."""
        self.version += 1
        left: list[int] = []
        while self._slabs and len(left) < n:
            left += self._evict_oldest(n - len(left))
        return left

    def shrink(self) -> int:
        """Drop the oldest slabs until the account is within its present limit; bytes given back.

        A few slabs a call, some 20 ms: call again until it is 0. In-degrees stay: they could not be counted again.
        """
        before = self.resident_bytes
        self.version += 1
        for _ in range(SLABS_PER_SHRINK):
            if not self._slabs or self._account.used <= self._account.limit:
                break
            self._evict_oldest(MOST_SLAB_EDGES)
        return before - self.resident_bytes

    def statistics(self) -> StoreStatistics:
        """The figures now, in pages; `hits` and `misses` are those of `neighbours`."""
        return StoreStatistics(
            "graph",
            len(self),
            self.capacity,
            self._peak,
            bytes=self.resident_bytes,
            hits=self._hits,
            misses=self._misses,
            evicted=self._evicted,
            refused=self._refused,
        )

    def check(self) -> None:
        """Assert the invariants; O(everything)."""
        self._index.check()
        self._in_degrees.check()
        pages = edges = 0
        for slab_id, slab in self._slabs.items():
            slab.check()
            live = [row for row in range(slab.rows) if self._index.get(slab.node(row)) == slab_id << 16 | row]
            assert len(live) == slab.live_rows, slab
            assert not live or live[0] >= slab.oldest, slab
            assert live or slab_id == self._tail_id, f"{slab!r} holds nothing and is kept"
            pages += len(live)
            edges += sum(slab.length(row) for row in live)
        assert pages == len(self) <= min(self._peak, self._most_nodes), self
        assert edges == self.resident_edges <= self._most_edges, self
        assert sum(slab.bytes for slab in self._slabs.values()) == self._slab_bytes, self
        assert self.resident_nodes <= self._most_nodes, self
        assert self.resident_bytes <= self._account.used, self
        assert not self._sealed, self
        self._account.check()

    def _discover(self, last: int) -> None:
        """Every id up to `last` is a node."""
        if last > self._in_degrees.last:
            while not self._in_degrees.advance(last):
                if self._slabs:
                    self._evict_oldest(MOST_SLAB_EDGES)
                else:
                    self._in_degrees.settle()

    def _count(self, kinds: bytes, sign: int) -> None:
        self.edges += sign * len(kinds)
        hyperlinks = kinds.count(EdgeKind.HYPERLINK)
        self._edges_by_kind[EdgeKind.HYPERLINK] += sign * hyperlinks
        if hyperlinks < len(kinds):
            for kind in list(EdgeKind)[1:]:
                self._edges_by_kind[kind] += sign * kinds.count(kind)

    def _take_back(self, node: int) -> None:
        """Undo what an earlier `add_page` of this node counted."""
        locator = self._index.get(node)
        if not locator:
            return
        slab_id, row = locator >> 16, locator & 0xFFFF
        slab = self._slabs[slab_id]
        targets, kinds = slab.read(row)
        self._in_degrees.subtract(targets)
        self._count(kinds.tobytes(), -1)
        self._forget(node, slab, row)
        slab.replaced_edges += len(targets)
        if slab_id != self._tail_id:
            self._sealed.append(slab_id)

    def _keep(self, node: int, targets: Targets, kinds: Kinds) -> None:
        """Append a row for a page that has none, if it can fit at all."""
        edges = len(targets)
        if edges > self._most_edges or not self._could_fit(edges):
            self._refused += 1
            return
        while len(self) >= self._most_nodes or self.resident_edges + edges > self._most_edges:
            self._evict_oldest(1)
        slab = self._slab_for(node, edges)
        if slab is None:
            self._refused += 1
            return
        self._index.put(node, self._tail_id << 16 | slab.append(node, targets, kinds))
        self.resident_edges += edges
        self._peak = max(self._peak, len(self))

    def _could_fit(self, edges: int) -> bool:
        fixed_bytes = self._account.used - self._slab_bytes - self._index.bytes
        return fixed_bytes + slab_bytes(max(edges, self._next_slab_edges)) + CHUNK_BYTES <= self._account.limit

    def _slab_for(self, node: int, edges: int) -> Slab | None:
        """The newest slab, with room for the row, after the oldest ones made way for it and for the node's locator.

        None where the account refuses even with all of them gone.
        """
        size = max(edges, self._next_slab_edges)
        while True:
            tail = self._slabs.get(self._tail_id)
            if tail is None or not tail.has_room(edges):
                tail = self._open_slab(size, self._index.needed_bytes(node))
            if tail is not None and self._index.reserve(node):
                return tail
            if not self._slabs:
                return None
            self._evict_oldest(MOST_SLAB_EDGES)

    def _open_slab(self, size: int, beside_bytes: int) -> Slab | None:
        """A new slab, where the account takes it and will take so many bytes more."""
        size_bytes = slab_bytes(size)
        if len(self._slabs) >= MOST_SLABS or not self._account.would_fit(size_bytes + beside_bytes):
            return None
        if not self._account.try_charge(size_bytes):
            return None
        if self._tail_id:
            self._sealed.append(self._tail_id)
        self._slab_bytes += size_bytes
        self._next_slab_edges = min(self._next_slab_edges * 2, self._most_slab_edges)
        self._newest_id = self._newest_id % MOST_SLABS + 1
        while self._newest_id in self._slabs:
            self._newest_id = self._newest_id % MOST_SLABS + 1
        self._tail_id = self._newest_id
        slab = self._slabs[self._tail_id] = Slab(size)
        return slab

    def _evict_oldest(self, most: int) -> list[int]:
        """Let at most so many pages of the oldest slab go, and the slab with the last of them; whose they were."""
        slab_id, slab = next(iter(self._slabs.items()))
        left: list[int] = []
        while slab.live_rows and len(left) < most:
            row = slab.oldest
            slab.oldest += 1
            node = slab.node(row)
            if self._index.get(node) == slab_id << 16 | row:
                self._forget(node, slab, row)
                left.append(node)
        if not slab.live_rows:
            self._drop(slab_id)
        self._evicted += len(left)
        self._account.record_evicted(len(left))
        return left

    def _rescue(self, slab_id: int) -> None:
        """Drop a slab whose rows were mostly replaced by newer ones; what is left of it moves to the newest end."""
        slab = self._slabs.get(slab_id)
        if slab is None or (slab.live_rows and slab.replaced_edges * 2 <= slab.edges):
            return
        live = [row for row in range(slab.oldest, slab.rows) if self._index.get(slab.node(row)) == slab_id << 16 | row]
        moved = [(slab.node(row), *slab.read(row)) for row in live]
        for row in live:
            self._forget(slab.node(row), slab, row)
        self._drop(slab_id)
        for node, targets, kinds in moved:
            self._keep(node, targets, kinds)

    def _forget(self, node: int, slab: Slab, row: int) -> None:
        self._index.remove(node)
        slab.live_rows -= 1
        self.resident_edges -= slab.length(row)

    def _drop(self, slab_id: int) -> None:
        slab = self._slabs.pop(slab_id)
        self._slab_bytes -= slab.bytes
        self._account.release(slab.bytes)
        if slab_id == self._tail_id:
            self._tail_id = 0


def _power_of_two_below(number: int) -> int:
    """The largest power of two that is at most `number` (0 for 0)."""
    return 1 << number.bit_length() >> 1
