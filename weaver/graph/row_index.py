"""RowIndex: where a node's row of edges is, for any subset of dense ids, in 4 bytes an id."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from weaver.codec import Nodes, Targets
from weaver.memory.budget import Account

CHUNK_IDS = 512
# The array's own bytes, its header, the chunk's object and dict slot (measured with tracemalloc).
CHUNK_BYTES = CHUNK_IDS * 4 + 320
_ZEROS = bytes(CHUNK_IDS * 4)


class _Chunk:
    __slots__ = ("locators", "used")

    def __init__(self) -> None:
        self.locators = array("I", _ZEROS)
        self.used = 0


class RowIndex:
    """Node id to a non-zero 32-bit locator; 0 means that the node has no row in RAM.

    A chunk of 512 consecutive ids is there while one of them has a locator, so the index follows the rows wherever
    the crawl goes in the id space, and needs no eviction of its own. The owner makes room in the account
    first (`reserve`). Invariants: `len` is the number of locators; no chunk is empty. Calls for one node are O(1).
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._chunks: dict[int, _Chunk] = {}
        self._count = 0

    def __repr__(self) -> str:
        return f"RowIndex({self._count} rows in {len(self._chunks)} chunks)"

    def __len__(self) -> int:
        return self._count

    @property
    def bytes(self) -> int:
        """What all chunks are charged at."""
        return len(self._chunks) * CHUNK_BYTES

    def needed_bytes(self, node: int) -> int:
        """What a locator for this node would charge."""
        return 0 if node // CHUNK_IDS in self._chunks else CHUNK_BYTES

    def get(self, node: int) -> int:
        """The node's locator, or 0."""
        chunk = self._chunks.get(node // CHUNK_IDS)
        return chunk.locators[node % CHUNK_IDS] if chunk is not None else 0

    def reserve(self, node: int) -> bool:
        """Charge what a locator for this node takes; the `put` follows at once. False where the account refuses."""
        if node // CHUNK_IDS in self._chunks:
            return True
        if not self._account.try_charge(CHUNK_BYTES):
            return False
        self._chunks[node // CHUNK_IDS] = _Chunk()
        return True

    def put(self, node: int, locator: int) -> None:
        """Set the locator (not 0) of a node that has none, and that was reserved for."""
        chunk = self._chunks[node // CHUNK_IDS]
        assert locator, f"node {node}: 0 is no locator"
        assert not chunk.locators[node % CHUNK_IDS], f"node {node} has a locator already"
        chunk.locators[node % CHUNK_IDS] = locator
        chunk.used += 1
        self._count += 1

    def remove(self, node: int) -> None:
        """Forget the locator of a node that has one; the last of a chunk gives its bytes back."""
        chunk = self._chunks[node // CHUNK_IDS]
        chunk.locators[node % CHUNK_IDS] = 0
        chunk.used -= 1
        self._count -= 1
        if not chunk.used:
            del self._chunks[node // CHUNK_IDS]
            self._account.release(CHUNK_BYTES)

    def remove_all(self, nodes: Nodes) -> None:
        """Forget the locators of those of the nodes, each given once, that have one. O(n), as `get_all`."""
        for chunk_id, places in _by_chunk(nodes):
            chunk = self._chunks.get(chunk_id)
            if chunk is None:
                continue
            locators = np.frombuffer(chunk.locators, np.uint32)
            ids = nodes[places] % CHUNK_IDS
            gone = int(np.count_nonzero(locators[ids]))
            locators[ids] = 0
            chunk.used -= gone
            self._count -= gone
            if not chunk.used:
                del self._chunks[chunk_id]
                self._account.release(CHUNK_BYTES)

    def set(self, node: int, locator: int) -> bool:
        """Set the locator (not 0) of a node whether or not it has one; False where the account refuses."""
        if not self.reserve(node):
            return False
        chunk = self._chunks[node // CHUNK_IDS]
        if not chunk.locators[node % CHUNK_IDS]:
            chunk.used += 1
            self._count += 1
        chunk.locators[node % CHUNK_IDS] = locator
        return True

    def get_all(self, nodes: Nodes) -> Targets:
        """The locator of each node, or 0. O(n), in numpy for the nodes of a chunk."""
        found = np.zeros(len(nodes), np.uint32)
        for chunk_id, places in _by_chunk(nodes):
            chunk = self._chunks.get(chunk_id)
            if chunk is not None:
                found[places] = np.frombuffer(chunk.locators, np.uint32)[nodes[places] % CHUNK_IDS]
        return found

    def check(self) -> None:
        """Assert the invariants; O(ids of all chunks)."""
        for chunk in self._chunks.values():
            assert chunk.used == sum(1 for locator in chunk.locators if locator) > 0, self
        assert self._count == sum(chunk.used for chunk in self._chunks.values()), self


def _by_chunk(nodes: Nodes) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Each chunk that the nodes lie in, with their places among them."""
    order = np.argsort(nodes, kind="stable")
    chunk_ids = nodes[order] // CHUNK_IDS
    starts = np.flatnonzero(chunk_ids[1:] != chunk_ids[:-1]) + 1
    for places in np.split(order, starts) if len(order) else ():
        yield int(nodes[places[0]]) // CHUNK_IDS, places
