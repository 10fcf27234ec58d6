"""Retention: the limits, and each policy's choice, as pure functions."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaver.base.settings import GraphSettings
from weaver.graph import GraphStore, Limits
from weaver.graph.retention import POLICIES, Excess, RowColumns, by_score
from weaver.memory import Account

ROWS = st.lists(st.tuples(*[st.integers(0, 9)] * 4), min_size=1, max_size=40)


def table(rows: list[tuple[int, int, int, int]], scores: bool = True) -> RowColumns:
    edges, key, host, seen = (np.array(column) for column in zip(*rows, strict=True))
    return RowColumns(
        nodes=np.arange(1, len(rows) + 1),
        edges=edges,
        order=np.arange(len(rows)),
        last_seen=seen,
        in_degree=key,
        host=host,
        score=9 - key if scores else None,
    )


@pytest.mark.parametrize("policy", POLICIES)
@given(rows=ROWS, of_edges=st.integers(0, 60), of_rows=st.integers(0, 20))
def test_a_policy_lets_go_enough_and_not_much_more(policy: str, rows, of_edges: int, of_rows: int) -> None:
    """What leaves is the excess in edges and rows, or everything; each row once."""
    columns = table(rows)
    left = POLICIES[policy](columns, Excess(min(of_rows, len(rows)), of_edges))
    assert len(set(left.tolist())) == len(left)
    assert columns.edges[left].sum() >= min(of_edges, columns.edges.sum())
    assert len(left) >= min(of_rows, len(rows))
    if policy != "host_share" and len(left):
        fewer = left[:-1]
        assert columns.edges[fewer].sum() < of_edges or len(fewer) < of_rows


@pytest.mark.parametrize(("policy", "key"), [("least_recently_seen", "last_seen"), ("least_linked", "in_degree")])
@given(rows=ROWS, of_rows=st.integers(1, 20))
def test_those_of_the_lowest_figure_leave_the_oldest_first(policy: str, key: str, rows, of_rows: int) -> None:
    """No row leaves before one that was seen longer ago, or is linked less; of equals the oldest goes."""
    columns = table(rows)
    figures = getattr(columns, key).tolist()
    expected = sorted(range(len(rows)), key=lambda place: (figures[place], place))[:of_rows]
    assert POLICIES[policy](columns, Excess(of_rows, 0)).tolist() == expected


def test_the_oldest_leave_in_their_order() -> None:
    """`oldest` looks at nothing but the order."""
    assert POLICIES["oldest"](table([(5, 0, 0, 0)] * 4), Excess(0, 11)).tolist() == [0, 1, 2]


def test_without_scores_the_least_linked_leave() -> None:
    """`score` goes by the scores that it was given, else by in-degrees."""
    rows = [(1, 3, 0, 0), (1, 1, 0, 0), (1, 2, 0, 0)]
    assert by_score(table(rows), Excess(1, 0)).tolist() == [0]
    assert by_score(table(rows, scores=False), Excess(1, 0)).tolist() == [1]


def test_hosts_over_their_share_lose_their_oldest() -> None:
    """The large hosts are cut to one level, and the small ones keep all."""
    rows = [(10, 0, 1, 0)] * 6 + [(10, 0, 2, 0)] * 3 + [(10, 0, 3, 0)]
    left = POLICIES["host_share"](table(rows), Excess(0, 50))
    assert sorted(left.tolist()) == [0, 1, 2, 3, 6]


@given(rows=ROWS, of_edges=st.integers(1, 60))
def test_no_host_is_cut_below_another_that_is_larger(rows, of_edges: int) -> None:
    """After the cut each host that lost rows has about as much as any other: within its largest row."""
    columns = table(rows)
    left = POLICIES["host_share"](columns, Excess(0, of_edges))
    kept = np.setdiff1d(np.arange(len(rows)), left)
    kept_edges = {host: int(columns.edges[kept][columns.host[kept] == host].sum()) for host in columns.host.tolist()}
    cut = set(columns.host[left].tolist())
    assert all(kept_edges[host] >= max(kept_edges.values()) - 9 for host in cut) or columns.edges.sum() <= of_edges


def test_a_prune_begins_past_the_grace_and_ends_at_the_target() -> None:
    """A cap may be passed by its grace; then one prune goes down to what it is trimmed to."""
    limits = Limits(nodes=100, edges=1_000, grace=0.1, trim_to=0.8)
    assert (limits.most_nodes, limits.most_edges) == (110, 1_100)
    assert not limits.excess(109, 1_090, 10)
    assert limits.excess(110, 0, 0) == Excess(31, 0)
    assert limits.excess(50, 1_095, 10) == Excess(0, 305)


def test_limits_grow_by_their_headroom_up_to_an_end() -> None:
    """Each step is a part of the cap, and the last one ends at the most that was allowed; no cap stays none."""
    first = Limits(nodes=100, headroom=0.5, grow_to=2.0)
    grown = first.grown(first)
    assert (grown.nodes, grown.grown(first).nodes, grown.grown(first).grown(first).nodes) == (150, 200, 200)
    assert grown.edges == sys.maxsize


def test_a_store_grows_its_caps_while_its_account_has_room() -> None:
    """With headroom, pages stay until the cap has grown to its end, or the account is half full."""
    store = GraphStore(GraphSettings(max_nodes=100, headroom=0.5, grow_to=3.0), Account("graph", 1 << 20))
    for node in range(1, 1_001):
        store.add_page(node, np.arange(1, 10, dtype=np.uint32), bytes(9))
    status = store.retention_status()
    assert (status.max_nodes, status.headroom_nodes, status.autogrow, status.max_edges) == (300, 0, True, None)
    assert 285 <= len(store) <= 300
    assert status.pruned_pages == 1_000 - len(store)
    poor = GraphStore(GraphSettings(max_nodes=100, headroom=0.5, grow_to=3.0), Account("graph", 6_000))
    for node in range(1, 1_001):
        poor.add_page(node, np.arange(1, 10, dtype=np.uint32), bytes(9))
    assert (poor.retention_status().grown, len(poor) <= 100) == (0, True)


@pytest.mark.parametrize("policy", POLICIES)
def test_each_policy_keeps_the_graph_within_its_account(policy: str) -> None:
    """However rows are chosen, the account is never passed, and what was ever added is counted exactly."""
    account = Account("graph", 200_000)
    store = GraphStore(GraphSettings(retention=policy), account)  # type: ignore[arg-type]
    random = np.random.default_rng(1)
    for node in range(1, 12_001):
        store.add_page(node, random.integers(1, node + 1, 20, dtype=np.uint32), bytes(20), host=node % 7 + 1)
    assert account.high_water <= account.limit
    assert store.edges == 240_000
    assert store.host_totals(1) is not None
    assert store.sealed_edges > 0
    assert store.statistics().evicted == 12_000 - len(store) > 0
    store.check()


def test_pages_that_are_asked_for_stay() -> None:
    """`least_recently_seen` keeps a page that is read again and again, long after its neighbours in time have left."""
    store = GraphStore(GraphSettings(retention="least_recently_seen", max_nodes=50), Account("graph", 1 << 20))
    for node in range(1, 501):
        store.add_page(node, np.arange(1, 10, dtype=np.uint32), bytes(9))
        assert store.neighbours(1) is not None
    assert 2 not in store


def test_pages_that_many_link_to_stay() -> None:
    """`least_linked` and `score` keep the page that leads in their figure."""
    for policy in ("least_linked", "score"):
        store = GraphStore(GraphSettings(retention=policy, max_edges=100), Account("graph", 1 << 20))  # type: ignore[arg-type]
        for node in range(1, 501):
            store.add_page(node, np.array([7, node + 1], np.uint32), bytes(2))
        assert (7 in store, 8 in store) == (True, False)
    store.set_scores(np.arange(600, dtype=np.float32)[::-1].copy())
    for node in range(501, 520):
        store.add_page(node, np.array([7], np.uint32), bytes(1))
    assert 7 in store


def test_small_hosts_keep_their_pages() -> None:
    """`host_share` takes from the host that has the most, however new its pages are."""
    store = GraphStore(GraphSettings(retention="host_share", max_edges=900), Account("graph", 1 << 20))
    for node in range(1, 501):
        store.add_page(node, np.arange(1, 10, dtype=np.uint32), bytes(9), host=1 if node > 10 else 2)
    assert all(node in store for node in range(1, 11))
