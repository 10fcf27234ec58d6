"""PageRank and HITS in windows of edges, against plain computations on dense matrices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.analysis.listed_edges import Pairs, graphs, made_rows, rows_of
from weaver.analysis.hits import hits
from weaver.analysis.rank import pagerank


def dense(nodes: int, pairs: Pairs) -> NDArray[np.float64]:
    """The adjacency matrix."""
    matrix = np.zeros((nodes, nodes))
    for source, target in pairs:
        matrix[source - 1, target - 1] = 1.0
    return matrix


def dense_pagerank(nodes: int, pairs: Pairs, damping: float) -> NDArray[np.float64]:
    """The stationary distribution by solving for it."""
    matrix = dense(nodes, pairs)
    degrees = matrix.sum(axis=1, keepdims=True)
    steps = np.where(degrees > 0, matrix / np.maximum(degrees, 1), 1.0 / nodes)
    return np.asarray(np.linalg.solve(np.eye(nodes) - damping * steps.T, np.full(nodes, (1 - damping) / nodes)))


@given(graphs(), st.sampled_from([0.5, 0.85]), st.booleans())
def test_pagerank_is_the_stationary_distribution(graph: tuple[int, Pairs], damping: float, is_resident: bool) -> None:
    """The ranks are those of the linear system, dangling pages' rank spread evenly, and sum to 1."""
    nodes, pairs = graph
    with made_rows(nodes, pairs, is_resident) as (rows, _):
        found = pagerank(rows, damping, tolerance=1e-7)
    assert found.has_converged
    assert np.abs(found.rank - dense_pagerank(nodes, pairs, damping)).max() < 2e-6
    assert float(found.rank.sum(dtype=np.float64)) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.slow
def test_ranks_in_float32_are_those_in_float64_to_a_millionth(tmp_path: Path) -> None:
    """On 20,000 pages with a hub that all link to, no rank is off by more than 1e-6 of itself."""
    made = np.random.default_rng(7)
    nodes = 20_000
    sources, targets = made.integers(1, nodes + 1, (2, 100_000))
    pairs = [*zip(sources.tolist(), targets.tolist(), strict=True), *((node, 1) for node in range(1, nodes + 1))]
    rows = rows_of(nodes, pairs, tmp_path)
    rows.edges_per_window = 1 << 14
    exact = pagerank(rows, tolerance=0.0, most_iterations=60, dtype=np.float64).rank
    found = pagerank(rows, tolerance=0.0, most_iterations=60, dtype=np.float32).rank
    assert found.dtype == np.float32 == pagerank(rows).rank.dtype
    assert (np.abs(found - exact) / exact).max() < 1e-6


def test_pagerank_ends_at_its_limit_and_says_so(tmp_path: Path) -> None:
    """Without convergence the last ranks come back, marked."""
    found = pagerank(rows_of(3, [(1, 2), (2, 1), (3, 1)], tmp_path), tolerance=0.0, most_iterations=4)
    assert (found.iterations, found.has_converged) == (4, False)


def test_a_graph_without_nodes_has_no_ranks(tmp_path: Path) -> None:
    """An empty crawl is no error."""
    assert pagerank(rows_of(0, [], tmp_path)).has_converged
    assert len(hits(rows_of(0, [], tmp_path)).hubs) == 0


@given(graphs(), st.booleans())
def test_hubs_and_authorities_are_each_others_sums(graph: tuple[int, Pairs], is_resident: bool) -> None:
    """After as many steps the scores are those of the dense products, scaled to the sum 1."""
    nodes, pairs = graph
    matrix = dense(nodes, pairs)
    with made_rows(nodes, pairs, is_resident) as (rows, _):
        found = hits(rows, tolerance=0.0, most_iterations=8)
    if not pairs:
        assert not found.hubs.any()
        assert not found.authorities.any()
        return
    hubs = np.full(nodes, 1.0 / nodes)
    authorities = hubs
    for _ in range(8):
        authorities = matrix.T @ hubs
        authorities /= authorities.sum()
        hubs = matrix @ authorities
        hubs /= hubs.sum()
    assert np.allclose(found.hubs, hubs)
    assert np.allclose(found.authorities, authorities)
