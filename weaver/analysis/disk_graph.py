"""DiskGraph: the whole link graph of a crawl directory, asked and converted without holding it in RAM."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from weaver.analysis import paths
from weaver.analysis.csr import Csr, Indices
from weaver.analysis.directory import open_reader
from weaver.analysis.edge_stream import EdgeStream, EdgeWindow
from weaver.analysis.graph_documents import node_id
from weaver.analysis.matrices import DEFAULT_MEMORY_BYTES, GraphMatrices, MemoryWindow
from weaver.base.errors import DirectoryError, TooLarge
from weaver.base.optional import optional_library
from weaver.base.page import EdgeKind
from weaver.base.units import format_count, format_size, parse_size
from weaver.graph import conversions

if TYPE_CHECKING:
    from weaver.graph.interop import DiGraph

DEFAULT_COPY_BYTES = 1 << 30
VIEW_CACHE_BYTES = 64 << 20
BYTES_PER_NODE = paths.BYTES_PER_NODE

BYTES_OF = {
    "networkx": (400, 160),
    "igraph": (65, 58),
    "rustworkx": (60, 37),
    "scipy": (8, 8),
}
"""What a node and an edge take in each library, in RSS at the peak of the conversion (benchmarks/graph_exits.py)."""

Node = int | str
"""An id, or a URL that the crawl knows."""


def open_graph(
    directory: str | PathLike[str],
    *,
    kinds: Set[EdgeKind] | None = None,
    memory: int | str = DEFAULT_MEMORY_BYTES,
    copy_limit: int | str = DEFAULT_COPY_BYTES,
) -> DiskGraph:
    """The graph of the crawl in `directory`, also while the crawl is at work; to be closed, or used in `with`.

    `kinds` are the kinds of edges that count, None for all. `memory` bounds what answers to questions about the whole
    graph may take, `copy_limit` what a copy for another library may; both in bytes, or as `256MiB`. Raises
    DirectoryError where there is no crawl.
    """
    counted = None if kinds is None else frozenset(kinds)
    return DiskGraph(Path(directory), counted, MemoryWindow(parse_size(memory)), parse_size(copy_limit))


class DiskGraph:
    """A crawl's graph as it was when it was opened, or last refreshed.

    Nodes are ids from 1 to `nodes`, in the order of their discovery; a URL does wherever a node is asked for. Edges are
    distinct (source, target) pairs. A page's own edges are read from its row; what needs rows of many pages, or the way
    back, is answered from matrices that are derived once: 8 B a node in RAM, 4 B an edge in RAM as far as the memory
    window has room, else in nameless files in the directory.
    """

    def __init__(
        self, directory: Path, kinds: frozenset[EdgeKind] | None, memory: MemoryWindow, copy_bytes: int
    ) -> None:
        self.directory = directory
        self._copy_bytes = copy_bytes
        self._kinds = kinds
        self._memory = memory
        with ExitStack() as stack:
            self._reader = stack.enter_context(open_reader(directory))
            self._matrices = self._new_matrices()
            self._stack = stack.pop_all()

    def __repr__(self) -> str:
        return f"DiskGraph({self.directory}, nodes={self.nodes}, {self._matrices!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._matrices.close()
        self._stack.__exit__(*exc_info)

    def close(self) -> None:
        """Give files and memory back."""
        self.__exit__(None, None, None)

    def refresh(self) -> None:
        """Take in what the crawl has committed since."""
        self._matrices.close()
        self._matrices = self._new_matrices()

    def statistics(self) -> dict[str, Any]:
        """How often a derived matrix was there already, what the matrices take in RAM and in files; `dropped_links`
        says how many left the disk for `graph.disk_limit`."""
        return self._matrices.statistics() | {"dropped_links": self._reader.dropped_links()}

    @property
    def is_partial(self) -> bool:
        """Whether links were dropped for `graph.disk_limit`: no answer has them."""
        return self._reader.dropped_links() > 0

    @property
    def nodes(self) -> int:
        """How many nodes there are: every known URL is one, visited or not."""
        return self._matrices.source.nodes

    @property
    def edges(self) -> int:
        """How many edges there are; O(edges) when first asked."""
        return self._matrices.rows().edges

    def __contains__(self, node: object) -> bool:
        return isinstance(node, int) and 0 < node <= self.nodes

    def id_of(self, node: Node) -> int:
        """The id of a URL, or of an id itself. Raises DirectoryError where this graph doesn't have it."""
        found = node_id(self._reader, node) if isinstance(node, str) else node
        if found not in self:
            raise DirectoryError(f"expected an id from 1 to {self.nodes}, got {found}")
        return found

    def url_of(self, node: Node) -> str:
        """The node's URL."""
        found = self.id_of(node)
        return self._reader.urls_of([found]).get(found, "")

    def neighbours(self, node: Node) -> list[int]:
        """The nodes that it links to, rising; one row is read."""
        return [int(target) for target in np.unique(self._row(self.id_of(node))[0])]

    def edges_of(self, node: Node) -> list[tuple[int, EdgeKind]]:
        """The node's links, each kind of its own: in the order of the page, or by target once they are sealed."""
        targets, kinds = self._row(self.id_of(node))
        return [(target, EdgeKind(kind)) for target, kind in zip(targets.tolist(), kinds.tolist(), strict=True)]

    def predecessors(self, node: Node) -> list[int]:
        """The nodes that link to it, rising."""
        return _ids(self._matrices.transposed().row(self.id_of(node) - 1))

    def out_degree(self, node: Node) -> int:
        """How many nodes it links to."""
        return len(self.neighbours(node))

    def in_degree(self, node: Node) -> int:
        """How many nodes link to it."""
        index = self.id_of(node) - 1
        offsets = self._matrices.transposed().offsets
        return int(offsets[index + 1] - offsets[index])

    def k_hop(self, node: Node, hops: int, *, backwards: bool = False) -> dict[int, int]:
        """The nodes within so many links of it, itself at 0, and how far away each is; against the links if wanted."""
        rows = self._matrices.transposed() if backwards else self._matrices.rows()
        levels = paths.bfs_levels(rows, self.id_of(node) - 1, hops)
        found = np.flatnonzero(levels >= 0)
        return dict(zip((found + 1).tolist(), levels[found].tolist(), strict=True))

    def shortest_path(self, source: Node, target: Node) -> list[int]:
        """One of the shortest ways, both ends in it; empty where there is none."""
        rows = self._matrices.rows()
        return [index + 1 for index in paths.shortest_path(rows, self.id_of(source) - 1, self.id_of(target) - 1)]

    def at_host(self, origin: str) -> Iterator[int]:
        """The ids of a host's URLs, rising; `origin` as in `https://example.org`, with the port if it is its own."""
        host_id = self._reader.host_id_of(origin)
        for window in self._reader.urls_at(host_id, self.nodes) if host_id else ():
            yield from window

    def size_estimate(self, library: str, limit: int | None = None) -> int:
        """The bytes that the graph would take in `networkx`, `igraph`, `rustworkx` or `scipy`, to within a third."""
        node_bytes, edge_bytes = BYTES_OF[library]
        edges = self._edges_within(limit)
        is_cut = limit is not None and library == "networkx"
        nodes = min(self.nodes, 2 * edges) if is_cut else self.nodes
        return nodes * node_bytes + edges * edge_bytes

    def to_networkx(self, limit: int | None = None, *, force: bool = False) -> DiGraph:
        """A `networkx.DiGraph` of one's own, its nodes ids. `networkx_view` needs no copy.

        With a `limit` the edges are those of the pages found first, no more than so many, and the nodes are their ends.
        Raises TooLarge, as all conversions do, for what would pass the graph's `copy_limit`, unless forced.
        """
        self._check_size("networkx", limit, force)
        nodes = self.nodes if limit is None else 0
        graph: DiGraph = _interop().digraph(nodes, self._pairs(limit))
        return graph

    def to_scipy_sparse(self, limit: int | None = None, *, force: bool = False) -> Any:
        """A `scipy.sparse.csr_array` of float32 ones; the node of id k has index k - 1. Raises MissingLibrary."""
        self._check_size("scipy", limit, force)
        return conversions.scipy_sparse(self.nodes, self._edges_within(limit), self._pairs(limit))

    def to_igraph(self, limit: int | None = None, *, force: bool = False) -> Any:
        """An `igraph.Graph`; the node of id k has index k - 1 and the attribute `id` k. Raises MissingLibrary."""
        self._check_size("igraph", limit, force)
        return conversions.igraph_graph(self.nodes, self._pairs(limit))

    def to_rustworkx(self, limit: int | None = None, *, force: bool = False) -> Any:
        """A `rustworkx.PyDiGraph`; the node of id k has index k - 1 and the payload k. Raises MissingLibrary."""
        self._check_size("rustworkx", limit, force)
        return conversions.rustworkx_graph(self.nodes, self._pairs(limit))

    def networkx_view(self, *, with_urls: bool = False, cache_bytes: int = VIEW_CACHE_BYTES) -> DiGraph:
        """A read-only `networkx.DiGraph` over this graph, without a copy: rows are read as algorithms ask for them.

        Of the rows made into dicts those used last are kept, within `cache_bytes`; `with_urls` gives nodes the
        attribute `url`, a look-up each. After a refresh it is still the graph that it was made of; the attributes are
        good until this graph is closed.
        """
        rows, transposed = self._matrices.rows(), self._matrices.transposed()
        attributes_of: Callable[[int], Mapping[str, object]] | None = None
        if with_urls:
            attributes_of = lambda node: {"url": self.url_of(node)}  # noqa: E731 - one of two
        view: DiGraph = _interop().digraph_view(
            self.nodes, rows.edges, _reading(rows), _reading(transposed), cache_bytes, attributes_of
        )
        return view

    def _new_matrices(self) -> GraphMatrices:
        stream = EdgeStream(self._reader, edges_per_window=self._memory.edges_per_window)
        self._memory.spare_bytes(stream.nodes, BYTES_PER_NODE)
        return GraphMatrices(_Pinned(stream), self._memory, self.directory, BYTES_PER_NODE, self._kinds)

    def _row(self, node: int) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
        edges = self._reader.edges_of(node)
        if edges is None:
            return np.zeros(0, np.uint32), np.zeros(0, np.uint8)
        targets, kinds = edges
        is_counted = (targets > 0) & (targets <= self.nodes)
        if self._kinds is not None:
            is_counted &= np.isin(kinds, np.array(sorted(self._kinds), np.uint8))
        return targets[is_counted], kinds[is_counted]

    def _edges_within(self, limit: int | None) -> int:
        edges = self._matrices.rows().edges
        return edges if limit is None else min(limit, edges)

    def _pairs(self, limit: int | None) -> Iterator[tuple[Indices, NDArray[np.uint32]]]:
        """Sources and targets of the edges within the limit, as indices, a window at a time."""
        remaining = self._edges_within(limit)
        for window in self._matrices.rows().windows():
            if not remaining:
                return
            sources, targets = window.sources[:remaining], window.targets[:remaining]
            remaining -= len(sources)
            yield sources, targets

    def _check_size(self, library: str, limit: int | None, force: bool) -> None:
        estimate = self.size_estimate(library, limit)
        if estimate > self._copy_bytes and not force:
            raise TooLarge(
                f"{format_count(self.nodes)} nodes and {format_count(self._edges_within(limit))} edges would take about"
                f" {format_size(estimate)} in {library}, expected at most {format_size(self._copy_bytes)}:"
                " give a limit of edges, a larger copy_limit to open_graph, or insist with force=True"
            )


class _Pinned:
    """The edges as of one moment, as far as matrices are concerned: a crawl at work must not have them derived anew."""

    def __init__(self, stream: EdgeStream) -> None:
        self._stream = stream
        self.nodes = stream.nodes
        self.version: object = stream.version

    def __iter__(self) -> Iterator[EdgeWindow]:
        return iter(self._stream)


def _ids(indices: NDArray[np.uint32]) -> list[int]:
    ids: list[int] = (indices.astype(np.int64) + 1).tolist()
    return ids


def _reading(rows: Csr) -> Callable[[int], list[int]]:
    return lambda node: _ids(rows.row(node - 1))


def _interop() -> Any:
    """networkx takes 0.3 s and 25 MB to import, and most questions don't need it."""
    return optional_library("weaver.graph.interop", extra="graphs")
