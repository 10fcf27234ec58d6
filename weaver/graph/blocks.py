"""SealedBlocks: the part of the link graph that is in RAM compressed, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from weaver.codec import DecodedBlock, Degrees, Nodes, Row
from weaver.codec.block_codec import BlockCodec
from weaver.codec.container import BlockHeader, read_header, verify
from weaver.graph.retention import Excess
from weaver.graph.sealed_index import SealedIndex
from weaver.memory.bounded import BoundedLRU, StoreStatistics
from weaver.memory.budget import Account

# A block's bytes object, its entry, header and bitmap, and its place in the dict: 370 B measured, and a bit a row.
BLOCK_OVERHEAD_BYTES = 400
# A decoded block's arrays, views and slots beside what the arrays hold: 1,380 B measured.
DECODED_OVERHEAD_BYTES = 1500
# Decoded blocks may take an eighth of the account: each displaces about eight sealed ones.
CACHE_SHARE = 8
# A block is decoded whole at this many single rows read from it: that is about what decoding it costs.
ROWS_BEFORE_DECODING = 4
# A block of which this part is gone is written anew.
WASTED_SHARE = 0.5

Places = NDArray[np.int64]
Live = NDArray[np.bool_]


@dataclass(slots=True)
class _Sealed:
    """A block in RAM: which of its rows are gone, and how many were read from it since it was last decoded whole."""

    number: int
    header: BlockHeader
    block: bytes
    live_rows: int
    live_edges: int
    gone: bytearray | None = None
    cold_reads: int = 0

    @property
    def bytes(self) -> int:
        """What it is charged at."""
        return _charged_bytes(self.block, self.header.rows)

    def live(self) -> Live:
        """For each row whether it counts."""
        if self.gone is None:
            return np.ones(self.header.rows, np.bool_)
        gone = np.unpackbits(np.frombuffer(self.gone, np.uint8), count=self.header.rows, bitorder="little")
        return ~gone.view(np.bool_)


class SealedBlocks:
    """Sealed blocks in the order they were put; what was put first leaves first, and stays on disk.

    A node has one live row over all blocks: an index leads to its block, and a row that was removed, or that a later
    block replaced, is marked as gone. A block of which a half is gone is wasteful, and `compact` writes it anew in
    its place in the order. Blocks asked for often are also kept decoded, in an eighth of the account at most, and
    these leave before any block does. Bounds: `most_blocks`, and the account's bytes.

    Invariants: the index has each live row once, under the block that it is in; only blocks that are here are kept
    decoded; what is charged is the blocks with BLOCK_OVERHEAD_BYTES and a bit a row for what will be marked, the
    index, and the decoded blocks.
    """

    def __init__(
        self,
        account: Account,
        codec: BlockCodec | None = None,
        most_blocks: int = 1 << 30,
        wasted_share: float = WASTED_SHARE,
    ) -> None:
        self._account = account
        self._codec = codec or BlockCodec()
        self._most_blocks = most_blocks
        self._wasted_share = wasted_share
        self._sealed: dict[int, _Sealed] = {}
        self._index = SealedIndex(account)
        self._wasteful: dict[int, None] = {}
        # Numbers that were given out by `free_number` and came free: the lower they are, the narrower is the index.
        self._free_numbers: list[int] = []
        self._next_number = 1
        self._block_bytes = 0
        self._decoded: BoundedLRU[int, DecodedBlock] = BoundedLRU(
            "decoded blocks",
            1 << 30,
            account=account,
            entry_bytes=DECODED_OVERHEAD_BYTES,
            bytes_of=lambda _, decoded: decoded.bytes,
        )
        self.edges = self.gone_edges = 0
        self._peak = self._hits = self._misses = self._evicted = self._refused = 0

    def __repr__(self) -> str:
        return (
            f"SealedBlocks({len(self)} blocks, {self.rows} rows, {self.edges} edges, "
            f"{self.resident_bytes} B, {len(self._decoded)} decoded)"
        )

    def __len__(self) -> int:
        """Blocks in RAM."""
        return len(self._sealed)

    def __contains__(self, number: int) -> bool:
        return number in self._sealed

    @property
    def rows(self) -> int:
        """Rows that count, over all blocks."""
        return len(self._index)

    @property
    def capacity(self) -> int:
        """The most blocks it could hold, each of next to nothing."""
        return min(self._most_blocks, self._account.limit // BLOCK_OVERHEAD_BYTES)

    @property
    def resident_bytes(self) -> int:
        """What the store has charged to its account."""
        return self._block_bytes + self._index.bytes + self._decoded.statistics().bytes

    @property
    def is_wasteful(self) -> bool:
        """Whether `compact` has something to do."""
        return bool(self._wasteful)

    def has_row(self, node: int) -> bool:
        """Whether a block has the node's row. O(log rows of 65,536 ids)."""
        return self._index.get(node) is not None

    def needed_bytes(self, block: bytes, nodes: Nodes) -> int:
        """The most that putting this block of these nodes' rows would charge."""
        return _charged_bytes(block, len(nodes)) + self._index.needed_bytes(nodes)

    def put(self, number: int, block: bytes) -> bool:
        """Keep a block, instead of an older one of its number; False where it alone would not fit.

        Its rows replace those that its nodes have here. Blocks put first make way; a block that is refused leaves none
        of its number behind. Raises BlockDamaged. O(rows, and those of the index's chunks) in numpy.
        """
        verify(block)
        header, nodes = read_header(block), self._codec.nodes(block)
        if number in self._sealed:
            self.forget(number)
        needed_bytes = self.needed_bytes(block, nodes)
        # There is room for the index too, which holds what it needs.
        if not self._make_room(needed_bytes) or not self._account.try_charge(_charged_bytes(block, len(nodes))):
            self._refused += 1
            return False
        self._replace_rows(nodes)
        sealed = _Sealed(number, header, block, header.rows, header.links)
        self._sealed[number] = sealed
        self._block_bytes += sealed.bytes
        self._index.enter(nodes, number)
        self.edges += header.links
        self._peak = max(self._peak, len(self))
        return True

    def free_number(self) -> int:
        """A number that no block has, the lowest that came free if one did, for owners without their own. O(log n)."""
        while self._free_numbers:
            number = heappop(self._free_numbers)
            if number not in self._sealed:
                return number
        self._next_number += 1
        return self._next_number - 1

    def row(self, node: int) -> Row | None:
        """The node's edges as (targets, kinds), to be read only; None where they are not here.

        From a decoded block O(log rows), else O(rows of the block).
        """
        number = self._index.get(node)
        if number is None:
            self._misses += 1
            return None
        self._hits += 1
        return self._read(self._sealed[number], node)

    def remove(self, node: int) -> Row | None:
        """Mark the node's row as gone; what it was, None where it was not here. O(rows of the block)."""
        row = self.row(node)
        number = self._index.get(node)
        if row is None or number is None:
            return None
        gone = np.array([node], np.uint32)
        self._mark(number, np.searchsorted(self._codec.nodes(self._sealed[number].block), gone), len(row[0]), gone)
        return row

    def take(self, number: int, places: Places) -> None:
        """Mark these live rows of a block, by their places, as gone. O(rows of the block)."""
        block = self._sealed[number].block
        self._mark(number, places, int(self._codec.degrees(block)[places].sum()), self._codec.nodes(block)[places])

    def live_rows(self, number: int) -> tuple[Places, Nodes, Degrees]:
        """The live rows of a block: their places, whose they are, and how many edges each has. O(rows)."""
        sealed = self._sealed[number]
        places = np.flatnonzero(sealed.live())
        return places, self._codec.nodes(sealed.block)[places], self._codec.degrees(sealed.block)[places]

    def numbers(self) -> list[int]:
        """The blocks' numbers, oldest first."""
        return list(self._sealed)

    def compact(self) -> bool:
        """Write the wasteful block that was found first anew, without what is gone; False where there is none. A
        millisecond or two."""
        if not self._wasteful:
            return False
        number = next(iter(self._wasteful))
        del self._wasteful[number]
        sealed = self._sealed[number]
        kept = self._codec.decode(sealed.block).only(sealed.live())
        degrees = np.diff(kept.offsets).astype(np.uint32)
        block = self._codec.encode(kept.nodes, degrees, kept.targets, kept.edge_kinds())
        freed_bytes = sealed.bytes - _charged_bytes(block, len(kept))
        if freed_bytes < 0:
            return True
        self._decoded.pop(number)
        self._account.release(freed_bytes)
        self._block_bytes -= freed_bytes
        self.gone_edges -= sealed.header.links - sealed.live_edges
        sealed.block, sealed.header, sealed.gone = block, read_header(block), None
        return True

    def decoded(self) -> Iterator[DecodedBlock]:
        """All blocks decoded, oldest first, with their live rows only; those of the moment of the call."""
        for sealed in list(self._sealed.values()):
            yield self._codec.decode(sealed.block).only(sealed.live())

    def windows(self, window_bytes: int) -> Iterator[list[DecodedBlock]]:
        """What `decoded` gives, in runs that take about `window_bytes`, one block at least."""
        window: list[DecodedBlock] = []
        held_bytes = 0
        for decoded in self.decoded():
            if window and held_bytes + decoded.bytes > window_bytes:
                yield window
                window, held_bytes = [], 0
            window.append(decoded)
            held_bytes += decoded.bytes
        if window:
            yield window

    def evict(self, n: int) -> list[tuple[int, Nodes]]:
        """Let the `n` oldest blocks go; each as (number, whose rows it still had)."""
        left = [(number, self.forget(number)) for number in list(islice(self._sealed, max(0, n)))]
        self._evicted += len(left)
        self._account.record_evicted(len(left))
        return left

    def evict_oldest(self, excess: Excess) -> Nodes:
        """Let of the oldest block's rows, by id, go what is in excess, and the block with the last of them; whose they
        were. O(rows of the block, and those of the index's chunks) in numpy."""
        number = next(iter(self._sealed))
        places, nodes, degrees = self.live_rows(number)
        count = excess.first(degrees)
        self._mark(number, places[:count], int(degrees[:count].sum()), nodes[:count])
        # What is left of it goes next: it is not worth writing anew.
        self._wasteful.pop(number, None)
        return nodes[:count]

    def forget(self, number: int) -> Nodes:
        """Let a block go, uncounted; whose rows it still had. O(rows, and those of the index's chunks) in numpy."""
        _, nodes, _ = self.live_rows(number)
        self._index.remove(nodes)
        self._discard(number)
        return nodes

    def forget_decoded(self) -> bool:
        """Let the decoded block that was used longest ago go; False where there is none."""
        return bool(self._decoded.evict(1))

    def shrink(self) -> int:
        """Let go what is over the account's present limit, decoded blocks first; bytes given back."""
        before = self.resident_bytes
        self._make_room(0)
        return before - self.resident_bytes

    def statistics(self) -> StoreStatistics:
        """The figures now, in blocks; `hits` and `misses` are those of `row`."""
        return StoreStatistics(
            "sealed blocks",
            len(self),
            self.capacity,
            self._peak,
            bytes=self.resident_bytes,
            hits=self._hits,
            misses=self._misses,
            evicted=self._evicted,
            refused=self._refused,
        )

    def cache_statistics(self) -> StoreStatistics:
        """The figures of the decoded blocks."""
        return self._decoded.statistics()

    def check(self) -> None:
        """Assert the invariants; O(blocks and their rows)."""
        rows = edges = links = 0
        for number, sealed in self._sealed.items():
            _, nodes, degrees = self.live_rows(number)
            assert (len(nodes), int(degrees.sum())) == (sealed.live_rows, sealed.live_edges), sealed
            assert len(nodes), f"block {number} holds nothing and is kept"
            assert (self._index.get_all(nodes) == number).all(), f"block {number} and the index disagree"
            assert number not in self._wasteful or self._is_wasteful(sealed), number
            rows, edges, links = rows + len(nodes), edges + sealed.live_edges, links + sealed.header.links
        assert (rows, edges, links - edges) == (self.rows, self.edges, self.gone_edges), self
        assert sum(sealed.bytes for sealed in self._sealed.values()) == self._block_bytes, self
        assert self._wasteful.keys() | dict(self._decoded.items()).keys() <= self._sealed.keys(), self
        assert len(self) <= min(self._peak, self._most_blocks), self
        assert self.resident_bytes <= self._account.used, self
        self._index.check()
        self._decoded.check()

    def _is_wasteful(self, sealed: _Sealed) -> bool:
        return sealed.header.rows - sealed.live_rows > sealed.header.rows * self._wasted_share

    def _mark(self, number: int, places: Places, edges: int, nodes: Nodes) -> None:
        """Mark live rows, which are those of the nodes, as gone; with the last one the block goes too."""
        sealed = self._sealed[number]
        self._index.remove(nodes)
        sealed.live_rows -= len(places)
        sealed.live_edges -= edges
        self.edges -= edges
        self.gone_edges += edges
        live = sealed.live()
        live[places] = False
        sealed.gone = bytearray(np.packbits(~live, bitorder="little"))
        if not sealed.live_rows:
            self._discard(number)
        elif self._is_wasteful(sealed):
            self._wasteful[number] = None

    def _replace_rows(self, nodes: Nodes) -> None:
        """Mark the rows that these nodes have in any block as gone."""
        numbers = self._index.get_all(nodes)
        for number in np.unique(numbers[numbers >= 0]).tolist():
            replaced = nodes[numbers == number]
            self.take(number, np.searchsorted(self._codec.nodes(self._sealed[number].block), replaced))

    def _read(self, sealed: _Sealed, node: int) -> Row | None:
        """The node's row, by way of the decoded block where that is kept or worth it."""
        decoded = self._decoded.get(sealed.number)
        if decoded is None:
            sealed.cold_reads += 1
            if sealed.cold_reads < ROWS_BEFORE_DECODING:
                return self._codec.row(sealed.block, node)
            sealed.cold_reads = 0
            decoded = self._codec.decode(sealed.block)
            self._keep_decoded(sealed.number, decoded)
        return decoded.row(node)

    def _keep_decoded(self, number: int, decoded: DecodedBlock) -> None:
        """Keep it, if it fits after older decoded blocks made way; sealed ones never do."""
        # What the map adds for its own bookkeeping is far less than as much again.
        size_bytes = decoded.bytes + 2 * DECODED_OVERHEAD_BYTES
        most_bytes = self._account.limit // CACHE_SHARE
        if size_bytes > most_bytes:
            return
        while self._decoded.statistics().bytes + size_bytes > most_bytes or not self._account.would_fit(size_bytes):
            if not self._decoded.evict(1):
                return
        self._decoded.put(number, decoded)

    def _make_room(self, size_bytes: int) -> bool:
        """Let decoded blocks go, then the oldest ones, until so many bytes fit; False where they never could."""
        others_bytes = self._account.used - self.resident_bytes
        if size_bytes and others_bytes + size_bytes > self._account.limit:
            return False
        while not self._account.would_fit(size_bytes) and self.forget_decoded():
            pass
        while self._sealed and not self._account.would_fit(size_bytes):
            self.evict(1)
        self.evict(len(self) + (size_bytes > 0) - self._most_blocks)
        return True

    def _discard(self, number: int) -> None:
        """Let a block go whose rows the index no longer has."""
        sealed = self._sealed.pop(number)
        if number < self._next_number:
            heappush(self._free_numbers, number)
        self._wasteful.pop(number, None)
        self._decoded.pop(number)
        self._block_bytes -= sealed.bytes
        self._account.release(sealed.bytes)
        self.edges -= sealed.live_edges
        self.gone_edges -= sealed.header.links - sealed.live_edges


def _charged_bytes(block: bytes, rows: int) -> int:
    return len(block) + BLOCK_OVERHEAD_BYTES + (rows + 7) // 8
