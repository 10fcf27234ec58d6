"""Settling near duplicates: which pages a chain of pairs joins, and which of them stands for the others."""

from __future__ import annotations

import sqlite3

from weaver.base.settings import RepresentativeRule
from weaver.persistence.link_blocks import transaction
from weaver.persistence.representing import Representatives

# A page that is the copy of another stands for nothing itself: its pairs are those of the one that it is a copy of.
_TABLES = (
    # With types, for SQLite finds no integer by an index over values without one.
    "CREATE TEMP TABLE near_pair (a INTEGER NOT NULL, b INTEGER NOT NULL)",
    """INSERT INTO near_pair (a, b)
        SELECT iif(one.state = 'duplicate', one.duplicate_of, one.id),
            iif(other.state = 'duplicate', other.duplicate_of, other.id)
        FROM near_duplicates
            CROSS JOIN pages AS one ON one.id = page_id
            CROSS JOIN pages AS other ON other.id = other_id""",
    "DELETE FROM near_pair WHERE a = b",
    "CREATE INDEX temp.near_pair_a ON near_pair (a, b)",
    "CREATE INDEX temp.near_pair_b ON near_pair (b, a)",
    "CREATE TEMP TABLE near_left (id INTEGER PRIMARY KEY)",
    "INSERT OR IGNORE INTO near_left SELECT a FROM near_pair",
    "INSERT OR IGNORE INTO near_left SELECT b FROM near_pair",
    "CREATE TEMP TABLE near_member (id INTEGER PRIMARY KEY, step INTEGER NOT NULL)",
    "CREATE INDEX temp.near_member_step ON near_member (step)",
    "DELETE FROM near_clusters",
)
_SCRATCH = ("near_pair", "near_left", "near_member")
_NEW_MEMBERS = tuple(
    f"""INSERT OR IGNORE INTO near_member (id, step)
        SELECT near_pair.{there}, :step + 1
        FROM near_member CROSS JOIN near_pair ON near_pair.{here} = near_member.id WHERE near_member.step = :step"""
    for here, there in (("a", "b"), ("b", "a"))
)
_WRITE = "INSERT INTO near_clusters (page_id, representative_id) SELECT id, ? FROM near_member"


def settle_near_duplicates(connection: sqlite3.Connection, rule: RepresentativeRule = "auto") -> int:
    """Write the clusters of near duplicates anew; their number comes back. After `settle_duplicates`.

    A cluster is a connected component of pages by the pairs of `near_duplicates`, exact copies counted as the page
    that stands for them. It is represented by the page that `rule` puts first, at last by its shortest URL, the first
    of these in byte order. The pairs themselves stay as they were found. One transaction; memory: SQLite's temporary
    tables, and see `Representatives`. O(pairs log pairs).
    """
    with transaction(connection):
        for statement in _TABLES:
            connection.execute(statement)
        representatives, clusters = Representatives(connection, rule, "near_member"), 0
        while (seed := _next_seed(connection)) is not None:
            _spread(connection, seed)
            connection.execute(_WRITE, (representatives.choose(),))
            connection.execute("DELETE FROM near_left WHERE id IN (SELECT id FROM near_member)")
            clusters += 1
        representatives.close()
        for table in _SCRATCH:
            connection.execute(f"DROP TABLE temp.{table}")
    return clusters


def _next_seed(connection: sqlite3.Connection) -> int | None:
    ((seed,),) = connection.execute("SELECT min(id) FROM near_left").fetchall()
    return None if seed is None else int(seed)


def _spread(connection: sqlite3.Connection, seed: int) -> None:
    """Fill `near_member` with the seed's cluster, breadth first."""
    connection.execute("DELETE FROM near_member")
    connection.execute("INSERT INTO near_member (id, step) VALUES (?, 0)", (seed,))
    step, grown = 0, 1
    while grown:
        grown = sum(connection.execute(statement, {"step": step}).rowcount for statement in _NEW_MEMBERS)
        step += 1
