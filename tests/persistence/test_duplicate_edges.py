"""Edges to representatives: written set by set as they would be page by page, however the rows lie."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.persistence.making import adjacency, in_memory, page_row, url_row
from weaver.base.errors import BlockDamaged
from weaver.base.page import EdgeKind
from weaver.base.record import CommitRecord
from weaver.persistence import Sealer
from weaver.persistence.disk_limit import META_KEY
from weaver.persistence.duplicate_edges import DuplicateEdges
from weaver.persistence.link_blocks import transaction
from weaver.persistence.link_rows import LinkRows
from weaver.persistence.statements import write_records

PAGES = 12
DAMAGED = "damaged"

Edges = list[tuple[int, int]]
Kept = Edges | str | None

EDGES = st.lists(
    st.tuples(st.integers(1, PAGES), st.sampled_from([EdgeKind.HYPERLINK, EdgeKind.DUPLICATE, EdgeKind.CANONICAL])),
    max_size=4,
    unique=True,
)
# What is committed together before rows are sealed: pages with their edges, anew where they have some.
GROUPS = st.lists(st.dictionaries(st.integers(1, PAGES), EDGES, max_size=6), max_size=4)
LED = st.dictionaries(st.integers(1, PAGES), st.integers(1, PAGES), max_size=PAGES)


def _laid_out(groups: list[dict[int, Edges]]) -> sqlite3.Connection:
    """Each group's rows sealed but those of the last."""
    connection = in_memory()
    write = [CommitRecord(urls=tuple(url_row(page) for page in range(1, PAGES + 1)))]
    for group in groups:
        for page, edges in group.items():
            by_kind = sorted(((target, EdgeKind(kind)) for target, kind in edges), key=lambda edge: edge[1])
            write.append(CommitRecord(page=page_row(page), adjacency=adjacency(by_kind)))
        Sealer(1).finish(connection)
        _write_all(connection, write)
        write = []
    return connection


def _write_all(connection: sqlite3.Connection, records: list[CommitRecord]) -> None:
    """Commit records one by one, as a page may come twice."""
    for record in records:
        write_records(connection, [record])


def _settle(connection: sqlite3.Connection, led: Mapping[int, int]) -> None:
    nodes = np.array(sorted(led), np.uint32)
    chosen = np.array([led[page] for page in sorted(led)], np.uint32)
    with transaction(connection):
        connection.execute("CREATE TEMP TABLE settled (id INTEGER PRIMARY KEY)")
        connection.executemany("INSERT INTO settled VALUES (?)", [(page,) for page in led])
        DuplicateEdges(connection, nodes, chosen).settle()
        connection.execute("DROP TABLE temp.settled")


def _kept(connection: sqlite3.Connection, page: int) -> Kept:
    """What a look-up gives: sorted edges, none, or that the block is damaged."""
    try:
        edges = LinkRows(connection).edges_of(page)
    except BlockDamaged:
        return DAMAGED
    return None if edges is None else sorted(zip(*(column.tolist() for column in edges), strict=True))


def _expected(before: Kept, page: int, led: Mapping[int, int], *, is_whole: bool) -> Kept:
    """By the rule for one page: another row only where its edges of kind DUPLICATE are not the one it should have."""
    if page not in led or isinstance(before, str):
        return before
    wanted = [(led[page], int(EdgeKind.DUPLICATE))] if led[page] != page else []
    if before is None:
        return wanted if wanted and is_whole else None
    return sorted([edge for edge in before if edge[1] != EdgeKind.DUPLICATE] + wanted)


@given(GROUPS, LED, st.booleans(), st.booleans(), st.integers(0, 3))
def test_edges_to_representatives_are_those_of_a_page_by_page_settling(
    groups: list[dict[int, Edges]], led: dict[int, int], is_whole: bool, is_sealed: bool, rotten: int
) -> None:
    """Rows, blocks that overlap, rows newer than their block, damaged blocks, pages without a row and rows that were
    dropped: each page has what it would have by itself, also once rows are sealed, and twice changes nothing."""
    connection = _laid_out(groups)
    if not is_whole:
        dropped = '{"rows": 1, "links": 0, "kinds": {}}'
        connection.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (META_KEY, dropped))
    if is_sealed:
        Sealer(1).finish(connection)
    connection.execute("UPDATE link_blocks SET block = zeroblob(length(block)) WHERE number = ?", (rotten,))
    pages = range(1, PAGES + 1)
    expected = [_expected(_kept(connection, page), page, led, is_whole=is_whole) for page in pages]
    _settle(connection, led)
    assert [_kept(connection, page) for page in pages] == expected
    once = list(connection.iterdump())
    _settle(connection, led)
    assert list(connection.iterdump()) == once
    Sealer(1).finish(connection)
    assert [_kept(connection, page) for page in pages] == expected
    connection.close()
