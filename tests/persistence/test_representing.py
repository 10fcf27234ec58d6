"""Which page stands for a cluster: each rule against a plain model, whatever the links are and however they lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.persistence.making import adjacency, in_memory, page_row, url_row
from weaver.base.page import EdgeKind, PageState
from weaver.base.record import CommitRecord, NearRow
from weaver.base.settings import RepresentativeRule
from weaver.persistence import Connection, Sealer, settle_duplicates, settle_near_duplicates
from weaver.persistence.clusters import Clusters
from weaver.persistence.representing import representatives
from weaver.persistence.statements import write_records

PAGES = 9
KINDS = (EdgeKind.HYPERLINK, EdgeKind.NOFOLLOW, EdgeKind.REDIRECT, EdgeKind.CANONICAL)
EDGES = st.sets(
    st.tuples(st.integers(1, PAGES), st.integers(1, PAGES), st.sampled_from(KINDS)), min_size=1, max_size=30
)
NAMES = st.lists(st.text("ab", min_size=1, max_size=4), min_size=PAGES, max_size=PAGES, unique=True)
# Of each page the cluster that it is in, 0 for none.
PLACES = st.lists(st.integers(0, 3), min_size=PAGES, max_size=PAGES)

Edges = set[tuple[int, int, EdgeKind]]
Key = Callable[[int], tuple[object, ...]]


def _key(rule: RepresentativeRule, members: set[int], edges: Edges) -> Key:
    """What decides, before the shortest URL does."""
    named = {target for source, target, kind in edges if kind is EdgeKind.CANONICAL and source in members}
    links = [t for s, t, kind in edges if kind in (EdgeKind.HYPERLINK, EdgeKind.NOFOLLOW) and s != t]
    keys: dict[str, Key] = {
        "canonical": lambda page: (page not in named,),
        "most_linked": lambda page: (-links.count(page),),
        "first_seen": lambda page: (page,),
    }
    return keys.get(rule, lambda _: ())


def _crawled(names: list[str], edges: Edges, near: dict[int, int] | None = None) -> Connection:
    connection = in_memory()
    records = [CommitRecord(urls=tuple(url_row(page, f"http://h/{name}") for page, name in enumerate(names, 1)))]
    for page in range(1, PAGES + 1):
        of_page = sorted(((target, kind) for source, target, kind in edges if source == page), key=lambda edge: edge[1])
        row = NearRow(page, b"7" * 56, b"8" * 64, (near or {}).get(page, 0), 0.9)
        records.append(CommitRecord(page=page_row(page), adjacency=adjacency(of_page), near=row))
    write_records(connection, records)
    return connection


@given(st.sampled_from(get_args(RepresentativeRule)), NAMES, EDGES, PLACES, st.booleans())
def test_each_rule_chooses_as_its_model(
    rule: RepresentativeRule, names: list[str], edges: Edges, places: list[int], is_sealed: bool
) -> None:
    """What the rule says decides, then the shortest URL; links count as rows and sealed into blocks alike."""
    connection = _crawled(names, edges)
    if is_sealed:
        Sealer(1).finish(connection)
    clusters = [{page for page, at in enumerate(places, 1) if at == place} for place in sorted({*places} - {0})]
    named = {page: min(members) for members in clusters for page in members}
    joined = Clusters()
    joined.join(np.array(list(named), np.uint32), np.array(list(named.values()), np.uint32))
    chosen = representatives(connection, rule, joined).tolist()
    for page, representative in zip(joined.nodes.tolist(), chosen, strict=True):
        members = next(members for members in clusters if page in members)
        key = _key(rule, members, edges)
        assert representative == min(members, key=lambda page: (*key(page), len(names[page - 1]), names[page - 1]))
    assert connection.execute("SELECT name FROM temp.sqlite_schema").fetchall() == []
    connection.close()


def test_both_kinds_of_duplicates_settle_by_the_rule() -> None:
    """A resume with another rule gives each cluster its new representative, and settling twice changes nothing."""
    names = ["abab", "a", "ab", "aba", "b", "ba", "bab", "baba", "bb"]
    edges = {(2, 4, EdgeKind.CANONICAL), (7, 3, EdgeKind.HYPERLINK), (8, 3, EdgeKind.HYPERLINK)}
    connection = _crawled(names, edges, near={2: 1, 3: 2, 4: 3})
    near: dict[RepresentativeRule, int] = {"auto": 2, "canonical": 4, "most_linked": 3, "first_seen": 1}
    for rule, expected in near.items():
        for _ in range(2):
            assert settle_near_duplicates(connection, rule) == 1
            rows = connection.execute("SELECT DISTINCT representative_id FROM near_clusters").fetchall()
            assert rows == [(expected,)], rule
    connection.execute(
        "UPDATE pages SET body_digest = x'55', state = 'duplicate', duplicate_of = 1 WHERE id IN (2, 3, 4)"
    )
    connection.execute("UPDATE pages SET body_digest = x'55' WHERE id = 1")
    for rule, expected in near.items():
        for _ in range(2):
            assert settle_duplicates(connection, rule) == 1
            copies = connection.execute(
                "SELECT DISTINCT duplicate_of FROM pages WHERE state = ?", (PageState.DUPLICATE,)
            )
            assert copies.fetchall() == [(expected,)], rule
    connection.close()
