"""Tally: how many rows of each sort a crawl has, kept in `meta` with each commit, so that nobody need count them."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from weaver.base.record import PageRow

TALLY = "tally"
"""The key in `meta`."""

_STORED = "SELECT value FROM meta WHERE key = ?"
_STORE = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)"
_EARLIER_PAGES = "SELECT id, state, reason, body_bytes FROM pages WHERE id IN (SELECT value FROM json_each(?))"
_REFUSALS = (
    "SELECT reason, count(*) FROM urls WHERE id IN (SELECT value FROM json_each(?)) AND reason <> '' GROUP BY reason"
)
_PAGES = "SELECT state, reason, count(*), total(body_bytes) FROM pages GROUP BY state, reason"
_REFUSED = "SELECT reason, count(*) FROM urls WHERE reason <> '' GROUP BY reason"


Outcome = tuple[str, str]


@dataclass(slots=True)
class Tally:
    """Rows by table, pages by (state, reason), refused URLs by reason; `body_bytes` are those of all pages."""

    urls: int = 0
    queued: int = 0
    contents: int = 0
    body_bytes: int = 0
    pages: Counter[Outcome] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> str:
        """The tally as `meta` has it; what there is none of is left out."""
        pages = [[*outcome, count] for outcome, count in sorted(self.pages.items()) if count]
        refused = {reason: count for reason, count in sorted(self.refused.items()) if count}
        return json.dumps({
            "urls": self.urls, "queued": self.queued, "contents": self.contents, "body_bytes": self.body_bytes,
            "pages": pages, "refused": refused,
        })  # fmt: skip

    @classmethod
    def from_json(cls, text: str) -> Tally:
        """The tally of `to_json`."""
        stored = json.loads(text)
        pages = Counter({(state, reason): count for state, reason, count in stored.pop("pages")})
        return cls(pages=pages, refused=Counter(stored.pop("refused")), **stored)

    def add_pages(self, connection: sqlite3.Connection, pages: Iterable[PageRow]) -> set[int]:
        """Count pages that are about to be written; the ids of those that have a row already."""
        pages = list(pages)
        rows = connection.execute(_EARLIER_PAGES, (json.dumps([page.id for page in pages]),)).fetchall()
        known = {page_id: ((state, reason), size_bytes) for page_id, state, reason, size_bytes in rows}
        visited = set(known)
        for page in pages:
            if page.id in known:
                outcome, size_bytes = known[page.id]
                self.pages[outcome] -= 1
                self.body_bytes -= size_bytes
            outcome = page.state.value, page.reason
            self.pages[outcome] += 1
            self.body_bytes += page.body_bytes
            known[page.id] = outcome, page.body_bytes
        return visited

    def take_promoted(self, connection: sqlite3.Connection, url_ids: Iterable[int]) -> None:
        """Discount the refusals of URLs that are about to be queued after all."""
        self.refused.subtract(dict(connection.execute(_REFUSALS, (json.dumps(list(url_ids)),)).fetchall()))


def stored_tally(connection: sqlite3.Connection) -> Tally:
    """The tally as of the last commit; counted where there is none yet."""
    rows = connection.execute(_STORED, (TALLY,)).fetchall()
    return Tally.from_json(rows[0][0]) if rows else counted_tally(connection)


def store_tally(connection: sqlite3.Connection, tally: Tally) -> None:
    """Note the tally, in the transaction of what it counts."""
    connection.execute(_STORE, (TALLY, tally.to_json()))


def counted_tally(connection: sqlite3.Connection) -> Tally:
    """The tally by counting; scans the tables, about a second for a few million rows."""
    urls, queued, contents = (_rows(connection, table) for table in ("urls", "frontier", "contents"))
    tally = Tally(urls, queued, contents)
    tally.refused.update(dict(connection.execute(_REFUSED).fetchall()))
    _count_pages(connection, tally)
    return tally


def recount_pages(connection: sqlite3.Connection) -> None:
    """Bring the stored tally up to what became of `pages` and `contents` since; scans both."""
    tally = stored_tally(connection)
    tally.contents = _rows(connection, "contents")
    _count_pages(connection, tally)
    store_tally(connection, tally)


def _count_pages(connection: sqlite3.Connection, tally: Tally) -> None:
    tally.pages, tally.body_bytes = Counter(), 0
    for state, reason, count, size_bytes in connection.execute(_PAGES).fetchall():
        tally.pages[state, reason] = count
        tally.body_bytes += int(size_bytes)


def _rows(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])
