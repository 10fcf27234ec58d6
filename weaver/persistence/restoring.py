"""Restoring: what a resume reads besides the archive's counts: streams of rows to refill RAM from, and used time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from weaver.base.record import Adjacency
from weaver.persistence.packing import unpack_adjacency

# A packed row is its targets, 4 bytes each, and a header of about 10 bytes.
_ABOUT_EDGES = "(length(packed) - 10) / 4"
_WINDOW_ROWS = 1_000


def used_time(connection: sqlite3.Connection) -> tuple[float, float]:
    """CPU and wall seconds of all earlier runs that came to their end."""
    ((cpu_s, wall_s),) = connection.execute("SELECT total(cpu_s), total(wall_s) FROM runs").fetchall()
    return cpu_s, wall_s


def body_bytes(connection: sqlite3.Connection) -> int:
    """Decoded bytes of all pages fetched so far."""
    ((total,),) = connection.execute("SELECT total(body_bytes) FROM pages").fetchall()
    return int(total)


def refused_ids(connection: sqlite3.Connection, reason: str) -> Iterator[int]:
    """The ids of URLs that were not queued for a reason."""
    for (url_id,) in connection.execute("SELECT id FROM urls WHERE reason = ?", (reason,)):
        yield url_id


def host_page_counts(connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Each host's number of URLs that were queued at some time."""
    yield from connection.execute("SELECT host_id, count(*) FROM urls WHERE reason = '' GROUP BY host_id")


def newest_links(connection: sqlite3.Connection, max_edges: int) -> Iterator[tuple[int, Adjacency]]:
    """The out-edges of the newest pages, about `max_edges` of them, the oldest of these first."""
    last_id = _page_before_newest(connection, max_edges)
    while rows := connection.execute(
        "SELECT id, packed FROM links WHERE id > ? ORDER BY id LIMIT ?", (last_id, _WINDOW_ROWS)
    ).fetchall():
        last_id = rows[-1][0]
        for page_id, packed in rows:
            yield page_id, unpack_adjacency(packed)


def _page_before_newest(connection: sqlite3.Connection, max_edges: int) -> int:
    edges = 0
    for page_id, count in connection.execute(f"SELECT id, {_ABOUT_EDGES} FROM links ORDER BY id DESC"):
        edges += count
        if edges > max_edges:
            return int(page_id)
    return 0
