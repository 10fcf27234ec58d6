"""DiskGraph: the whole graph of a crawl directory, asked and converted without loading it."""

from __future__ import annotations

import gzip
import tracemalloc
from array import array
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

import weaver
from tests.analysis.made_crawl import (
    ADVERT,
    AT,
    COPY,
    EDGES,
    FRONT,
    GONE,
    LINK,
    MOVED,
    NEXT,
    OTHER,
    PRIVATE,
    TWO,
    URLS,
    A,
    B,
    make_crawl,
)  # fmt: skip
from tests.conformance.cases import conformance_root, skip_reason
from weaver.analysis import disk_graph
from weaver.analysis.disk_graph import DiskGraph, open_graph
from weaver.analysis.edge_import import import_edges
from weaver.base.errors import DirectoryError, MissingLibrary, SettingsError, TooLarge
from weaver.base.optional import optional_library
from weaver.base.page import EdgeKind, PageState
from weaver.base.record import Adjacency, CommitRecord, PageRow
from weaver.base.settings import PersistenceSettings
from weaver.graph import conversions
from weaver.graph.interop import digraph
from weaver.persistence import CrawlDirectory, Writer

PAIRS = {(source, target) for source, edges in EDGES.items() for target, _ in edges}
NODES, RANDOM_EDGES = 60, 240


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    """A crawl of nine URLs."""
    return make_crawl(tmp_path / "crawl")


@pytest.fixture(scope="module")
def random_edges() -> list[tuple[int, int]]:
    """Pairs of numbers from 0 on: loops, repeats, nodes without links among them."""
    random = np.random.default_rng(11)
    pairs = random.integers(0, NODES, (RANDOM_EDGES, 2)).tolist()
    return [(source, target) for source, target in pairs if source % 7] + [(NODES - 1, 0)]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, random_edges: list[tuple[int, int]]) -> Iterator[DiskGraph]:
    """The random edges in a crawl directory, opened; id k + 1 is number k."""
    folder = tmp_path_factory.mktemp("large")
    path = folder / "edges.txt"
    path.write_text("".join(f"{source} {target}\n" for source, target in random_edges))
    import_edges(path, folder / "crawl")
    with open_graph(folder / "crawl", memory="16MiB") as graph:
        yield graph


@pytest.fixture(scope="module")
def model(random_edges: list[tuple[int, int]]) -> nx.DiGraph[int]:
    """The random edges in networkx, by ids."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(1, NODES + 1))
    graph.add_edges_from((source + 1, target + 1) for source, target in random_edges)
    return graph


def test_a_node_is_named_by_id_or_url(crawl: Path) -> None:
    """Wherever a node is asked for, its URL does as well as its id, and written otherwise too."""
    with open_graph(crawl) as graph:
        assert graph.id_of(URLS[TWO]) == graph.id_of(TWO) == TWO
        assert graph.id_of(f"{A}:80/two#top") == TWO
        assert graph.url_of(MOVED) == URLS[MOVED]
        assert graph.neighbours(URLS[FRONT]) == graph.neighbours(FRONT)
        assert graph.predecessors(URLS[TWO]) == graph.predecessors(TWO)


@pytest.mark.parametrize("stranger", [0, -1, len(URLS) + 1, f"{A}/unknown", "mailto:a@b.test"])
def test_what_the_graph_does_not_have_is_told(crawl: Path, stranger: int | str) -> None:
    """An id or a URL that the crawl doesn't know is a DirectoryError that names it."""
    with open_graph(crawl) as graph, pytest.raises(DirectoryError, match=str(stranger)):
        graph.neighbours(stranger)


def test_rows_both_ways_hold_each_pair_once(crawl: Path) -> None:
    """Neighbours and predecessors are rising ids, each once, loops and unvisited pages among them."""
    with open_graph(crawl) as graph:
        for node in URLS:
            assert graph.neighbours(node) == sorted(target for source, target in PAIRS if source == node)
            assert graph.predecessors(node) == sorted(source for source, target in PAIRS if target == node)
            assert graph.out_degree(node) == len(graph.neighbours(node))
            assert graph.in_degree(node) == len(graph.predecessors(node))
        assert (graph.nodes, graph.edges) == (len(URLS), len(PAIRS))
        assert [node for node in range(20) if node in graph] == sorted(URLS)


def test_edges_of_a_page_tell_their_kinds(crawl: Path) -> None:
    """A page's edges come in its own order with their kinds."""
    with open_graph(crawl) as graph:
        assert graph.edges_of(FRONT) == EDGES[FRONT]
        assert graph.edges_of(GONE) == []


def test_only_the_kinds_asked_for_count(crawl: Path) -> None:
    """With `kinds`, every answer is about edges of these kinds alone."""
    kinds = frozenset({EdgeKind.REDIRECT, EdgeKind.DUPLICATE})
    with open_graph(crawl, kinds=kinds) as graph:
        assert graph.predecessors(TWO) == [COPY, MOVED]
        assert graph.neighbours(COPY) == [TWO]
        assert (graph.edges, graph.edges_of(TWO)) == (2, [])
        assert set(graph.to_networkx().edges) == {(COPY, TWO), (MOVED, TWO)}


def test_pages_of_a_host_are_found(crawl: Path) -> None:
    """at_host gives the URLs of one origin, port and all, and none for an origin that is not known."""
    with open_graph(crawl) as graph:
        assert list(graph.at_host(B)) == [OTHER]
        assert list(graph.at_host(A)) == [FRONT, TWO, COPY, MOVED, PRIVATE, GONE, NEXT, ADVERT]
        assert list(graph.at_host("http://b.test")) == []


def test_distances_are_those_of_networkx(large: DiskGraph, model: nx.DiGraph[int]) -> None:
    """k-hop neighbourhoods, there and back, and shortest paths agree with networkx."""
    for node in range(1, NODES + 1, 7):
        for hops in (0, 1, 2, 5):
            lengths = nx.single_source_shortest_path_length(model, node, cutoff=hops)
            assert large.k_hop(node, hops) == dict(lengths)
            backwards = nx.single_source_shortest_path_length(model.reverse(), node, cutoff=hops)
            assert large.k_hop(node, hops, backwards=True) == dict(backwards)
        for target in range(1, NODES + 1, 5):
            path = large.shortest_path(node, target)
            assert len(path) == (nx.shortest_path_length(model, node, target) + 1 if path else 0)
            assert bool(path) == nx.has_path(model, node, target)
            assert all(model.has_edge(*step) for step in pairwise(path))


def test_networkx_gets_the_whole_graph(large: DiskGraph, model: nx.DiGraph[int]) -> None:
    """The DiGraph has all nodes and all edges, and is one's own to change."""
    graph = large.to_networkx()
    assert nx.utils.graphs_equal(graph, model)
    graph.add_edge(1, 2, weight=3)


def test_networkx_gets_a_part(large: DiskGraph, model: nx.DiGraph[int]) -> None:
    """With a limit it is exactly so many edges, of the pages found first, and their ends."""
    part = large.to_networkx(limit=50)
    assert part.number_of_edges() == 50
    assert sorted(part.edges) == sorted(model.edges)[:50]
    assert set(part) == {node for edge in part.edges for node in edge}
    assert large.to_networkx(limit=0).number_of_nodes() == 0
    assert large.to_networkx(limit=10**9).number_of_edges() == model.number_of_edges()


def test_the_view_is_the_graph(large: DiskGraph, model: nx.DiGraph[int]) -> None:
    """The networkx view of what is on disk says what the copy says."""
    view = large.networkx_view(cache_bytes=1 << 14)
    assert nx.pagerank(view) == pytest.approx(nx.pagerank(model), abs=1e-12)
    assert set(view.edges) == set(model.edges)
    assert {frozenset(c) for c in nx.strongly_connected_components(view)} == {
        frozenset(c) for c in nx.strongly_connected_components(model)
    }
    assert large.networkx_view(with_urls=True).nodes[3] == {"url": "https://node.invalid/2"}


def test_scipy_igraph_and_rustworkx_get_the_graph(large: DiskGraph, model: nx.DiGraph[int]) -> None:
    """Each library has every edge, with id k at index k - 1."""
    edges = {(source - 1, target - 1) for source, target in model.edges}
    matrix = large.to_scipy_sparse()
    rows, columns = matrix.nonzero()
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == edges
    assert (matrix.shape, matrix.sum()) == ((NODES, NODES), len(edges))
    graph = large.to_igraph()
    assert (set(graph.get_edgelist()), graph.is_directed(), graph.vs["id"]) == (edges, True, list(range(1, NODES + 1)))
    worked = large.to_rustworkx()
    assert (set(worked.edge_list()), worked.nodes()) == (edges, list(range(1, NODES + 1)))
    for cut in (large.to_scipy_sparse(limit=9).sum(), large.to_igraph(9).ecount(), large.to_rustworkx(9).num_edges()):
        assert cut == 9


def test_libraries_agree_on_ranks(large: DiskGraph, model: nx.DiGraph[int]) -> None:
    """igraph and rustworkx compute from their copies the PageRank that networkx computes from its own."""
    expected = list(nx.pagerank(model, tol=1e-12, max_iter=1000).values())
    assert large.to_igraph().pagerank() == pytest.approx(expected, abs=1e-6)
    rustworkx = optional_library("rustworkx", "graphs")
    assert list(rustworkx.pagerank(large.to_rustworkx(), tol=1e-12).values()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("library", ["networkx", "igraph", "rustworkx", "scipy_sparse"])
def test_what_is_too_large_is_refused_before_it_is_made(large: DiskGraph, library: str) -> None:
    """Above the limit in bytes a conversion is refused with the estimate, unless it is cut or forced."""
    name = library.removesuffix("_sparse")
    estimate = large.size_estimate(name)
    assert large.size_estimate(name, limit=10) < estimate
    with open_graph(large.directory, copy_limit=estimate - 1) as graph:
        convert = getattr(graph, f"to_{library}")
        with pytest.raises(TooLarge, match=r"limit of edges.*force=True"):
            convert()
        convert(limit=10)
        convert(force=True)


def test_the_estimate_grows_with_nodes_and_edges(large: DiskGraph) -> None:
    """An estimate is so many bytes a node and so many an edge; an unknown library is a KeyError."""
    for library, (node_bytes, edge_bytes) in disk_graph.BYTES_OF.items():
        assert large.size_estimate(library) == NODES * node_bytes + large.edges * edge_bytes
    with pytest.raises(KeyError):
        large.size_estimate("graph-tool")


@pytest.mark.slow
def test_the_estimates_are_true_to_within_a_third() -> None:
    """What a copy really takes is no further from the estimate than is promised, as far as Python can see it."""
    nodes, edges = 5_000, 100_000
    pairs = np.unique(np.random.default_rng(5).integers(0, nodes * nodes, edges))
    windows = [(pairs // nodes, (pairs % nodes).astype(np.uint32))]
    tracemalloc.start()
    graph = digraph(nodes, windows)
    taken = {"networkx": tracemalloc.get_traced_memory()[0]}
    tracemalloc.stop()
    matrix = conversions.scipy_sparse(nodes, len(pairs), windows)
    taken["scipy"] = matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes
    for library, size_bytes in taken.items():
        node_bytes, edge_bytes = disk_graph.BYTES_OF[library]
        estimate = nodes * node_bytes + graph.number_of_edges() * edge_bytes
        assert 2 / 3 < size_bytes / estimate < 3 / 2, library


def test_a_missing_library_is_told_with_what_to_install() -> None:
    """Where an optional library is absent, the error names it and the extra that brings it."""
    with pytest.raises(MissingLibrary, match=r"no_such_library is not installed.*weaver\[graphs\]"):
        optional_library("no_such_library.part", "graphs")


def test_a_directory_without_a_crawl_is_refused(tmp_path: Path) -> None:
    """open_graph says that there is no crawl, and says what a memory size looks like."""
    with pytest.raises(DirectoryError, match="nowhere"):
        open_graph(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="256MiB"):
        open_graph(tmp_path, memory="much")


def test_a_window_too_small_for_the_nodes_is_refused(crawl: Path) -> None:
    """A memory window that can't hold the nodes' vectors is refused at once, not later."""
    with pytest.raises(SettingsError, match="--memory"):
        open_graph(crawl, memory=100)


def test_the_graph_stays_as_it_was_until_it_is_refreshed(crawl: Path) -> None:
    """What a crawl commits meanwhile is not seen by half: refresh takes it in."""
    with open_graph(crawl) as graph:
        assert graph.edges == len(PAIRS)
        view = graph.networkx_view()
        _commit(crawl, NEXT, [FRONT, OTHER])
        assert (graph.edges, graph.predecessors(OTHER), list(view[NEXT])) == (len(PAIRS), [FRONT], [])
        graph.refresh()
        assert (graph.edges, graph.predecessors(OTHER)) == (len(PAIRS) + 2, [FRONT, NEXT])


def _commit(crawl: Path, page: int, targets: list[int]) -> None:
    """As a crawler at work would."""
    errors: list[BaseException] = []
    writer = Writer(CrawlDirectory(crawl).connect, PersistenceSettings(), lambda _records: None, errors.append)
    writer.start()
    adjacency = Adjacency(array("I", targets).tobytes(), bytes([LINK]) * len(targets))
    writer.submit(CommitRecord(page=PageRow(page, PageState.FETCHED, AT, 200), adjacency=adjacency))
    writer.close()
    assert not errors


def test_an_empty_crawl_has_an_empty_graph(tmp_path: Path) -> None:
    """A crawl without a single URL is a graph without nodes, in every library."""
    CrawlDirectory.create(tmp_path / "empty")
    with weaver.open_graph(tmp_path / "empty") as graph:
        assert (graph.nodes, graph.edges) == (0, 0)
        assert len(graph.to_networkx()) == len(graph.networkx_view()) == graph.to_igraph().vcount() == 0
        assert (graph.to_scipy_sparse().shape, len(graph.to_rustworkx())) == ((0, 0), 0)


def test_closing_gives_the_files_back(crawl: Path) -> None:
    """After close the directory holds what it held, and closing twice is no error."""
    before = {path.name for path in crawl.iterdir()}
    graph = open_graph(crawl)
    graph.predecessors(TWO)
    graph.close()
    graph.close()
    # SQLite's own files stay beside a database that was read.
    assert {path.name for path in crawl.iterdir()} - {"crawl.db-shm", "crawl.db-wal"} == before


@pytest.mark.slow
@pytest.mark.skipif(bool(skip_reason()), reason=skip_reason() or "the cases are here")
@pytest.mark.parametrize("name", ["debian-sqlite3-doc", "nr-web-webbase-2001"])
def test_real_graphs_have_their_rows_both_ways(name: str, tmp_path: Path) -> None:
    """A published graph gives back each node's successors and predecessors, by row and by the view."""
    root = conformance_root()
    assert root is not None
    path = root / "graphs" / f"{name}.edges.txt.gz"
    with gzip.open(path, "rt") as lines:
        expected = nx.parse_edgelist(lines, create_using=nx.DiGraph, nodetype=int, data=False)
    import_edges(path, tmp_path / "crawl")
    with open_graph(tmp_path / "crawl") as graph:
        view = graph.networkx_view()
        assert graph.edges == expected.number_of_edges() == view.number_of_edges()
        for node in list(expected)[::50]:
            assert graph.neighbours(node + 1) == sorted(target + 1 for target in expected.successors(node))
            assert graph.predecessors(node + 1) == sorted(source + 1 for source in expected.predecessors(node))
        start = next(iter(expected))
        levels = {node + 1: level for node, level in nx.single_source_shortest_path_length(expected, start).items()}
        assert dict(nx.single_source_shortest_path_length(view, start + 1)) == levels == graph.k_hop(start + 1, NODES)
