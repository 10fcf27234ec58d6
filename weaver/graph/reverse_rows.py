"""ReverseRows: who links to each node of the resident graph, derived once for each version."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaver.codec import Nodes
from weaver.graph.store import GraphStore


class ReverseRows:
    """The distinct (source, target) pairs in RAM by target, made when they are asked for after the graph has changed.

    4 B a pair and 8 B a node as long as this object lives, 17 B an edge while they are made; charged to no account.
    """

    def __init__(self, store: GraphStore) -> None:
        self._store = store
        self._version = -1
        self._sources: Nodes = np.empty(0, np.uint32)
        self._offsets: NDArray[np.int64] = np.zeros(2, np.int64)
        self.builds = 0

    def __repr__(self) -> str:
        return f"ReverseRows({len(self._sources)} pairs of version {self._version}, built {self.builds} times)"

    @property
    def pairs(self) -> int:
        """How many distinct pairs there are. As `of`."""
        self._bring_up_to_date()
        return len(self._sources)

    def of(self, node: int) -> list[int]:
        """Who links to the node, rising. O(sources); after a change O(edges log edges), some 0.1 us an edge."""
        self._bring_up_to_date()
        sources: list[int] = self._sources[self._offsets[node] : self._offsets[node + 1]].tolist()
        return sources

    def _bring_up_to_date(self) -> None:
        if self._version == self._store.version:
            return
        pairs = self._pairs()
        targets = (pairs >> np.uint64(32)).astype(np.uint32)
        self._sources = pairs.astype(np.uint32)
        # A node's sources lie between its offset and the next node's.
        self._offsets = np.searchsorted(targets, np.arange(self._store.nodes + 2, dtype=np.uint32))
        self._version = self._store.version
        self.builds += 1

    def _pairs(self) -> NDArray[np.uint64]:
        """Each pair once as target and source in one number, rising."""
        pairs = np.empty(self._store.resident_edges, np.uint64)
        filled = 0
        for sources, targets, _ in self._store.links_to(None):
            pairs[filled : filled + len(sources)] = targets.astype(np.uint64) << np.uint64(32) | sources
            filled += len(sources)
        pairs.sort()
        is_first = np.ones(len(pairs), np.bool_)
        np.not_equal(pairs[1:], pairs[:-1], out=is_first[1:])
        return pairs if is_first.all() else pairs[is_first]
