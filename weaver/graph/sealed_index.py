"""SealedIndex: which block has a node's row, in 4 bytes a row."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaver.codec import Nodes
from weaver.memory.budget import Account

CHUNK_BITS = 16
# The low half of an id, and a block's number in as few bytes as the numbers so far need.
LEAST_ROW_BYTES = 2 + 2
MOST_ROW_BYTES = 2 + 4
# Two arrays with their views, the chunk's object and dict slot: 900 B measured.
CHUNK_OVERHEAD_BYTES = 1000

Numbers = NDArray[np.unsignedinteger[Any]]


class _Chunk:
    """The rows of 65,536 consecutive ids: the low half of each id, rising, and its block."""

    __slots__ = ("blocks", "lows", "places")

    def __init__(self, lows: NDArray[np.uint16], blocks: Numbers) -> None:
        self.lows = lows
        self.blocks = blocks
        # Read through a memoryview, which gives Python ints at a third of numpy's cost.
        self.places = lows.data

    @property
    def bytes(self) -> int:
        return _chunk_bytes(self.lows, self.blocks)


class SealedIndex:
    """Node id to the number of a block; what it costs follows the rows, not the ids between them.

    Numbers below 65,536 take 2 bytes each, in a chunk that had a higher one 4. Invariants: a chunk's ids rise strictly;
    no chunk is empty; what is charged is the chunks. A look-up is O(log of a chunk's rows); entering and removing
    rows is O(rows of their chunks), in numpy.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._chunks: dict[int, _Chunk] = {}
        self._count = 0
        self.bytes = 0

    def __repr__(self) -> str:
        return f"SealedIndex({self._count} rows in {len(self._chunks)} chunks, {self.bytes} B)"

    def __len__(self) -> int:
        return self._count

    def get(self, node: int) -> int | None:
        """The block that has the node's row; None where no block has."""
        chunk = self._chunks.get(node >> CHUNK_BITS)
        if chunk is None:
            return None
        low = node & 0xFFFF
        place = bisect_left(chunk.places, low)
        if place == len(chunk.places) or chunk.places[place] != low:
            return None
        return int(chunk.blocks[place])

    def get_all(self, nodes: Nodes) -> NDArray[np.int64]:
        """The block of each of the nodes, which rise; -1 where no block has it."""
        found = np.full(len(nodes), -1, np.int64)
        for chunk_id, begin, end in _chunks_of(nodes):
            chunk = self._chunks.get(chunk_id)
            if chunk is not None:
                lows = (nodes[begin:end] & 0xFFFF).astype(np.uint16)
                places = np.minimum(np.searchsorted(chunk.lows, lows), len(chunk.lows) - 1)
                found[begin:end] = np.where(chunk.lows[places] == lows, chunk.blocks[places].astype(np.int64), -1)
        return found

    def needed_bytes(self, nodes: Nodes) -> int:
        """The most that entering these nodes, which rise, would charge."""
        chunks = [self._chunks.get(chunk_id) for chunk_id, _, _ in _chunks_of(nodes)]
        wider_bytes = sum(2 * len(chunk.lows) for chunk in chunks if chunk is not None and chunk.blocks.itemsize == 2)
        return len(nodes) * MOST_ROW_BYTES + chunks.count(None) * CHUNK_OVERHEAD_BYTES + wider_bytes

    def enter(self, nodes: Nodes, block: int) -> None:
        """The block has the rows of these nodes, which rise and are in no other; the account has room for them."""
        for chunk_id, begin, end in _chunks_of(nodes):
            lows = (nodes[begin:end] & 0xFFFF).astype(np.uint16)
            blocks: Numbers = np.full(len(lows), block, np.uint16 if block <= 0xFFFF else np.uint32)
            chunk = self._chunks.get(chunk_id)
            if chunk is not None:
                places = np.searchsorted(chunk.lows, lows)
                before = chunk.blocks if chunk.blocks.itemsize >= blocks.itemsize else chunk.blocks.astype(np.uint32)
                lows, blocks = np.insert(chunk.lows, places, lows), np.insert(before, places, blocks)
            self._replace(chunk_id, lows, blocks)

    def remove(self, nodes: Nodes) -> None:
        """Forget these nodes, which rise and have an entry each."""
        for chunk_id, begin, end in _chunks_of(nodes):
            chunk = self._chunks[chunk_id]
            places = np.searchsorted(chunk.lows, (nodes[begin:end] & 0xFFFF).astype(np.uint16))
            self._replace(chunk_id, np.delete(chunk.lows, places), np.delete(chunk.blocks, places))

    def check(self) -> None:
        """Assert the invariants; O(rows)."""
        for chunk in self._chunks.values():
            assert len(chunk.lows) == len(chunk.blocks) > 0, self
            assert (chunk.lows[1:] > chunk.lows[:-1]).all(), self
        assert sum(len(chunk.lows) for chunk in self._chunks.values()) == self._count, self
        assert sum(chunk.bytes for chunk in self._chunks.values()) == self.bytes, self

    def _replace(self, chunk_id: int, lows: NDArray[np.uint16], blocks: Numbers) -> None:
        old = self._chunks.pop(chunk_id, None)
        more_bytes = (_chunk_bytes(lows, blocks) if len(lows) else 0) - (0 if old is None else old.bytes)
        # In one sum: where the account's limit has fallen, what shrinks must not be charged again.
        if more_bytes > 0:
            self._account.hold(more_bytes)
        else:
            self._account.release(-more_bytes)
        if len(lows):
            self._chunks[chunk_id] = _Chunk(lows, blocks)
        self._count += len(lows) - (0 if old is None else len(old.lows))
        self.bytes += more_bytes


def _chunk_bytes(lows: NDArray[np.uint16], blocks: Numbers) -> int:
    return lows.nbytes + blocks.nbytes + CHUNK_OVERHEAD_BYTES


def _chunks_of(nodes: Nodes) -> Iterator[tuple[int, int, int]]:
    """(chunk, begin, end) of each run of the nodes, which rise."""
    begin = 0
    while begin < len(nodes):
        chunk_id = int(nodes[begin]) >> CHUNK_BITS
        end = begin + int(np.searchsorted(nodes[begin:] >> np.uint32(CHUNK_BITS), chunk_id, side="right"))
        yield chunk_id, begin, end
        begin = end
