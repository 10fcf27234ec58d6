"""HotRows: the pages that were added last, in slabs, and where each page's row is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

from weaver.codec import Kinds, Nodes, Row, Targets
from weaver.graph.retention import Excess
from weaver.graph.row_index import CHUNK_BYTES, RowIndex
from weaver.graph.slab import EDGE_BYTES, RowNumbers, Slab, slab_bytes
from weaver.memory.budget import Account

FIRST_SLAB_EDGES = 1 << 10
MOST_SLAB_EDGES = 1 << 16
LEAST_SLAB_EDGES = 1 << 6
# A locator is a slab's id in the high 16 bits, a row's number in the low ones; slab ids begin at 1.
MOST_SLABS = (1 << 16) - 1
# No slab takes more than this part of the account, so that dropping one costs little of what is kept.
SLABS_AT_LEAST = 32
# Slabs of the full size that are kept to be used again.
MOST_SPARE = 2


class HotRows:
    """Rows in slabs, in the order they were added; a node has one row at most.

    It evicts nothing by itself: where the account refuses, the owner makes room. A slab of which more than half the
    edges were replaced is `worn`; its owner takes its rows and adds them again. Up to two slabs that became empty are
    kept, still charged, for the next ones: with a new id and another generation, so that no locator of before leads
    into them. Invariants: a row's locator leads to a live row of its node, and each live row has one; no slab but the
    newest is empty; what is charged is the slabs, spare ones included, and the index's chunks.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        affordable = account.limit // SLABS_AT_LEAST // (EDGE_BYTES + 1)
        self._most_slab_edges = max(LEAST_SLAB_EDGES, min(MOST_SLAB_EDGES, _power_of_two_below(affordable)))
        self._next_slab_edges = min(FIRST_SLAB_EDGES, self._most_slab_edges)
        self._index = RowIndex(account)
        self._slabs: OrderedDict[int, Slab] = OrderedDict()
        self._spare: list[Slab] = []
        self._tail: Slab | None = None
        self._tail_id = 0
        self._newest_id = 0
        self.slab_bytes = 0
        self.spare_bytes = 0
        self.edges = 0
        self.reused = 0
        # Slabs to be looked at for replaced rows, before the call that found them returns.
        self.suspects: list[int] = []

    def __repr__(self) -> str:
        return f"HotRows({len(self)} rows, {self.edges} edges in {len(self._slabs)} slabs, {self.size_bytes} B)"

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, node: int) -> bool:
        return self._index.get(node) != 0

    @property
    def size_bytes(self) -> int:
        """What is charged."""
        return self.slab_bytes + self.spare_bytes + self._index.bytes

    @property
    def slabs(self) -> list[tuple[int, Slab]]:
        """The slabs with their ids, oldest first."""
        return list(self._slabs.items())

    @property
    def tail_id(self) -> int:
        """The slab that is being filled; 0 before the first."""
        return self._tail_id

    def holds(self, slab_id: int, generation: int) -> bool:
        """Whether the slab of this id is still the one of that generation."""
        slab = self._slabs.get(slab_id)
        return slab is not None and slab.generation == generation

    def slab(self, slab_id: int) -> Slab:
        """The slab of an id that is here."""
        return self._slabs[slab_id]

    def row(self, node: int) -> Row | None:
        """The node's edges, copied out, in the order they were added. O(row)."""
        locator = self._index.get(node)
        return self._slabs[locator >> 16].read(locator & 0xFFFF) if locator else None

    def length(self, node: int) -> int | None:
        """How many edges the node's row has. O(1)."""
        locator = self._index.get(node)
        return self._slabs[locator >> 16].length(locator & 0xFFFF) if locator else None

    def could_fit(self, edges: int, beside_bytes: int) -> bool:
        """Whether the account would take a row of so many edges if no other row, and none of these bytes, were here."""
        others_bytes = self._account.used - self.size_bytes - beside_bytes
        return others_bytes + slab_bytes(max(edges, self._next_slab_edges)) + CHUNK_BYTES <= self._account.limit

    def add(self, node: int, targets: Targets | bytes, kinds: Kinds | bytes) -> bool:
        """Append a row for a node that has none; False where the account refuses what it takes. O(row)."""
        edges = len(kinds)
        tail = self._tail
        if tail is None or not tail.has_room(edges):
            tail = self._open(max(edges, self._next_slab_edges), self._index.needed_bytes(node))
        if tail is None or not self._index.reserve(node):
            return False
        self._index.put(node, self._tail_id << 16 | tail.append(node, targets, kinds))
        self.edges += edges
        return True

    def remove(self, node: int) -> Row:
        """Take the row of a node that has one out, because another replaces it or the page is gone."""
        locator = self._index.get(node)
        slab_id, row = locator >> 16, locator & 0xFFFF
        slab = self._slabs[slab_id]
        removed = slab.read(row)
        self._kill(node, slab, row)
        slab.replaced_edges += len(removed[0])
        self.suspects.append(slab_id)
        return removed

    def take(self, slab_id: int, rows: RowNumbers) -> None:
        """Let these live rows of a slab go; with the last one the slab goes too, unless it is being filled."""
        slab = self._slabs[slab_id]
        self._kill_all(slab, rows)
        if not slab.live_rows and slab_id != self._tail_id:
            self._drop(slab_id)

    def wear(self, slab_id: int, rows: RowNumbers) -> None:
        """Let these live rows of a slab go, as `take`; what is left of the slab moves on where too much has gone."""
        slab = self._slabs[slab_id]
        before = slab.live_edges
        self.take(slab_id, rows)
        if slab_id in self._slabs:
            slab.replaced_edges += before - slab.live_edges
            self.suspects.append(slab_id)

    def evict_oldest(self, excess: Excess) -> Nodes:
        """Let of the oldest slab's pages go what is in excess, and the slab with the last of them; whose they were.

        O(rows of the slab) in numpy.
        """
        slab_id, slab = next(iter(self._slabs.items()))
        rows, nodes, degrees = slab.live()
        count = excess.first(degrees)
        self._kill_all(slab, rows[:count])
        if slab.live_rows:
            slab.oldest = int(rows[count])
        else:
            self._drop(slab_id)
        return nodes[:count]

    def take_worn(self, slab_id: int) -> Sequence[tuple[int, Targets, Kinds]]:
        """The rows of a slab whose edges were mostly replaced, which is dropped; none where it is not so."""
        slab = self._slabs.get(slab_id)
        is_worn = slab is not None and (not slab.live_rows or slab.replaced_edges * 2 > slab.edges)
        if slab is None or not is_worn or slab_id == self._tail_id:
            return ()
        rows, _, _ = slab.live()
        taken = [(slab.node(row), *slab.read(row)) for row in rows.tolist()]
        self._kill_all(slab, rows)
        self._drop(slab_id)
        return taken

    def free_spare(self) -> bool:
        """Give the bytes of the spare slabs back; False where there are none."""
        if not self._spare:
            return False
        self._account.release(self.spare_bytes)
        self._spare.clear()
        self.spare_bytes = 0
        return True

    def rows(self) -> Iterator[tuple[int, Targets, Kinds]]:
        """Every row, oldest first."""
        for slab in self._slabs.values():
            for row in range(slab.oldest, slab.rows):
                node = slab.node(row)
                if node:
                    yield node, *slab.read(row)

    def check(self) -> None:
        """Assert the invariants; O(everything)."""
        self._index.check()
        rows = edges = 0
        for slab_id, slab in self._slabs.items():
            slab.check()
            numbers, nodes, _ = slab.live()
            locators = self._index.get_all(nodes).tolist()
            assert locators == [slab_id << 16 | row for row in numbers.tolist()], f"{slab!r}: a locator is stale"
            assert len(numbers) or slab_id == self._tail_id, f"{slab!r} holds nothing and is kept"
            rows += slab.live_rows
            edges += slab.live_edges
        assert (rows, edges) == (len(self), self.edges), self
        assert sum(slab.size_bytes for slab in self._slabs.values()) == self.slab_bytes, self
        assert all(not spare.rows and spare.generation > 1 for spare in self._spare), self._spare
        assert sum(spare.size_bytes for spare in self._spare) == self.spare_bytes, self
        assert len(self._spare) <= MOST_SPARE, self
        assert self._tail is self._slabs.get(self._tail_id), self
        assert not self.suspects, self

    def _open(self, size: int, beside_bytes: int) -> Slab | None:
        """A new slab, where the account takes it and so many bytes more; a spare one if it is large enough."""
        spare = self._spare.pop() if self._spare and self._spare[-1].edge_capacity >= size else None
        size_bytes = slab_bytes(size) if spare is None else 0
        is_refused = len(self._slabs) >= MOST_SLABS or not self._account.would_fit(size_bytes + beside_bytes)
        if is_refused or not self._account.try_charge(size_bytes):
            if spare is not None:
                self._spare.append(spare)
            return None
        if spare is not None:
            self.spare_bytes -= spare.size_bytes
            self.reused += 1
        slab = spare or Slab(size)
        if self._tail_id:
            self.suspects.append(self._tail_id)
        self.slab_bytes += slab.size_bytes
        self._next_slab_edges = min(self._next_slab_edges * 2, self._most_slab_edges)
        self._tail_id, self._tail = self._unused_id(), slab
        self._slabs[self._tail_id] = slab
        return slab

    def _unused_id(self) -> int:
        """The next id that no slab has."""
        self._newest_id = self._newest_id % MOST_SLABS + 1
        while self._newest_id in self._slabs:
            self._newest_id = self._newest_id % MOST_SLABS + 1
        return self._newest_id

    def _kill(self, node: int, slab: Slab, row: int) -> None:
        self._index.remove(node)
        self.edges -= slab.kill(row)

    def _kill_all(self, slab: Slab, rows: RowNumbers) -> None:
        self._index.remove_all(slab.nodes_and_degrees(rows)[0])
        self.edges -= slab.kill_all(rows)

    def _drop(self, slab_id: int) -> None:
        slab = self._slabs.pop(slab_id)
        self.slab_bytes -= slab.size_bytes
        if slab_id == self._tail_id:
            self._tail_id, self._tail = 0, None
        if slab.edge_capacity == self._most_slab_edges and len(self._spare) < MOST_SPARE:
            slab.recycle()
            self._spare.append(slab)
            self.spare_bytes += slab.size_bytes
        else:
            self._account.release(slab.size_bytes)


def _power_of_two_below(number: int) -> int:
    """The largest power of two that is at most `number` (0 for 0)."""
    return 1 << number.bit_length() >> 1
