"""DuplicateEdges: each page of a settled cluster leads to the one that stands for it, and that one to none."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from weaver.base.errors import BlockDamaged
from weaver.base.page import EdgeKind
from weaver.base.record import Adjacency
from weaver.codec import Nodes, Row
from weaver.persistence.disk_limit import dropped_links
from weaver.persistence.link_blocks import BlockShelf
from weaver.persistence.link_columns import LinkColumns, unsealed_columns
from weaver.persistence.packing import pack

_UNSEALED = """
    SELECT links.id, packed FROM temp.settled CROSS JOIN links ON links.id = settled.id
        WHERE settled.id > ? ORDER BY settled.id
"""
# A row that is there knows already whether a block has an older one.
_ROW = """
    INSERT INTO links (id, packed, is_rewritten) VALUES (?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET packed = excluded.packed
"""
_EXTENTS = "SELECT number, first_node, last_node FROM link_blocks ORDER BY number"
# Of packed edges that are read at a time: some 40 times as many bytes are worked with. A page may have 80 KB of them.
_PART_BYTES = 1 << 17

Extent = tuple[int, int, int]
Flags = NDArray[np.bool_]


class DuplicateEdges:
    """The edges of kind DUPLICATE of the pages of a settling, which are given by rising id, beside who stands for each.

    What has to change is written: a row of `links`, or the block that has the row. Each block that may have one is read
    once; one that is damaged keeps what it has. A page without a row gets one, unless rows were dropped: of it nobody
    can tell whether its was, and it must not come back with one edge of many. Within the caller's transaction, which
    has the pages in the temporary table `settled`. Memory: 9 B a page, and a block. Raises PersistenceError for a
    damaged row of `links`. O(edges of these blocks).
    """

    def __init__(self, connection: sqlite3.Connection, nodes: Nodes, representatives: Nodes) -> None:
        self._connection = connection
        self._shelf = BlockShelf(connection)
        self._nodes = nodes
        self._wanted = np.where(representatives == nodes, np.uint32(0), representatives)
        self._is_missing: Flags = np.ones(len(nodes), np.bool_)

    def __repr__(self) -> str:
        return f"DuplicateEdges(pages={len(self._nodes)}, missing={np.count_nonzero(self._is_missing)})"

    def settle(self) -> None:
        """Give each page that lacks it the edge to who stands for it, and take any other away."""
        # The rows first: where a page has one, that of its block counts no more.
        for columns in self._unsealed():
            self._settle_rows(columns)
        damaged = [extent for extent in self._extents() if not self._settle_block(extent)]
        self._settle_missing(damaged)

    def _unsealed(self) -> Iterator[LinkColumns]:
        """The members' rows of `links`, some at a time."""
        last_id = 0
        while rows := self._some_rows(last_id):
            last_id = rows[-1][0]
            yield unsealed_columns(rows)

    def _some_rows(self, last_id: int) -> list[tuple[int, bytes]]:
        rows, size_bytes = [], 0
        with closing(self._connection.execute(_UNSEALED, (last_id,))) as cursor:
            for row in cursor:
                rows.append(row)
                size_bytes += len(row[1])
                if size_bytes >= _PART_BYTES:
                    break
        return rows

    def _settle_rows(self, columns: LinkColumns) -> None:
        wanted, _ = self._found(columns)
        is_wrong = _is_wrong(columns, wanted)
        wrong = columns.taken(np.flatnonzero(is_wrong))
        self._write_rows(_led(wrong, np.ones(len(wrong.nodes), np.bool_), wanted[is_wrong]).rows(), 0)

    def _write_rows(self, rows: Iterable[tuple[int, Row]], is_rewritten: int) -> None:
        packed = (
            (node, pack(Adjacency(targets.tobytes(), kinds.tobytes())), is_rewritten) for node, (targets, kinds) in rows
        )
        self._connection.executemany(_ROW, packed)

    def _extents(self) -> list[Extent]:
        return self._connection.execute(_EXTENTS).fetchall()

    def _settle_block(self, extent: Extent) -> bool:
        """Write the block anew where one of its rows has to change; False where it is damaged."""
        number, first_node, last_node = extent
        begin, end = self._between(first_node, last_node)
        if not self._is_missing[begin:end].any():
            return True
        try:
            columns = self._shelf.columns(number)
        except BlockDamaged:
            return False
        wanted, is_member = self._found(columns)
        is_wrong = is_member & _is_wrong(columns, wanted)
        if is_wrong.any():
            self._shelf.replace([number], _led(columns, is_wrong, wanted))
        return True

    def _between(self, first_node: int, last_node: int) -> tuple[int, int]:
        """The places of the pages with these ids and those between."""
        # Of another type than the pages' ids, the two would have all of these converted.
        first, last = np.array([first_node, last_node], np.uint32)
        begin, end = np.searchsorted(self._nodes, first), np.searchsorted(self._nodes, last, side="right")
        return int(begin), int(end)

    def _found(self, columns: LinkColumns) -> tuple[Nodes, Flags]:
        """Whom each row should lead to, 0 for nobody, and whether it is of a page that was missing; it is no more."""
        places = np.minimum(np.searchsorted(self._nodes, columns.nodes), len(self._nodes) - 1)
        is_member = (self._nodes[places] == columns.nodes) & self._is_missing[places]
        self._is_missing[places[is_member]] = False
        return np.where(is_member, self._wanted[places], np.uint32(0)), is_member

    def _settle_missing(self, damaged: list[Extent]) -> None:
        """Look a page up alone where its row may be in a damaged block; the others have none."""
        for _, first_node, last_node in damaged:
            self._settle_damaged(first_node, last_node)
        if not dropped_links(self._connection).rows:
            is_led = self._is_missing & (self._wanted > 0)
            self._write_rows(_lone_edges(self._nodes[is_led], self._wanted[is_led]), 0)

    def _settle_damaged(self, first_node: int, last_node: int) -> None:
        begin, end = self._between(first_node, last_node)
        for place in (begin + np.flatnonzero(self._is_missing[begin:end])).tolist():
            try:
                found = self._shelf.find(int(self._nodes[place]))
            except BlockDamaged:
                self._is_missing[place] = False
                continue
            if found is not None:
                self._is_missing[place] = False
                self._settle_found(place, found.edges)

    def _settle_found(self, place: int, edges: Row) -> None:
        row, wanted = _one_row(int(self._nodes[place]), edges), self._wanted[place : place + 1]
        if _is_wrong(row, wanted).any():
            self._write_rows(_led(row, np.ones(1, np.bool_), wanted).rows(), 1)


def _is_wrong(columns: LinkColumns, wanted: Nodes) -> Flags:
    """Which rows have another edge of kind DUPLICATE than to the page that is wanted, or not that one."""
    rows, is_duplicate = _row_of_edges(columns), columns.kinds == EdgeKind.DUPLICATE
    edges = np.bincount(rows[is_duplicate], minlength=len(wanted))
    right = np.bincount(rows[is_duplicate & (columns.targets == wanted[rows])], minlength=len(wanted))
    is_wrong: Flags = (edges != (wanted > 0)) | (right != edges)
    return is_wrong


def _led(columns: LinkColumns, is_wrong: Flags, wanted: Nodes) -> LinkColumns:
    """The rows with no edge of kind DUPLICATE in those that are wrong but the one that is wanted, last."""
    rows = _row_of_edges(columns)
    is_kept = (columns.kinds != EdgeKind.DUPLICATE) | ~is_wrong[rows]
    led = np.flatnonzero(is_wrong & (wanted > 0))
    rows = np.concatenate([rows[is_kept], led])
    order = np.argsort(rows, kind="stable")
    targets = np.concatenate([columns.targets[is_kept], wanted[led]])
    kinds = np.concatenate([columns.kinds[is_kept], np.full(len(led), EdgeKind.DUPLICATE, np.uint8)])
    offsets = np.searchsorted(rows[order], np.arange(len(columns.nodes) + 1))
    return LinkColumns(columns.nodes, offsets.astype(np.int64), targets[order], kinds[order])


def _row_of_edges(columns: LinkColumns) -> NDArray[np.intp]:
    return np.repeat(np.arange(len(columns.nodes)), columns.degrees)


def _lone_edges(nodes: Nodes, targets: Nodes) -> Iterator[tuple[int, Row]]:
    """Rows of one edge of kind DUPLICATE."""
    kinds = np.full(1, EdgeKind.DUPLICATE, np.uint8)
    for place, node in enumerate(nodes.tolist()):
        yield node, (targets[place : place + 1], kinds)


def _one_row(node: int, edges: Row) -> LinkColumns:
    targets, kinds = edges
    return LinkColumns(np.array([node], np.uint32), np.array([0, len(targets)], np.int64), targets, kinds)
