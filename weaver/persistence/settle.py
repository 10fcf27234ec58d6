"""Settling: which page of a cluster of duplicates stands for it, whatever order they were fetched in."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from weaver.base.page import EdgeKind
from weaver.base.record import Adjacency
from weaver.persistence.packing import pack, unpack

# A carrier is a page with one of its digests, as `contents` writes them: `b` or `t` in front.
_TABLES = (
    "CREATE TEMP TABLE seed AS SELECT id FROM pages WHERE state = 'duplicate'",
    "CREATE UNIQUE INDEX temp.seed_id ON seed (id)",
    """CREATE TEMP TABLE carrier AS
        SELECT CAST(x'62' || body_digest AS BLOB) AS digest, id FROM pages
            WHERE state IN ('fetched', 'duplicate') AND body_digest <> x''
        UNION ALL
        SELECT CAST(x'74' || text_digest AS BLOB), id FROM pages
            WHERE state IN ('fetched', 'duplicate') AND text_digest <> x''""",
    "CREATE INDEX temp.carrier_digest ON carrier (digest, id)",
    "CREATE INDEX temp.carrier_id ON carrier (id, digest)",
    "CREATE TEMP TABLE member (id INTEGER PRIMARY KEY, step INTEGER NOT NULL)",
    "CREATE TEMP TABLE mark (digest BLOB PRIMARY KEY, step INTEGER NOT NULL) WITHOUT ROWID",
)
_SCRATCH = ("seed", "carrier", "member", "mark")

_NEW_MARKS = """
    INSERT OR IGNORE INTO mark (digest, step)
    SELECT carrier.digest, :step FROM member CROSS JOIN carrier ON carrier.id = member.id WHERE member.step = :step
"""
_NEW_MEMBERS = """
    INSERT OR IGNORE INTO member (id, step)
    SELECT carrier.id, :step + 1 FROM mark CROSS JOIN carrier ON carrier.digest = mark.digest WHERE mark.step = :step
"""
_REPRESENTATIVE = """
    SELECT urls.id FROM member CROSS JOIN urls ON urls.id = member.id ORDER BY length(url), url, urls.id LIMIT 1
"""
_WRITES = (
    """UPDATE pages SET state = 'fetched', duplicate_of = 0
        WHERE id = :page AND (state <> 'fetched' OR duplicate_of <> 0)""",
    """UPDATE pages SET state = 'duplicate', duplicate_of = :page
        WHERE id IN (SELECT id FROM member WHERE id <> :page) AND (state <> 'duplicate' OR duplicate_of <> :page)""",
    """INSERT OR IGNORE INTO links (id, packed)
        SELECT id, with_duplicate_edge(NULL, :page) FROM member WHERE id <> :page""",
    """UPDATE links SET packed = with_duplicate_edge(packed, iif(id = :page, 0, :page))
        WHERE id IN (SELECT id FROM member) AND packed <> with_duplicate_edge(packed, iif(id = :page, 0, :page))""",
    """INSERT INTO contents (digest, page_id) SELECT digest, :page FROM mark WHERE true
        ON CONFLICT (digest) DO UPDATE SET page_id = excluded.page_id WHERE page_id <> excluded.page_id""",
)


def settle_duplicates(connection: sqlite3.Connection) -> int:
    """Give each cluster of duplicates its one representative; the number of clusters comes back.

    A cluster is a connected component of fetched and duplicate pages that share a body digest or a text
    digest, with at least one that the crawl called a duplicate. It is represented by its shortest URL, the
    first of these in byte order: that one is `fetched`, the others are its duplicates, each with exactly one
    edge of kind DUPLICATE, to it; the cluster's digests lead to it. One transaction; settling twice changes
    nothing. Memory: clusters are spread out in SQLite's temporary tables. Without duplicates it costs one
    look into an empty index, with some a sorted copy of all digests.
    """
    if not connection.execute("SELECT 1 FROM pages WHERE state = 'duplicate' LIMIT 1").fetchall():
        return 0
    connection.create_function("with_duplicate_edge", 2, _with_duplicate_edge, deterministic=True)
    with _transaction(connection):
        for statement in _TABLES:
            connection.execute(statement)
        clusters = 0
        while (seed := _next_seed(connection)) is not None:
            _spread(connection, seed)
            _write(connection)
            clusters += 1
        for table in _SCRATCH:
            connection.execute(f"DROP TABLE temp.{table}")
    return clusters


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, temporary tables included."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _next_seed(connection: sqlite3.Connection) -> int | None:
    ((seed,),) = connection.execute("SELECT min(id) FROM seed").fetchall()
    return None if seed is None else int(seed)


def _spread(connection: sqlite3.Connection, seed: int) -> None:
    """Fill `member` and `mark` with the seed's cluster, breadth first: each page and digest is met once."""
    connection.execute("DELETE FROM member")
    connection.execute("DELETE FROM mark")
    connection.execute("INSERT INTO member (id, step) VALUES (?, 0)", (seed,))
    step, grown = 0, 1
    while grown:
        connection.execute(_NEW_MARKS, {"step": step})
        grown = connection.execute(_NEW_MEMBERS, {"step": step}).rowcount
        step += 1


def _write(connection: sqlite3.Connection) -> None:
    ((representative,),) = connection.execute(_REPRESENTATIVE).fetchall()
    for statement in _WRITES:
        connection.execute(statement, {"page": representative})
    connection.execute("DELETE FROM seed WHERE id IN (SELECT id FROM member)")


def _with_duplicate_edge(packed: bytes | None, representative: int) -> bytes:
    """The blob with no edge of kind DUPLICATE but the one to `representative`, last; 0 for none at all."""
    targets, kinds = unpack(pack(Adjacency()) if packed is None else packed)
    kept = kinds != EdgeKind.DUPLICATE
    more = [representative] if representative else []
    return pack(
        Adjacency(
            np.append(targets[kept], np.array(more, np.uint32)).tobytes(),
            np.append(kinds[kept], np.full(len(more), EdgeKind.DUPLICATE, np.uint8)).tobytes(),
        )
    )
