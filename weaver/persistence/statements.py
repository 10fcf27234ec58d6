"""Commit records to rows: one kind of statement a table and group, many rows a statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Container, Iterable, Sequence
from itertools import chain
from operator import itemgetter

from weaver.base.page import PageState
from weaver.base.record import CommitRecord, HostRecord, PageRow, UrlRow
from weaver.persistence.packing import pack
from weaver.persistence.tally import store_tally, stored_tally
from weaver.persistence.url_keys import add_keys

# The GIL changes hands at each statement: 64 rows in one, and the event loop is disturbed that much less often.
ROWS_PER_STATEMENT = 64

Row = tuple[object, ...]
QueueKey = tuple[int, int, int]


class Insert:
    """An INSERT in two forms: of one row, and of 64."""

    def __init__(self, head: str, columns: int, tail: str = "") -> None:
        row = f"({', '.join('?' * columns)})"
        self._one = f"{head} VALUES {row} {tail}"
        self._many = f"{head} VALUES {', '.join([row] * ROWS_PER_STATEMENT)} {tail}"

    def run(self, connection: sqlite3.Connection, rows: Sequence[Row]) -> int:
        """Insert all rows, in their order; how many rows changed."""
        before = connection.total_changes
        whole = len(rows) - len(rows) % ROWS_PER_STATEMENT
        for start in range(0, whole, ROWS_PER_STATEMENT):
            values = tuple(chain.from_iterable(rows[start : start + ROWS_PER_STATEMENT]))
            connection.execute(self._many, values)
        if whole < len(rows):
            connection.executemany(self._one, rows[whole:])
        return connection.total_changes - before


_HOST_COLUMNS = (
    "id",
    "origin",
    "ready_at",
    "crawl_delay_s",
    "failures",
    "robots_status",
    "robots_body",
    "robots_fetched_at",
    "robots_unreachable_since",
)
_HOSTS = Insert(
    f"INSERT INTO hosts ({', '.join(_HOST_COLUMNS)})",
    len(_HOST_COLUMNS),
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _HOST_COLUMNS[1:])}",
)
_URLS = Insert("INSERT INTO urls (id, url, host_id, depth, source_id, redirects, reason)", 7)
_PAGES = Insert(
    "INSERT OR REPLACE INTO pages (id, state, http_status, content_type, body_bytes, body_digest, text_digest,"
    " duplicate_of, title, fetched_at, reason)",
    11,
)
_LINKS = Insert("INSERT OR REPLACE INTO links (id, packed, is_rewritten)", 3)
_CONTENTS = Insert("INSERT OR IGNORE INTO contents (digest, page_id)", 2)
_SIGNATURES = Insert("INSERT INTO signatures (page_id, row, keys)", 3)
_NEAR_DUPLICATES = Insert("INSERT OR REPLACE INTO near_duplicates (page_id, other_id, similarity, boilerplate)", 4)
_QUEUED = Insert("INSERT OR IGNORE INTO frontier (host_id, priority, url_id)", 3)
_DIGEST_OF_ROW = itemgetter(0)
_DELETED = "DELETE FROM frontier WHERE host_id = ? AND priority = ? AND url_id = ?"
_PROMOTED = "UPDATE urls SET depth = ?, reason = '' WHERE id = ?"


def write_records(connection: sqlite3.Connection, records: Sequence[CommitRecord]) -> None:
    """Write all that the records hold, as if one after the other; the caller owns the transaction."""
    tally = stored_tally(connection)
    _HOSTS.run(connection, _host_rows(records))
    urls = [url for record in records for url in record.urls]
    _URLS.run(connection, list(map(_row_of_url, urls)))
    tally.urls += len(urls)
    tally.refused.update(url.reason for url in urls if url.reason)
    add_keys(connection, urls)
    promoted = [(depth, url_id) for record in records for url_id, depth in record.promoted]
    if promoted:
        tally.take_promoted(connection, [url_id for _, url_id in promoted])
        connection.executemany(_PROMOTED, promoted)
    pages = [record.page for record in records if record.page is not None]
    links = _link_rows(records, tally.add_pages(connection, pages))
    _PAGES.run(connection, [_page_row(page) for page in pages])
    _LINKS.run(connection, links)
    tally.contents += _CONTENTS.run(connection, _content_rows(pages))
    near = [record.near for record in records if record.near is not None]
    _SIGNATURES.run(connection, [(row.page_id, row.row, row.keys) for row in near])
    found = [(row.page_id, row.other_id, row.similarity, row.boilerplate) for row in near if row.other_id]
    _NEAR_DUPLICATES.run(connection, found)
    tally.queued += _write_queue(connection, records)
    store_tally(connection, tally)


def _host_rows(records: Iterable[CommitRecord]) -> list[Row]:
    """The newest record of each host, in the order of their first ones."""
    newest = {host.host_id: host for record in records for host in record.hosts}
    return [_host_row(host) for host in newest.values()]


def _host_row(host: HostRecord) -> Row:
    return (
        host.host_id,
        host.origin,
        host.ready_at,
        host.crawl_delay_s,
        host.failures,
        host.robots_status,
        host.robots_body,
        host.robots_fetched_at,
        host.robots_unreachable_since,
    )


def _row_of_url(url: UrlRow) -> Row:
    return url.id, url.url, url.host_id, url.depth, url.source_id, url.redirects, url.reason


def _page_row(page: PageRow) -> Row:
    return (
        page.id,
        page.state.value,
        page.http_status,
        page.content_type,
        page.body_bytes,
        page.body_digest,
        page.text_digest,
        page.duplicate_of,
        page.title,
        page.fetched_at,
        page.reason,
    )


def _link_rows(records: Iterable[CommitRecord], visited: Container[int]) -> list[Row]:
    rows: list[Row] = []
    for record in records:
        if record.adjacency is not None:
            if record.page is None:
                raise ValueError("expected a page beside the adjacency of a commit record, got none")
            rows.append((record.page.id, pack(record.adjacency), record.page.id in visited))
    return rows


def _content_rows(pages: Iterable[PageRow]) -> list[tuple[bytes, int]]:
    """The digests of new content, in their order; a body's and a text's never meet, each has its letter in front.

    The sort is stable: of two pages with one digest the earlier one stays first.
    """
    rows: list[tuple[bytes, int]] = []
    for page in pages:
        if page.state is PageState.FETCHED and not page.duplicate_of:
            if page.body_digest:
                rows.append((b"b" + page.body_digest, page.id))
            if page.text_digest:
                rows.append((b"t" + page.text_digest, page.id))
    rows.sort(key=_DIGEST_OF_ROW)
    return rows


def _write_queue(connection: sqlite3.Connection, records: Iterable[CommitRecord]) -> int:
    """How many more entries there are; the last word on each entry decides.

    Within a record deletions come first, so that nothing queued is lost.
    """
    is_queued: dict[QueueKey, bool] = {}
    for record in records:
        for row in record.deleted:
            is_queued[row.host_id, row.priority, row.url_id] = False
        for row in record.queued:
            is_queued[row.host_id, row.priority, row.url_id] = True
    deleted = [key for key, stays in is_queued.items() if not stays]
    gone = connection.executemany(_DELETED, deleted).rowcount if deleted else 0
    return _QUEUED.run(connection, [key for key, stays in is_queued.items() if stays]) - gone
