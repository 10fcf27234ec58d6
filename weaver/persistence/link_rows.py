"""LinkRows: the out-edges of one page or some, from its row or from the block that holds it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import numpy as np

from weaver.codec import Row
from weaver.persistence.link_blocks import BlockShelf
from weaver.persistence.link_columns import LinkColumns, joined
from weaver.persistence.link_windows import LinkWindows
from weaver.persistence.packing import unpack


class LinkRows:
    """Look-ups over one connection, on the thread that owns it. Raises BlockDamaged, PersistenceError."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._shelf: BlockShelf | None = None

    def edges_of(self, page_id: int) -> Row | None:
        """A page's targets and kinds; None where it left none behind. A sealed row's are sorted by target."""
        # The row first: sealing takes it away in the moment in which its block is there.
        rows = self._connection.execute("SELECT packed FROM links WHERE id = ?", (page_id,)).fetchall()
        if rows:
            return unpack(rows[0][0])
        found = self._blocks.find(page_id)
        return None if found is None else found.edges

    def of(self, ids: Sequence[int], *, skips_damaged: bool = False) -> LinkColumns:
        """The out-edges of these pages, by rising id: one pass over all rows from the lowest to the highest."""
        if not ids:
            return joined([])
        nodes = np.array(ids, np.uint32)
        windows = LinkWindows(self._connection, max(ids), min(ids), skips_damaged=skips_damaged)
        return joined([window.of(nodes) for window in windows])

    def degrees(self, first_id: int, last_id: int) -> dict[int, int]:
        """How many edges each of the pages `first_id` to `last_id` has; one without a row is left out."""
        found: dict[int, int] = {}
        for window in LinkWindows(self._connection, last_id, first_id):
            found.update(zip(window.nodes.tolist(), window.degrees.tolist(), strict=True))
        return found

    @property
    def _blocks(self) -> BlockShelf:
        """zstd's working memory is taken only where a block is read."""
        if self._shelf is None:
            self._shelf = BlockShelf(self._connection)
        return self._shelf
