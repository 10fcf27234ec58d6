"""Merging: blocks whose pages lie between each other's become blocks that follow one another; small ones become one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

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

    def forget(self, numbers: Column) -> None:
        """Leave out blocks that are there no longer."""
        self._columns = self._columns[~np.isin(self.numbers, numbers)]

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
    log(pages) / log(depth) times, however the crawl jumps among its pages.
    """
    extents = Extents(shelf.connection)
    while len(covering := extents.deepest()) > most_depth:
        merged = covering[:MERGED_AT_ONCE]
        last_number = int(extents.numbers.max())
        merge(shelf, merged.tolist())
        extents.forget(merged)
        extents.read_beyond(last_number)
        yield


def merge_small(shelf: BlockShelf) -> Iterator[None]:
    """Make one block of neighbours that fit in one; yields after each transaction. For blocks that don't overlap."""
    after = -1
    while True:
        numbers, after = _neighbours(shelf.connection, after)
        if not numbers:
            return
        if len(numbers) > 1:
            merge(shelf, numbers)
            yield


def merge(shelf: BlockShelf, numbers: Sequence[int]) -> None:
    """Put blocks of all their rows, by rising page id, in the place of these blocks; in one transaction."""
    columns = joined([shelf.columns(number) for number in sorted(numbers)])
    with transaction(shelf.connection):
        shelf.replace(numbers, columns)


def _neighbours(connection: sqlite3.Connection, after: int) -> tuple[list[int], int]:
    """The next blocks that fit in one together, one at least, and the first page of the last of them."""
    numbers: list[int] = []
    size_bytes = 0
    with closing(connection.execute(_BY_FIRST, (after,))) as blocks:
        for number, first_node, rows, links in blocks:
            size_bytes += links + _ROW_BYTES * rows
            if numbers and size_bytes > BLOCK_BYTES:
                break
            numbers.append(number)
            after = first_node
    return numbers, after
