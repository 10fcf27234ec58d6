"""KeyMerging: when the keys of new URLs enter the tree that finds them, in sorted batches."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from weaver.persistence.link_blocks import transaction
from weaver.persistence.statements import Insert
from weaver.persistence.url_keys import Ids, waiting_keys

# Keys of one transaction, in which no commit can begin; some 20 ms.
BATCH_KEYS = 8_192
# Past so many times what may wait, commits wait for a pass to end.
MOST_BEHIND = 2
_KEYS = Insert("INSERT OR IGNORE INTO url_keys (key, id)", 2)
_DONE = "DELETE FROM new_keys WHERE last_id <= ?"
_LAST = "SELECT max(last_id) FROM new_keys"
_FIRST = "SELECT ids FROM new_keys ORDER BY last_id LIMIT 1"


class KeyMerging:
    """Gathers until `most_waiting()` keys are not merged, then has work for some steps: a pass over them.

    A new key belongs anywhere in the tree: entered as it comes, each has a page of the tree written, twice. In batches
    many share one. Until `on_merged(id)` says, on the writer's thread, that all URLs up to an id are found on disk,
    others must answer for them. What waits stays below thrice `most_waiting`, and a group of commits: a step ends a
    pass at once where it comes to twice that. A kill between two steps loses nothing: the pass begins anew, and what it
    had entered is there. Memory: 24 bytes a key of a pass.
    """

    def __init__(
        self, most_waiting: Callable[[], int], on_merged: Callable[[int], None] = lambda _last_id: None
    ) -> None:
        self._most_waiting = most_waiting
        self._on_merged = on_merged
        self._connection: sqlite3.Connection | None = None
        self._pass: Iterator[None] | None = None
        self._merged_to = self._last = 0

    def __repr__(self) -> str:
        return f"KeyMerging(waiting={self._last - self._merged_to}, most_waiting={self._most_waiting()})"

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything."""
        return self._pass is not None or self._is_behind(1)

    def start(self, connection: sqlite3.Connection) -> None:
        """Take up what earlier runs left; on the thread that owns the connection."""
        self._connection = connection
        self._last = _last_id(connection)
        self._merged_to = _first_id(connection) - 1 if self._last else 0

    def added(self, _rows: int) -> None:
        """A group was committed."""
        if self._connection is not None:
            self._last = max(self._last, _last_id(self._connection))
            self._merged_to = self._merged_to or _first_id(self._connection) - 1

    def step(self) -> None:
        """One transaction of a pass, which may be its last; nothing happens where there is no work."""
        while self._connection is not None and self.has_work:
            if self._pass is None:
                self._pass = self._steps(self._connection, self._last)
            if next(self._pass, self) is self:
                self._pass = None
            if not self._is_behind(MOST_BEHIND):
                break

    def _is_behind(self, times: int) -> bool:
        return self._last - self._merged_to >= times * self._most_waiting()

    def _steps(self, connection: sqlite3.Connection, last_id: int) -> Iterator[None]:
        yield from _merged_steps(connection, last_id)
        self._merged_to = last_id
        self._on_merged(last_id)


def merge_keys(connection: sqlite3.Connection) -> None:
    """Merge all keys that wait; a short transaction at a time, on the connection of whoever holds the crawl's lock."""
    for _ in _merged_steps(connection, _last_id(connection)):
        pass


def waiting_count(connection: sqlite3.Connection) -> int:
    """About how many keys are not merged."""
    last_id = _last_id(connection)
    return last_id + 1 - _first_id(connection) if last_id else 0


def _merged_steps(connection: sqlite3.Connection, last_id: int) -> Iterator[None]:
    keys, ids = _sorted_keys(connection, last_id)
    for start in range(0, len(keys), BATCH_KEYS):
        part = slice(start, start + BATCH_KEYS)
        with transaction(connection):
            _KEYS.run(connection, list(zip(keys[part].tolist(), ids[part].tolist(), strict=True)))
        yield
    with transaction(connection):
        connection.execute(_DONE, (last_id,))


def _sorted_keys(connection: sqlite3.Connection, last_id: int) -> tuple[NDArray[np.int64], Ids]:
    """What waits, in the order of the tree, whose keys are signed."""
    unsigned, ids = waiting_keys(connection, last_id)
    keys = unsigned.view(np.int64).copy()
    order = np.argsort(keys, kind="stable")
    ids = ids[order]
    keys.sort()
    return keys, ids


def _last_id(connection: sqlite3.Connection) -> int:
    ((last_id,),) = connection.execute(_LAST).fetchall()
    return last_id or 0


def _first_id(connection: sqlite3.Connection) -> int:
    """The lowest id that waits; 1 where none does."""
    rows = connection.execute(_FIRST).fetchall()
    return int(np.frombuffer(rows[0][0], "<u4").min()) if rows else 1
