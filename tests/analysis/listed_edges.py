"""Graphs of a few edges for tests of the analyses: as an edge source, as rows, and as networkx has them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import networkx as nx
import numpy as np
from hypothesis import strategies as st

from weaver.analysis.csr import Csr, build_csr
from weaver.analysis.edge_stream import EdgeWindow, distinct_pairs, offsets_of
from weaver.analysis.matrices import GraphMatrices, MemoryWindow

Pairs = list[tuple[int, int]]
SMALL = MemoryWindow(1 << 20)
"""A window of 4,096 edges, or a little over."""


class ListedEdges:
    """An edge source of given pairs of ids, of kind 0, a few rows a window."""

    def __init__(self, nodes: int, pairs: Iterable[tuple[int, int]], rows_per_window: int = 3) -> None:
        self.nodes = nodes
        self.version = 1
        self.passes = 0
        self._pairs = np.array(sorted(pairs), np.uint32).reshape(-1, 2)
        self._rows_per_window = rows_per_window

    def __iter__(self) -> Iterator[EdgeWindow]:
        self.passes += 1
        nodes, begins = np.unique(self._pairs[:, 0], return_index=True)
        ends = np.append(begins[1:], len(self._pairs))
        for at in range(0, len(nodes), self._rows_per_window):
            part = slice(at, at + self._rows_per_window)
            targets = self._pairs[begins[part][0] : ends[part][-1], 1]
            yield EdgeWindow(
                nodes[part], offsets_of(ends[part] - begins[part]), targets, np.zeros(len(targets), np.uint8)
            )


def rows_of(nodes: int, pairs: Pairs, directory: Path, is_resident: bool = True) -> Csr:
    """The rows of a graph, in RAM or in a scratch file, in windows of 8 edges."""
    windows = map(distinct_pairs, ListedEdges(nodes, pairs))
    return build_csr(windows, nodes, 1 << 20 if is_resident else 0, directory, edges_per_window=8)


@contextmanager
def made_rows(nodes: int, pairs: Pairs, is_resident: bool = True) -> Iterator[tuple[Csr, Csr]]:
    """The rows and the transposed rows, with a directory of their own."""
    with tempfile.TemporaryDirectory() as folder:
        rows = rows_of(nodes, pairs, Path(folder), is_resident)
        transposed = rows_of(nodes, [(target, source) for source, target in pairs], Path(folder), is_resident)
        try:
            yield rows, transposed
        finally:
            rows.close()
            transposed.close()


def matrices_of(nodes: int, pairs: Iterable[tuple[int, int]], directory: Path) -> GraphMatrices:
    """The matrices of a graph, in a small window."""
    return GraphMatrices(ListedEdges(nodes, pairs, rows_per_window=2000), SMALL, directory, bytes_per_node=8)


def networkx_of(nodes: int, pairs: Pairs) -> nx.DiGraph[int]:
    """The same graph with nodes counted from 0, as rows count them."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(nodes))
    graph.add_edges_from((source - 1, target - 1) for source, target in pairs)
    return graph


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, Pairs]:
    """A number of nodes, and pairs among them with repeats and loops."""
    nodes = draw(st.integers(1, 25))
    ends = st.integers(1, nodes)
    return nodes, draw(st.lists(st.tuples(ends, ends), max_size=80))
