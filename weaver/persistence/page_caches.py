"""PageCaches: how much of the database's account SQLite's own page caches may take."""

from __future__ import annotations

from dataclasses import dataclass

from weaver.memory.budget import Account

# Half of the account; records on their way to the disk have the other. The writer needs the index on keys, which each
# commit meets at random; the reader looks single rows up.
CACHE_SHARE = 2
WRITER_SHARE = 0.75
# Below this SQLite reads the inner nodes of its trees again and again.
LEAST_CACHE_BYTES = 256 << 10
# Both connections with their compiled statements, measured with sqlite3_memory_used: 160 KiB and 50 KiB.
CONNECTIONS_BYTES = 210 << 10


@dataclass(frozen=True, slots=True)
class PageCaches:
    """The page caches of a crawl's two connections, in bytes."""

    writer_bytes: int
    reader_bytes: int

    @classmethod
    def within(cls, account: Account) -> PageCaches:
        """The caches that the account's limit allows, charged to it as if they were full: they soon are.

        Never less than 256 KiB each, so a very small budget is overdrawn by them.
        """
        both = account.limit // CACHE_SHARE - CONNECTIONS_BYTES
        writer = max(LEAST_CACHE_BYTES, int(both * WRITER_SHARE))
        caches = cls(writer, max(LEAST_CACHE_BYTES, both - writer))
        account.hold(caches.writer_bytes + caches.reader_bytes + CONNECTIONS_BYTES)
        return caches
