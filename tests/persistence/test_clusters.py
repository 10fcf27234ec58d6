"""Clusters: pages that pairs join, against merging sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from weaver.codec import Nodes
from weaver.persistence.clusters import Clusters

PAIRS = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=40)


Pairs = list[tuple[int, int]]


def _ends(pairs: Pairs) -> tuple[Nodes, Nodes]:
    ends = np.array(pairs, np.uint32).reshape(-1, 2)
    return ends[:, 0], ends[:, 1]


def _found(clusters: Clusters) -> dict[int, int]:
    assert clusters.nodes.tolist() == sorted(set(clusters.nodes.tolist()))
    return dict(zip(clusters.nodes.tolist(), clusters.names.tolist(), strict=True))


def _model(pairs: Pairs) -> list[set[int]]:
    clusters: list[set[int]] = []
    for pair in pairs:
        touched = [cluster for cluster in clusters if cluster & set(pair)]
        clusters = [cluster for cluster in clusters if cluster not in touched]
        clusters.append(set(pair).union(*touched))
    return clusters


@given(PAIRS, PAIRS, st.sets(st.integers(1, 30)))
def test_pages_of_a_chain_have_the_name_of_its_smallest(before: Pairs, pairs: Pairs, pages: set[int]) -> None:
    """Two pages have one name exactly where pairs lead from one to the other, in whatever parts they come; it is the
    smallest id among them."""
    clusters = Clusters()
    clusters.join(*_ends(before))
    named = _found(clusters)
    apart = [named.get(one, one) != named.get(other, other) for one, other in pairs]
    assert clusters.are_apart(*_ends(pairs)).tolist() == apart
    clusters.join(*_ends(pairs))
    expected = _model(before + pairs)
    assert clusters.count == len(expected)
    assert _found(clusters) == {page: min(cluster) for cluster in expected for page in cluster}
    known = np.array(sorted(pages & set(clusters.nodes.tolist())), np.uint32)
    kept = [cluster for cluster in expected if cluster & set(known.tolist())]
    assert _found(clusters.with_any(known)) == {page: min(cluster) for cluster in kept for page in cluster}


def test_long_chains_and_wide_stars_are_one_cluster() -> None:
    """A chain of 100,000 pages in an order that helps nobody, and a star whose centre comes last, are found whole."""
    pages = np.random.default_rng(7).permutation(np.arange(1, 100_001, dtype=np.uint32))
    star = np.full(99_999, 100_000, np.uint32), np.arange(1, 100_000, dtype=np.uint32)
    for pairs in ((pages[:-1], pages[1:]), star):
        clusters = Clusters()
        clusters.join(*pairs)
        assert (len(clusters.nodes), clusters.count) == (100_000, 1)
