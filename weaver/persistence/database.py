"""The crawl directory: its files, who may write there, and connections to its database."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from weaver.base.errors import DirectoryError
from weaver.base.settings import PersistenceSettings
from weaver.persistence.border import directory_errors
from weaver.persistence.link_blocks import block_json
from weaver.persistence.lock import DirectoryLock, LockHolder, holder
from weaver.persistence.migrations import MIGRATIONS, Migration, migrate, schema_version, write_version
from weaver.persistence.packing import links_json
from weaver.persistence.schema import APPLICATION_ID, SCHEMA_VERSION, TABLES

BUSY_TIMEOUT_S = 10.0
# A new URL's key lands on a random page of its index, which is written whole, twice: small pages halve what that costs
# (152 instead of 252 KiB a crawled page at 2 M URLs), and time does not notice.
PAGE_BYTES = 4096
# For whoever names no size: enough for the index on keys of some 100,000 URLs.
CACHE_BYTES = 2 << 20
WAL_PAGES = 4000
# Settling has temporary tables; their cache comes on top of the connection's own.
TEMPORARY_SHARE = 4
# The log is cut to this after a reader has kept it from being folded back.
WAL_BYTES = 32 << 20


class CrawlDirectory:
    """One crawl on disk. Anyone may read at any time; who writes holds the lock (`with directory:`).

    `crawl.db` is the truth; beside it `crawl.lock`, `events.jsonl` and `receipts.jsonl`.
    """

    def __init__(self, path: Path, migrations: Mapping[int, Migration] = MIGRATIONS) -> None:
        self.path = path
        self.database_path = path / "crawl.db"
        self._lock = DirectoryLock(path / "crawl.lock")
        self._migrations = migrations

    def __repr__(self) -> str:
        return f"CrawlDirectory({self.path}, locked={self._lock.is_held})"

    @classmethod
    def create(cls, path: Path) -> CrawlDirectory:
        """A new crawl in a directory that holds none; the directory is made where it is missing.

        The database appears whole or not at all. Raises DirectoryError, DirectoryLocked.
        """
        directory = cls(path)
        with directory_errors(f"create a crawl in {path}"):
            path.mkdir(parents=True, exist_ok=True)
        directory._lock.acquire()
        try:
            directory._create_database()
        finally:
            directory._lock.release()
        return directory

    @classmethod
    def open_existing(cls, path: Path, migrations: Mapping[int, Migration] = MIGRATIONS) -> CrawlDirectory:
        """A crawl that was made before. Raises DirectoryError where there is none, or one of a newer weaver."""
        directory = cls(path, migrations)
        directory._open_for_reading().close()
        return directory

    @property
    def crawl_seed(self) -> int:
        """The seed of the crawl's URL keys, 64 bits, unsigned: drawn once, at its creation."""
        connection = self._open_for_reading()
        try:
            return int(read_meta(connection, "crawl_seed"))
        finally:
            connection.close()

    @property
    def is_locked(self) -> bool:
        """Whether this object holds the crawl's lock."""
        return self._lock.is_held

    def holder(self) -> LockHolder | None:
        """Which crawler is at work here now, if any."""
        return holder(self.path / "crawl.lock")

    def lock(self) -> None:
        """Take the right to write, and bring older tables up to date. Raises DirectoryLocked, DirectoryError."""
        self._lock.acquire()
        try:
            with directory_errors(f"bring {self.database_path} up to date"):
                connection = self.connect(PersistenceSettings())
                try:
                    migrate(connection, self._migrations)
                finally:
                    connection.close()
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        self.lock()
        return self

    def __exit__(self, *_: object) -> None:
        self.unlock()

    def unlock(self) -> None:
        """Give the right to write back; nothing happens where it is not held."""
        self._lock.release()

    def connect(self, settings: PersistenceSettings, cache_bytes: int = CACHE_BYTES) -> sqlite3.Connection:
        """The writer's connection, to be used by the thread that opened it; transactions are begun by hand.

        `cache_bytes` bounds SQLite's page cache, and each sort; what else it puts aside for a while is in files.
        """
        with directory_errors(f"open {self.database_path}"):
            uri = f"{self.database_path.resolve().as_uri()}?mode=rw"
            return _connect(
                uri,
                cache_bytes,
                "PRAGMA temp_store = FILE",
                f"PRAGMA temp.cache_size = -{cache_bytes // TEMPORARY_SHARE >> 10}",
                "PRAGMA journal_mode = WAL",
                f"PRAGMA synchronous = {settings.synchronous}",
                f"PRAGMA wal_autocheckpoint = {WAL_PAGES}",
                f"PRAGMA journal_size_limit = {WAL_BYTES}",
            )

    def connect_readonly(self, cache_bytes: int = CACHE_BYTES) -> sqlite3.Connection:
        """A reader's connection: works beside a crawler and after a kill. Raises DirectoryError."""
        connection = self._open_for_reading(cache_bytes)
        version = schema_version(connection)
        if version < SCHEMA_VERSION:
            connection.close()
            raise DirectoryError(
                f"{self.path} is of version {version}, this weaver reads {SCHEMA_VERSION};"
                " resume the crawl once, or run weaver graph compact"
            )
        return connection

    def _open_for_reading(self, cache_bytes: int = CACHE_BYTES) -> sqlite3.Connection:
        if not self.database_path.is_file():
            raise DirectoryError(f"expected a crawl in {self.path}, found no {self.database_path.name}")
        with directory_errors(f"read {self.database_path} as a crawl"):
            connection = _connect(_readonly_uri(self.database_path), cache_bytes, "PRAGMA query_only = 1")
            try:
                self._check_ours(connection)
            except BaseException:
                connection.close()
                raise
            return connection

    def _check_ours(self, connection: sqlite3.Connection) -> None:
        ((application,),) = connection.execute("PRAGMA application_id").fetchall()
        if application != APPLICATION_ID:
            raise DirectoryError(f"expected a crawl, found another program's database: {self.database_path}")
        version = schema_version(connection)
        if version > SCHEMA_VERSION:
            raise DirectoryError(
                f"{self.path} is of version {version}, this weaver knows {SCHEMA_VERSION}; use a newer weaver"
            )

    def _create_database(self) -> None:
        """Build the database aside, then move it to its name: a kill leaves no half of it."""
        if self.database_path.exists():
            raise DirectoryError(f"{self.path} holds a crawl already: resume it, or choose another directory")
        aside = self.path / "crawl.db.new"
        with directory_errors(f"create {self.database_path}"):
            aside.unlink(missing_ok=True)
            connection = sqlite3.connect(aside, isolation_level=None)
            try:
                _create_tables(connection)
            finally:
                connection.close()
            aside.replace(self.database_path)
            _sync_directory(self.path)


def read_meta(connection: sqlite3.Connection, key: str) -> str:
    """A value of `meta`. Raises DirectoryError where it is missing."""
    rows = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchall()
    if not rows:
        raise DirectoryError(f"the crawl is damaged: meta holds no {key!r}")
    return str(rows[0][0])


def write_meta(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Set a value of `meta`; on the writer's connection only."""
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))


def _connect(uri: str, cache_bytes: int, *pragmas: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        # The first statement is where SQLite looks into the file, and may find no database.
        for pragma in (f"PRAGMA cache_size = -{cache_bytes >> 10}", *pragmas):
            connection.execute(pragma)
        connection.create_function("links_json", 1, links_json, deterministic=True)
        connection.create_function("block_json", 1, block_json, deterministic=True)
    except BaseException:
        connection.close()
        raise
    return connection


def _readonly_uri(database: Path) -> str:
    """Readers of a log need to write its index beside it; on a read-only file system there must be no log."""
    log = database.with_name(f"{database.name}-wal")
    is_frozen = not os.access(database.parent, os.W_OK) and not log.exists()
    return f"{database.resolve().as_uri()}?mode=ro{'&immutable=1' if is_frozen else ''}"


def _create_tables(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(f"BEGIN; PRAGMA application_id = {APPLICATION_ID}; {TABLES}")
    write_version(connection)
    write_meta(connection, "crawl_seed", str(secrets.randbits(64)))
    connection.execute("COMMIT")


def _sync_directory(path: Path) -> None:
    """Make a rename last: on POSIX that is the directory's own fsync."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
