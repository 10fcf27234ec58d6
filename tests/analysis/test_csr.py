"""Csr and GraphMatrices: the rows of a graph and their transpose, in RAM or beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.listed_edges import ListedEdges, Pairs, graphs, made_rows, matrices_of, networkx_of
from weaver.analysis.csr import Rows
from weaver.analysis.matrices import GraphMatrices, MemoryWindow
from weaver.base.errors import SettingsError


def pairs_of(parts: Iterable[Rows]) -> list[tuple[int, int]]:
    """The edges of some rows."""
    return [pair for part in parts for pair in zip(part.sources.tolist(), part.targets.tolist(), strict=True)]


@given(graphs(), st.booleans(), st.data())
def test_rows_are_those_of_the_graph_however_they_are_read(
    graph: tuple[int, Pairs], is_resident: bool, data: st.DataObject
) -> None:
    """One by one, by windows and by any choice of nodes, a node's row is its distinct targets, rising."""
    nodes, pairs = graph
    model = {node: sorted(targets) for node, targets in networkx_of(nodes, pairs).adjacency()}
    with made_rows(nodes, pairs, is_resident) as (rows, _):
        assert rows.is_resident == (is_resident or not pairs)
        assert {node: rows.row(node).tolist() for node in range(nodes)} == model
        read = pairs_of(rows.windows())
        assert read == [(node, target) for node, targets in model.items() for target in targets]
        chosen = sorted(data.draw(st.sets(st.integers(0, nodes - 1))))
        read = pairs_of(rows.rows(np.array(chosen, np.int64)))
        assert read == [(node, target) for node in chosen for target in model[node]]


@given(graphs())
def test_the_transpose_has_each_edge_turned_round(graph: tuple[int, Pairs]) -> None:
    """A node's transposed row is its distinct sources, rising."""
    nodes, pairs = graph
    model = networkx_of(nodes, pairs)
    with tempfile.TemporaryDirectory() as folder, matrices_of(nodes, pairs, Path(folder)) as matrices:
        transposed = matrices.transposed()
        assert [transposed.row(node).tolist() for node in range(nodes)] == [sorted(model.pred[n]) for n in range(nodes)]


def test_matrices_are_derived_once_a_version(tmp_path: Path) -> None:
    """As long as the version stays there is one pass over the edges, and the hits are told; then they are made anew."""
    source = ListedEdges(3, [(1, 2), (2, 3)])
    with GraphMatrices(source, MemoryWindow(1 << 20), tmp_path, 8) as matrices:
        assert matrices.rows() is matrices.rows()
        assert matrices.transposed() is matrices.transposed()
        assert source.passes == 1
        assert matrices.statistics() | {"hits": 3, "misses": 2, "file_bytes": 0} == matrices.statistics()
        source.version = 2
        matrices.rows()
        assert source.passes == 2


def test_targets_beyond_the_window_are_on_disk(tmp_path: Path) -> None:
    """What doesn't fit the memory window goes to a nameless file, and the figures say so."""
    pairs = [(source, target) for source in range(1, 401) for target in range(1, 401)]
    with GraphMatrices(ListedEdges(400, pairs, 20), MemoryWindow(300_000), tmp_path, 24) as matrices:
        assert not matrices.rows().is_resident
        assert matrices.transposed().edges == 160_000
        assert matrices.statistics()["file_bytes"] == 2 * 4 * 160_000
        assert list(tmp_path.iterdir()) == []


def test_nodes_that_cannot_fit_are_refused_with_what_they_need() -> None:
    """A window too small for the nodes' own values is an error that names a size which is enough."""
    with pytest.raises(SettingsError, match=r"1\.00M nodes at 40 B need --memory 52MiB, got 16\.0 MiB"):
        MemoryWindow(16 << 20).spare_bytes(1_000_000, 40)
    assert MemoryWindow(52 << 20).spare_bytes(1_000_000, 40) >= 0
