"""NearMerging: when the keys of new signatures enter the tree that finds them, in sorted batches."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator
from contextlib import closing

import numpy as np

from weaver.persistence.link_blocks import transaction
from weaver.persistence.near_archive import MERGED_TO, Words, last_number, merged_to, stored_keys
from weaver.persistence.statements import Insert

# Keys of one transaction, in which no commit can begin: half as many as a group of commits brings. In ascending order
# they share pages of the tree however few they are.
BATCH_KEYS = 2_048
_KEYS = "SELECT number, keys FROM signatures WHERE number > ? AND number <= ? ORDER BY number"
_BANDS = Insert("INSERT OR IGNORE INTO near_bands (key, number)", 2)
_MERGED = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)"


class NearMerging:
    """Gathers until `merge_pages` signatures are not merged, then has work for some steps: a pass over them.

    A page's keys fall anywhere in the tree: entered as they come, each would have a page of the tree written, some
    64 KiB for each page of the crawl. In batches many keys share one. All of it is on the writer's thread, which takes
    a step wherever no commit is due. A kill between two steps loses nothing: the pass begins anew, and what it had
    entered is there. Memory: 128 bytes a signature of a pass, 256 while they are sorted.
    """

    def __init__(self, merge_pages: int) -> None:
        self._merge_pages = merge_pages
        self._connection: sqlite3.Connection | None = None
        self._pass: Iterator[None] | None = None
        self._merged_to = self._last = 0

    def __repr__(self) -> str:
        return f"NearMerging(unmerged={self._last - self._merged_to}, merge_pages={self._merge_pages})"

    @property
    def merged_to(self) -> int:
        """The number up to which signatures are found on disk."""
        return self._merged_to

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything."""
        return self._pass is not None or self._last - self._merged_to >= self._merge_pages

    def start(self, connection: sqlite3.Connection) -> None:
        """Take up what earlier runs left; on the thread that owns the connection."""
        self._connection = connection
        self._merged_to, self._last = merged_to(connection), last_number(connection)

    def added(self, _rows: int) -> None:
        """A group was committed."""
        if self._connection is not None:
            self._last = last_number(self._connection)

    def step(self) -> None:
        """One transaction of a pass, which may be its last; nothing happens where there is no work."""
        if self._connection is None or not self.has_work:
            return
        if self._pass is None:
            self._pass = self._steps(self._connection, self._last)
        if next(self._pass, self) is self:
            self._pass = None

    def _steps(self, connection: sqlite3.Connection, last: int) -> Iterator[None]:
        keys, numbers = _sorted_keys(connection, self._merged_to, last)
        for start in range(0, len(keys), BATCH_KEYS):
            part = slice(start, start + BATCH_KEYS)
            with transaction(connection):
                _BANDS.run(connection, list(zip(keys[part].tolist(), numbers[part].tolist(), strict=True)))
            yield
        with transaction(connection):
            connection.execute(_MERGED, (MERGED_TO, str(last)))
        self._merged_to = last


def _sorted_keys(connection: sqlite3.Connection, first: int, last: int) -> tuple[Words, Words]:
    """The keys of the signatures above `first`, up to `last`, in ascending order, each with its number."""
    packed, numbers = bytearray(), array("Q")
    with closing(connection.execute(_KEYS, (first, last))) as rows:
        for number, of_page in rows:
            packed += of_page
            numbers.append(number)
    keys = stored_keys(np.frombuffer(packed, np.uint64))
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    order //= max(1, len(keys) // max(1, len(numbers)))
    return keys, np.frombuffer(numbers, np.uint64)[order]
