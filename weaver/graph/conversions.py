"""The graph for scipy, igraph and rustworkx, where they are installed; index i there is the node of id i + 1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaver.base.optional import optional_library

EXTRA = "graphs"

Indices = NDArray[np.integer[Any]]
Windows = Iterable[tuple[Indices, Indices]]
"""Columns of sources, rising, and targets."""


def scipy_sparse(nodes: int, edges: int, windows: Windows) -> Any:
    """A `scipy.sparse.csr_array` of float32 ones: row i has the targets of index i. 8 B an edge, 4 or 8 a node."""
    sparse = optional_library("scipy.sparse", EXTRA)
    index = np.int32 if max(nodes, edges) < 1 << 31 else np.int64
    offsets: Indices = np.zeros(nodes + 1, index)
    targets: Indices = np.empty(edges, index)
    filled = 0
    for window_sources, window_targets in windows:
        targets[filled : filled + len(window_targets)] = window_targets
        filled += len(window_targets)
        first = int(window_sources[0]) if len(window_sources) else 0
        degrees = np.bincount(window_sources - first)
        offsets[first + 1 : first + 1 + len(degrees)] += degrees
    np.cumsum(offsets, out=offsets)
    return sparse.csr_array((np.ones(edges, np.float32), targets, offsets), shape=(nodes, nodes))


def igraph_graph(nodes: int, windows: Windows) -> Any:
    """A directed `igraph.Graph` with the vertex attribute `id`."""
    igraph = optional_library("igraph", EXTRA)
    graph = igraph.Graph(n=nodes, directed=True)
    graph.vs["id"] = range(1, nodes + 1)
    # All in one call, since each builds the index of all edges anew; as pairs, which take a sixth of an array's time.
    graph.add_edges(chain.from_iterable(_pairs(window) for window in windows))
    return graph


def rustworkx_graph(nodes: int, windows: Windows) -> Any:
    """A `rustworkx.PyDiGraph` whose node payloads are the ids; edges have none."""
    rustworkx = optional_library("rustworkx", EXTRA)
    graph = rustworkx.PyDiGraph(multigraph=False)
    graph.add_nodes_from(range(1, nodes + 1))
    for sources, targets in windows:
        graph.add_edges_from_no_data(list(_pairs((sources, targets))))
    return graph


def _pairs(window: tuple[Indices, Indices]) -> Iterator[tuple[int, int]]:
    return zip(window[0].tolist(), window[1].tolist(), strict=True)
