"""Tarjan's search in depth for strong components, without recursion, on arrays of 4 B a node."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.csr import Csr
from weaver.analysis.edge_stream import EDGES_PER_WINDOW

CHUNK_TARGETS = 32
"""Targets of a node that are looked at in one go; each time the search comes back to it they are read again."""


def strong_rest(rows: Csr, labels: NDArray[np.uint32], is_left: NDArray[np.bool_]) -> None:
    """Label the strong components among the nodes that are left, each by its first one found. O(their edges)."""
    search = _Search(rows, labels, is_left)
    for first in range(0, len(is_left), EDGES_PER_WINDOW):
        for node in (np.flatnonzero(is_left[first : first + EDGES_PER_WINDOW]) + first).tolist():
            if not search.order[node]:
                search.run(node)


class _Search:
    """One search over all nodes left.

    `order` is a node's number in the order of discovery, 0 before that; `low` the least number known to be reachable
    from it among the nodes on `open`; a node leaves `open` with its component, and its order becomes CLOSED.
    """

    CLOSED = (1 << 32) - 1

    def __init__(self, rows: Csr, labels: NDArray[np.uint32], is_left: NDArray[np.bool_]) -> None:
        self._rows, self._labels, self._is_left = rows, labels, is_left
        self._offsets = rows.offsets.data
        self.order = array("I", bytes(4 * rows.nodes))
        self._low = array("I", bytes(4 * rows.nodes))
        self._next = array("I", bytes(4 * rows.nodes))
        self._open = array("I")
        self._path = array("I")
        self._found = 0

    def run(self, start: int) -> None:
        """Search from one node."""
        self._enter(start)
        while self._path:
            node = self._path[-1]
            child = self._next_child(node)
            if child is not None:
                self._enter(child)
                continue
            self._path.pop()
            if self._path:
                above = self._path[-1]
                self._low[above] = min(self._low[above], self._low[node])
            if self._low[node] == self.order[node]:
                self._close(node)

    def _enter(self, node: int) -> None:
        self._found += 1
        self.order[node] = self._low[node] = self._found
        self._open.append(node)
        self._path.append(node)

    def _next_child(self, node: int) -> int | None:
        """The next target that was not found before; the others on the way there tell how low the node reaches."""
        order, low = self.order, self._low[node]
        end = self._offsets[node + 1]
        at = self._offsets[node] + self._next[node]
        while at < end:
            targets = self._rows.targets(at, min(at + CHUNK_TARGETS, end))
            is_left = self._is_left[targets].tolist()
            for step, target in enumerate(targets.tolist(), start=1):
                if not is_left[step - 1]:
                    continue
                number = order[target]
                if not number:
                    self._next[node] = at + step - self._offsets[node]
                    self._low[node] = low
                    return int(target)
                low = min(low, number)
            at += len(targets)
        self._next[node] = end - self._offsets[node]
        self._low[node] = low
        return None

    def _close(self, root: int) -> None:
        """All that was opened since the root is its component."""
        while True:
            node = self._open.pop()
            self._labels[node] = root
            self.order[node] = self.CLOSED
            if node == root:
                return
