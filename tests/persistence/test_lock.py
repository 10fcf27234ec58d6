"""The lock against real processes: held by the living, never by the dead."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from weaver.base.errors import DirectoryLocked
from weaver.persistence import CrawlDirectory
from weaver.persistence.lock import DirectoryLock, LockHolder, boot_id, holder

ROOT = Path(__file__).parents[2]


@contextmanager
def _crawler(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.persistence.crawler_process", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "locked\n"
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_a_second_process_is_refused_and_told_whom_to_wait_for(tmp_path: Path) -> None:
    """While another process crawls, locking names its pid, and readers see who holds it; killed, it blocks nobody."""
    directory = CrawlDirectory.create(tmp_path / "crawl")
    with _crawler(directory.path) as process:
        with pytest.raises(DirectoryLocked, match=f"pid {process.pid}, started 20"):
            directory.lock()
        found = directory.holder()
        assert found is not None
        assert (found.pid, found.boot_id) == (process.pid, boot_id())
        process.kill()
        process.wait()
        assert directory.holder() is None
        directory.lock()
    assert directory.holder() == LockHolder(os.getpid(), boot_id(), directory.holder().started)  # type: ignore[union-attr]
    directory.unlock()


def test_a_name_left_behind_blocks_nobody(tmp_path: Path) -> None:
    """A lock file with a pid in it, even of a living process, is no lock: only the kernel's word counts."""
    path = tmp_path / "crawl.lock"
    path.write_text(f'{{"pid": {os.getpid()}, "boot_id": "gone", "started": "2020-01-01"}}')
    assert holder(path) is None
    lock = DirectoryLock(path)
    lock.acquire()
    lock.acquire()
    assert lock.is_held
    lock.release()
    lock.release()
    assert path.read_text() == ""


@pytest.mark.parametrize("text", ["", "{", '{"other": 1}', "[]"])
def test_an_unreadable_name_is_an_unknown_holder(tmp_path: Path, text: str) -> None:
    """A crawler killed between locking and writing its name, or a torn name, still counts as a holder."""
    lock = DirectoryLock(tmp_path / "crawl.lock")
    lock.acquire()
    (tmp_path / "crawl.lock").write_text(text)
    assert holder(tmp_path / "crawl.lock") == LockHolder()
    with pytest.raises(DirectoryLocked, match="pid unknown"):
        DirectoryLock(tmp_path / "crawl.lock").acquire()
    lock.release()


def test_a_holder_of_another_boot_is_said_to_be_elsewhere() -> None:
    """On a shared file system the holder may be on another machine: its pid means nothing here."""
    assert str(LockHolder(7, "elsewhere", "2026-01-01")) == "pid 7, started 2026-01-01, on another machine"
    assert str(LockHolder(7, boot_id(), "2026-01-01")) == "pid 7, started 2026-01-01"
