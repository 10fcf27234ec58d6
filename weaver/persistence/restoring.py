"""Restoring: what a resume reads besides the archive's counts: streams of rows to refill RAM from, and used time."""

from __future__ import annotations

import heapq
import json
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing
from typing import Any, NamedTuple

from weaver.base.page import EdgeKind, PageState
from weaver.base.record import MAX_NODE_ID, Adjacency, PageRow
from weaver.persistence.link_columns import first_targets
from weaver.persistence.link_rows import LinkRows
from weaver.persistence.link_windows import LinkWindows

_WINDOW_ROWS = 1_000
# A packed row is its targets, 4 bytes each, and a header of about 10 bytes.
_ROWS_DOWN = "SELECT id, (length(packed) - 10) / 4 FROM links ORDER BY id DESC"
_BLOCKS_DOWN = "SELECT first_node, links FROM link_blocks ORDER BY first_node DESC"
_IS_TROUBLE = "state IN ('failed', 'redirect')"
_TROUBLES = (
    f"SELECT id, state, http_status, reason, fetched_at FROM pages WHERE {_IS_TROUBLE} AND id > ? ORDER BY id LIMIT ?"
)

_ANY_DEPTH = 1 << 62


class RefusedUrl(NamedTuple):
    """A known URL that was not queued, and why."""

    url_id: int
    url: str
    reason: str
    depth: int
    redirects: int


def used_time(connection: sqlite3.Connection) -> tuple[float, float]:
    """CPU and wall seconds of all earlier runs that came to their end."""
    ((cpu_s, wall_s),) = connection.execute("SELECT total(cpu_s), total(wall_s) FROM runs").fetchall()
    return cpu_s, wall_s


def body_bytes(connection: sqlite3.Connection) -> int:
    """Decoded bytes of all pages fetched so far."""
    ((total,),) = connection.execute("SELECT total(body_bytes) FROM pages").fetchall()
    return int(total)


def refused_ids(connection: sqlite3.Connection, reasons: Collection[str]) -> Iterator[int]:
    """The ids of URLs that were not queued for one of the reasons; one pass over `urls`."""
    marks = ", ".join("?" * len(reasons))
    for (url_id,) in connection.execute(f"SELECT id FROM urls WHERE reason IN ({marks})", tuple(reasons)):
        yield url_id


def refused_urls(
    connection: sqlite3.Connection, reasons: Collection[str], max_depth: int | None
) -> Iterator[list[RefusedUrl]]:
    """URLs that were not queued for one of the reasons, no deeper than `max_depth`, a window at a time."""
    marks = ", ".join("?" * len(reasons))
    last_id, deepest = 0, max_depth if max_depth is not None else _ANY_DEPTH
    while rows := connection.execute(
        f"SELECT id, url, reason, depth, redirects FROM urls WHERE reason IN ({marks}) AND depth <= ? AND id > ?"
        " ORDER BY id LIMIT ?",
        (*reasons, deepest, last_id, _WINDOW_ROWS),
    ).fetchall():
        last_id = rows[-1][0]
        yield [RefusedUrl._make(row) for row in rows]


def url_depths(connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Every known URL's id and depth."""
    yield from connection.execute("SELECT id, depth FROM urls")


def duplicate_urls(connection: sqlite3.Connection) -> Iterator[str]:
    """The URLs of all pages that are duplicates."""
    rows = connection.execute("SELECT url FROM pages CROSS JOIN urls USING (id) WHERE state = 'duplicate'")
    for (url,) in rows:
        yield url


def last_settings(connection: sqlite3.Connection) -> dict[str, Any]:
    """The settings of the newest run, as stored; empty where there was none."""
    rows = connection.execute("SELECT settings FROM runs ORDER BY id DESC LIMIT 1").fetchall()
    return dict(json.loads(rows[0][0])) if rows else {}


def host_page_counts(connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Each host's number of URLs that were queued at some time."""
    yield from connection.execute("SELECT host_id, count(*) FROM urls WHERE reason = '' GROUP BY host_id")


def newest_links(connection: sqlite3.Connection, max_edges: int) -> Iterator[tuple[int, Adjacency]]:
    """The out-edges of the newest pages, about `max_edges` of them, the oldest of these first."""
    first_id = _page_before_newest(connection, max_edges) + 1
    for window in LinkWindows(connection, MAX_NODE_ID, first_id):
        for page_id, (targets, kinds) in window.rows():
            yield page_id, Adjacency(targets.tobytes(), kinds.tobytes())


def newest_troubles(connection: sqlite3.Connection, limit: int) -> Iterator[tuple[PageRow, int]]:
    """The newest `limit` pages that failed or redirect, by id, the oldest first, each with where a redirect leads."""
    last_id = _page_before_newest_troubles(connection, limit)
    while rows := connection.execute(_TROUBLES, (last_id, _WINDOW_ROWS)).fetchall():
        last_id = rows[-1][0]
        moved = LinkRows(connection).of([page_id for page_id, state, *_ in rows if state == PageState.REDIRECT])
        moved_to = dict(first_targets(moved, EdgeKind.REDIRECT))
        for page_id, state, http_status, reason, fetched_at in rows:
            row = PageRow(page_id, PageState(state), fetched_at, http_status, reason=reason)
            yield row, moved_to.get(page_id, 0)


def _page_before_newest_troubles(connection: sqlite3.Connection, limit: int) -> int:
    rows = connection.execute(
        f"SELECT id FROM pages WHERE {_IS_TROUBLE} ORDER BY id DESC LIMIT 1 OFFSET ?", (limit,)
    ).fetchall()
    return int(rows[0][0]) if rows else 0


def _page_before_newest(connection: sqlite3.Connection, max_edges: int) -> int:
    edges = 0
    with ExitStack() as stack:
        newest = (stack.enter_context(closing(connection.execute(sql))) for sql in (_ROWS_DOWN, _BLOCKS_DOWN))
        for page_id, count in heapq.merge(*newest, reverse=True):
            edges += count
            if edges > max_edges:
                return int(page_id)
    return 0
