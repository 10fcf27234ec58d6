"""Settling: which page of a cluster of duplicates stands for it, whatever order they were fetched in."""

from __future__ import annotations

import sqlite3

import numpy as np

from weaver.base.errors import BlockDamaged
from weaver.base.page import EdgeKind
from weaver.base.record import Adjacency
from weaver.base.settings import RepresentativeRule
from weaver.codec import Row
from weaver.persistence.disk_limit import dropped_links
from weaver.persistence.link_blocks import transaction
from weaver.persistence.link_rows import LinkRows
from weaver.persistence.packing import pack
from weaver.persistence.representing import Representatives
from weaver.persistence.tally import recount_pages

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
_WRITES = (
    """UPDATE pages SET state = 'fetched', duplicate_of = 0
        WHERE id = :page AND (state <> 'fetched' OR duplicate_of <> 0)""",
    """UPDATE pages SET state = 'duplicate', duplicate_of = :page
        WHERE id IN (SELECT id FROM member WHERE id <> :page) AND (state <> 'duplicate' OR duplicate_of <> :page)""",
    """INSERT INTO contents (digest, page_id) SELECT digest, :page FROM mark WHERE true
        ON CONFLICT (digest) DO UPDATE SET page_id = excluded.page_id WHERE page_id <> excluded.page_id""",
)
_MEMBERS = "SELECT id FROM member WHERE id > ? ORDER BY id LIMIT 1000"
# A row that is there knows already whether a block has an older one.
_ROW = """
    INSERT INTO links (id, packed, is_rewritten) VALUES (?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET packed = excluded.packed
"""
_NO_EDGES: Row = (np.zeros(0, np.uint32), np.zeros(0, np.uint8))


def settle_duplicates(connection: sqlite3.Connection, rule: RepresentativeRule = "auto") -> int:
    """Give each cluster of duplicates its one representative; the number of clusters comes back.

    A cluster is a connected component of fetched and duplicate pages that share a body digest or a text
    digest, with at least one that the crawl called a duplicate. It is represented by the page that `rule` puts first,
    at last by its shortest URL, the first of these in byte order: that one is `fetched`, the others are its duplicates,
    each with exactly one edge of kind DUPLICATE, to it; the cluster's digests lead to it. One transaction; settling
    twice changes nothing. Memory: clusters are spread out in SQLite's temporary tables; see `Representatives`. Without
    duplicates it costs one look into an empty index, with some a sorted copy of all digests.
    """
    if not connection.execute("SELECT 1 FROM pages WHERE state = 'duplicate' LIMIT 1").fetchall():
        return 0
    with transaction(connection):
        for statement in _TABLES:
            connection.execute(statement)
        links, representatives, clusters = LinkRows(connection), Representatives(connection, rule, "member"), 0
        while (seed := _next_seed(connection)) is not None:
            _spread(connection, seed)
            _write(connection, links, representatives.choose())
            clusters += 1
        recount_pages(connection)
        representatives.close()
        for table in _SCRATCH:
            connection.execute(f"DROP TABLE temp.{table}")
    return clusters


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


def _write(connection: sqlite3.Connection, links: LinkRows, representative: int) -> None:
    for statement in _WRITES:
        connection.execute(statement, {"page": representative})
    _write_links(connection, links, representative)
    connection.execute("DELETE FROM seed WHERE id IN (SELECT id FROM member)")


def _write_links(connection: sqlite3.Connection, links: LinkRows, representative: int) -> None:
    """Give each member that lacks it the edge to the representative, and this one none; one whose row is in a damaged
    block keeps that."""
    # Of a page without a row nobody can tell whether it was dropped: it must not come back with one edge of many.
    is_whole = not dropped_links(connection).rows
    last_id = 0
    while members := connection.execute(_MEMBERS, (last_id,)).fetchall():
        last_id = members[-1][0]
        for (page_id,) in members:
            wanted = [] if page_id == representative else [representative]
            try:
                edges = links.edges_of(page_id)
            except BlockDamaged:
                continue
            if edges is not None and edges[0][edges[1] == EdgeKind.DUPLICATE].tolist() != wanted:
                connection.execute(_ROW, (page_id, _with_duplicate_edge(edges, wanted), 1))
            elif edges is None and wanted and is_whole:
                connection.execute(_ROW, (page_id, _with_duplicate_edge(_NO_EDGES, wanted), 0))


def _with_duplicate_edge(edges: Row, wanted: list[int]) -> bytes:
    """The packed row with no edge of kind DUPLICATE but those wanted, last."""
    targets, kinds = edges
    kept = kinds != EdgeKind.DUPLICATE
    return pack(
        Adjacency(
            np.append(targets[kept], np.array(wanted, np.uint32)).tobytes(),
            np.append(kinds[kept], np.full(len(wanted), EdgeKind.DUPLICATE, np.uint8)).tobytes(),
        )
    )
