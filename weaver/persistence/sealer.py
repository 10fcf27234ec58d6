"""Sealer: when rows are sealed, blocks merged and old ones dropped, one short transaction at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

from weaver.persistence.disk_limit import drop_oldest
from weaver.persistence.link_blocks import BlockShelf, OnDamaged
from weaver.persistence.merging import merge_overlaps
from weaver.persistence.sealing import seal_rows

OnDropped = Callable[[int, int], None]


class Sealer:
    """Gathers until `seal_pages` more rows are unsealed, then has work for some steps: a pass over them.

    All of it is on the writer's thread, which takes a step wherever no commit is due. A pass seals what fills blocks,
    merges blocks that overlap too deeply, and drops the oldest where rows and blocks take more than `limit_bytes`, of
    which `on_dropped(rows, links)` hears on the thread, as `on_damaged(number)` does of each block that turns out to
    be damaged, once: it is left alone. A kill between two steps loses nothing: how far a pass came is not noted
    anywhere.
    """

    def __init__(
        self,
        seal_pages: int,
        limit_bytes: int | None = None,
        on_dropped: OnDropped = lambda _rows, _links: None,
        on_damaged: OnDamaged = lambda _number: None,
    ) -> None:
        self._seal_pages = seal_pages
        self._limit_bytes = limit_bytes
        self._on_dropped = on_dropped
        self._on_damaged = on_damaged
        self._shelf: BlockShelf | None = None
        self._pass: Iterator[None] | None = None
        self._gathered = 0

    def __repr__(self) -> str:
        phase = "gathering" if self._pass is None else "at work"
        return f"Sealer(gathered={self._gathered}, seal_pages={self._seal_pages}, {phase})"

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything."""
        return self._pass is not None or self._gathered >= self._seal_pages

    def start(self, connection: sqlite3.Connection) -> None:
        """Take up what earlier runs left; on the thread that owns the connection."""
        self._shelf = BlockShelf(connection, on_damaged=self._on_damaged)
        ((self._gathered,),) = connection.execute("SELECT count(*) FROM links").fetchall()

    def added(self, rows: int) -> None:
        """So many rows were committed."""
        self._gathered += rows

    def step(self) -> None:
        """One transaction of a pass, which may be its last; nothing happens where there is no work."""
        if self._shelf is None or not self.has_work:
            return
        if self._pass is None:
            # What doesn't fill a block stays for the pass after this one, and is not counted again until then.
            self._pass, self._gathered = self._steps(self._shelf, is_last=False), 0
        if next(self._pass, self) is self:
            self._pass = None

    def finish(self, connection: sqlite3.Connection) -> None:
        """Seal all that is left."""
        shelf = self._shelf or BlockShelf(connection, on_damaged=self._on_damaged)
        for _ in self._steps(shelf, is_last=True):
            pass
        self._pass, self._gathered = None, 0

    def _steps(self, shelf: BlockShelf, *, is_last: bool) -> Iterator[None]:
        yield from seal_rows(shelf, is_last=is_last)
        yield from merge_overlaps(shelf)
        if self._limit_bytes is not None:
            yield from self._drop(shelf, self._limit_bytes)

    def _drop(self, shelf: BlockShelf, limit_bytes: int) -> Iterator[None]:
        rows, links = 0, 0
        for gone in drop_oldest(shelf, limit_bytes):
            rows += gone.rows
            links += gone.links
            yield
        if rows:
            self._on_dropped(rows, links)
