"""Components and distances on disk, against networkx."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.listed_edges import Pairs, graphs, made_rows, networkx_of
from weaver.analysis import components
from weaver.analysis.components import Components, strong_components, weak_components
from weaver.analysis.depth_first import strong_rest
from weaver.analysis.paths import UNREACHED, bfs_levels, level_sizes, shortest_path

Groups = set[frozenset[int]]


def grouped(found: Components) -> Groups:
    """The nodes of each component."""
    return {frozenset(np.flatnonzero(found.labels == label).tolist()) for label in set(found.labels.tolist())}


@given(graphs(), st.booleans())
def test_weak_components_are_those_of_networkx(graph: tuple[int, Pairs], is_resident: bool) -> None:
    """Nodes have one label where a way joins them, directions aside; sizes come largest first."""
    with made_rows(*graph, is_resident) as (rows, _):
        found = weak_components(rows)
    model = {frozenset(nodes) for nodes in nx.weakly_connected_components(networkx_of(*graph))}
    assert grouped(found) == model
    assert found.sizes.tolist() == sorted(map(len, model), reverse=True)
    assert (found.count, found.largest) == (len(model), max(map(len, model)))


@given(graphs(), st.booleans(), st.sampled_from([0, 1, 256]))
def test_strong_components_are_those_of_networkx(graph: tuple[int, Pairs], is_resident: bool, waves: int) -> None:
    """Nodes have one label where each reaches the other, however much the trimming leaves to the search in depth."""
    with made_rows(*graph, is_resident) as (rows, transposed), pytest.MonkeyPatch.context() as patch:
        patch.setattr(components, "MOST_WAVES", waves)
        found = strong_components(rows, transposed)
    assert grouped(found) == {frozenset(nodes) for nodes in nx.strongly_connected_components(networkx_of(*graph))}


@given(graphs(), st.booleans())
def test_the_search_in_depth_finds_all_strong_components_alone(graph: tuple[int, Pairs], is_resident: bool) -> None:
    """Tarjan's algorithm needs neither the trimming nor the hub before it."""
    nodes = graph[0]
    labels = np.arange(nodes, dtype=np.uint32)
    with made_rows(*graph, is_resident) as (rows, _):
        strong_rest(rows, labels, np.ones(nodes, np.bool_))
    model = {frozenset(group) for group in nx.strongly_connected_components(networkx_of(*graph))}
    assert grouped(Components(labels, np.zeros(0, np.int64))) == model


@pytest.mark.slow
def test_a_long_chain_costs_neither_recursion_nor_a_wave_a_node() -> None:
    """20,000 pages in a row, and 20,000 in a circle, are components like any."""
    size = 20_000
    chain = [(node, node + 1) for node in range(1, size)]
    circle = [(size + node, size + 1 + node % size) for node in range(1, size + 1)]
    with made_rows(2 * size, chain + circle) as (rows, transposed):
        rows.edges_per_window = transposed.edges_per_window = 1 << 14
        found = strong_components(rows, transposed)
        assert (found.count, found.largest) == (size + 1, size)
        assert weak_components(rows).sizes.tolist() == [size, size]


@given(graphs(), st.booleans(), st.data())
def test_distances_and_paths_are_those_of_networkx(
    graph: tuple[int, Pairs], is_resident: bool, data: st.DataObject
) -> None:
    """Levels are the lengths of shortest paths; a path found is one, edge by edge, and empty where there is none."""
    nodes = graph[0]
    source, target = data.draw(st.integers(0, nodes - 1)), data.draw(st.integers(0, nodes - 1))
    model = networkx_of(*graph)
    lengths = nx.single_source_shortest_path_length(model, source)
    with made_rows(*graph, is_resident) as (rows, _):
        levels = bfs_levels(rows, source)
        near = bfs_levels(rows, source, most_hops=1)
        path = shortest_path(rows, source, target)
    assert levels.tolist() == [lengths.get(node, UNREACHED) for node in range(nodes)]
    assert sum(level_sizes(levels)) == len(lengths)
    assert {node for node in range(nodes) if near[node] >= 0} == {source, *model[source]}
    assert len(path) == (lengths[target] + 1 if target in lengths else 0)
    assert all(model.has_edge(*step) for step in pairwise(path))
    assert not path or (path[0], path[-1]) == (source, target)
