"""Queries over `frontier`, for `Writer.ask`: what waits on disk, host by host, in the order of its visit."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

_BEFORE_ALL = (-(1 << 63), 0)


class QueuedUrl(NamedTuple):
    """One entry of the frontier with all that a task needs."""

    priority: int
    url_id: int
    url: str
    depth: int
    redirects: int


class QueueTotals(NamedTuple):
    """How many URLs wait, and at how many hosts."""

    rows: int
    hosts: int


def queued_of_host(
    connection: sqlite3.Connection, host_id: int, limit: int, after: tuple[int, int] | None = None
) -> list[QueuedUrl]:
    """A host's next entries beyond the key `after` (priority, URL id), in that order; O(limit)."""
    priority, url_id = _BEFORE_ALL if after is None else after
    rows = connection.execute(
        "SELECT frontier.priority, frontier.url_id, urls.url, urls.depth, urls.redirects"
        " FROM frontier CROSS JOIN urls ON urls.id = frontier.url_id"
        " WHERE frontier.host_id = ? AND (priority, url_id) > (?, ?) ORDER BY priority, url_id LIMIT ?",
        (host_id, priority, url_id, limit),
    ).fetchall()
    return [QueuedUrl._make(row) for row in rows]


# Leaps from host to host along the primary key: a host's million entries cost one step.
_HOSTS = """
    WITH RECURSIVE host (id) AS (
        SELECT min(host_id) FROM frontier WHERE host_id > ?
        UNION ALL
        SELECT (SELECT min(host_id) FROM frontier WHERE host_id > host.id) FROM host WHERE host.id IS NOT NULL
    )
"""


def hosts_with_queue(connection: sqlite3.Connection, after_host_id: int, limit: int) -> list[int]:
    """The ids of hosts beyond `after_host_id` for which something waits, ascending; O(limit log n)."""
    rows = connection.execute(f"{_HOSTS} SELECT id FROM host WHERE id IS NOT NULL LIMIT ?", (after_host_id, limit))
    return [host_id for (host_id,) in rows.fetchall()]


def queue_totals(connection: sqlite3.Connection) -> QueueTotals:
    """How many URLs wait, and at how many hosts; counts all rows."""
    ((rows,),) = connection.execute("SELECT count(*) FROM frontier").fetchall()
    ((hosts,),) = connection.execute(f"{_HOSTS} SELECT count(id) FROM host", (-1,)).fetchall()
    return QueueTotals(rows, hosts)
