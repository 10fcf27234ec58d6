"""The table `link_blocks`: sealed blocks of out-edges, put there, found by page, and read back.

A page has a row in one block at most, so blocks may be merged in any order; a row of it in `links` is
newer. Blocks may overlap: their pages lie between each other's. A block's number is never given to another one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import NamedTuple

import numpy as np

from weaver.base.errors import BlockDamaged
from weaver.codec import BlockCodec, Row, sort_rows, split_rows
from weaver.persistence.link_columns import LinkColumns, block_columns, no_links

PACKED_ROW_BYTES = 10
"""What a row of `links` has beside 4 bytes an edge, where all its edges are of one kind."""

# A block of 2^n ids or fewer that covers a page begins less than 2^n ids before it: one short search for each n.
COVERING = """
    WITH RECURSIVE span (bits) AS (SELECT 0 UNION ALL SELECT bits + 1 FROM span WHERE bits < 32)
    SELECT {columns} FROM span CROSS JOIN link_blocks INDEXED BY link_blocks_span
        ON span_bits = span.bits AND first_node > :node - (1 << span.bits) AND first_node <= :node
            AND last_node >= :node
"""
_COVERING_BLOCKS = COVERING.format(columns="number, block")
_NEXT_NUMBER = "SELECT ifnull(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'link_blocks'"
_INSERT = """
    INSERT INTO link_blocks
        (number, born, first_node, last_node, span_bits, rows, links, kinds, packed_bytes, block_bytes, block)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


OnDamaged = Callable[[int], None]


class FoundRow(NamedTuple):
    """A page's edges, and the block that they are in; 0 for a row of `links`."""

    number: int
    edges: Row


class BlockShelf:
    """The blocks over one connection, on the thread that owns it. Raises BlockDamaged, which names the block.

    `damaged` are those that turned out to be so, each with the error; `on_damaged` hears of each once.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        codec: BlockCodec | None = None,
        on_damaged: OnDamaged = lambda _number: None,
    ) -> None:
        self.connection = connection
        self.damaged: dict[int, BlockDamaged] = {}
        self._codec = BlockCodec() if codec is None else codec
        self._on_damaged = on_damaged

    def find(self, node: int) -> FoundRow | None:
        """A page's sealed edges. O(blocks that cover its id): one or a few.

        A damaged block matters only where the page is in none of the others.
        """
        error: BlockDamaged | None = None
        with closing(self.connection.execute(_COVERING_BLOCKS, {"node": node})) as rows:
            for number, block in rows:
                try:
                    with self._naming(number):
                        edges = self._codec.row(block, node)
                except BlockDamaged as damaged:
                    error = damaged
                    continue
                if edges is not None:
                    return FoundRow(number, edges)
        if error is not None:
            raise error
        return None

    def columns(self, number: int) -> LinkColumns:
        """All rows of a block; none where it is gone."""
        rows = self.connection.execute("SELECT block FROM link_blocks WHERE number = ?", (number,)).fetchall()
        if not rows:
            return no_links()
        with self._naming(number):
            return block_columns(self._codec.decode(rows[0][0]))

    def encoded(self, columns: LinkColumns) -> Iterator[tuple[LinkColumns, bytes]]:
        """The rows as blocks of the usual size, each beside what it holds."""
        degrees = columns.degrees
        for first, end in split_rows(degrees):
            part = columns.between(int(columns.nodes[first]) - 1, int(columns.nodes[end - 1]))
            targets, kinds = sort_rows(part.degrees, part.targets, part.kinds)
            yield part, self._codec.encode(part.nodes, part.degrees, targets, kinds)

    def put(self, columns: LinkColumns, block: bytes, packed_bytes: int, born: int | None = None) -> None:
        """Add a block; it is as old as `born`, else the youngest. The caller owns the transaction."""
        first, last = int(columns.nodes[0]), int(columns.nodes[-1])
        ((number,),) = self.connection.execute(_NEXT_NUMBER).fetchall()
        self.connection.execute(
            _INSERT,
            (
                number, born or number, first, last, (last - first).bit_length(),
                len(columns.nodes), len(columns.targets), json.dumps(columns.edges_by_kind()), packed_bytes,
                len(block), block,
            ),
        )  # fmt: skip

    def replace(self, numbers: Sequence[int], columns: LinkColumns) -> None:
        """Put all blocks of `columns` in the place of these; what they took unsealed is shared out by size.

        The caller owns the transaction, and gives all rows of the blocks, some of them anew.
        """
        marks = ", ".join("?" * len(numbers))
        ((born, packed_bytes),) = self.connection.execute(
            f"SELECT min(born), sum(packed_bytes) FROM link_blocks WHERE number IN ({marks})", tuple(numbers)
        ).fetchall()
        made = list(self.encoded(columns))
        self.delete(numbers)
        for (part, block), share in zip(made, _shares(packed_bytes, [part for part, _ in made]), strict=True):
            self.put(part, block, share, born)

    def delete(self, numbers: Iterable[int]) -> None:
        """Take blocks away. The caller owns the transaction."""
        self.connection.executemany("DELETE FROM link_blocks WHERE number = ?", [(number,) for number in numbers])

    @contextmanager
    def _naming(self, number: int) -> Iterator[None]:
        try:
            yield
        except BlockDamaged as error:
            named = BlockDamaged(f"block {number} of the table link_blocks is damaged: {error}")
            if number not in self.damaged:
                self.damaged[number] = named
                self._on_damaged(number)
            raise named from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, on the writer's connection."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def packed_size(columns: LinkColumns) -> int:
    """About what the rows take in `links`."""
    return PACKED_ROW_BYTES * len(columns.nodes) + 4 * len(columns.targets)


def block_json(block: bytes) -> str:
    """A block's edges as JSON, `[[source, target, kind], ...]`: the SQL function behind the view `edges`."""
    columns = block_columns(BlockCodec().decode(block))
    sources = np.repeat(columns.nodes, columns.degrees).tolist()
    return json.dumps(list(zip(sources, columns.targets.tolist(), columns.kinds.tolist(), strict=True)))


def _shares(total: int, parts: Sequence[LinkColumns]) -> list[int]:
    sizes = [packed_size(part) for part in parts]
    shares = [total * size // sum(sizes) for size in sizes]
    shares[-1] += total - sum(shares)
    return shares
