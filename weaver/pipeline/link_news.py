"""LinkNews: what the writer has to tell of the links on disk, from its own thread, as events of the crawl."""

from __future__ import annotations

from weaver.base.events import Events
from weaver.pipeline.journal import Journal


class LinkNews:
    """`links_dropped` where old links left the disk by the user's limit, `block_damaged` where a block rotted."""

    def __init__(self, journal: Journal, events: Events, disk_limit: int | None) -> None:
        self._journal = journal
        self._events = events
        self._disk_limit = disk_limit

    def dropped(self, pages: int, links: int) -> None:
        """So many pages' links left."""
        self._journal.hop(self._tell_dropped, pages, links)

    def damaged(self, number: int) -> None:
        """The block of this number stays as it is, and the crawl goes on without what it holds."""
        self._journal.hop(self._tell_damaged, number)

    def _tell_dropped(self, pages: int, links: int) -> None:
        self._events.emit("links_dropped", pages=pages, links=links, disk_limit=self._disk_limit)

    def _tell_damaged(self, number: int) -> None:
        self._events.emit("block_damaged", table="link_blocks", number=number)
