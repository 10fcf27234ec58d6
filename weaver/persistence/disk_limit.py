"""The disk limit: the oldest blocks leave where the user bounds what links may take, and are counted as they go."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from weaver.persistence.link_blocks import BlockShelf, transaction

META_KEY = "dropped_links"
_SIZE = """
    SELECT (SELECT total(block_bytes) FROM link_blocks) + (SELECT total(length(packed)) FROM links)
"""
_OLDEST = "SELECT number, rows, links, kinds, block_bytes FROM link_blocks ORDER BY born, first_node LIMIT 1"


class Dropped(NamedTuple):
    """What left the directory by choice: pages' rows, and their links, in all and by kind."""

    rows: int = 0
    links: int = 0
    kinds: dict[int, int] = {}

    def plus(self, rows: int, links: int, kinds: dict[int, int]) -> Dropped:
        """With so many more."""
        every = {kind: self.kinds.get(kind, 0) + kinds.get(kind, 0) for kind in self.kinds.keys() | kinds.keys()}
        return Dropped(self.rows + rows, self.links + links, every)


def dropped_links(connection: sqlite3.Connection) -> Dropped:
    """What has been dropped so far, in all runs."""
    rows = connection.execute("SELECT value FROM meta WHERE key = ?", (META_KEY,)).fetchall()
    if not rows:
        return Dropped()
    stored = json.loads(rows[0][0])
    return Dropped(stored["rows"], stored["links"], _by_kind(stored["kinds"]))


def drop_oldest(shelf: BlockShelf, limit_bytes: int) -> Iterator[Dropped]:
    """Drop the oldest blocks while rows and blocks take more than the limit. Yields what went, each time."""
    connection = shelf.connection
    ((size_bytes,),) = connection.execute(_SIZE).fetchall()
    while size_bytes > limit_bytes:
        oldest = connection.execute(_OLDEST).fetchall()
        if not oldest:
            return
        number, rows, links, kinds, block_bytes = oldest[0]
        gone = Dropped(rows, links, _by_kind(json.loads(kinds)))
        with transaction(connection):
            shelf.delete([number])
            _note(connection, dropped_links(connection).plus(*gone))
        size_bytes -= block_bytes
        yield gone


def _note(connection: sqlite3.Connection, dropped: Dropped) -> None:
    text = json.dumps(dropped._asdict())
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (META_KEY, text))


def _by_kind(stored: dict[str, int]) -> dict[int, int]:
    return {int(kind): links for kind, links in stored.items()}
