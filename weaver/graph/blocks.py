"""SealedBlocks: the part of the link graph that is in RAM compressed, a block at a time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, islice

from weaver.codec import DecodedBlock, Row
from weaver.codec.block_codec import BlockCodec
from weaver.codec.container import BlockHeader, read_header, verify
from weaver.memory.bounded import BoundedLRU, StoreStatistics
from weaver.memory.budget import Account

# A block's bytes object, its entry and header, and its places in the directory: 370 B measured.
BLOCK_OVERHEAD_BYTES = 400
# A decoded block's arrays, views and slots beside what the arrays hold: 1,380 B measured.
DECODED_OVERHEAD_BYTES = 1500
# The directory is made exact again once this part of its blocks has left.
LOOSE_SHARE = 8
# Decoded blocks may take an eighth of the account: each displaces about eight sealed ones.
CACHE_SHARE = 8
# A block is decoded whole at this many single rows read from it: that is about what decoding it costs.
ROWS_BEFORE_DECODING = 4


@dataclass(slots=True)
class _Sealed:
    """A block in RAM, and how many rows were read from it since it was last decoded whole."""

    number: int
    header: BlockHeader
    block: bytes
    cold_reads: int = 0

    @property
    def bytes(self) -> int:
        """What it is charged at."""
        return len(self.block) + BLOCK_OVERHEAD_BYTES


class SealedBlocks:
    """Sealed blocks in the order they were put; what was put first leaves first, and stays on disk.

    A block has the number that it has on disk, newer ones higher numbers. Their ranges of nodes may overlap; of a node
    with a row in several, the newest counts. Blocks asked for often are also kept decoded, in an eighth of the account
    at most, and these leave before any block does. Bounds: `most_blocks`, and the account's bytes.

    Invariants: the directory has each block once, by its first node, with a reach no lower than any last node up to
    there; only blocks that are here are kept decoded; what is charged is the blocks with BLOCK_OVERHEAD_BYTES each,
    and the decoded ones.
    """

    def __init__(self, account: Account, codec: BlockCodec | None = None, most_blocks: int = 1 << 20) -> None:
        self._account = account
        self._codec = codec or BlockCodec()
        self._most_blocks = most_blocks
        self._sealed: dict[int, _Sealed] = {}
        self._block_bytes = 0
        # The directory: (first node, number) in order, and beside each the highest last node so far, which may be one
        # of a block that left.
        self._begins: list[tuple[int, int]] = []
        self._reach: list[int] = []
        self._loose = 0
        self._decoded: BoundedLRU[int, DecodedBlock] = BoundedLRU(
            "decoded blocks",
            most_blocks,
            account=account,
            entry_bytes=DECODED_OVERHEAD_BYTES,
            bytes_of=lambda _, decoded: decoded.bytes,
        )
        self.rows = 0
        self.edges = 0
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
    def capacity(self) -> int:
        """The most blocks it could hold, each of next to nothing."""
        return min(self._most_blocks, self._account.limit // BLOCK_OVERHEAD_BYTES)

    @property
    def resident_bytes(self) -> int:
        """What the store has charged to its account."""
        return self._block_bytes + self._decoded.statistics().bytes

    def put(self, number: int, block: bytes) -> bool:
        """Keep a block, instead of an older one of its number; False where it alone would not fit.

        Those put first make way; a block that is refused leaves none of its number behind. Raises BlockDamaged. O(1)
        where first nodes ascend, else a move within the directory.
        """
        verify(block)
        sealed = _Sealed(number, read_header(block), block)
        if number in self._sealed:
            self._forget(number)
        if not self._make_room(sealed.bytes):
            self._refused += 1
            return False
        self._account.charge(sealed.bytes)
        self._block_bytes += sealed.bytes
        self._sealed[number] = sealed
        self.rows += sealed.header.rows
        self.edges += sealed.header.links
        self._enter(sealed)
        self._peak = max(self._peak, len(self))
        return True

    def row(self, node: int) -> Row | None:
        """The node's newest edges as (targets, kinds), to be read only; None where they are not here.

        From a decoded block O(log rows), else O(rows of the block); where ranges overlap, for each in question.
        """
        for sealed in self._candidates(node):
            found = self._read(sealed, node)
            if found is not None:
                self._hits += 1
                return found
        self._misses += 1
        return None

    def windows(self, window_bytes: int) -> Iterator[list[DecodedBlock]]:
        """All blocks decoded, by number, in runs that take about `window_bytes`, one block at least.

        The blocks are those of the moment of the call. A node with rows in several comes with each, the newest last.
        """
        window: list[DecodedBlock] = []
        held_bytes = 0
        for _, sealed in sorted(self._sealed.items()):
            decoded = self._codec.decode(sealed.block)
            if window and held_bytes + decoded.bytes > window_bytes:
                yield window
                window, held_bytes = [], 0
            window.append(decoded)
            held_bytes += decoded.bytes
        if window:
            yield window

    def evict(self, n: int) -> list[tuple[int, bytes]]:
        """Let the `n` oldest blocks go; each as (number, block). O(n) amortised, but for moves within the directory."""
        left = [(number, self._forget(number)) for number in list(islice(self._sealed, max(0, n)))]
        self._evicted += len(left)
        self._account.record_evicted(len(left))
        return left

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
        """Assert the invariants; O(blocks and their bytes)."""
        ends = [self._sealed[number].header.last_node for _, number in self._begins]
        assert self._begins == sorted((each.header.first_node, number) for number, each in self._sealed.items()), self
        assert self._reach == sorted(self._reach), self
        assert all(reach >= end for reach, end in zip(self._reach, ends, strict=True)), self
        assert self._loose <= len(self) // LOOSE_SHARE, self
        assert sum(sealed.bytes for sealed in self._sealed.values()) == self._block_bytes, self
        assert sum(sealed.header.rows for sealed in self._sealed.values()) == self.rows, self
        assert sum(sealed.header.links for sealed in self._sealed.values()) == self.edges, self
        assert dict(self._decoded.items()).keys() <= self._sealed.keys(), self
        assert len(self) <= min(self._peak, self._most_blocks), self
        assert self.resident_bytes <= self._account.used, self
        self._decoded.check()

    def _candidates(self, node: int) -> list[_Sealed]:
        """The blocks whose range has the node, newest first; O(log blocks) where ranges don't overlap."""
        index = bisect_left(self._begins, (node + 1,)) - 1
        found: list[int] = []
        while index >= 0 and self._reach[index] >= node:
            number = self._begins[index][1]
            if self._sealed[number].header.last_node >= node:
                found.append(number)
            index -= 1
        if len(found) > 1:
            found.sort(reverse=True)
        return [self._sealed[number] for number in found]

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
        """Let decoded blocks go, then the oldest ones, until one of this size fits; False where it never could."""
        others_bytes = self._account.used - self.resident_bytes
        if size_bytes and others_bytes + size_bytes > self._account.limit:
            return False
        while not self._account.would_fit(size_bytes) and self._decoded.evict(1):
            pass
        leaving = self._leaving(size_bytes)
        if leaving:
            self.evict(leaving)
        return True

    def _leaving(self, size_bytes: int) -> int:
        """How many of the oldest stand in the way of a block of this size; of 0, in the way of what is here."""
        excess_bytes = self._account.used + size_bytes - self._account.limit
        excess_blocks = len(self) + (size_bytes > 0) - self._most_blocks
        for passed, sealed in enumerate(self._sealed.values()):
            if excess_bytes <= 0 and excess_blocks <= passed:
                return passed
            excess_bytes -= sealed.bytes
        return len(self)

    def _enter(self, sealed: _Sealed) -> None:
        """Put a block into the directory: at its end where first nodes ascend."""
        begin = sealed.header.first_node, sealed.number
        index = bisect_left(self._begins, begin)
        reach = max(self._reach[index - 1] if index else 0, sealed.header.last_node)
        self._begins.insert(index, begin)
        self._reach.insert(index, reach)
        for after in range(index + 1, len(self._reach)):
            if self._reach[after] >= reach:
                break
            self._reach[after] = reach

    def _forget(self, number: int) -> bytes:
        sealed = self._sealed.pop(number)
        self._decoded.pop(number)
        self._block_bytes -= sealed.bytes
        self._account.release(sealed.bytes)
        self.rows -= sealed.header.rows
        self.edges -= sealed.header.links
        self._leave(sealed)
        return sealed.block

    def _leave(self, sealed: _Sealed) -> None:
        """Take a block out of the directory; the reaches that it raised are made exact now and then."""
        index = bisect_left(self._begins, (sealed.header.first_node, sealed.number))
        del self._begins[index], self._reach[index]
        self._loose += 1
        if self._loose > len(self) // LOOSE_SHARE:
            ends = (self._sealed[number].header.last_node for _, number in self._begins)
            self._reach = list(accumulate(ends, max))
            self._loose = 0
