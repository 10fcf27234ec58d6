"""The memory history on disk, and what a database gives back between commits."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.persistence.making import page_record
from weaver.base.settings import PersistenceSettings
from weaver.persistence import CrawlDirectory, MemoryLog, Writer, checkpoint_and_shrink, shrink_memory
from weaver.persistence.jsonl import read_lines
from weaver.persistence.rotated_log import parts


def test_the_parts_of_a_rotated_log_are_read_in_order(tmp_path: Path) -> None:
    """A history that was rotated is read from its oldest line to its newest, and never grows beyond its share."""
    log = MemoryLog(tmp_path, max_bytes=100, keep=2)
    for number in range(30):
        log.append({"run_s": number})
    log.close()
    files = parts(tmp_path / "memory.jsonl")
    assert [file.name for file in files] == ["memory.jsonl.2", "memory.jsonl.1", "memory.jsonl"]
    assert all(file.stat().st_size <= 100 for file in files)
    numbers = [line["run_s"] for file in files for line in read_lines(file)]
    assert numbers == list(range(30))[-len(numbers) :]


def test_a_log_that_was_never_written_has_no_parts(tmp_path: Path) -> None:
    """A crawl of an older weaver has no history: no file is named that is not there."""
    assert parts(tmp_path / "memory.jsonl") == []


def test_a_checkpoint_folds_the_log_into_the_file(tmp_path: Path) -> None:
    """What is committed and lies in the write-ahead log is in `crawl.db` after a checkpoint."""
    directory = CrawlDirectory.create(tmp_path / "c")
    with directory:
        writer = Writer(directory.connect, PersistenceSettings(), lambda _n: None, _raise)
        writer.start()
        for number in range(1, 400):
            writer.submit(page_record(number))
        before = writer.ask(lambda _: directory.database_path.stat().st_size).result(10)
        writer.ask(checkpoint_and_shrink).result(10)
        assert directory.database_path.stat().st_size > before
        writer.close()


def test_shrinking_takes_nothing_from_the_answers(tmp_path: Path) -> None:
    """A connection that let its page cache go answers as before."""
    connection = sqlite3.connect(tmp_path / "x.db")
    connection.execute("CREATE TABLE numbers AS SELECT 7 AS n")
    shrink_memory(connection)
    assert connection.execute("SELECT n FROM numbers").fetchall() == [(7,)]
    connection.close()


def _raise(error: BaseException) -> None:
    raise error
