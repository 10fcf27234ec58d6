"""The same edges in what Python has for graphs, each to be watched in a process of its own."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import igraph
import networkx
import rustworkx

from benchmarks.graph_web import EdgeFiles
from benchmarks.outside import Work

Page = tuple[int, list[int]]
Pages = Iterator[Page]


def peer(name: str, files: EdgeFiles) -> Work:
    """One of PEERS made of the edges, page by page where it can be."""
    make = PEERS[name]
    made = make(3, iter([(1, [2, 3]), (2, [3])]))
    nodes = max([files.pages, *(int(window.targets.max(initial=0)) for window in files.windows())])
    yield {}
    reader = _Reader(files)
    started = time.process_time()
    made = make(nodes, reader.pages())
    cpu_s = time.process_time() - started - reader.cpu_s
    yield {"edges": files.edges, "build_cpu_s": round(cpu_s, 3), "build_edges_per_s": round(files.edges / cpu_s)}
    del made


class _Reader:
    """Pages as Python's own numbers, and the time that it took to make them."""

    def __init__(self, files: EdgeFiles) -> None:
        self._files = files
        self.cpu_s = 0.0

    def pages(self) -> Pages:
        for window in self._files.windows():
            started = time.process_time()
            targets = window.targets.tolist()
            rows = [targets[begin:end] for begin, end in itertools.pairwise(window.begins)]
            self.cpu_s += time.process_time() - started
            yield from enumerate(rows, start=window.first)


def _dict_of_sets(nodes: int, pages: Pages) -> dict[int, set[int]]:
    """A node is one object wherever it occurs: without that a set takes half as much again."""
    ids = list(range(nodes + 1))
    return {ids[node]: {ids[target] for target in targets} for node, targets in pages}


def _networkx(nodes: int, pages: Pages) -> Any:
    ids = list(range(nodes + 1))
    graph: networkx.DiGraph[int] = networkx.DiGraph()
    graph.add_nodes_from(ids[1:])
    for node, targets in pages:
        graph.add_edges_from((ids[node], ids[target]) for target in targets)
    return graph


def _igraph(nodes: int, pages: Pages) -> Any:
    """In one call: each call builds the index of all edges anew."""
    graph = igraph.Graph(n=nodes + 1, directed=True)
    graph.add_edges((node, target) for node, targets in pages for target in targets)
    return graph


def _rustworkx(nodes: int, pages: Pages) -> Any:
    graph = rustworkx.PyDiGraph(multigraph=True)
    graph.add_nodes_from(range(nodes + 1))
    for node, targets in pages:
        graph.add_edges_from_no_data([(node, target) for target in targets])
    return graph


PEERS: dict[str, Callable[[int, Pages], Any]] = {
    "networkx": _networkx, "igraph": _igraph, "rustworkx": _rustworkx, "dict_of_sets": _dict_of_sets,
}  # fmt: skip
