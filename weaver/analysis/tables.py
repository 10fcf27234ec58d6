"""The tables that can be exported, as named columns and rows that are made while they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice

from weaver.analysis.degrees import InDegrees
from weaver.analysis.walk import Walk
from weaver.base.page import EdgeKind, PageState
from weaver.persistence.crawl_rows import KnownUrl
from weaver.persistence.reader import CrawlReader

TEXT_BATCH_ROWS = 20_000
BATCH_EDGES = 4_000

Cell = str | int | float | bool | None
Row = tuple[Cell, ...]

EDGE_KINDS = {int(kind): kind.name.lower() for kind in EdgeKind}
"""What an edge's kind is called outside weaver; a number that a later version adds keeps its number."""

PAGE_COLUMNS = (
    "id", "url", "host", "depth", "http_status", "state", "content_type", "body_bytes", "content_hash",
    "duplicate_of", "title", "in_links", "out_links", "fetched_at", "reason",
)  # fmt: skip
EDGE_COLUMNS = ("source_id", "target_id", "kind")
HOST_COLUMNS = (
    "id", "origin", "urls", "queued", "fetched", "duplicate", "redirect", "failed", "blocked_robots", "skipped",
    "failures_in_a_row", "robots_status", "robots_fetched_at", "crawl_delay_s", "ready_at",
)  # fmt: skip
DUPLICATE_COLUMNS = ("representative_id", "member_id", "same", "content_hash", "similarity")


@dataclass(frozen=True, slots=True)
class Table:
    """A table's column names, and its rows, to be read once."""

    columns: tuple[str, ...]
    rows: Iterator[Row]


def iso_time(wall_s: float | None) -> str | None:
    """A wall-clock time as ISO 8601 in UTC, to the millisecond; None for none."""
    if not wall_s:
        return None
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def state_of(known: KnownUrl) -> str:
    """Where a URL stands: its page's state, or `queued`, or `skipped` where it was refused at discovery."""
    if known.state is not None:
        return known.state
    return PageState.SKIPPED.value if known.refusal else PageState.QUEUED.value


def pages_table(walk: Walk, with_urls: bool) -> Table:
    """One row for each known URL, whether visited or not."""
    columns = PAGE_COLUMNS + (("duplicate_of_url",) if with_urls else ())
    return Table(columns, _page_rows(walk, with_urls))


def edges_table(walk: Walk, with_urls: bool) -> Table:
    """One row for each edge of the link graph."""
    columns = EDGE_COLUMNS + (("source_url", "target_url") if with_urls else ())
    rows = edges(walk)
    return Table(columns, _with_texts(walk.reader, rows) if with_urls else rows)


def hosts_table(walk: Walk, _with_urls: bool) -> Table:
    """One row for each host, with the number of its URLs by what came of them."""
    rows = (
        (
            host.id, host.origin, host.urls, host.queued, host.fetched, host.duplicate, host.redirect, host.failed,
            host.blocked_robots, host.skipped, host.failures, host.robots_status, iso_time(host.robots_fetched_at),
            host.crawl_delay_s, iso_time(host.ready_at),
        )
        for host in walk.reader.hosts()
    )  # fmt: skip
    return Table(HOST_COLUMNS, rows)


def duplicates_table(walk: Walk, with_urls: bool) -> Table:
    """One row for each page that is a duplicate, with its cluster's representative; then one for each that is nearly
    the same as an earlier page, with that one."""
    exact: Iterator[Row] = (
        (pair.representative_id, pair.member_id, "body" if pair.same_body else "text", pair.body_digest.hex(), 1.0)
        for pair in walk.reader.duplicates()
    )
    near: Iterator[Row] = (
        (pair.other_id, pair.member_id, "near", pair.body_digest.hex(), round(pair.similarity, 4))
        for pair in walk.reader.near_duplicates()
    )
    rows = chain(exact, near)
    if not with_urls:
        return Table(DUPLICATE_COLUMNS, rows)
    return Table(DUPLICATE_COLUMNS + ("representative_url", "member_url"), _with_texts(walk.reader, rows))


TABLES: dict[str, Callable[[Walk, bool], Table]] = {
    "pages": pages_table,
    "edges": edges_table,
    "hosts": hosts_table,
    "duplicates": duplicates_table,
}


def edges(walk: Walk) -> Iterator[Row]:
    """All edges as (source id, target id, kind)."""
    return chain.from_iterable(edge_batches(walk))


def edge_batches(walk: Walk) -> Iterator[Iterator[tuple[int, int, str]]]:
    """All edges as (source id, target id, kind), some thousands at a time: as Python objects they take 150 B each."""
    for window in walk.edges():
        sources = window.sources
        for at in range(0, len(sources), BATCH_EDGES):
            part = slice(at, at + BATCH_EDGES)
            kinds = [EDGE_KINDS.get(kind) or str(kind) for kind in window.kinds[part].tolist()]
            yield zip(sources[part].tolist(), window.targets[part].tolist(), kinds, strict=True)


def _with_texts(reader: CrawlReader, rows: Iterator[Row]) -> Iterator[Row]:
    """The rows with the URLs of their first two ids behind them, looked up for a batch of rows at once."""
    while batch := list(islice(rows, TEXT_BATCH_ROWS)):
        yield from _texts_of(reader, batch)


def _texts_of(reader: CrawlReader, rows: list[Row]) -> Iterator[Row]:
    ids = {int(value) for row in rows for value in row[:2] if isinstance(value, int)}
    texts = reader.urls_of(ids)
    for row in rows:
        yield row + tuple(texts.get(value) if isinstance(value, int) else None for value in row[:2])


def _page_rows(walk: Walk, with_urls: bool) -> Iterator[Row]:
    in_degrees = InDegrees(walk.reader, walk.last_id)
    for window in walk.known_urls():
        texts = walk.reader.urls_of({known.duplicate_of for known in window if known.duplicate_of}) if with_urls else {}
        for known in window:
            row = _page_row(known, in_degrees.of(known.id))
            yield row + (texts.get(known.duplicate_of or 0),) if with_urls else row


def _page_row(known: KnownUrl, in_links: int) -> Row:
    return (
        known.id,
        known.url,
        (known.origin or "").partition("://")[2],
        known.depth,
        known.http_status or None,
        state_of(known),
        known.content_type or None,
        known.body_bytes if known.http_status else None,
        known.body_digest.hex() if known.body_digest else None,
        known.duplicate_of or None,
        known.title or None,
        in_links,
        known.out_links or 0,
        iso_time(known.fetched_at),
        known.reason or known.refusal or None,
    )
