"""Distances in a graph on disk: breadth-first levels, the nodes within k links, and a shortest path."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.csr import Csr, Indices
from weaver.analysis.edge_stream import sorted_distinct

UNREACHED = -1
BYTES_PER_NODE = 28
"""Offsets of 8 B, a level and a parent of 4, and the marks and lists of one level."""

Levels = NDArray[np.int32]
Flags = NDArray[np.bool_]


def bfs_levels(rows: Csr, source: int, most_hops: int | None = None) -> Levels:
    """How many links each node is away from `source`, UNREACHED for the others; O(edges + nodes), a level at a time."""
    levels: Levels = np.full(rows.nodes, UNREACHED, np.int32)
    levels[source] = 0
    is_new = levels == UNREACHED
    for hops, found in enumerate(waves(rows, np.array([source]), is_new), start=1):
        if most_hops is not None and hops > most_hops:
            break
        levels[found] = hops
    return levels


def level_sizes(levels: Levels) -> list[int]:
    """How many nodes there are at each distance, the source's own level first."""
    return [int(count) for count in np.bincount(levels[levels >= 0])]


def shortest_path(rows: Csr, source: int, target: int) -> list[int]:
    """One of the shortest paths, both ends in it; empty where there is none. O(edges + nodes)."""
    parents = np.full(rows.nodes, UNREACHED, np.int64)
    parents[source] = source
    frontier = np.array([source], np.int64)
    while len(frontier) and parents[target] == UNREACHED:
        frontier = _adopted(rows, frontier, parents)
    return _traced(parents, source, target)


def waves(rows: Csr, frontier: Indices, is_new: Flags) -> Iterator[Indices]:
    """The nodes at distance 1, 2, ... from `frontier` among those marked new, rising; their marks are taken away."""
    is_new[frontier] = False
    while True:
        found = []
        for batch in rows.rows(frontier):
            targets = batch.targets[is_new[batch.targets]]
            is_new[targets] = False
            found.append(sorted_distinct(targets).astype(np.int64))
        frontier = np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)
        if not len(frontier):
            return
        yield frontier


def _adopted(rows: Csr, frontier: Indices, parents: Indices) -> Indices:
    """The next level, each node with a parent in this one."""
    found = []
    for batch in rows.rows(frontier):
        is_new = parents[batch.targets] == UNREACHED
        targets = batch.targets[is_new]
        parents[targets] = batch.sources[is_new]
        found.append(sorted_distinct(targets).astype(np.int64))
    return np.sort(np.concatenate(found))


def _traced(parents: Indices, source: int, target: int) -> list[int]:
    if parents[target] == UNREACHED:
        return []
    path = [target]
    while path[-1] != source:
        path.append(int(parents[path[-1]]))
    return path[::-1]
