"""NearArchive: the signatures of a crawl's pages on disk, by the keys that they are found by, and by their order."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaver.persistence.border import disk_errors

Words = NDArray[np.uint64]

MERGED_TO = "near_merged_to"
"""The key in `meta` of the number up to which signatures have their keys in `near_bands`."""

ROW_WORDS = 7
"""Words of 64 bits in a stored row."""

# Of a key's 64 bits the table has so many, for SQLite writes them in six bytes: at 10 million pages one look-up in 2
# million meets a page that it should not, and that one is compared, and left.
STORED_KEY_BITS = np.uint64(47)
# Of each key, the latest pages that have it: no page makes the look-up of another one long.
MOST_OF_KEY = 32
_WINDOW_ROWS = 1_000
_OF_KEY = f"SELECT * FROM (SELECT number FROM near_bands WHERE key = ? ORDER BY number DESC LIMIT {MOST_OF_KEY})"
_ROWS = "SELECT row FROM signatures WHERE number IN (SELECT value FROM json_each(?))"
_NEWEST = "SELECT number, page_id, row, keys FROM signatures WHERE number > ? ORDER BY number LIMIT ?"


class NearArchive:
    """Look-ups over a read-only connection, on the thread that opened it; what is not committed is not seen.

    A document is named by its number, which counts signatures in the order of commit. Eight keys cost eight descents
    of one tree. All raise PersistenceError on a failing disk.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def lookup(self, band_keys: Words) -> Sequence[int]:
        """The numbers of those that have one of the keys, the latest first, each once."""
        keys = stored_keys(band_keys).tolist()
        rows = self._select(" UNION ALL ".join([_OF_KEY] * len(keys)), *keys)
        return sorted({number for (number,) in rows}, reverse=True)

    def get(self, doc_ids: Sequence[int]) -> Words:
        """The rows of these numbers, in any order, each with its page's id in the upper half of the first word."""
        rows = self._select(_ROWS, json.dumps(list(doc_ids)))
        words = np.frombuffer(b"".join(row for (row,) in rows), np.uint64)
        return words.reshape(-1, ROW_WORDS)

    def last_number(self) -> int:
        """How many signatures there are."""
        return last_number(self._connection)

    def newest(self, limit: int) -> Iterator[tuple[int, Words]]:
        """The newest signatures as (page id, words), at most `limit`, the oldest of them first."""
        last = self.last_number() - limit
        while rows := self._select(_NEWEST, last, _WINDOW_ROWS):
            last = rows[-1][0]
            for _, page_id, row, keys in rows:
                yield page_id, np.frombuffer(row + keys, np.uint64)

    def near_duplicates(self) -> int:
        """How many pages are nearly the same as an earlier one."""
        ((count,),) = self._select("SELECT count(*) FROM near_duplicates")
        return int(count)

    def _select(self, sql: str, *values: object) -> list[Any]:
        with disk_errors("reading the signatures"):
            return self._connection.execute(sql, values).fetchall()


def stored_keys(keys: Words) -> Words:
    """The part of each key that `near_bands` has."""
    return keys >> (np.uint64(64) - STORED_KEY_BITS)


def last_number(connection: sqlite3.Connection) -> int:
    """The number of the newest signature; 0 where there is none."""
    ((number,),) = connection.execute("SELECT max(number) FROM signatures").fetchall()
    return number or 0


def merged_to(connection: sqlite3.Connection) -> int:
    """The number up to which signatures are found by their keys."""
    rows = connection.execute("SELECT value FROM meta WHERE key = ?", (MERGED_TO,)).fetchall()
    return int(rows[0][0]) if rows else 0
