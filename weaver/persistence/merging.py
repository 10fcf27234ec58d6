"""Merging: blocks whose pages lie between each other's become blocks that follow one another; small ones become one."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from weaver.base.errors import BlockDamaged
from weaver.codec.block_codec import BLOCK_BYTES
from weaver.persistence.link_blocks import BlockShelf, transaction
from weaver.persistence.link_columns import joined

MOST_DEPTH = 8
"""So many blocks may cover one page id: a look-up may meet them all. Half of it costs half as much again in merges."""
MERGED_AT_ONCE = 16
"""Blocks of one transaction: 50 ms on the writer's thread, some MiB."""
_ROW_BYTES = 4
_EXTENTS = "SELECT number, first_node, last_node FROM link_blocks WHERE number > ?"
_BY_FIRST = "SELECT number, first_node, rows, links FROM link_blocks WHERE first_node > ? ORDER BY first_node"

Column = NDArray[np.int64]
Columns = NDArray[np.int64]


class Extents:
    """The numbers and first and last pages of all blocks: 24 B each."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._columns: Columns = np.zeros((0, 3), np.int64)
        self.read_beyond(0)

    @property
    def numbers(self) -> Column:
        """The blocks' numbers."""
        return self._columns[:, 0]

    def read_beyond(self, number: int) -> None:
        """Take in the blocks with higher numbers."""
        rows = self._connection.execute(_EXTENTS, (number,)).fetchall()
        self._columns = np.concatenate([self._columns, np.array(rows, np.int64).reshape(-1, 3)])

    def forget(self, numbers: Collection[int]) -> None:
        """Leave out blocks that are there no longer, or can't be read."""
        self._columns = self._columns[~np.isin(self.numbers, list(numbers))]

    def deepest(self) -> Column:
        """The blocks that cover the page id which most blocks cover, the widest first. O(n log n)."""
        if not len(self.numbers):
            return self.numbers
        firsts, lasts = self._columns[:, 1], self._columns[:, 2]
        begins = np.sort(firsts)
        depths = np.arange(1, len(begins) + 1) - np.searchsorted(np.sort(lasts), begins)
        node = int(begins[np.argmax(depths)])
        covering = np.flatnonzero((firsts <= node) & (lasts >= node))
        widths = lasts[covering] - firsts[covering]
        return self.numbers[covering[np.argsort(-widths, kind="stable")]]


def depth(connection: sqlite3.Connection) -> int:
    """The highest number of blocks that cover one page id; 1 where none overlap."""
    return len(Extents(connection).deepest())


def merge_overlaps(shelf: BlockShelf, most_depth: int = MOST_DEPTH) -> Iterator[None]:
    """Merge until no more than `most_depth` blocks cover any page id; yields after each transaction.

    Of blocks that overlap, k become about k that don't, each a k-th as wide: no row is written anew more often than
    log(pages) / log(depth) times, however the crawl jumps among its pages. Damaged blocks stay as they are, uncounted.
    """
    extents = Extents(shelf.connection)
    extents.forget(shelf.damaged)
    while len(covering := extents.deepest()) > most_depth:
        merged = covering[:MERGED_AT_ONCE].tolist()
        last_number = int(extents.numbers.max())
        if merge(shelf, merged):
            extents.forget(merged)
            extents.read_beyond(last_number)
        else:
            extents.forget(shelf.damaged)
        yield


def merge_small(shelf: BlockShelf) -> Iterator[None]:
    """Make one block of neighbours that fit in one; yields after each transaction. For blocks that don't overlap.

    Damaged blocks stay as they are.
    """
    after = -1
    while True:
        numbers, last = _neighbours(shelf, after)
        if not numbers:
            return
        if len(numbers) == 1:
            after = last
            continue
        if merge(shelf, numbers):
            after = last
        yield


def merge(shelf: BlockShelf, numbers: Sequence[int]) -> bool:
    """Put blocks of all their rows, by rising page id, in the place of these blocks, in one transaction; False, and
    nothing has changed, where one of them is damaged: the shelf knows which."""
    try:
        columns = joined([shelf.columns(number) for number in sorted(numbers)])
    except BlockDamaged:
        return False
    with transaction(shelf.connection):
        shelf.replace(numbers, columns)
    return True


def _neighbours(shelf: BlockShelf, after: int) -> tuple[list[int], int]:
    """The next whole blocks that fit in one together, one at least where any is left; the first page of the last."""
    numbers: list[int] = []
    size_bytes = 0
    with closing(shelf.connection.execute(_BY_FIRST, (after,))) as blocks:
        for number, first_node, rows, links in blocks:
            if number in shelf.damaged:
                continue
            size_bytes += links + _ROW_BYTES * rows
            if numbers and size_bytes > BLOCK_BYTES:
                break
            numbers.append(number)
            after = first_node
    return numbers, after
