"""What refills a resumed crawl's graph: the newest sealed blocks as they are, the newest rows, and their hosts."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import NamedTuple

from weaver.base.errors import BlockDamaged
from weaver.codec import BlockCodec, DecodedBlock, Nodes
from weaver.persistence.link_columns import LinkColumns, unsealed_columns

_WINDOW_ROWS = 1_000
# What an index in RAM adds to a block's bytes: for each of its rows, and for the block.
_INDEX_BYTES = "6 * rows + 2000"
_BLOCKS_DOWN = f"SELECT number, links, block_bytes + {_INDEX_BYTES} FROM link_blocks ORDER BY first_node DESC"
# A packed row is its targets, 4 bytes each, and a header of about 10 bytes.
_ROWS_DOWN = "SELECT id, (length(packed) - 10) / 4 FROM links ORDER BY id DESC"
_ROWS = f"SELECT id, packed FROM links WHERE id > ? ORDER BY id LIMIT {_WINDOW_ROWS}"
_HOSTS = "SELECT id, host_id FROM urls WHERE id IN (SELECT value FROM json_each(?))"


class StoredBlock(NamedTuple):
    """A block as it is stored, and its rows."""

    block: bytes
    decoded: DecodedBlock


def newest_blocks(
    connection: sqlite3.Connection, max_edges: int, max_bytes: int = sys.maxsize
) -> Iterator[StoredBlock]:
    """The blocks of the newest pages, as many as have so many edges and fit in RAM in so many bytes, the oldest of them
    first; without those that are damaged, which wait for whoever asks for their rows."""
    codec = BlockCodec()
    for number in reversed(_newest_numbers(connection, max_edges, max_bytes)):
        rows = connection.execute("SELECT block FROM link_blocks WHERE number = ?", (number,)).fetchall()
        for (block,) in rows:
            with suppress(BlockDamaged):
                yield StoredBlock(block, codec.decode(block))


def newest_rows(connection: sqlite3.Connection, max_edges: int) -> Iterator[LinkColumns]:
    """The out-edges of the newest pages that are not sealed, about `max_edges` of them, a window at a time, the oldest
    of these first."""
    last_id = _page_before_newest(connection, max_edges)
    while rows := connection.execute(_ROWS, (last_id,)).fetchall():
        last_id = rows[-1][0]
        yield unsealed_columns(rows)


def hosts_of(connection: sqlite3.Connection, nodes: Nodes) -> dict[int, int]:
    """The id of each node's host."""
    return dict(connection.execute(_HOSTS, (json.dumps(nodes.tolist()),)).fetchall())


def _newest_numbers(connection: sqlite3.Connection, max_edges: int, max_bytes: int) -> list[int]:
    numbers: list[int] = []
    with closing(connection.execute(_BLOCKS_DOWN)) as blocks:
        for number, links, size_bytes in blocks:
            max_edges -= links
            max_bytes -= size_bytes
            if max_edges < 0 or max_bytes < 0:
                break
            numbers.append(number)
    return numbers


def _page_before_newest(connection: sqlite3.Connection, max_edges: int) -> int:
    with closing(connection.execute(_ROWS_DOWN)) as rows:
        for page_id, edges in rows:
            max_edges -= edges
            if max_edges < 0:
                return int(page_id)
    return 0
