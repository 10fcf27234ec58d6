"""What `weaver graph` tells of a crawl directory, as documents: statistics, ranks, components, paths and hosts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaver.analysis import components, graph_stats, hits, host_graph, hyperball, paths, rank
from weaver.analysis.directory import open_reader
from weaver.analysis.edge_stream import EdgeStream
from weaver.analysis.graph_storage import storage_document
from weaver.analysis.matrices import GraphMatrices, MemoryWindow
from weaver.base.errors import DirectoryError
from weaver.base.page import EdgeKind
from weaver.base.settings import Settings
from weaver.base.sources import settings_from
from weaver.base.url import Canonicalizer, url_key
from weaver.persistence.reader import CrawlReader

SIZES_SHOWN = 10
# Of the quarter of a memory window that is the edges', what HyperBall makes of a piece of them takes half.
PIECE_SHARE = 32

Document = dict[str, Any]
Values = NDArray[Any]


@dataclass(frozen=True, slots=True)
class GraphQuestion:
    """Which graph is asked: a directory, the kinds of edges that count (None: all), and the memory window."""

    directory: Path
    kinds: frozenset[EdgeKind] | None = None
    memory: MemoryWindow = field(default_factory=MemoryWindow)

    def document(self) -> Document:
        """What every answer begins with."""
        return {
            "directory": str(self.directory),
            "kinds": graph_stats.kind_names(EdgeKind if self.kinds is None else self.kinds),
            "memory_bytes": self.memory.limit_bytes,
        }


@dataclass(frozen=True, slots=True)
class _Opened:
    question: GraphQuestion
    reader: CrawlReader
    stream: EdgeStream
    matrices: GraphMatrices
    spare_bytes: int

    def document(self, **facts: Any) -> Document:
        return self.question.document() | facts | {"matrices": self.matrices.statistics()}

    def named(self, values: list[tuple[int, float]]) -> list[Document]:
        urls = self.reader.urls_of(node for node, _ in values)
        return [{"id": node, "url": urls.get(node, ""), "value": value} for node, value in values]


def stats_document(question: GraphQuestion, with_counts: bool = False) -> Document:
    """Nodes, edges, edges by kind, and degrees; `with_counts` adds how many nodes have each degree."""
    with _opened(question, graph_stats.BYTES_PER_NODE) as opened:
        stats = graph_stats.graph_stats(opened.stream, question.kinds)
        columns = {"in": stats.in_degrees, "out": stats.out_degrees}
        facts: Document = {
            "nodes": stats.nodes,
            "edges": stats.edges,
            "by_kind": stats.by_kind,
            "pairs": stats.pairs,
            "loops": stats.loops,
            "degrees": {name: asdict(graph_stats.summarised(column)) for name, column in columns.items()},
            "storage": storage_document(opened.reader.graph_sizes()),
        }
        if with_counts:
            facts["degree_counts"] = {name: graph_stats.degree_counts(column) for name, column in columns.items()}
        return question.document() | facts


def top_document(question: GraphQuestion, by: str, limit: int) -> Document:
    """The nodes with the highest values of one measure of MEASURES."""
    measure = MEASURES[by]
    with _opened(question, measure.bytes_per_node) as opened:
        values, facts = measure.taken(opened)
        nodes = opened.named(graph_stats.highest(values, limit))
        return opened.document(by=by, nodes=opened.stream.nodes, **facts, top=nodes)


def components_document(question: GraphQuestion, with_sizes: bool = False) -> Document:
    """Weak and strong components: how many, and the largest; `with_sizes` adds the sizes of all."""
    with _opened(question, components.STRONG_BYTES_PER_NODE) as opened:
        rows = opened.matrices.rows()
        found = {"weak": components.weak_components(rows).sizes}
        found["strong"] = components.strong_components(rows, opened.matrices.transposed()).sizes
        shown = {name: _sizes(sizes, with_sizes) for name, sizes in found.items()}
        return opened.document(nodes=rows.nodes, edges=rows.edges, **shown)


def path_document(question: GraphQuestion, source: str, target: str | None, most_hops: int | None) -> Document:
    """The shortest path between two URLs; without a target, how many nodes are at each distance."""
    with _opened(question, paths.BYTES_PER_NODE) as opened:
        source_id = node_id(opened.reader, source)
        if target is None:
            levels = paths.bfs_levels(opened.matrices.rows(), source_id - 1, most_hops)
            sizes = paths.level_sizes(levels)
            return opened.document(source=source_id, reached=sum(sizes), levels=sizes)
        target_id = node_id(opened.reader, target)
        found = [node + 1 for node in paths.shortest_path(opened.matrices.rows(), source_id - 1, target_id - 1)]
        urls = opened.reader.urls_of(found)
        path = [{"id": node, "url": urls.get(node, "")} for node in found]
        return opened.document(source=source_id, target=target_id, hops=len(path) - 1 if path else None, path=path)


def hosts_document(question: GraphQuestion, limit: int) -> Document:
    """The graph of hosts: its hosts with most links from others, and its strongest pairs."""
    with _opened(question, host_graph.BYTES_PER_NODE) as opened:
        hosts = host_graph.hosts_of_nodes(opened.reader, opened.stream.nodes)
        graph = host_graph.host_graph(opened.stream, hosts, opened.spare_bytes, question.kinds)
        is_outer = graph.sources != graph.targets
        return question.document() | {
            "hosts": graph.hosts,
            "host_edges": int(is_outer.sum()),
            "links_within": int(graph.links[~is_outer].sum()),
            "links_between": int(graph.links[is_outer].sum()),
            "top": _top_hosts(opened.reader, graph, limit),
            "pairs": _top_pairs(opened.reader, graph, limit),
        }


def node_id(reader: CrawlReader, named: str) -> int:
    """The node that is meant: an id in digits, or a URL. Raises DirectoryError where the crawl doesn't know it."""
    if named.isdecimal():
        if 0 < int(named) <= reader.last_url_id():
            return int(named)
        raise DirectoryError(f"expected an id from 1 to {reader.last_url_id()}, got {named}")
    run = reader.last_run()
    settings = settings_from(json.loads(run.settings)) if run else Settings()
    canonical = Canonicalizer(settings.url).canonical(named)
    key_seed = int(reader.meta("crawl_seed") or 0)
    found = reader.id_of(url_key(canonical, key_seed), canonical) if canonical else 0
    if not found:
        raise DirectoryError(f"expected a URL that the crawl knows, or a node's id, got {named}")
    return found


@dataclass(frozen=True, slots=True)
class Measure:
    """What nodes can be ordered by: how to take it, and the memory of a node while it is taken."""

    help: str
    bytes_per_node: int
    taken: Callable[[_Opened], tuple[Values, Document]]


def _degrees_in(opened: _Opened) -> tuple[Values, Document]:
    return graph_stats.graph_stats(opened.stream, opened.question.kinds).in_degrees, {}


def _degrees_out(opened: _Opened) -> tuple[Values, Document]:
    return graph_stats.graph_stats(opened.stream, opened.question.kinds).out_degrees, {}


def _rank(opened: _Opened) -> tuple[Values, Document]:
    return _ranked(opened, rank.DAMPING, rank.TOLERANCE, rank.MOST_ITERATIONS)


def _hubs(opened: _Opened) -> tuple[Values, Document]:
    found = hits.hits(opened.matrices.rows())
    return found.hubs, {"iterations": found.iterations, "converged": found.has_converged}


def _authorities(opened: _Opened) -> tuple[Values, Document]:
    found = hits.hits(opened.matrices.rows())
    return found.authorities, {"iterations": found.iterations, "converged": found.has_converged}


def _harmonic(opened: _Opened) -> tuple[Values, Document]:
    log2 = hyperball.fitting_log2_registers(opened.stream.nodes, opened.spare_bytes)
    opened.matrices.reserve(hyperball.BYTES_PER_NODE + hyperball.register_bytes(log2))
    piece_bytes = opened.question.memory.limit_bytes // PIECE_SHARE
    found = hyperball.harmonic_centrality(opened.matrices.transposed(), log2, piece_bytes)
    return found.harmonic, {
        "rounds": found.rounds,
        "converged": found.has_converged,
        "registers": 1 << log2,
        "relative_error": round(found.relative_error, 4),
    }


MEASURES = {
    "in": Measure("pages that link to it", graph_stats.BYTES_PER_NODE, _degrees_in),
    "out": Measure("pages that it links to", graph_stats.BYTES_PER_NODE, _degrees_out),
    "rank": Measure("PageRank", rank.BYTES_PER_NODE, _rank),
    "hubs": Measure("HITS: links to good authorities", hits.BYTES_PER_NODE, _hubs),
    "authorities": Measure("HITS: linked from good hubs", hits.BYTES_PER_NODE, _authorities),
    "harmonic": Measure("harmonic centrality, estimated", hyperball.BYTES_PER_NODE, _harmonic),
}


def rank_document(
    question: GraphQuestion, limit: int, damping: float, tolerance: float, most_iterations: int
) -> Document:
    """PageRank with its parameters, how it converged, and the highest ranks."""
    with _opened(question, rank.BYTES_PER_NODE) as opened:
        values, facts = _ranked(opened, damping, tolerance, most_iterations)
        nodes = opened.named(graph_stats.highest(values, limit))
        edges = opened.matrices.rows().edges
        return opened.document(nodes=len(values), edges=edges, damping=damping, **facts, top=nodes)


def _ranked(opened: _Opened, damping: float, tolerance: float, most_iterations: int) -> tuple[Values, Document]:
    found = rank.pagerank(opened.matrices.rows(), damping, tolerance, most_iterations)
    return found.rank, {
        "iterations": found.iterations,
        "converged": found.has_converged,
        "residual": found.residual,
        "iteration_wall_s": round(found.wall_s, 6),
        "iteration_cpu_s": round(found.cpu_s, 6),
    }


def _sizes(sizes: NDArray[np.int64], with_sizes: bool) -> Document:
    shown = {"count": len(sizes), "largest": int(sizes[0]) if len(sizes) else 0, "sizes": sizes[:SIZES_SHOWN].tolist()}
    if with_sizes:
        counts = np.bincount(sizes) if len(sizes) else np.zeros(0, np.int64)
        present = np.flatnonzero(counts)
        shown["size_counts"] = list(zip(present.tolist(), counts[present].tolist(), strict=True))
    return shown


def _top_hosts(reader: CrawlReader, graph: host_graph.HostGraph, limit: int) -> list[Document]:
    degrees = host_graph.host_degrees(graph)
    order = np.lexsort((-graph.urls, -degrees.links_in))
    shown = order[graph.urls[order] > 0][:limit].tolist()
    origins = reader.origins_of(shown)
    columns = {"urls": graph.urls} | {name: getattr(degrees, name) for name in host_graph.HostDegrees.__slots__}
    return [
        {"id": host, "origin": origins.get(host, "")} | {name: int(column[host]) for name, column in columns.items()}
        for host in shown
    ]


def _top_pairs(reader: CrawlReader, graph: host_graph.HostGraph, limit: int) -> list[Document]:
    between = np.flatnonzero(graph.sources != graph.targets)
    strongest = between[np.argsort(-graph.links[between], kind="stable")[:limit]]
    sources, targets = graph.sources[strongest].tolist(), graph.targets[strongest].tolist()
    origins = reader.origins_of({*sources, *targets})
    return [
        {"source": origins.get(source, ""), "target": origins.get(target, ""), "links": links}
        for source, target, links in zip(sources, targets, graph.links[strongest].tolist(), strict=True)
    ]


@contextmanager
def _opened(question: GraphQuestion, bytes_per_node: int) -> Iterator[_Opened]:
    with open_reader(question.directory) as reader:
        stream = EdgeStream(reader, edges_per_window=question.memory.edges_per_window)
        spare_bytes = question.memory.spare_bytes(stream.nodes, bytes_per_node)
        with GraphMatrices(stream, question.memory, question.directory, bytes_per_node, question.kinds) as matrices:
            yield _Opened(question, reader, stream, matrices, spare_bytes)
