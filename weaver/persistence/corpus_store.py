"""CorpusStore: all that deduplicating a corpus must remember, in one SQLite file that is whole after any kill."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from weaver.base.errors import DirectoryError, DirectoryLocked
from weaver.persistence.border import directory_errors, disk_errors

STORE_NAME = "dedupe.db"
APPLICATION_ID = int.from_bytes(b"wdup")
SCHEMA_VERSION = 1
ROWS_PER_SELECT = 2_000
BLOCK_BITS = 40
"""Bits of a block's row id that say where it begins; those above them are the band's number."""
EXAMPLES = 5
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE sources (              -- one row for each file or folder that is read
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL,
    form TEXT NOT NULL,
    position INTEGER NOT NULL,      -- documents and unreadable ones passed
    place INTEGER NOT NULL,         -- where reading goes on: a byte, a row or a file, as the form has it
    is_done INTEGER NOT NULL
);

CREATE TABLE documents (
    number INTEGER PRIMARY KEY,     -- from 1 on, in the order of reading
    id TEXT NOT NULL,
    source_id INTEGER NOT NULL,
    position INTEGER NOT NULL,      -- a line, a row, a record or a file of the source, from 1 on
    text_bytes INTEGER NOT NULL,
    shingles INTEGER NOT NULL,      -- distinct ones; 0 where the text has no word or was not looked at
    same_as INTEGER NOT NULL,       -- the first document with the same text or shingles, earlier corpora's before ours
    is_same_text INTEGER NOT NULL
);

CREATE TABLE digests (digest BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE keys (                 -- a block of a band: what candidates are found by
    id INTEGER PRIMARY KEY,         -- band << 40 | the block's first document
    numbers BLOB NOT NULL,          -- uint32
    keys BLOB NOT NULL              -- uint32
);

CREATE TABLE shingles (number INTEGER PRIMARY KEY, packed BLOB NOT NULL);

CREATE TABLE pairs (                -- verified near pairs of documents that are not the same
    a INTEGER NOT NULL,
    b INTEGER NOT NULL,
    similarity REAL NOT NULL,
    PRIMARY KEY (a, b)
) WITHOUT ROWID;

CREATE TABLE troubles (reason TEXT PRIMARY KEY, count INTEGER NOT NULL, examples TEXT NOT NULL) WITHOUT ROWID;
"""


class SourceRow(NamedTuple):
    """How far a source was read."""

    id: int
    path: str
    form: str
    position: int
    place: int
    is_done: bool


class DocumentRow(NamedTuple):
    """A document that was read; `same_as` counts the documents of earlier corpora before its own, 0 for none."""

    number: int
    id: str
    source_id: int
    position: int
    text_bytes: int
    shingles: int
    same_as: int
    is_same_text: bool


class KeyBlock(NamedTuple):
    """A block of a band: documents as packed uint32, and as many keys as packed uint32."""

    numbers: bytes
    keys: bytes


class CorpusStore:
    """One corpus on disk: who works on it holds it alone; `open_readonly` is for what is finished.

    Numbers are the corpus's own, from 1 on, but for `same_as` and `pairs`, which count earlier corpora first.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    def __repr__(self) -> str:
        return f"CorpusStore({self.path})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @classmethod
    def open(cls, directory: Path, cache_bytes: int) -> CorpusStore:
        """The store in the directory, made where there is none. Raises DirectoryError, DirectoryLocked."""
        path = directory / STORE_NAME
        with directory_errors(f"open {path}"):
            directory.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, isolation_level=None, timeout=0.5)
        return cls(path, _made_ready(connection, path, cache_bytes))

    @classmethod
    def open_readonly(cls, directory: Path, cache_bytes: int) -> CorpusStore:
        """The store of a finished or interrupted run. Raises DirectoryError where there is none."""
        path = directory / STORE_NAME
        if not path.is_file():
            raise DirectoryError(f"expected the output of `weaver dedupe` in {directory}, found no {STORE_NAME}")
        with directory_errors(f"read {path}"):
            connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            with _mapped(path):
                connection.execute(f"PRAGMA cache_size = -{max(1, cache_bytes >> 10)}")
                _check_ours(connection, path)
        except BaseException:
            connection.close()
            raise
        return cls(path, connection)

    @classmethod
    def discard(cls, directory: Path) -> None:
        """Remove the store in the directory, where there is one. Raises DirectoryError for what is none of ours."""
        path = directory / STORE_NAME
        if path.exists():
            cls.open(directory, 1 << 20).close()
            with directory_errors(f"remove {path}"):
                path.unlink()

    def close(self) -> None:
        """Let the file go; its log, where there is one, is folded back."""
        self._connection.close()

    def finish(self) -> None:
        """Fold the log into the file for good, so that readers leave no other files beside it."""
        with disk_errors(f"writing {self.path}"):
            self._connection.execute("PRAGMA journal_mode = DELETE")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is on disk together, or not at all."""
        with disk_errors(f"writing {self.path}"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def meta(self, key: str) -> Any:
        """A value that was set, None where none was."""
        row = self._one("SELECT value FROM meta WHERE key = ?", key)
        return json.loads(row[0]) if row else None

    def set_meta(self, key: str, value: object) -> None:
        """Remember a JSON value under the key."""
        with disk_errors(f"writing {self.path}"):
            text = json.dumps(value)
            self._connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, text))

    def sources(self) -> list[SourceRow]:
        """All sources in the order of reading."""
        rows = self._all("SELECT id, path, form, position, place, is_done FROM sources ORDER BY id")
        return [SourceRow._make(row)._replace(is_done=bool(row[5])) for row in rows]

    def put_source(self, source: SourceRow) -> None:
        """Say how far a source was read."""
        self._connection.execute("INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?, ?, ?)", source)

    def add_documents(self, rows: Iterable[DocumentRow]) -> None:
        """Remember documents, whose numbers go on from `count`."""
        self._connection.executemany("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def add_digests(self, digests: Iterable[tuple[bytes, int]]) -> None:
        """Remember the first document with each digest."""
        self._connection.executemany("INSERT OR IGNORE INTO digests VALUES (?, ?)", digests)

    def add_shingles(self, shingles: Iterable[tuple[int, bytes]]) -> None:
        """Remember the packed shingles of documents."""
        self._connection.executemany("INSERT INTO shingles VALUES (?, ?)", shingles)

    def add_keys(self, band: int, first: int, block: KeyBlock) -> None:
        """Remember a block of a band that begins with the document `first`."""
        self._connection.execute("INSERT INTO keys VALUES (?, ?, ?)", (band << BLOCK_BITS | first, *block))

    def add_pairs(self, pairs: Iterable[tuple[int, int, float]]) -> None:
        """Remember verified pairs, each with its lower number first."""
        self._connection.executemany("INSERT OR REPLACE INTO pairs VALUES (?, ?, ?)", pairs)

    def add_trouble(self, reason: str, example: str, count: int = 1) -> None:
        """Count what could not be read; the first EXAMPLES of each reason are kept."""
        row = self._one("SELECT count, examples FROM troubles WHERE reason = ?", reason)
        before, examples = (row[0], json.loads(row[1])) if row else (0, [])
        if len(examples) < EXAMPLES and example:
            examples.append(example)
        values = (reason, before + count, json.dumps(examples))
        self._connection.execute("INSERT OR REPLACE INTO troubles VALUES (?, ?, ?)", values)

    def troubles(self) -> dict[str, dict[str, Any]]:
        """What could not be read: by reason, how often, and the first of them."""
        rows = self._all("SELECT reason, count, examples FROM troubles ORDER BY count DESC, reason")
        return {reason: {"count": count, "first": json.loads(examples)} for reason, count, examples in rows}

    def count(self) -> int:
        """How many documents there are, and the highest number."""
        return int((self._one("SELECT max(number) FROM documents") or (0,))[0] or 0)

    def text_bytes(self) -> int:
        """The texts of all documents together, in UTF-8."""
        return int(self._one("SELECT ifnull(sum(text_bytes), 0) FROM documents")[0])

    def similarity_counts(self) -> list[tuple[float, int]]:
        """How many verified pairs there are from each hundredth on."""
        rows = self._all(
            "SELECT CAST(similarity * 100 AS INTEGER) AS hundredths, count(*) FROM pairs GROUP BY 1 ORDER BY 1"
        )
        return [(hundredths / 100, count) for hundredths, count in rows]

    def number_of(self, digest: bytes) -> int:
        """The first document with a digest; 0 where there is none."""
        row = self._one("SELECT number FROM digests WHERE digest = ?", digest)
        return int(row[0]) if row else 0

    def document(self, number: int) -> DocumentRow | None:
        """One document."""
        row = self._one("SELECT * FROM documents WHERE number = ?", number)
        return _document(row) if row else None

    def documents(self) -> Iterator[list[DocumentRow]]:
        """All documents in the order of reading, a window at a time."""
        last = 0
        sql = f"SELECT * FROM documents WHERE number > ? ORDER BY number LIMIT {ROWS_PER_SELECT}"
        while rows := self._all(sql, last):
            yield [_document(row) for row in rows]
            last = rows[-1][0]

    def documents_at(self, numbers: Iterable[int]) -> dict[int, DocumentRow]:
        """The documents of some numbers, at most ROWS_PER_SELECT."""
        wanted = json.dumps(list(numbers))
        rows = self._all("SELECT * FROM documents WHERE number IN (SELECT value FROM json_each(?))", wanted)
        return {row[0]: _document(row) for row in rows}

    def columns(self) -> Iterator[list[tuple[int, int, int, int]]]:
        """(number, shingles, same_as, is_same_text) of all documents, a window at a time."""
        last = 0
        sql = (
            "SELECT number, shingles, same_as, is_same_text FROM documents WHERE number > ? ORDER BY number"
            f" LIMIT {ROWS_PER_SELECT}"
        )
        while rows := self._all(sql, last):
            yield rows
            last = rows[-1][0]

    def bands(self) -> list[int]:
        """The numbers of the bands that have keys, rising."""
        found, band = [], 0
        while row := self._one("SELECT min(id) FROM keys WHERE id >= ?", band << BLOCK_BITS):
            if row[0] is None:
                break
            found.append(row[0] >> BLOCK_BITS)
            band = found[-1] + 1
        return found

    def key_blocks(self, band: int) -> Iterator[KeyBlock]:
        """The blocks of a band in the order of their documents."""
        last, end = band << BLOCK_BITS, (band + 1) << BLOCK_BITS
        while row := self._one(
            "SELECT id, numbers, keys FROM keys WHERE id > ? AND id < ? ORDER BY id LIMIT 1", last, end
        ):
            last = row[0]
            yield KeyBlock(row[1], row[2])

    def shingles_of(self, number: int) -> bytes | None:
        """The packed shingles of a document."""
        row = self._one("SELECT packed FROM shingles WHERE number = ?", number)
        return row[0] if row else None

    def pairs(self) -> Iterator[list[tuple[int, int, float]]]:
        """All verified pairs, sorted, a window at a time."""
        last = (0, 0)
        sql = f"SELECT a, b, similarity FROM pairs WHERE (a, b) > (?, ?) ORDER BY a, b LIMIT {ROWS_PER_SELECT}"
        while rows := self._all(sql, *last):
            yield rows
            last = rows[-1][:2]

    # What SQLite returns is typed by the schema, not by the module's stubs: Any passes through these two.
    def _one(self, sql: str, *values: object) -> Any:
        with disk_errors(f"reading {self.path}"):
            return self._connection.execute(sql, values).fetchone()

    def _all(self, sql: str, *values: object) -> list[Any]:
        with disk_errors(f"reading {self.path}"):
            return self._connection.execute(sql, values).fetchall()


def _document(row: Any) -> DocumentRow:
    return DocumentRow._make(row)._replace(is_same_text=bool(row[7]))


def _made_ready(connection: sqlite3.Connection, path: Path, cache_bytes: int) -> sqlite3.Connection:
    """Held alone, with its tables. A kill loses no commit; a power cut may lose the last ones, which are read again."""
    try:
        with _mapped(path):
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA temp_store = FILE")
            connection.execute(f"PRAGMA cache_size = -{max(1, cache_bytes >> 10)}")
            # WAL takes the lock at the first transaction.
            connection.execute("BEGIN IMMEDIATE")
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                _create(connection)
            _check_ours(connection, path)
            connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection) -> None:
    for statement in TABLES.split(";\n"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise DirectoryError(f"expected the store of a corpus, found another program's database: {path}")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != SCHEMA_VERSION:
        raise DirectoryError(f"{path} is of version {version}, this weaver reads {SCHEMA_VERSION}")


@contextmanager
def _mapped(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) in _LOCKED:
            raise DirectoryLocked(f"another weaver is at work in {path.parent}; wait for it, or stop it") from error
        raise DirectoryError(f"can't use {path}: {error}") from error
