"""LinkWindows: all out-edges on disk by rising page id, in windows of bounded size, rows and blocks as one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from weaver.base.errors import BlockDamaged
from weaver.persistence.link_blocks import COVERING, BlockShelf
from weaver.persistence.link_columns import LinkColumns, joined, no_links, unsealed_columns

WINDOW_ROWS = 2_000
"""Unsealed rows of a window."""
WINDOW_BYTES = 2 << 20
"""Of packed edges: 2,000 pages with as many links as a page may have would be 160 MB."""
WINDOW_ENTRIES = 1 << 18
"""Rows and links of the blocks that begin in a window: 1.5 MiB decoded."""
_COLUMNS = "number, first_node, last_node, rows + links"
_COVERING = COVERING.format(columns=_COLUMNS)
_STARTING = f"SELECT {_COLUMNS} FROM link_blocks WHERE first_node > ? AND first_node <= ? ORDER BY first_node"
_UNSEALED = f"SELECT id, packed FROM links WHERE id > ? AND id <= ? ORDER BY id LIMIT {WINDOW_ROWS}"


class _Block(NamedTuple):
    number: int
    first_node: int
    last_node: int
    entries: int


class LinkWindows:
    """The out-edges of the pages `first_id` to `last_id`; a page without a row is left out. Iterable again and again.

    A window is read at one moment, and nothing is held open between two: a row that is sealed meanwhile is met once all
    the same. Memory: a window, and the blocks that reach beyond it. Raises BlockDamaged, unless `skips_damaged`
    leaves out what can't be read, and PersistenceError. O(edges).
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        last_id: int,
        first_id: int = 1,
        *,
        entries: int = WINDOW_ENTRIES,
        skips_damaged: bool = False,
    ) -> None:
        self._connection = connection
        self._entries = entries
        self._skips_damaged = skips_damaged
        self._shelf = BlockShelf(connection)
        self._first_id = first_id
        self._last_id = last_id
        # A number stands for the same rows for ever, so what is decoded stays good whatever the writer does.
        self._decoded: dict[int, LinkColumns] = {}

    def __iter__(self) -> Iterator[LinkColumns]:
        self._decoded = {}
        after = self._first_id - 1
        while after < self._last_id:
            upto, window = self._window(after)
            if len(window.nodes):
                yield window
            after = upto

    def _window(self, after: int) -> tuple[int, LinkColumns]:
        """The rows beyond `after` up to the id that comes first."""
        with _one_moment(self._connection):
            upto, rows = self._unsealed(after)
            upto, blocks = self._blocks(after, upto)
            parts = [self._columns(block).between(after, upto) for block in blocks]
        self._decoded = {block.number: self._columns(block) for block in blocks if block.last_node > upto}
        parts.append(unsealed_columns(rows).between(after, upto))
        return upto, joined(parts)

    def _unsealed(self, after: int) -> tuple[int, list[tuple[int, bytes]]]:
        rows, size_bytes = [], 0
        with closing(self._connection.execute(_UNSEALED, (after, self._last_id))) as cursor:
            for row in cursor:
                rows.append(row)
                size_bytes += len(row[1])
                if size_bytes >= WINDOW_BYTES:
                    break
        is_cut = len(rows) == WINDOW_ROWS or size_bytes >= WINDOW_BYTES
        return rows[-1][0] if is_cut else self._last_id, rows

    def _blocks(self, after: int, upto: int) -> tuple[int, list[_Block]]:
        """The blocks with pages in the window, the oldest first; the window ends before one that is too many."""
        covering = self._connection.execute(_COVERING, {"node": after + 1}).fetchall()
        blocks = [block for block in map(_Block._make, covering) if block.first_node <= after]
        entries = 0
        with closing(self._connection.execute(_STARTING, (after, upto))) as cursor:
            for block in map(_Block._make, cursor):
                if entries >= self._entries:
                    upto = block.first_node - 1
                    break
                blocks.append(block)
                entries += block.entries
        return upto, sorted(blocks)

    def _columns(self, block: _Block) -> LinkColumns:
        if block.number not in self._decoded:
            self._decoded[block.number] = self._read(block.number)
        return self._decoded[block.number]

    def _read(self, number: int) -> LinkColumns:
        try:
            return self._shelf.columns(number)
        except BlockDamaged:
            if not self._skips_damaged:
                raise
            return no_links()


@contextmanager
def _one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is read within is of one state of the database; inside a transaction it is anyway."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")
