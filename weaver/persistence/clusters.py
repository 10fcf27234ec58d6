"""Clusters: the pages that pairs of pages join, directly or through others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaver.codec import Nodes

Flags = NDArray[np.bool_]
Places = NDArray[np.int32]


class Clusters:
    """`nodes` are all pages of pairs so far, by rising id, and `names` beside each the smallest id of its cluster.

    A page paired with itself is a cluster of its own where no other pair has it. Memory: 8 B a page, and 30 B for each
    page and pair while some are joined.
    """

    def __init__(self) -> None:
        self.nodes: Nodes = np.zeros(0, np.uint32)
        self.names: Nodes = np.zeros(0, np.uint32)

    def __repr__(self) -> str:
        return f"Clusters(pages={len(self.nodes)}, clusters={self.count})"

    @property
    def count(self) -> int:
        """How many there are."""
        return int(np.count_nonzero(self.nodes == self.names))

    def join(self, ones: Nodes, others: Nodes) -> None:
        """Take in pairs. O(n log n) for n pages and pairs, times the logarithm of the longest chain at worst."""
        self.nodes, self.names = _joined(
            np.concatenate([self.nodes, ones], dtype=np.uint32), np.concatenate([self.names, others], dtype=np.uint32)
        )

    def are_apart(self, ones: Nodes, others: Nodes) -> Flags:
        """Which pairs would join something."""
        is_apart: Flags = self._names_of(ones) != self._names_of(others)
        return is_apart

    def with_any(self, pages: Nodes) -> Clusters:
        """Those clusters that have one of these pages; all of the pages are in some cluster."""
        found = Clusters()
        is_kept = np.isin(self.names, np.unique(self._names_of(pages)))
        found.nodes, found.names = self.nodes[is_kept], self.names[is_kept]
        return found

    def _names_of(self, pages: Nodes) -> Nodes:
        """A page that is in no cluster has its own name."""
        if not len(self.nodes):
            return pages
        places = np.minimum(np.searchsorted(self.nodes, pages), len(self.nodes) - 1)
        return np.where(self.nodes[places] == pages, self.names[places], pages)


def _joined(ones: Nodes, others: Nodes) -> tuple[Nodes, Nodes]:
    nodes = np.unique(np.concatenate([ones, others]))
    left = np.searchsorted(nodes, ones).astype(np.int32)
    right = np.searchsorted(nodes, others).astype(np.int32)
    firsts = np.arange(len(nodes), dtype=np.int32)
    while len(left):
        _hang(firsts, left, right)
        is_apart = firsts[left] != firsts[right]
        left, right = left[is_apart], right[is_apart]
    return nodes, nodes[firsts]


def _hang(firsts: Places, left: Places, right: Places) -> None:
    """Hang the later root of each pair below the earlier one, then bring every page straight to its root."""
    one, other = firsts[left], firsts[right]
    np.minimum.at(firsts, np.maximum(one, other), np.minimum(one, other))
    while not np.array_equal(above := firsts[firsts], firsts):
        firsts[:] = above
