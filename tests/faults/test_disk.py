"""What a failing disk, a full disk and a kill leave behind: the committed part, whole, and a loud word."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.persistence.making import WAIT_S, WatchedWriter, page_record, pages_of
from weaver.base.errors import PersistenceError
from weaver.base.settings import PersistenceSettings
from weaver.persistence import Archive, Connection, CrawlDirectory, graph_digest, queue_totals

ROOT = Path(__file__).parents[2]
SMALL_GROUPS = PersistenceSettings(commit_pages=1)


class FailingConnection(sqlite3.Connection):
    """A connection whose disk fails at one statement, as often as it is said."""

    fails_at = ""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Fail where it was said, else do it."""
        if self.fails_at and sql.startswith(self.fails_at):
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *values)


class FaultyDirectory(CrawlDirectory):
    """A directory whose writer gets a connection that was tampered with."""

    tamper: Callable[[Connection], object]

    def connect(self, settings: PersistenceSettings) -> sqlite3.Connection:
        """The connection, tampered with."""
        connection = super().connect(settings)
        self.tamper(connection)
        return connection


@pytest.mark.parametrize("statement", ["BEGIN", "COMMIT"])
def test_a_failing_disk_stops_the_crawl(tmp_path: Path, statement: str) -> None:
    """An I/O error at the beginning or the end of a commit is told, and the group is not half there."""
    directory = CrawlDirectory.create(tmp_path / "crawl")
    connections: list[FailingConnection] = []

    def connect(settings: PersistenceSettings) -> sqlite3.Connection:
        connections.append(sqlite3.connect(directory.database_path, factory=FailingConnection, isolation_level=None))
        return connections[0]

    watched = WatchedWriter(directory, SMALL_GROUPS)
    watched.writer._connect = connect
    watched.writer.submit(page_record(1))
    watched.writer.start()
    watched.writer.flush().result(WAIT_S)
    connections[0].fails_at = statement
    watched.writer.submit(page_record(2))
    assert watched.failed.wait(WAIT_S)
    assert "disk I/O error" in str(watched.failures[0])
    reader = directory.connect_readonly()
    assert pages_of(reader) == [1]
    reader.close()


def test_a_full_disk_stops_the_crawl_and_loses_nothing_committed(tmp_path: Path) -> None:
    """When the disk is full the crawl stops at once, told so; all earlier commits are there and whole."""
    FaultyDirectory.create(tmp_path / "crawl")
    directory = FaultyDirectory(tmp_path / "crawl")
    directory.tamper = lambda connection: connection.execute("PRAGMA max_page_count = 40")
    watched = WatchedWriter(directory, SMALL_GROUPS)
    watched.writer.start()
    with pytest.raises(PersistenceError, match=r"the writer has ended|disk is full"):
        _crawl_for_ever(watched)
    assert watched.failed.wait(WAIT_S)
    assert "database or disk is full" in str(watched.failures[0])
    _assert_whole(directory, sum(watched.commits))


@pytest.mark.slow
@pytest.mark.parametrize("lines", [1, 2, 7, 40, 150])
def test_a_kill_leaves_the_committed_part_whole(tmp_path: Path, lines: int) -> None:
    """After kill -9 at any moment every page that was told as committed is there with all that belongs to it."""
    directory = CrawlDirectory.create(tmp_path / "crawl")
    command = [sys.executable, "-m", "tests.persistence.crawler_process", str(directory.path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(lines + 1)]
        reader = directory.connect_readonly()
        assert len(pages_of(reader)) >= int(told[-1]) - 1
        process.kill()
        process.wait()
        rest = process.stdout.read().split()
    assert len(pages_of(reader)) >= int(rest[-1] if rest else told[-1]) - 1
    reader.close()
    _assert_whole(directory, int(told[-1]) - 1)
    with directory:
        connection = directory.connect(PersistenceSettings())
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


def _crawl_for_ever(watched: WatchedWriter) -> None:
    for page_id in count(1):
        watched.writer.submit(page_record(page_id))
        if not watched.writer.has_room:
            watched.writer.flush().result(WAIT_S)


def _assert_whole(directory: CrawlDirectory, least: int) -> None:
    """Pages 1..n, each with its links, its digest, the next page's URL, and that one waiting."""
    reader = directory.connect_readonly()
    pages = pages_of(reader)
    assert len(pages) >= least
    assert pages == list(range(1, len(pages) + 1))
    counts = Archive(reader).counts()
    assert (counts.links, counts.contents, counts.queued) == (len(pages), len(pages), 1)
    assert Archive(reader).max_ids().url_id == len(pages) + 1
    assert queue_totals(reader) == (1, 1)
    if reader.execute("SELECT id FROM urls WHERE id = 1").fetchall():
        assert len(graph_digest(reader)) == 32
    assert reader.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    reader.close()
