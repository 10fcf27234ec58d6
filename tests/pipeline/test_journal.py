"""The journal's queue: bounded in records and in bytes, and never in the way of a page that was fetched."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.warcs import capture
from weaver.base.clock import ManualClock
from weaver.base.page import PageState
from weaver.base.record import CommitRecord, PageRow, UrlRow
from weaver.base.settings import FrontierSettings, PersistenceSettings
from weaver.frontier import Frontier
from weaver.memory import Account
from weaver.memory.admission import ByteGate
from weaver.persistence import Archive, CrawlDirectory, Writer
from weaver.pipeline.captures import capture_bytes
from weaver.pipeline.journal import Journal
from weaver.pipeline.record_bytes import record_bytes

# The queue has half of it.
LIMIT = 20_000


def _record(page_id: int, urls: int) -> CommitRecord:
    rows = tuple(
        UrlRow(page_id * 1_000 + n, page_id * 1_000 + n, f"http://a.test/{page_id}/{n}", 1, 1, 0) for n in range(urls)
    )
    return CommitRecord(PageRow(page_id, PageState.FETCHED, 0.0), urls=rows)


class _Line:
    """A journal with its writer, which begins to commit when it is told to."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        directory = CrawlDirectory.create(path)
        self.account = Account("database", limit)
        self.connection = directory.connect_readonly()
        self.journal = Journal(Archive(self.connection), self.account)
        # So rarely that only a crawl in a hurry sees a commit.
        settings = PersistenceSettings(commit_interval=0.2)
        self.writer = Writer(directory.connect, settings, self.journal.on_commit, self.journal.on_failure)
        frontier = Frontier(FrontierSettings(), 1, Account("frontier", 1 << 20), self.journal, ManualClock(), float)
        self.journal.connect(self.writer, frontier, (), lambda: None, lambda _error: None)

    def close(self) -> None:
        self.connection.close()
        self.writer.close()


async def test_the_queue_is_bounded_in_bytes(tmp_path: Path) -> None:
    """Records count with what they hold: few large ones fill the queue; when they are on disk, all is given back."""
    line = _Line(tmp_path / "crawl")
    line.journal.append(_record(1, 5))
    assert line.journal.has_room
    line.journal.append(_record(2, 30))
    assert not line.journal.has_room
    assert line.account.used == record_bytes(_record(1, 5)) + record_bytes(_record(2, 30))
    line.writer.start()
    await asyncio.wait_for(line.journal.wait_for_room(), 5)
    await line.journal.flush()
    assert (line.account.used, line.journal.waiting) == (0, 0)
    line.close()


async def test_a_record_larger_than_the_room_passes(tmp_path: Path) -> None:
    """A page that was fetched is never refused: what passes the limit is an overdraft, and the next page waits."""
    line = _Line(tmp_path / "crawl", limit=1_000)
    assert line.journal.has_room
    line.journal.append(_record(1, 100))
    assert not line.journal.has_room
    assert line.account.statistics().overdrawn > 0
    line.writer.start()
    await asyncio.wait_for(line.journal.wait_for_room(), 5)
    assert line.journal.has_room
    line.close()


def test_a_record_weighs_what_it_holds() -> None:
    """The estimate grows with each part of a record, texts by their length."""
    small, large = _record(1, 0), _record(1, 10)
    assert record_bytes(CommitRecord()) < record_bytes(small) < record_bytes(large)
    longer = CommitRecord(large.page, urls=(UrlRow(1, 1, "x" * 2_000, 1, 1, 0), *large.urls[1:]))
    assert record_bytes(longer) - record_bytes(large) > 1_900


async def test_what_is_to_be_archived_counts_with_the_bodies(tmp_path: Path) -> None:
    """Bodies on their way to the archive are charged to their account until they are written, and fill the queue."""
    line = _Line(tmp_path / "crawl")
    bodies = ByteGate(Account("bodies", 50_000))
    frontier = Frontier(FrontierSettings(), 1, Account("frontier", 1 << 20), line.journal, ManualClock(), float)
    line.journal.connect(line.writer, frontier, (), lambda: None, lambda _error: None, bodies)
    captured = (capture("http://a.test/", bytes(30_000)),)
    line.journal.append(CommitRecord(captures=captured))
    assert bodies.account.used == capture_bytes(captured) > 30_000
    assert not line.journal.has_room
    line.writer.start()
    await asyncio.wait_for(line.journal.wait_for_room(), 5)
    await line.journal.flush()
    assert (bodies.account.used, line.account.used) == (0, 0)
    line.close()
