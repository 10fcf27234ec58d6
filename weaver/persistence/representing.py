"""Representing: which page of a cluster stands for the others, by the rule of the settings."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from weaver.base.page import EdgeKind
from weaver.base.settings import RepresentativeRule
from weaver.persistence.link_columns import LinkColumns
from weaver.persistence.link_windows import LinkWindows

_SHORTEST = "length(url), url, urls.id"
_NAMED = """
    EXISTS (
        SELECT 1 FROM temp.canonical AS naming CROSS JOIN {members} AS namer ON namer.id = naming.source
        WHERE naming.target = urls.id
    )
"""
_ORDERS: dict[RepresentativeRule, str] = {
    "auto": _SHORTEST,
    "shortest_url": _SHORTEST,
    "first_seen": "urls.id",
    "canonical": f"NOT {_NAMED}, {_SHORTEST}",
    "most_linked": f"in_links(urls.id) DESC, {_SHORTEST}",
}
_CANONICAL = (
    "CREATE TEMP TABLE canonical (target INTEGER NOT NULL, source INTEGER NOT NULL)",
    "INSERT INTO temp.canonical VALUES (?, ?)",
    "CREATE INDEX temp.canonical_target ON canonical (target, source)",
    "DROP TABLE IF EXISTS temp.canonical",
)


class Representatives:
    """Chooses for the cluster whose ids are in the temporary table `members`; all within one transaction.

    `shortest_url` and `first_seen` (the smallest id) look at the members alone. `canonical` prefers a page that one
    of the cluster names as its canonical, `most_linked` the one that most links lead to; both read all links once, at
    the first cluster, and go by the shortest URL where that does not decide. Memory: 4 B a known URL for `most_linked`.
    What can't be read of damaged blocks counts as not there.
    """

    def __init__(self, connection: sqlite3.Connection, rule: RepresentativeRule, members: str) -> None:
        self._connection = connection
        self._rule = rule
        order = _ORDERS[rule].format(members=members)
        self._query = (
            f"SELECT urls.id FROM {members} AS member CROSS JOIN urls ON urls.id = member.id ORDER BY {order} LIMIT 1"
        )
        self._is_ready = False

    def __repr__(self) -> str:
        return f"Representatives({self._rule})"

    def choose(self) -> int:
        """The id of the page that stands for the others."""
        if not self._is_ready:
            self._prepare()
            self._is_ready = True
        ((page_id,),) = self._connection.execute(self._query).fetchall()
        return int(page_id)

    def close(self) -> None:
        """Let go of what the links said."""
        if self._rule == "canonical":
            self._connection.execute(_CANONICAL[3])
        elif self._rule == "most_linked":
            self._connection.create_function("in_links", 1, None)

    def _prepare(self) -> None:
        if self._rule == "canonical":
            self._note_canonicals()
        elif self._rule == "most_linked":
            counts = _in_links(self._connection)
            self._connection.create_function("in_links", 1, lambda page_id: int(counts[page_id]), deterministic=True)

    def _note_canonicals(self) -> None:
        create, insert, index, _ = _CANONICAL
        self._connection.execute(create)
        for window in _windows(self._connection):
            sources = np.repeat(window.nodes, window.degrees)
            is_canonical = window.kinds == EdgeKind.CANONICAL
            rows = zip(window.targets[is_canonical].tolist(), sources[is_canonical].tolist(), strict=True)
            self._connection.executemany(insert, rows)
        self._connection.execute(index)


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
