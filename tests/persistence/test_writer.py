"""The writer's contract: in order, in groups, all of a record or nothing, and no death unnoticed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.persistence.making import (
    BAD_RECORD,
    SETTINGS,
    WAIT_S,
    WatchedWriter,
    adjacency,
    made,
    page_record,
    page_row,
    pages_of,
    seed_record,
    url_row,
)
from weaver.base.errors import PersistenceError
from weaver.base.page import EdgeKind
from weaver.base.record import CommitRecord
from weaver.base.settings import PersistenceSettings
from weaver.persistence import Archive, Connection, CrawlDirectory, Sealer, Writer
from weaver.persistence.graph_sizes import graph_sizes

PATIENT = PersistenceSettings(commit_interval=0.2)


def test_an_ask_sees_all_before_it_and_nothing_after(tmp_path: Path) -> None:
    """The frontier's refill relies on it: a query runs when exactly what was submitted before is committed."""
    directory = CrawlDirectory.create(tmp_path / "crawl")
    watched = WatchedWriter(directory, PATIENT)
    writer = watched.writer
    writer.submit(seed_record())
    answers = []
    for page_id in range(1, 6):
        writer.submit(page_record(page_id))
        answers.append(writer.ask(pages_of))
    writer.start()
    assert [answer.result(WAIT_S) for answer in answers] == [list(range(1, n + 1)) for n in range(1, 6)]
    assert watched.commits == [2, 1, 1, 1, 1]
    writer.close()


def test_an_ask_sees_only_what_is_durable(tmp_path: Path) -> None:
    """What a query sees is committed: another connection sees the same at that moment."""
    directory = CrawlDirectory.create(tmp_path / "crawl")
    watched = WatchedWriter(directory)
    watched.writer.start()
    watched.writer.submit(page_record(1))

    def seen_from_outside(connection: Connection) -> list[int]:
        assert not connection.in_transaction
        reader = directory.connect_readonly()
        try:
            return pages_of(reader)
        finally:
            reader.close()

    assert watched.writer.ask(seen_from_outside).result(WAIT_S) == [1]
    watched.writer.close()


def test_groups_are_capped_and_counted_in_order(tmp_path: Path) -> None:
    """A group holds at most `commit_pages` records; the owner is told of each, in order."""
    directory = CrawlDirectory.create(tmp_path / "crawl")
    watched = WatchedWriter(directory, PersistenceSettings(commit_pages=4, commit_interval=0.2))
    for page_id in range(1, 11):
        watched.writer.submit(page_record(page_id))
    assert watched.writer.waiting == 10
    watched.writer.start()
    watched.writer.flush().result(WAIT_S)
    assert watched.commits == [4, 4, 2]
    assert (watched.writer.waiting, watched.writer.committed) == (0, 10)
    watched.writer.close()


def test_a_lonely_record_is_committed_in_time(tmp_path: Path) -> None:
    """A record that nobody follows is committed after `commit_interval`, without being asked for."""
    directory = CrawlDirectory.create(tmp_path / "crawl")
    watched = WatchedWriter(directory, PersistenceSettings(commit_interval=0.01))
    watched.writer.start()
    watched.writer.submit(page_record(1))
    assert watched.committed.wait(WAIT_S)
    assert watched.commits == [1]
    watched.writer.close()


def test_the_crawl_is_told_when_the_queue_is_full(tmp_path: Path) -> None:
    """`submit` never refuses; `has_room` says when the crawl must wait for the disk, and when no longer."""
    directory = CrawlDirectory.create(tmp_path / "crawl")
    watched = WatchedWriter(directory, PersistenceSettings(queue_pages=2))
    watched.writer.submit(page_record(1))
    assert watched.writer.has_room
    watched.writer.submit(page_record(2))
    watched.writer.submit(page_record(3))
    assert not watched.writer.has_room
    watched.writer.start()
    watched.writer.flush().result(WAIT_S)
    assert watched.writer.has_room
    watched.writer.close()


def test_closing_commits_what_waits(tmp_path: Path) -> None:
    """Nothing that was handed over before `close` is lost, and nothing is taken after it."""
    directory = CrawlDirectory.create(tmp_path / "crawl")
    watched = WatchedWriter(directory, PATIENT)
    watched.writer.start()
    watched.writer.submit(page_record(1))
    watched.writer.close()
    watched.writer.close()
    assert watched.commits == [1]
    for late in (lambda: watched.writer.submit(page_record(2)), watched.writer.flush):
        with pytest.raises(PersistenceError, match="closed"):
            late()
    assert not (directory.path / "crawl.db-wal").exists()


def test_a_writer_that_never_began_can_be_closed(tmp_path: Path) -> None:
    """When the start of a crawl fails before the writer's, taking it down works all the same."""
    WatchedWriter(CrawlDirectory.create(tmp_path / "crawl")).writer.close()


def test_a_bad_row_ends_the_crawl_loudly(tmp_path: Path) -> None:
    """A row that can't be stored fails its group whole, every future, and all later calls; it is told once."""
    directory = CrawlDirectory.create(tmp_path / "crawl")
    watched = WatchedWriter(directory, PersistenceSettings(commit_pages=2, commit_interval=0.2))
    writer = watched.writer
    for record in (page_record(1), page_record(2), page_record(3), BAD_RECORD, page_record(4)):
        writer.submit(record)
    answer = writer.ask(pages_of)
    writer.start()
    assert watched.failed.wait(WAIT_S)
    with pytest.raises(PersistenceError, match="UNIQUE constraint failed"):
        answer.result(WAIT_S)
    for later in (lambda: writer.submit(page_record(5)), writer.flush):
        with pytest.raises(PersistenceError, match="the writer has ended"):
            later()
    with pytest.raises(PersistenceError):
        writer.close()
    assert watched.commits == [2]
    assert [type(error) for error in watched.failures] == [PersistenceError]
    assert isinstance(watched.failures[0].__cause__, sqlite3.IntegrityError)
    assert watched.failures[0] is writer.failure
    reader = directory.connect_readonly()
    assert pages_of(reader) == [1, 2]
    reader.close()


def test_a_key_that_is_too_large_ends_the_crawl(tmp_path: Path) -> None:
    """An integer beyond 64 bits killed a trial's writer unnoticed: here it is told."""
    watched = WatchedWriter(CrawlDirectory.create(tmp_path / "crawl"))
    watched.writer.start()
    watched.writer.submit(CommitRecord(urls=(url_row(1, key=2**64),)))
    assert watched.failed.wait(WAIT_S)
    with pytest.raises(PersistenceError, match="OverflowError"):
        watched.writer.close()


def _open_transaction(connection: Connection) -> None:
    connection.execute("BEGIN")


def _broken(_: Connection) -> None:
    raise ZeroDivisionError("no number")


@pytest.mark.parametrize(
    ("query", "words"), [(_broken, "ZeroDivisionError: no number"), (_open_transaction, "left its transaction open")]
)
def test_a_query_that_fails_ends_the_crawl(tmp_path: Path, query: object, words: str) -> None:
    """An error in a query reaches who asked and the owner: nobody can say what the query left behind."""
    watched = WatchedWriter(CrawlDirectory.create(tmp_path / "crawl"))
    watched.writer.start()
    with pytest.raises(PersistenceError, match=words):
        watched.writer.ask(query).result(WAIT_S)  # type: ignore[arg-type]
    assert watched.failed.wait(WAIT_S)
    with pytest.raises(PersistenceError, match=words):
        watched.writer.close()


def test_a_cancelled_question_is_not_asked(tmp_path: Path) -> None:
    """A question whose asker has gone is skipped, and the writer goes on."""
    watched = WatchedWriter(CrawlDirectory.create(tmp_path / "crawl"))
    answer = watched.writer.ask(_broken)
    assert answer.cancel()
    watched.writer.submit(page_record(1))
    watched.writer.start()
    assert watched.writer.ask(pages_of).result(WAIT_S) == [1]
    watched.writer.close()


def test_a_database_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    """When the thread can't even open its connection, the owner hears of it and the waiting asks fail."""
    directory, connection = made(tmp_path)
    connection.close()
    directory.database_path.unlink()
    watched = WatchedWriter(directory, SETTINGS)
    answer = watched.writer.flush()
    watched.writer.start()
    with pytest.raises(PersistenceError, match="unable to open"):
        answer.result(WAIT_S)
    assert watched.failed.wait(WAIT_S)


def test_an_owner_that_breaks_ends_the_crawl(tmp_path: Path) -> None:
    """An error in `on_commit` is an error in the thread like any other."""
    watched = WatchedWriter(CrawlDirectory.create(tmp_path / "crawl"))
    watched.commits = None  # type: ignore[assignment]
    watched.writer.start()
    watched.writer.submit(page_record(1))
    assert watched.failed.wait(WAIT_S)
    assert "AttributeError" in str(watched.failures[0])
    assert repr(watched.writer) == "Writer(waiting=0, committed=1, failed)"


def test_links_are_sealed_between_commits(tmp_path: Path) -> None:
    """Once enough rows have gathered the writer seals them, a step at a time, and every ask is answered in between."""
    directory = CrawlDirectory.create(tmp_path / "crawl")
    sealer = Sealer(seal_pages=300)
    writer = Writer(directory.connect, SETTINGS, lambda _records: None, lambda _error: None, chore=sealer)
    writer.start()
    edges = adjacency([(target, EdgeKind.HYPERLINK) for target in range(1, 300)])
    for page in range(1, 301):
        writer.submit(CommitRecord(page=page_row(page), adjacency=edges))
    sizes = [writer.ask(graph_sizes).result() for _ in range(8)]
    assert [size.unsealed_rows + size.sealed_rows for size in sizes] == [300] * 8
    assert sizes[-1].blocks == 2
    writer.ask(sealer.finish).result()
    writer.close()
    connection = directory.connect_readonly()
    assert (graph_sizes(connection).unsealed_rows, Archive(connection).adjacency(300)) == (0, edges)
    connection.close()
