"""The archive: cold look-ups of one row or a few, for what no longer is in RAM."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from weaver.base.record import Adjacency, HostRecord
from weaver.persistence.border import disk_errors
from weaver.persistence.disk_limit import dropped_links
from weaver.persistence.graph_sizes import link_counts
from weaver.persistence.link_rows import LinkRows
from weaver.persistence.tally import stored_tally
from weaver.persistence.url_keys import ids_of_keys, merged_ids

MAX_PARAMETERS = 512

_HOST = (
    "SELECT id, origin, ready_at, crawl_delay_s, failures, robots_status, robots_body, robots_fetched_at,"
    " robots_unreachable_since FROM hosts"
)


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows on disk: a table's in all, pages by state and by (state, reason), refused URLs by reason, edges by kind.

    `body_bytes` are the decoded ones of all pages.
    """

    urls: int
    hosts: int
    queued: int
    links: int
    contents: int
    pages: dict[str, int]
    reasons: dict[tuple[str, str], int]
    refused: dict[str, int]
    edges: dict[int, int]
    body_bytes: int


@dataclass(frozen=True, slots=True)
class MaxIds:
    """The highest ids given so far; 0 where none was."""

    url_id: int
    host_id: int


class Archive:
    """Look-ups over a read-only connection, on the thread that opened it.

    Each SELECT is read to its end at once: an open one would keep the log from being folded back into the
    database. What was not committed yet is not seen here. All raise PersistenceError on a failing disk.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._links = LinkRows(connection)

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def ids_of_keys(self, keys: Sequence[int]) -> dict[int, int]:
        """The ids of those (unsigned) keys that are known; the older one where two URLs share a key.

        Some milliseconds for the newest keys, of which there is no index yet; `merged_ids` is for who knows these.
        """
        with disk_errors("looking URLs up"):
            return ids_of_keys(self._connection, keys)

    def merged_ids(self, keys: Sequence[int]) -> dict[int, int]:
        """The ids of those (unsigned) keys that are known and merged into the index."""
        with disk_errors("looking URLs up"):
            return merged_ids(self._connection, keys)

    def url(self, url_id: int) -> str | None:
        """The text of a URL, or None."""
        rows = self._select("SELECT url FROM urls WHERE id = ?", url_id)
        return str(rows[0][0]) if rows else None

    def urls(self, ids: Iterable[int]) -> dict[int, str]:
        """The texts of these ids; ids that are not known are left out."""
        return dict(self._select_in("SELECT id, url FROM urls WHERE id IN", list(ids)))

    def refused_url(self, url_id: int) -> tuple[str, str] | None:
        """The text of a URL and why it was not queued (empty: it was); None where it is not known."""
        rows = self._select("SELECT url, reason FROM urls WHERE id = ?", url_id)
        return rows[0] if rows else None

    def host(self, host_id: int) -> HostRecord | None:
        """What is known of a host, or None."""
        return self._host(f"{_HOST} WHERE id = ?", host_id)

    def host_by_origin(self, origin: str) -> HostRecord | None:
        """The host of an origin (scheme, host, port), or None."""
        return self._host(f"{_HOST} WHERE origin = ?", origin)

    def page_with_digest(self, digest: bytes) -> int:
        """The id of the first page with a digest (`b` or `t` in front of it); 0 where there is none."""
        return self._value("SELECT page_id FROM contents WHERE digest = ?", digest) or 0

    def adjacency(self, page_id: int) -> Adjacency | None:
        """A page's out-edges, those of a sealed row sorted by target; None where it left none behind."""
        with disk_errors("reading the crawl"):
            found = self._links.edges_of(page_id)
        return None if found is None else Adjacency(found[0].tobytes(), found[1].tobytes())

    def dropped_links(self) -> int:
        """How many links left the disk for the sake of `graph.disk_limit`."""
        with disk_errors("reading the crawl"):
            return dropped_links(self._connection).links

    def max_ids(self) -> MaxIds:
        """The highest ids of URLs and hosts: new ones begin above."""
        return MaxIds(
            self._value("SELECT max(id) FROM urls") or 0,
            self._value("SELECT max(id) FROM hosts") or 0,
        )

    def counts(self) -> Counts:
        """Rows on disk: as they were counted with each commit, but for hosts and links."""
        with disk_errors("reading the crawl"):
            tally = stored_tally(self._connection)
        pages = Counter[str]()
        for (state, _), rows in tally.pages.items():
            pages[state] += rows
        links, edges = self._link_counts()
        return Counts(
            urls=tally.urls,
            hosts=int(self._value("SELECT count(*) FROM hosts")),
            queued=tally.queued,
            links=links,
            contents=tally.contents,
            pages=dict(pages),
            reasons={outcome: rows for outcome, rows in tally.pages.items() if outcome[1]},
            refused=dict(tally.refused),
            edges=edges,
            body_bytes=tally.body_bytes,
        )

    def edge_counts(self) -> dict[int, int]:
        """How many edges of each kind there are, dropped ones included; reads the headers of unsealed rows only."""
        return self._link_counts()[1]

    def _link_counts(self) -> tuple[int, dict[int, int]]:
        with disk_errors("counting the links"):
            return link_counts(self._connection)

    def _host(self, sql: str, value: object) -> HostRecord | None:
        rows = self._select(sql, value)
        return HostRecord(*rows[0]) if rows else None

    def _value(self, sql: str, *values: object) -> Any:
        rows = self._select(sql, *values)
        return rows[0][0] if rows else None

    def _select(self, sql: str, *values: object) -> list[Any]:
        with disk_errors("reading the crawl"):
            return self._connection.execute(sql, values).fetchall()

    def _select_in(self, sql: str, values: list[int]) -> Iterator[Any]:
        """All rows for `values`; a batch is filled up to a power of two, so that few statements are compiled."""
        for start in range(0, len(values), MAX_PARAMETERS):
            batch = values[start : start + MAX_PARAMETERS]
            places = 1 << (len(batch) - 1).bit_length()
            batch += batch[-1:] * (places - len(batch))
            yield from self._select(f"{sql} ({', '.join('?' * places)})", *batch)
