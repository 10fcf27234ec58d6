"""Read-only walks over `crawl.db`, in windows of ids: memory stays fixed, and no read outlives its window."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from weaver.base.errors import PersistenceError
from weaver.base.page import EdgeKind, PageState
from weaver.codec import Kinds, Row
from weaver.persistence.crawl_rows import DuplicatePair, HostPace, HostSummary, KnownUrl, NearPair, PageOutcome, Run
from weaver.persistence.database import CrawlDirectory
from weaver.persistence.disk_limit import dropped_links
from weaver.persistence.graph_sizes import GraphSizes, graph_sizes
from weaver.persistence.link_columns import LinkColumns, first_targets
from weaver.persistence.link_rows import LinkRows
from weaver.persistence.link_windows import LinkWindows
from weaver.persistence.url_keys import ids_of_keys

WINDOW_ROWS = 2_000
IDS_PER_SELECT = 5_000
FINAL_STATES = tuple(state.value for state in PageState if state not in (PageState.KNOWN, PageState.QUEUED))

_KNOWN_URL = """
    SELECT urls.id, urls.url, hosts.origin, urls.host_id, urls.depth, urls.source_id, urls.redirects, urls.reason,
        pages.state, pages.http_status, pages.content_type, pages.body_bytes, pages.body_digest, pages.text_digest,
        pages.duplicate_of, pages.title, pages.fetched_at, pages.reason
    FROM urls LEFT JOIN hosts ON hosts.id = urls.host_id LEFT JOIN pages ON pages.id = urls.id
"""
_COUNTS_BY_STATE = ", ".join(f"sum(pages.state = '{state}') AS {state}" for state in FINAL_STATES)
_HOSTS = f"""
    SELECT hosts.id, origin, ready_at, crawl_delay_s, failures, robots_status, robots_fetched_at, ifnull(known, 0),
        (SELECT count(*) FROM frontier WHERE frontier.host_id = hosts.id),
        ifnull(fetched, 0), ifnull(duplicate, 0), ifnull(redirect, 0), ifnull(failed, 0), ifnull(blocked_robots, 0),
        ifnull(skipped, 0) + ifnull(refused, 0)
    FROM hosts LEFT JOIN (
        SELECT host_id, count(*) AS known, sum(pages.id IS NULL AND urls.reason <> '') AS refused, {_COUNTS_BY_STATE}
        FROM urls LEFT JOIN pages ON pages.id = urls.id GROUP BY host_id
    ) AS outcome ON outcome.host_id = hosts.id
    ORDER BY hosts.id
"""


@contextlib.contextmanager
def open_reader(path: Path) -> Iterator[CrawlReader]:
    """A reader of the crawl in `path`. Raises DirectoryError where there is none, PersistenceError for a broken one."""
    connection = CrawlDirectory.open_existing(path).connect_readonly()
    try:
        yield CrawlReader(connection)
    except sqlite3.Error as error:
        raise PersistenceError(f"reading the crawl in {path} failed: {error}") from error
    finally:
        connection.close()


class CrawlReader:
    """What people ask of a crawl directory, as rows.

    Every look-up is one SELECT that is over when the answer is given, so that a crawl at work can go on truncating its
    log; only `hosts`, `hosts_by_name`, `duplicates` and `near_duplicates` hold a read open while they are iterated. The
    connection is read-only.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._links = LinkRows(connection)

    def meta(self, key: str) -> str | None:
        """The value of one row of `meta`, or None."""
        row = self._one("SELECT value FROM meta WHERE key = ?", key)
        return row[0] if row else None

    def last_run(self) -> Run | None:
        """The newest start of the crawl."""
        columns = ", ".join(Run._fields)
        row = self._one(f"SELECT {columns} FROM runs ORDER BY id DESC LIMIT 1")
        return Run._make(row) if row else None

    def last_url_id(self) -> int:
        """The highest id given so far: bounds a walk, so that it ends though the crawl goes on."""
        row = self._one("SELECT max(id) FROM urls")
        return row[0] or 0 if row else 0

    def change_stamp(self) -> int:
        """A number that stays as long as nobody else commits to the crawl; it means nothing to another reader."""
        row = self._one("PRAGMA data_version")
        return int(row[0]) if row else 0

    def host_ids(self, last_id: int) -> Iterator[list[tuple[int, int]]]:
        """The host of each URL up to `last_id` as (url id, host id), a window at a time."""
        first_id = 0
        while rows := self._all(
            "SELECT id, host_id FROM urls WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
            first_id,
            last_id,
            IDS_PER_SELECT,
        ):
            yield rows
            first_id = rows[-1][0]

    def origins_of(self, host_ids: Iterable[int]) -> dict[int, str]:
        """The origins of these hosts; ids that are not known are left out."""
        wanted = json.dumps(list(host_ids))
        return dict(self._all("SELECT id, origin FROM hosts WHERE id IN (SELECT value FROM json_each(?))", wanted))

    def hosts_by_name(self, name_of: Callable[[str], str]) -> Iterator[tuple[int, str]]:
        """All hosts as (id, what `name_of` makes of the origin), sorted by that, bytes compared; sorts on disk."""
        self._connection.create_function("name_of", 1, name_of, deterministic=True)
        yield from self._connection.execute("SELECT id, name_of(origin) AS name FROM hosts ORDER BY name, id")

    def urls_at(self, host_id: int, last_id: int) -> Iterator[list[int]]:
        """The ids of a host's URLs up to `last_id`, rising, a window at a time: a scan of the table."""
        first_id = 0
        while rows := self._all(
            "SELECT id FROM urls WHERE host_id = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?",
            host_id,
            first_id,
            last_id,
            IDS_PER_SELECT,
        ):
            yield [row[0] for row in rows]
            first_id = rows[-1][0]

    def host_id_of(self, origin: str) -> int:
        """The id of a host by its origin; 0 when it is not known."""
        row = self._one("SELECT id FROM hosts WHERE origin = ?", origin)
        return row[0] if row else 0

    def edges_of(self, page_id: int) -> Row | None:
        """One page's targets and kinds; None where it left none behind. Raises BlockDamaged."""
        return self._links.edges_of(page_id)

    def known_urls(self, last_id: int) -> Iterator[list[KnownUrl]]:
        """All URLs up to `last_id` in the order of their ids, a window at a time."""
        first_id = 0
        sql = f"{_KNOWN_URL} WHERE urls.id > ? AND urls.id <= ? ORDER BY urls.id LIMIT {WINDOW_ROWS}"
        while rows := self._all(sql, first_id, last_id):
            degrees = self._links.degrees(rows[0][0], rows[-1][0])
            yield [KnownUrl._make((*row, degrees.get(row[0]))) for row in rows]
            first_id = rows[-1][0]

    def known_url(self, url_id: int) -> KnownUrl | None:
        """One URL by its id."""
        row = self._one(f"{_KNOWN_URL} WHERE urls.id = ?", url_id)
        if row is None:
            return None
        edges = self.edges_of(url_id)
        return KnownUrl._make((*row, None if edges is None else len(edges[0])))

    def id_of(self, key: int, url: str) -> int:
        """The id of a canonical URL by its key (unsigned); 0 when it is not known."""
        found = ids_of_keys(self._connection, [key]).get(key, 0)
        row = self._one("SELECT id FROM urls WHERE id = ? AND url = ?", found, url)
        return row[0] if row else 0

    def dropped_links(self) -> int:
        """How many links left the directory for the sake of its limit: no other answer has them."""
        return dropped_links(self._connection).links

    def adjacencies(self, last_id: int) -> Iterator[LinkColumns]:
        """All out-edges of the pages up to `last_id`, by rising id, a window at a time. Raises BlockDamaged."""
        return iter(LinkWindows(self._connection, last_id))

    def in_links(self, target_id: int) -> Iterator[tuple[int, Kinds]]:
        """The pages that name `target_id`, by rising id, each with the kinds of its edges to it; reads all edges."""
        for window in self.adjacencies(self.last_url_id()):
            at = np.flatnonzero(window.targets == target_id)
            rows = np.searchsorted(window.offsets, at, side="right") - 1
            begins = np.flatnonzero(np.diff(rows, prepend=-1))
            kinds = np.split(window.kinds[at], begins[1:])
            yield from zip(window.nodes[rows[begins]].tolist(), kinds, strict=False)

    def graph_sizes(self) -> GraphSizes:
        """What the links take on disk."""
        return graph_sizes(self._connection)

    def pages_in(self, states: Iterable[PageState], last_id: int) -> Iterator[list[PageOutcome]]:
        """The pages in any of these states up to page `last_id`, in the order of their ids, a window at a time."""
        first_id, wanted = 0, json.dumps([state.value for state in states])
        sql = (
            "SELECT id, state, http_status, reason FROM pages"
            " WHERE id > ? AND id <= ? AND state IN (SELECT value FROM json_each(?))"
            f" ORDER BY id LIMIT {WINDOW_ROWS}"
        )
        while rows := self._all(sql, first_id, last_id, wanted):
            redirects = self._links.of([row[0] for row in rows if row[1] == PageState.REDIRECT])
            moved_to = dict(first_targets(redirects, EdgeKind.REDIRECT))
            yield [PageOutcome._make((*row, moved_to.get(row[0], 0))) for row in rows]
            first_id = rows[-1][0]

    def urls_of(self, ids: Iterable[int]) -> dict[int, str]:
        """The texts of these ids; ids that are not known are left out."""
        found: dict[int, str] = {}
        wanted = list(ids)
        for start in range(0, len(wanted), IDS_PER_SELECT):
            batch = json.dumps(wanted[start : start + IDS_PER_SELECT])
            found.update(
                self._all("SELECT id, url FROM urls WHERE id IN (SELECT value FROM json_each(?))", batch),
            )
        return found

    def hosts(self) -> Iterator[HostSummary]:
        """All hosts with their counts; sorts on disk, not in RAM."""
        yield from map(HostSummary._make, self._connection.execute(_HOSTS))

    def host_robots(self, origin: str) -> tuple[str, bytes, float] | None:
        """A host's robots status, stored body and when it was fetched."""
        return self._one("SELECT robots_status, robots_body, robots_fetched_at FROM hosts WHERE origin = ?", origin)

    def robots_unreachable_since(self, origin: str) -> float:
        """Since when a host's robots.txt is unreachable, wall-clock seconds; 0 where it is not."""
        row = self._one("SELECT robots_unreachable_since FROM hosts WHERE origin = ?", origin)
        return float(row[0]) if row else 0.0

    def host_timing(self, host_id: int) -> tuple[float, float | None, int]:
        """When a host may be asked next, its Crawl-delay in seconds, and its failures in a row."""
        row = self._one("SELECT ready_at, crawl_delay_s, failures FROM hosts WHERE id = ?", host_id)
        return row or (0.0, None, 0)

    def duplicates(self) -> Iterator[DuplicatePair]:
        """Every duplicate page, clusters together, in the order of their representatives."""
        rows = self._connection.execute(
            "SELECT member.duplicate_of, member.id, member.body_digest = other.body_digest, member.body_digest"
            " FROM pages AS member LEFT JOIN pages AS other ON other.id = member.duplicate_of"
            " WHERE member.state = 'duplicate' ORDER BY member.duplicate_of, member.id"
        )
        for representative_id, member_id, same_body, digest in rows:
            yield DuplicatePair(representative_id, member_id, bool(same_body), digest)

    def near_duplicates(self) -> Iterator[NearPair]:
        """Every page that is nearly the same as an earlier one, by those."""
        rows = self._connection.execute(
            "SELECT other_id, page_id, similarity, body_digest FROM near_duplicates JOIN pages ON pages.id = page_id"
            " ORDER BY other_id, page_id"
        )
        yield from map(NearPair._make, rows)

    def near_pages(self, page_id: int, limit: int) -> list[tuple[str, float]]:
        """Some pages that are nearly the same as `page_id`, earlier ones and later, as (URL, similarity)."""
        return self._all(
            "SELECT url, similarity FROM (SELECT other_id AS id, similarity FROM near_duplicates WHERE page_id = ?1"
            " UNION ALL SELECT page_id, similarity FROM near_duplicates WHERE other_id = ?1)"
            " JOIN urls USING (id) ORDER BY similarity DESC, id LIMIT ?2",
            page_id,
            limit,
        )

    def cluster_totals(self) -> dict[str, int]:
        """How many pages are duplicates, and of how many others; how many are nearly the same as an earlier one, and
        how many clusters these made at the end of the last run."""
        row = self._one("SELECT count(*), count(DISTINCT duplicate_of) FROM pages WHERE state = 'duplicate'") or (0, 0)
        near = self._one(
            "SELECT (SELECT count(*) FROM near_duplicates), count(DISTINCT representative_id) FROM near_clusters"
        ) or (0, 0)
        return {"pages": row[0], "representatives": row[1], "near_pages": near[0], "near_clusters": near[1]}

    def duplicates_of(self, page_id: int, limit: int) -> list[tuple[int, str]]:
        """Some pages that are duplicates of `page_id`, as (id, URL)."""
        return self._all(
            "SELECT pages.id, urls.url FROM pages JOIN urls ON urls.id = pages.id"
            " WHERE pages.state = 'duplicate' AND duplicate_of = ? ORDER BY pages.id LIMIT ?",
            page_id,
            limit,
        )

    def place_in_queue(self, host_id: int, url_id: int) -> tuple[int, int, int] | None:
        """A queued URL's (priority, URLs before it at its host, URLs queued at its host); None: not queued."""
        row = self._one("SELECT priority FROM frontier WHERE host_id = ? AND url_id = ?", host_id, url_id)
        if row is None:
            return None
        before, total = self._one(
            "SELECT sum((priority, url_id) < (?, ?)), count(*) FROM frontier WHERE host_id = ?",
            row[0],
            url_id,
            host_id,
        ) or (0, 0)
        return row[0], before, total

    def pages_by_state(self) -> dict[str, int]:
        """How many URLs were visited or decided, by state: a scan of the table."""
        return dict(self._all("SELECT state, count(*) FROM pages GROUP BY state"))

    def reasons(self, state: PageState) -> dict[str, int]:
        """How many pages of one state there are for each reason, most frequent first."""
        return dict(
            self._all(
                "SELECT reason, count(*) FROM pages WHERE state = ? GROUP BY reason ORDER BY 2 DESC, 1", state.value
            )
        )

    def refusals(self) -> dict[str, int]:
        """How many URLs were never queued for each reason, most frequent first."""
        return dict(
            self._all(
                "SELECT urls.reason, count(*) FROM urls LEFT JOIN pages ON pages.id = urls.id"
                " WHERE urls.reason <> '' AND pages.id IS NULL GROUP BY urls.reason ORDER BY 2 DESC, 1"
            )
        )

    def totals(self) -> dict[str, int]:
        """How many rows there are of known URLs, queued URLs and hosts."""
        tables = {"known": "urls", "queued": "frontier", "hosts": "hosts"}
        return {name: (self._one(f"SELECT count(*) FROM {table}") or (0,))[0] for name, table in tables.items()}

    def paces(self, limit: int) -> list[HostPace]:
        """The hosts whose pages took longest, by the time from first to last, at most `limit`."""
        return self._paces("HAVING pages > 1 ORDER BY span_s DESC, pages DESC", limit)

    def failing(self, limit: int) -> list[HostPace]:
        """The hosts with most failed pages, at most `limit`."""
        return self._paces("HAVING failed > 0 ORDER BY failed DESC, pages DESC", limit)

    def _paces(self, order: str, limit: int) -> list[HostPace]:
        rows = self._all(
            "SELECT origin, count(*) AS pages, sum(state = 'failed') AS failed,"
            " max(fetched_at) - min(fetched_at) AS span_s"
            " FROM pages JOIN urls ON urls.id = pages.id JOIN hosts ON hosts.id = urls.host_id"
            f" WHERE state IN ('fetched', 'duplicate', 'redirect', 'failed') GROUP BY urls.host_id {order} LIMIT ?",
            limit,
        )
        return [HostPace._make(row) for row in rows]

    # What SQLite returns is typed by the schema, not by the module's stubs: Any passes through these two.
    def _one(self, sql: str, *values: object) -> tuple | None:  # type: ignore[type-arg]
        return self._connection.execute(sql, values).fetchone()  # type: ignore[no-any-return]

    def _all(self, sql: str, *values: object) -> list:  # type: ignore[type-arg]
        return self._connection.execute(sql, values).fetchall()
