"""Representing: which page of each cluster stands for the others, by the rule of the settings."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import numpy as np
from numpy.typing import NDArray

from weaver.base.page import EdgeKind
from weaver.base.settings import RepresentativeRule
from weaver.codec import Nodes
from weaver.persistence.clusters import Clusters
from weaver.persistence.link_columns import LinkColumns
from weaver.persistence.link_windows import LinkWindows
from weaver.persistence.statements import Insert

_MEMBERS = "CREATE TEMP TABLE member (id INTEGER PRIMARY KEY, cluster INTEGER NOT NULL)"
_MEMBER = Insert("INSERT INTO member (id, cluster)", 2)
# So many rows at a time are Python's own integers.
_PART_ROWS = 2_048
_SHORTEST = "length(url), url, urls.id"
_NAMED = """
    EXISTS (
        SELECT 1 FROM temp.canonical AS naming CROSS JOIN member AS namer ON namer.id = naming.source
        WHERE naming.target = urls.id AND namer.cluster = member.cluster
    )
"""
_ORDERS: dict[RepresentativeRule, str] = {
    "auto": _SHORTEST,
    "shortest_url": _SHORTEST,
    "first_seen": "urls.id",
    "canonical": f"NOT {_NAMED}, {_SHORTEST}",
    "most_linked": f"in_links(urls.id) DESC, {_SHORTEST}",
}
_IN_ORDER = "SELECT cluster, urls.id FROM member CROSS JOIN urls ON urls.id = member.id ORDER BY cluster, {order}"
_CANONICAL = (
    "CREATE TEMP TABLE canonical (target INTEGER NOT NULL, source INTEGER NOT NULL)",
    "INSERT INTO temp.canonical VALUES (?, ?)",
    "CREATE INDEX temp.canonical_target ON canonical (target, source)",
)


def representatives(connection: sqlite3.Connection, rule: RepresentativeRule, clusters: Clusters) -> Nodes:
    """Beside each page of the clusters the one that stands for its cluster.

    `shortest_url` and `first_seen` (the smallest id) look at the members alone. `canonical` prefers a page that one
    of the cluster names as its canonical, `most_linked` the one that most links lead to; both read all links once, and
    go by the shortest URL where that does not decide. What can't be read of damaged blocks counts as not there.
    Within the caller's transaction. Members are sorted in SQLite's temporary files; in RAM are 8 B a cluster, and 4 B a
    known URL for `most_linked`. O(members log members).
    """
    connection.execute(_MEMBERS)
    insert_pairs(connection, _MEMBER, clusters.nodes, clusters.names)
    with _links_heard(connection, rule):
        names, chosen = _first_of_each(connection, _IN_ORDER.format(order=_ORDERS[rule]))
    connection.execute("DROP TABLE temp.member")
    return chosen[np.searchsorted(names, clusters.names)]


def insert_pairs(connection: sqlite3.Connection, insert: Insert, nodes: Nodes, others: Nodes) -> None:
    """A row for each page and what stands beside it."""
    for start in range(0, len(nodes), _PART_ROWS):
        part = slice(start, start + _PART_ROWS)
        insert.run(connection, list(zip(nodes[part].tolist(), others[part].tolist(), strict=True)))


def _first_of_each(connection: sqlite3.Connection, query: str) -> tuple[Nodes, Nodes]:
    """The clusters' names, rising, and the page that comes first in each."""
    names, pages = [np.zeros(0, np.uint32)], [np.zeros(0, np.uint32)]
    last = -1
    with closing(connection.execute(query)) as cursor:
        while rows := cursor.fetchmany(_PART_ROWS):
            found = np.array(rows, np.int64)
            is_first = np.diff(found[:, 0], prepend=last) != 0
            last = int(found[-1, 0])
            names.append(found[is_first, 0].astype(np.uint32))
            pages.append(found[is_first, 1].astype(np.uint32))
    return np.concatenate(names), np.concatenate(pages)


@contextmanager
def _links_heard(connection: sqlite3.Connection, rule: RepresentativeRule) -> Iterator[None]:
    """What the rule asks of the links is there for its query."""
    if rule == "canonical":
        _note_canonicals(connection)
        yield
        connection.execute("DROP TABLE temp.canonical")
    elif rule == "most_linked":
        counts = _in_links(connection)
        connection.create_function("in_links", 1, lambda page_id: int(counts[page_id]), deterministic=True)
        yield
        connection.create_function("in_links", 1, None)
    else:
        yield


def _note_canonicals(connection: sqlite3.Connection) -> None:
    create, insert, index = _CANONICAL
    connection.execute(create)
    for window in _windows(connection):
        sources = np.repeat(window.nodes, window.degrees)
        is_canonical = window.kinds == EdgeKind.CANONICAL
        rows = zip(window.targets[is_canonical].tolist(), sources[is_canonical].tolist(), strict=True)
        connection.executemany(insert, rows)
    connection.execute(index)


def _in_links(connection: sqlite3.Connection) -> NDArray[np.uint32]:
    """How many pages link to each URL, by its id; a page's link to itself says nothing."""
    counts = np.zeros(_last_id(connection) + 1, np.uint32)
    for window in _windows(connection):
        sources = np.repeat(window.nodes, window.degrees)
        is_link = (window.kinds <= EdgeKind.NOFOLLOW) & (window.targets != sources)
        np.add.at(counts, window.targets[is_link], 1)
    return counts


def _windows(connection: sqlite3.Connection) -> Iterator[LinkColumns]:
    return iter(LinkWindows(connection, _last_id(connection), skips_damaged=True))


def _last_id(connection: sqlite3.Connection) -> int:
    ((last_id,),) = connection.execute("SELECT max(id) FROM urls").fetchall()
    return last_id or 0
