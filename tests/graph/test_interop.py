"""The networkx view of the resident graph."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from weaver.base.settings import GraphSettings
from weaver.graph import GraphStore
from weaver.graph.interop import to_networkx
from weaver.memory import Account


def _store() -> GraphStore:
    store = GraphStore(GraphSettings(), Account("graph", 1 << 20))  # type: ignore[call-arg]
    store.add_page(1, np.array([2, 2, 3], np.uint32), bytes([0, 4, 1]))
    store.add_page(2, np.array([3], np.uint32), bytes([2]))
    store.add_page(3, b"", b"")
    return store


def test_every_edge_is_there_with_its_kind() -> None:
    """The view has one edge for each (source, target, kind), and the kind's name as an attribute."""
    graph = to_networkx(_store())
    assert sorted(graph.edges(data="kind")) == [
        (1, 2, "duplicate"),
        (1, 2, "hyperlink"),
        (1, 3, "nofollow"),
        (2, 3, "redirect"),
    ]
    assert graph.in_degree(3) == 2


def test_nodes_may_be_urls() -> None:
    """`url_of` names the nodes; a page without edges is a node."""
    graph = to_networkx(_store(), url_of=lambda node: f"http://a.test/{node}")
    assert sorted(graph) == ["http://a.test/1", "http://a.test/2", "http://a.test/3"]


@pytest.mark.parametrize(("limit", "edges"), [(0, 0), (1, 1), (3, 1), (4, 4), (99, 4)])
def test_a_limit_keeps_the_newest_pages(limit: int, edges: int) -> None:
    """The view holds the newest pages that have no more edges together than the limit."""
    graph = to_networkx(_store(), limit=limit)
    assert graph.number_of_edges() == edges
    assert 3 in graph


@pytest.mark.slow
def test_the_graph_package_does_not_import_networkx() -> None:
    """networkx is met only where a user asks for it."""
    code = "import sys, weaver.graph; assert 'networkx' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
