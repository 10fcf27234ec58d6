"""Directories, records and writers for the tests of persistence."""

from __future__ import annotations

import sqlite3
import threading
from array import array
from collections.abc import Sequence
from pathlib import Path

from weaver.base.page import EdgeKind, PageState
from weaver.base.record import Adjacency, CommitRecord, PageRow, QueueRow, UrlRow
from weaver.base.settings import PersistenceSettings
from weaver.persistence import Connection, CrawlDirectory, Writer
from weaver.persistence.schema import TABLES

SETTINGS = PersistenceSettings()
WAIT_S = 20.0


def made(path: Path) -> tuple[CrawlDirectory, sqlite3.Connection]:
    """A new crawl and a connection that may write."""
    directory = CrawlDirectory.create(path / "crawl")
    return directory, directory.connect(SETTINGS)


def in_memory() -> sqlite3.Connection:
    """The tables alone, where no test needs a disk."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(TABLES)
    return connection


def url_row(url_id: int, url: str = "", *, key: int | None = None, depth: int = 0, reason: str = "") -> UrlRow:
    """A URL of host 1; its key is its id where none is given."""
    return UrlRow(url_id, url_id if key is None else key, url or f"http://h/{url_id}", 1, depth, 0, reason=reason)


def page_row(page_id: int, state: PageState = PageState.FETCHED, **values: object) -> PageRow:
    """A page, fetched where nothing else is said."""
    return PageRow(page_id, state, 1_700_000_000.0, **values)  # type: ignore[arg-type]


def adjacency(edges: Sequence[tuple[int, EdgeKind]]) -> Adjacency:
    """Out-edges from (target, kind) pairs."""
    return Adjacency(array("I", [target for target, _ in edges]).tobytes(), bytes(kind for _, kind in edges))


def page_record(page_id: int) -> CommitRecord:
    """A page that leads to the next one: one row in every table but hosts."""
    following = page_id + 1
    return CommitRecord(
        page=page_row(page_id, body_digest=page_id.to_bytes(16, "big")),
        adjacency=adjacency([(following, EdgeKind.HYPERLINK)]),
        urls=(url_row(following),),
        queued=(QueueRow(1, 0, following),),
        deleted=(QueueRow(1, 0, page_id),),
    )


def seed_record() -> CommitRecord:
    """The first URL, waiting."""
    return CommitRecord(urls=(url_row(1),), queued=(QueueRow(1, 0, 1),))


BAD_RECORD = CommitRecord(urls=(url_row(1), url_row(1)))


class WatchedWriter:
    """A writer that is not started yet, and what it told its owner."""

    def __init__(self, directory: CrawlDirectory, settings: PersistenceSettings = SETTINGS) -> None:
        self.commits: list[int] = []
        self.failures: list[BaseException] = []
        self.committed = threading.Event()
        self.failed = threading.Event()
        self.writer = Writer(directory.connect, settings, self._on_commit, self._on_failure)

    def _on_commit(self, records: int) -> None:
        self.commits.append(records)
        self.committed.set()

    def _on_failure(self, error: BaseException) -> None:
        self.failures.append(error)
        self.failed.set()


def pages_of(connection: Connection) -> list[int]:
    """The ids of all pages, ascending."""
    return [page_id for (page_id,) in connection.execute("SELECT id FROM pages ORDER BY id").fetchall()]
