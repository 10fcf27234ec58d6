"""Weak and strong components of a graph on disk, in memory of a few bytes a node."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.csr import Csr, Indices
from weaver.analysis.depth_first import strong_rest
from weaver.analysis.edge_stream import EDGES_PER_WINDOW, sorted_distinct
from weaver.analysis.paths import waves

WEAK_BYTES_PER_NODE = 24
"""Labels of 4 B, and the list of a level or the counts of the components for a moment."""
STRONG_BYTES_PER_NODE = 64
"""The offsets of rows and transposed rows, labels, degrees both ways, and what Tarjan's algorithm keeps of a node."""
# A chain of a million pages is trimmed a page at a time: past so many waves the search in depth is quicker.
MOST_WAVES = 256

Labels = NDArray[np.uint32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Components:
    """Which component each node is in, named by one of its nodes, and the sizes of all, the largest first."""

    labels: Labels
    sizes: Indices

    @property
    def count(self) -> int:
        return len(self.sizes)

    @property
    def largest(self) -> int:
        return int(self.sizes[0]) if len(self.sizes) else 0


def weak_components(rows: Csr) -> Components:
    """Components of the graph without its directions: union-find on 4 B a node, one pass over the edges.

    Invariant: a label names the node itself, a root, or a lower node of the same component.
    """
    labels: Labels = np.arange(rows.nodes, dtype=np.uint32)
    for window in rows.windows():
        _unite(labels, window.sources.astype(np.uint32), window.targets)
    _flatten(labels, None)
    return _sized(labels)


def strong_components(rows: Csr, transposed: Csr) -> Components:
    """Components whose nodes all reach each other, in three steps, each on what the ones before have left.

    1. Trim: a node that nothing left leads to, or that leads to nothing left, is a component of its own.
    2. The component of a well linked node, on the web most of the rest: what it reaches and what reaches it.
    3. Tarjan's algorithm (1972), one node at a time.
    """
    labels: Labels = np.arange(rows.nodes, dtype=np.uint32)
    is_left = np.ones(rows.nodes, np.bool_)
    _trim(rows, transposed, is_left)
    _take_hub(rows, transposed, labels, is_left)
    _trim(rows, transposed, is_left)
    strong_rest(rows, labels, is_left)
    return _sized(labels)


def _unite(labels: Labels, left: Labels, right: Labels) -> None:
    """Join the components of each pair."""
    left, right = _roots(labels, left), _roots(labels, right)
    while True:
        differs = left != right
        if not differs.any():
            return
        left, right = left[differs], right[differs]
        # Of several that want one root the last wins, the others come again; a root goes under a lower one only.
        labels[np.maximum(left, right)] = np.minimum(left, right)
        touched = sorted_distinct(np.concatenate((left, right)))
        _flatten(labels, touched)
        left, right = labels[left], labels[right]


def _roots(labels: Labels, nodes: Labels) -> Labels:
    """The roots of these nodes, which now point there directly."""
    found = labels[nodes]
    while True:
        above = labels[found]
        if np.array_equal(above, found):
            labels[nodes] = found
            return found
        found = above


def _flatten(labels: Labels, nodes: Labels | None) -> None:
    """Let these nodes, or all, point to their roots: the way there halves in each round."""
    while True:
        changed = False
        for at in range(0, len(labels) if nodes is None else len(nodes), EDGES_PER_WINDOW):
            part = slice(at, at + EDGES_PER_WINDOW)
            chosen: slice | Labels = part if nodes is None else nodes[part]
            before = labels[chosen]
            after = labels[before]
            if not np.array_equal(before, after):
                labels[chosen] = after
                changed = True
        if not changed:
            return


def _sized(labels: Labels) -> Components:
    sizes = np.bincount(labels, minlength=1)
    return Components(labels, np.sort(sizes[sizes > 0])[::-1].copy())


def _trim(rows: Csr, transposed: Csr, is_left: Flags) -> None:
    """Take away what can't be on a circle; its label is its own already."""
    for out_rows, in_rows in ((rows, transposed), (transposed, rows)):
        degrees = _degrees_left(in_rows, is_left)
        for _ in range(MOST_WAVES):
            bare = np.flatnonzero(is_left & (degrees == 0))
            if not len(bare):
                break
            is_left[bare] = False
            for batch in out_rows.rows(bare):
                np.subtract.at(degrees, batch.targets.astype(np.intp), np.int32(1))


def _degrees_left(rows: Csr, is_left: Flags) -> NDArray[np.int32]:
    """How many others that are left each node names; a loop leads nowhere else."""
    degrees = np.zeros(rows.nodes, np.int32)
    for window in rows.windows():
        sources = window.sources
        counts = is_left[window.targets] & (window.targets != sources)
        first = int(window.nodes[0])
        degrees[first : first + len(window.nodes)] = np.bincount(sources[counts] - first, minlength=len(window.nodes))
    return degrees


def _take_hub(rows: Csr, transposed: Csr, labels: Labels, is_left: Flags) -> None:
    """Label the component of the node with the largest product of degrees, and take it away."""
    if not is_left.any():
        return
    hub = int(np.argmax(rows.degrees.astype(np.float64) * transposed.degrees * is_left))
    is_reached = _reached(rows, hub, is_left)
    is_reached &= _reached(transposed, hub, is_left)
    labels[is_reached] = hub
    is_left &= ~is_reached


def _reached(rows: Csr, start: int, is_left: Flags) -> Flags:
    is_new = is_left.copy()
    for _ in waves(rows, np.array([start]), is_new):
        pass
    return is_left & ~is_new
