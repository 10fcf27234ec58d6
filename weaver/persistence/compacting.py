"""Compacting: every row in a full block, no two blocks over the same pages, and the room that is free given back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import chain
from pathlib import Path

from weaver.base.errors import BlockDamaged
from weaver.base.settings import PersistenceSettings
from weaver.persistence.border import disk_errors
from weaver.persistence.database import CrawlDirectory
from weaver.persistence.graph_sizes import GraphSizes, graph_sizes
from weaver.persistence.link_blocks import BlockShelf
from weaver.persistence.merging import merge_overlaps, merge_small
from weaver.persistence.sealing import seal_rows


def compact(connection: sqlite3.Connection) -> list[BlockDamaged]:
    """Seal all rows, merge all blocks that overlap, then small neighbours; a short transaction each.

    On the connection of whoever holds the crawl's lock. Killed at any moment, it has done a part of its work. What
    comes back are the errors of blocks that are damaged: these were met, and stay as they are.
    """
    shelf = BlockShelf(connection)
    for _ in chain(seal_rows(shelf, is_last=True), merge_overlaps(shelf, most_depth=1), merge_small(shelf)):
        pass
    return list(shelf.damaged.values())


def compact_directory(path: Path, *, vacuums: bool = True) -> tuple[GraphSizes, GraphSizes]:
    """Compact the crawl in `path`; its graph's sizes before and after.

    `vacuums` rewrites the file without the pages that are free, which takes as much room beside it while it lasts;
    otherwise they wait for what comes next. Raises DirectoryError, DirectoryLocked, PersistenceError; and BlockDamaged
    once all that is whole is compacted, where a block is not.
    """
    directory = CrawlDirectory.open_existing(path)
    with (
        directory,
        disk_errors(f"compacting {directory.database_path}"),
        closing(directory.connect(PersistenceSettings())) as connection,
    ):
        before = graph_sizes(connection)
        damaged = compact(connection)
        if vacuums:
            connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if damaged:
            raise damaged[0]
        return before, graph_sizes(connection)
