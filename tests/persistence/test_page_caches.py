"""How much SQLite may keep in RAM: a part of the database's account, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from weaver.base.settings import PersistenceSettings
from weaver.memory import Account
from weaver.persistence import CrawlDirectory, PageCaches
from weaver.persistence.page_caches import CONNECTIONS_BYTES


def _file(path: Path, size_bytes: int) -> Path:
    with path.open("wb") as stream:
        stream.truncate(size_bytes)
    return path


def test_the_caches_are_half_of_the_account(tmp_path: Path) -> None:
    """Caches and connections may take half of the account, the writer's cache the larger part."""
    account = Account("database", 20 << 20)
    caches = PageCaches(account, _file(tmp_path / "crawl.db", 100 << 20))
    assert caches.writer_bytes + caches.reader_bytes + CONNECTIONS_BYTES == account.used == 10 << 20
    assert caches.writer_bytes == 3 * caches.reader_bytes
    assert not account.overdrafts


def test_caches_are_charged_as_the_database_grows(tmp_path: Path) -> None:
    """A cache holds no more than the database with its log has; it is charged so much, and never less again."""
    account = Account("database", 20 << 20)
    caches = PageCaches(account, _file(tmp_path / "crawl.db", 1 << 20))
    assert account.used == CONNECTIONS_BYTES + (2 << 20)
    _file(tmp_path / "crawl.db-wal", 1 << 20)
    caches.submitted(1)
    caches.committed(1)
    assert account.used == CONNECTIONS_BYTES + (4 << 20)
    (tmp_path / "crawl.db-wal").unlink()
    caches.committed(2)
    assert account.used == CONNECTIONS_BYTES + (4 << 20)
    _file(tmp_path / "crawl.db", 1 << 30)
    caches.committed(3)
    assert account.used == 10 << 20


def test_a_tiny_budget_still_has_caches(tmp_path: Path) -> None:
    """However small the account is, each cache has 256 KiB; the overdraft is reported."""
    account = Account("database", 80_000)
    caches = PageCaches(account, _file(tmp_path / "crawl.db", 1 << 20))
    assert caches.writer_bytes == caches.reader_bytes == 256 << 10
    assert account.overdrafts
    assert account.overdrawn < 2 << 20


@pytest.mark.parametrize("kib", [256, 4096])
def test_connections_keep_to_their_caches(tmp_path: Path, kib: int) -> None:
    """A connection has the page cache that it was given, and what it puts aside for a while goes to files."""
    directory = CrawlDirectory.create(tmp_path / "crawl")
    writer = directory.connect(PersistenceSettings(), kib << 10)
    reader = directory.connect_readonly(kib << 10)
    try:
        for connection in (writer, reader):
            assert connection.execute("PRAGMA cache_size").fetchall() == [(-kib,)]
        assert writer.execute("PRAGMA temp_store").fetchall() == [(1,)]
        assert writer.execute("PRAGMA temp.cache_size").fetchall() == [(-kib // 4,)]
    finally:
        writer.close()
        reader.close()
