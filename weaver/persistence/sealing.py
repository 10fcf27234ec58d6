"""Sealing: rows of `links` become blocks, a block in each short transaction, whatever moment the process ends."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress

from weaver.base.errors import BlockDamaged
from weaver.codec import split_rows
from weaver.codec.block_codec import BLOCK_BYTES
from weaver.persistence.link_blocks import BlockShelf, transaction
from weaver.persistence.link_columns import LinkColumns, joined, unsealed_columns

_UNSEALED = "SELECT id, packed FROM links WHERE id > ? AND NOT is_rewritten ORDER BY id"
_REWRITTEN = "SELECT id FROM links WHERE is_rewritten AND id > ? ORDER BY id LIMIT 1"
_REWRITTEN_OF = """
    SELECT id, packed FROM links WHERE is_rewritten AND id IN (SELECT value FROM json_each(?)) ORDER BY id
"""
_SEALED = "DELETE FROM links WHERE id = ?"

PackedRow = tuple[int, bytes]


def seal_rows(shelf: BlockShelf, *, is_last: bool) -> Iterator[None]:
    """Seal all rows that block after block has room for; yields after each transaction.

    What is left over at the end makes a smaller block only where `is_last` says that no more is to come.
    """
    yield from place_rewritten(shelf)
    last_id = 0
    while rows := _rows_of_a_block(shelf.connection, last_id, is_last):
        columns = unsealed_columns(rows)
        _, end = next(split_rows(columns.degrees))
        last_id = rows[end - 1][0]
        _seal(shelf, columns.between(0, last_id), rows[:end])
        yield


def place_rewritten(shelf: BlockShelf) -> Iterator[None]:
    """Bring rows that replace sealed ones to the blocks of these; one of which no block knows is a row as any other.

    Each block is written anew once, with all of its pages that wait. Where one is damaged its pages wait on.
    """
    node = 0
    while rows := shelf.connection.execute(_REWRITTEN, (node,)).fetchall():
        ((node,),) = rows
        with suppress(BlockDamaged):
            _place_row(shelf, node)
        yield


def _place_row(shelf: BlockShelf, node: int) -> None:
    found = shelf.find(node)
    with transaction(shelf.connection):
        if found is None:
            shelf.connection.execute("UPDATE links SET is_rewritten = 0 WHERE id = ?", (node,))
        else:
            _place(shelf, found.number)


def _place(shelf: BlockShelf, number: int) -> None:
    old = shelf.columns(number)
    rows = shelf.connection.execute(_REWRITTEN_OF, (json.dumps(old.nodes.tolist()),)).fetchall()
    shelf.replace([number], joined([old, unsealed_columns(rows)]))
    shelf.connection.executemany(_SEALED, [(node,) for node, _ in rows])


def _rows_of_a_block(connection: sqlite3.Connection, last_id: int, is_last: bool) -> list[PackedRow]:
    """The rows beyond `last_id` that fill a block; none where there are too few, unless these are the last."""
    rows: list[PackedRow] = []
    # An edge is a byte of a block's columns and four of a packed row; both have a little more for each row.
    size_bytes = 0
    with closing(connection.execute(_UNSEALED, (last_id,))) as cursor:
        for row in cursor:
            rows.append(row)
            size_bytes += len(row[1]) // 4 + 1
            if size_bytes > BLOCK_BYTES:
                return rows
    return rows if is_last else []


def _seal(shelf: BlockShelf, columns: LinkColumns, rows: list[PackedRow]) -> None:
    packed_bytes = sum(len(packed) for _, packed in rows)
    ((part, block),) = shelf.encoded(columns)
    with transaction(shelf.connection):
        shelf.put(part, block, packed_bytes)
        shelf.connection.executemany(_SEALED, [(node,) for node, _ in rows])
