"""Clusters: who stands for one, and what kind it is. (Their unions: tests/properties.)"""

from __future__ import annotations

import pytest

from weaver.dedupe import ClusterKind, Clusters, Member, kind_of, representative
from weaver.dedupe.clusters import ID_BYTES, STEP_IDS
from weaver.memory import Account

MEMBERS = [
    Member(3, "http://a.test/long/path", in_links=9),
    Member(5, "http://a.test/p", in_links=1),
    Member(9, "http://a.test/canonical", is_canonical=True),
]


@pytest.mark.parametrize(
    ("rules", "doc_id"),
    [
        (("canonical", "shortest_url", "first_seen"), 9),
        (("shortest_url",), 5),
        (("most_linked", "canonical"), 3),
        ((), 3),
    ],
)
def test_the_rules_choose_in_their_order(rules: tuple[str, ...], doc_id: int) -> None:
    """Each rule decides where those before it do not, and at last the first seen stands for the cluster."""
    assert representative(MEMBERS, rules).doc_id == doc_id


def test_equals_are_told_apart_by_the_next_rule() -> None:
    """Of two canonicals the shorter URL stands for the cluster."""
    members = [Member(1, "http://a.test/abc", is_canonical=True), Member(2, "http://a.test/a", is_canonical=True)]
    assert representative(members).doc_id == 2


def test_a_rule_that_there_is_not_is_refused() -> None:
    """The error names the rules that there are."""
    with pytest.raises(ValueError, match="expected rules among canonical"):
        representative(MEMBERS, ("prettiest",))


def test_empty_pages_of_one_template_are_a_template_cluster() -> None:
    """Pages of one URL template whose text is mostly what the host repeats have only their template in common."""
    members = [Member(n, f"http://shop.test/category?id={n}", boilerplate=0.9) for n in range(1, 6)]
    assert kind_of(members) is ClusterKind.TEMPLATE


@pytest.mark.parametrize(
    "members",
    [
        [Member(n, f"http://shop.test/item?id={n}", boilerplate=0.1) for n in range(1, 6)],
        [Member(n, f"http://shop.test/{'abc'[n]}/story", boilerplate=0.9) for n in range(3)],
        [],
    ],
)
def test_copies_of_a_content_are_a_content_cluster(members: list[Member]) -> None:
    """Own text in common, or URLs of different templates, speak for a content that was copied."""
    assert kind_of(members) is ClusterKind.CONTENT


def test_an_id_without_room_is_refused_and_counted() -> None:
    """Clusters never grow past their account; what is joined stays joined."""
    account = Account("near", STEP_IDS * ID_BYTES)
    clusters = Clusters(account)
    assert clusters.union(1, 2)
    assert not clusters.union(1, 10 * STEP_IDS)
    assert (clusters.refused, clusters.find(2), clusters.find(10 * STEP_IDS)) == (1, 1, 10 * STEP_IDS)
    assert account.used <= account.limit
    clusters.check()


def test_a_long_chain_is_found_in_one_step() -> None:
    """Pairs in any order make one cluster with the smallest id as its root."""
    clusters = Clusters(Account("near", 1 << 20))
    for number in range(20_000, 1, -1):
        clusters.union(number, number - 1)
    assert clusters.find(20_000) == 1
    assert clusters.members(7) == list(range(1, 20_001))
    assert list(clusters.clusters()) == [list(range(1, 20_001))]
    assert "joined=19999" in repr(clusters)


def test_a_cap_that_cannot_be_is_refused() -> None:
    """At least one id."""
    with pytest.raises(ValueError, match="max_ids"):
        Clusters(Account("near", 1 << 20), 0)
