"""How much SQLite may keep in RAM: a part of the database's account, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from weaver.base.settings import PersistenceSettings
from weaver.memory import Account
from weaver.persistence import CrawlDirectory, PageCaches
from weaver.persistence.page_caches import CONNECTIONS_BYTES


def test_the_caches_are_half_of_the_account() -> None:
    """Caches and connections take half of the account, the writer's cache the larger part, and are charged at once."""
    account = Account("database", 20 << 20)
    caches = PageCaches.within(account)
    assert caches.writer_bytes + caches.reader_bytes + CONNECTIONS_BYTES == account.used == 10 << 20
    assert caches.writer_bytes == 3 * caches.reader_bytes
    assert not account.overdrafts


def test_a_tiny_budget_still_has_caches() -> None:
    """However small the account is, each cache has 256 KiB; the overdraft is reported."""
    account = Account("database", 80_000)
    caches = PageCaches.within(account)
    assert caches.writer_bytes == caches.reader_bytes == 256 << 10
    assert account.overdrafts == 1
    assert account.overdrawn < 1 << 20


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
