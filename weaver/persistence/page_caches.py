"""PageCaches: how much of the database's account SQLite's own page caches may take."""

from __future__ import annotations

from pathlib import Path

from weaver.memory.budget import Account

# Half of the account; records on their way to the disk have the other. The writer needs the index on keys, which each
# commit meets at random; the reader looks single rows up.
CACHE_SHARE = 2
WRITER_SHARE = 0.75
# Below this SQLite reads the inner nodes of its trees again and again.
LEAST_CACHE_BYTES = 256 << 10
# Both connections with their compiled statements, measured with sqlite3_memory_used: 160 KiB and 50 KiB; and what zstd
# keeps to seal links at the codec's level, by its own estimate: 960 KiB.
CONNECTIONS_BYTES = (210 + 960) << 10


class PageCaches:
    """The page caches of a crawl's two connections: as large as the account's limit allows, in bytes.

    Never less than 256 KiB each, so a very small budget is overdrawn by them. Charged is what they may hold by now: no
    more than the database has, its log included. `submitted` and `committed` make it a store that hears of commits.
    """

    def __init__(self, account: Account, database: Path) -> None:
        both = account.limit // CACHE_SHARE - CONNECTIONS_BYTES
        self.writer_bytes = max(LEAST_CACHE_BYTES, int(both * WRITER_SHARE))
        self.reader_bytes = max(LEAST_CACHE_BYTES, both - self.writer_bytes)
        self._account = account
        self._files = (database, database.with_name(f"{database.name}-wal"))
        self._held_bytes = 0
        account.hold(CONNECTIONS_BYTES)
        self.committed(0)

    def __repr__(self) -> str:
        return f"PageCaches(writer={self.writer_bytes}, reader={self.reader_bytes}, held={self._held_bytes})"

    def submitted(self, number: int) -> None:
        """A record is on its way: nothing is cached for it yet."""

    def committed(self, _number: int) -> None:
        """The database has grown: charge what the caches may hold of it now. Nothing is asked once they are full."""
        if self._held_bytes == self.writer_bytes + self.reader_bytes:
            return
        database_bytes = sum(file.stat().st_size for file in self._files if file.exists())
        held_bytes = min(self.writer_bytes, database_bytes) + min(self.reader_bytes, database_bytes)
        if held_bytes > self._held_bytes:
            self._account.hold(held_bytes - self._held_bytes)
            self._held_bytes = held_bytes
