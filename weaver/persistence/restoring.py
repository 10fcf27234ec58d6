"""Restoring: what a resume reads besides the archive's counts: streams of rows to refill RAM from, and used time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from weaver.base.page import EdgeKind, PageState
from weaver.base.record import PageRow
from weaver.persistence.link_columns import first_targets
from weaver.persistence.link_rows import LinkRows
from weaver.persistence.schema import IS_TROUBLE, MAY_BE_PROMOTED

_WINDOW_ROWS = 1_000
_TROUBLES = (
    f"SELECT id, state, http_status, reason, fetched_at FROM pages WHERE {IS_TROUBLE} AND id > ? ORDER BY id LIMIT ?"
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


def refused_ids(connection: sqlite3.Connection) -> Iterator[int]:
    """The ids of URLs that were not queued and may still be promoted; from their index."""
    for (url_id,) in connection.execute(f"SELECT id FROM urls WHERE {MAY_BE_PROMOTED}"):
        yield url_id


def refused_urls(
    connection: sqlite3.Connection, reasons: Collection[str], max_depth: int | None
) -> Iterator[list[RefusedUrl]]:
    """URLs that were not queued for one of the reasons, no deeper than `max_depth`, a window at a time.

    Those that may be promoted are found by their index; others cost a pass over `urls`.
    """
    marks = ", ".join("?" * len(reasons))
    indexed = f" AND {MAY_BE_PROMOTED}" if all(f"'{reason}'" in MAY_BE_PROMOTED for reason in reasons) else ""
    last_id, deepest = 0, max_depth if max_depth is not None else _ANY_DEPTH
    while reasons and (
        rows := connection.execute(
            f"SELECT id, url, reason, depth, redirects FROM urls WHERE reason IN ({marks}) AND depth <= ? AND id > ?"
            f"{indexed} ORDER BY id LIMIT ?",
            (*reasons, deepest, last_id, _WINDOW_ROWS),
        ).fetchall()
    ):
        last_id = rows[-1][0]
        yield [RefusedUrl._make(row) for row in rows]


def url_depths(connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Every known URL's id and depth."""
    yield from connection.execute("SELECT id, depth FROM urls")


def duplicate_urls(connection: sqlite3.Connection, limit: int) -> Iterator[str]:
    """The URLs of the newest `limit` pages that are duplicates."""
    newest = "SELECT id FROM pages INDEXED BY pages_duplicate WHERE state = 'duplicate' ORDER BY id DESC LIMIT ?"
    rows = connection.execute(f"SELECT url FROM ({newest}) CROSS JOIN urls USING (id)", (limit,))
    for (url,) in rows:
        yield url


def last_settings(connection: sqlite3.Connection) -> dict[str, Any]:
    """The settings of the newest run, as stored; empty where there was none."""
    rows = connection.execute("SELECT settings FROM runs ORDER BY id DESC LIMIT 1").fetchall()
    return dict(json.loads(rows[0][0])) if rows else {}


def host_page_counts(connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Each host's number of URLs that were queued at some time."""
    yield from connection.execute("SELECT host_id, count(*) FROM urls WHERE reason = '' GROUP BY host_id")


def newest_troubles(connection: sqlite3.Connection, limit: int) -> Iterator[tuple[PageRow, int]]:
    """The newest `limit` pages that failed or redirect, by id, the oldest first, each with where a redirect leads."""
    last_id = _page_before_newest_troubles(connection, limit)
    while rows := connection.execute(_TROUBLES, (last_id, _WINDOW_ROWS)).fetchall():
        last_id = rows[-1][0]
        redirects = [page_id for page_id, state, *_ in rows if state == PageState.REDIRECT]
        moved = LinkRows(connection).of(redirects, skips_damaged=True)
        moved_to = dict(first_targets(moved, EdgeKind.REDIRECT))
        for page_id, state, http_status, reason, fetched_at in rows:
            row = PageRow(page_id, PageState(state), fetched_at, http_status, reason=reason)
            yield row, moved_to.get(page_id, 0)


def _page_before_newest_troubles(connection: sqlite3.Connection, limit: int) -> int:
    rows = connection.execute(
        f"SELECT id FROM pages WHERE {IS_TROUBLE} ORDER BY id DESC LIMIT 1 OFFSET ?", (limit,)
    ).fetchall()
    return int(rows[0][0]) if rows else 0
