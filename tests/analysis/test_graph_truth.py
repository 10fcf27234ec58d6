"""The truth of real web graphs, as igraph has it, from a crawl directory that was imported from their edges."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.analysis.listed_edges import ListedEdges
from tests.conformance.cases import conformance_root, skip_reason
from weaver.analysis.components import strong_components, weak_components
from weaver.analysis.directory import open_reader
from weaver.analysis.edge_import import import_edges
from weaver.analysis.edge_stream import EdgeSource, EdgeStream
from weaver.analysis.graph_stats import graph_stats, highest
from weaver.analysis.matrices import GraphMatrices, MemoryWindow
from weaver.analysis.paths import bfs_levels, level_sizes
from weaver.analysis.rank import pagerank

pytestmark = [pytest.mark.skipif(bool(skip_reason()), reason=skip_reason() or "-"), pytest.mark.slow]

PAGERANK = "pagerank_damping_0.85_top20"
WINDOW = MemoryWindow(48 << 20)


def graph_names() -> list[str]:
    """All graphs that are here."""
    root = conformance_root()
    return (
        sorted(path.name.removesuffix(".truth.json") for path in (root / "graphs").glob("*.truth.json")) if root else []
    )


@dataclass(frozen=True)
class TrueGraph:
    """A graph with its truth: as it was imported, and the matrices of what the truth speaks of."""

    truth: dict[str, Any]
    stream: EdgeStream
    matrices: GraphMatrices


@pytest.fixture(scope="module", params=graph_names())
def graph(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrueGraph]:
    """A graph, imported. The truth of an undirected one counts each edge both ways, but its degrees."""
    root = conformance_root()
    assert root is not None
    truth = json.loads((root / "graphs" / f"{request.param}.truth.json").read_bytes())["header"]
    edges = root / "graphs" / f"{request.param}.edges.txt.gz"
    directory = tmp_path_factory.mktemp(request.param)
    import_edges(edges, directory / "crawl", WINDOW)
    with open_reader(directory / "crawl") as reader:
        stream = EdgeStream(reader, edges_per_window=WINDOW.edges_per_window)
        source: EdgeSource = stream if truth["directed"] else _both_ways(edges, truth["nodes"])
        with GraphMatrices(source, WINDOW, directory, bytes_per_node=64) as matrices:
            yield TrueGraph(truth, stream, matrices)


def _both_ways(path: Path, nodes: int) -> ListedEdges:
    ends: NDArray[np.int64] = np.array(gzip.decompress(path.read_bytes()).split(), np.int64).reshape(-1, 2) + 1
    pairs = np.concatenate((ends, ends[:, ::-1]))
    return ListedEdges(nodes, map(tuple, pairs.tolist()), rows_per_window=1_000)


def test_counts_and_degrees(graph: TrueGraph) -> None:
    """Nodes, edges, loops, the highest degrees and the nodes without links are those of the truth."""
    stats = graph_stats(graph.stream)
    found = {
        "nodes": stats.nodes,
        "edges": stats.edges,
        "self_loops": stats.loops,
        "max_out_degree": int(stats.out_degrees.max()),
        "max_in_degree": int(stats.in_degrees.max()),
        "nodes_without_out_links": int((stats.out_degrees == 0).sum()),
        "nodes_without_in_links": int((stats.in_degrees == 0).sum()),
    }
    assert found == {name: graph.truth[name] for name in found}


def test_weak_components(graph: TrueGraph) -> None:
    """Their number and the largest are those of the truth."""
    found = weak_components(graph.matrices.rows())
    assert (found.count, found.largest) == (graph.truth["wcc_count"], graph.truth["wcc_largest"])


def test_strong_components(graph: TrueGraph) -> None:
    """Their number and the ten largest are those of the truth."""
    found = strong_components(graph.matrices.rows(), graph.matrices.transposed())
    if "scc_count" in graph.truth:
        assert found.count == graph.truth["scc_count"]
        assert found.sizes[:10].tolist() == graph.truth["scc_sizes_top10"]
    else:
        assert found.sizes.tolist() == weak_components(graph.matrices.rows()).sizes.tolist()


def test_levels(graph: TrueGraph) -> None:
    """From the truth's source as many nodes are at each distance."""
    bfs = graph.truth["bfs"]
    sizes = level_sizes(bfs_levels(graph.matrices.rows(), bfs["source"]))
    assert (sum(sizes), sizes) == (bfs["reached"], bfs["levels"])


def test_pagerank(graph: TrueGraph) -> None:
    """The twenty highest ranks are the truth's to six digits, and so are their pages, equal ones in any order."""
    found = pagerank(graph.matrices.rows(), tolerance=1e-8)
    truth = graph.truth[PAGERANK]
    top = highest(found.rank, len(truth))
    assert [value for _, value in top] == pytest.approx([value for _, value in truth], rel=1e-6)
    assert found.rank[[node for node, _ in truth]].tolist() == pytest.approx([value for _, value in truth], rel=1e-6)
