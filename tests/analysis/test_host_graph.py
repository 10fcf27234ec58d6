"""Counts of a graph and its hosts, from crawl directories made row by row."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.listed_edges import ListedEdges, Pairs, graphs, networkx_of
from tests.analysis.made_crawl import EDGES, FRONT, TWO, URLS, make_crawl
from weaver.analysis.directory import open_reader
from weaver.analysis.edge_stream import EdgeStream
from weaver.analysis.graph_stats import degree_counts, graph_stats, highest, summarised
from weaver.analysis.host_graph import host_degrees, host_graph, hosts_of_nodes
from weaver.base.errors import SettingsError
from weaver.base.page import EdgeKind

ROOM = 1 << 20


@given(graphs())
def test_degrees_are_those_of_the_graph(graph: tuple[int, Pairs]) -> None:
    """Each pair of pages counts once, loops too; edges count as they are stored."""
    nodes, pairs = graph
    model = networkx_of(nodes, pairs)
    stats = graph_stats(ListedEdges(nodes, pairs))
    assert stats.in_degrees.tolist() == [model.in_degree(node) for node in range(nodes)]
    assert stats.out_degrees.tolist() == [model.out_degree(node) for node in range(nodes)]
    assert (stats.edges, stats.pairs) == (len(pairs), model.number_of_edges())
    assert stats.loops == sum(1 for node in range(nodes) if model.has_edge(node, node))
    assert dict(degree_counts(stats.in_degrees)) == Counter(stats.in_degrees.tolist())


def test_edges_are_counted_by_kind(tmp_path: Path) -> None:
    """Parallel edges of several kinds are several edges of one pair; each known kind is named, also with none."""
    there = Counter(kind.name.lower() for edges in EDGES.values() for _, kind in edges)
    kinds = {kind.name.lower(): there[kind.name.lower()] for kind in EdgeKind}
    with open_reader(make_crawl(tmp_path / "crawl")) as reader:
        stats = graph_stats(EdgeStream(reader))
        redirects = graph_stats(EdgeStream(reader), frozenset({EdgeKind.REDIRECT}))
    assert stats.by_kind == kinds
    assert (redirects.edges, redirects.by_kind["hyperlink"], int(redirects.in_degrees[TWO - 1])) == (1, 0, 1)
    assert summarised(stats.out_degrees).highest == stats.out_degrees[FRONT - 1] == 9
    assert summarised(stats.out_degrees).none == len(URLS) - len(EDGES)


@given(st.lists(st.integers(0, 6)), st.integers(0, 8))
def test_the_highest_come_first_and_of_equals_the_lower_id(values: list[int], limit: int) -> None:
    """A list of the highest is the sorted one's beginning."""
    expected = sorted(enumerate(values, start=1), key=lambda item: (-item[1], item[0]))[:limit]
    assert highest(np.array(values, np.uint32), limit) == expected


@given(graphs(), st.data())
def test_links_add_up_by_host(graph: tuple[int, Pairs], data: st.DataObject) -> None:
    """Each distinct pair of pages is one link from its source's host to its target's."""
    nodes, pairs = graph
    hosts = data.draw(st.lists(st.integers(1, 5), min_size=nodes, max_size=nodes))
    model = Counter((hosts[source - 1], hosts[target - 1]) for source, target in set(pairs))
    found = host_graph(ListedEdges(nodes, pairs), np.array(hosts, np.uint32), ROOM)
    listed = zip(found.sources.tolist(), found.targets.tolist(), found.links.tolist(), strict=True)
    assert {(source, target): links for source, target, links in listed} == model
    assert found.hosts == len(set(hosts))
    degrees = host_degrees(found)
    for host in set(hosts):
        assert degrees.inner[host] == model[host, host]
        assert degrees.links_in[host] == sum(links for (s, t), links in model.items() if t == host != s)
        assert degrees.hosts_out[host] == sum(1 for s, t in model if s == host != t)


def test_hosts_of_a_crawl_are_those_of_its_urls(tmp_path: Path) -> None:
    """Every known URL has its host, whether visited or not."""
    with open_reader(make_crawl(tmp_path / "crawl")) as reader:
        hosts = hosts_of_nodes(reader, reader.last_url_id())
        assert reader.origins_of({1, 2, 99}) == {1: "http://a.test", 2: "http://b.test:8080"}
    assert hosts.tolist() == [1, 1, 1, 1, 1, 1, 1, 2, 1]


def test_more_pairs_of_hosts_than_fit_are_refused() -> None:
    """The pairs of hosts are what grows: past the room for them it is an error of the settings."""
    pairs = [(source, target) for source in range(1, 30) for target in range(1, 30)]
    with pytest.raises(SettingsError, match="pairs of hosts and more don't fit"):
        host_graph(ListedEdges(30, pairs), np.arange(1, 31, dtype=np.uint32), 1_000)


def test_a_graph_without_links_has_hosts() -> None:
    """One page and no link is one host and no edge."""
    found = host_graph(ListedEdges(1, []), np.array([1], np.uint32), ROOM)
    assert (found.hosts, len(found.links)) == (1, 0)
