"""Walk: the URLs of a crawl and the edges between them, read in windows of fixed memory that tell how far they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from weaver.analysis.edge_stream import EdgeStream, EdgeWindow
from weaver.persistence.crawl_rows import KnownUrl
from weaver.persistence.reader import CrawlReader

EDGES_PER_WINDOW = 1 << 12
"""Of an export, where an edge becomes 100 to 300 bytes of tuples and text: half a megabyte."""

OnShare = Callable[[float], None]
"""Told how much is done, from 0 to 1."""


class Walk:
    """What was known when the walk began: URLs 1 to `last_id`, and the edges between them.

    Each full pass counts as one of `passes`, whatever is walked; the share told is of all of them.
    """

    def __init__(self, reader: CrawlReader, on_share: OnShare = lambda _share: None) -> None:
        self.reader = reader
        self.last_id = reader.last_url_id()
        self.stream = EdgeStream(reader, self.last_id, EDGES_PER_WINDOW)
        self.passes = 1
        self._done = 0
        self._on_share = on_share

    def __repr__(self) -> str:
        return f"Walk(last_id={self.last_id}, pass {self._done} of {self.passes})"

    def known_urls(self) -> Iterator[list[KnownUrl]]:
        """All URLs in the order of their ids."""
        for window in self.reader.known_urls(self.last_id):
            yield window
            self._tell(window[-1].id)
        self._end_pass()

    def edges(self) -> Iterator[EdgeWindow]:
        """All edges in the order of their sources."""
        for window in self.stream:
            yield window
            self._tell(int(window.nodes[-1]))
        self._end_pass()

    def _tell(self, last_id: int) -> None:
        self._on_share(min(1.0, (self._done + last_id / self.last_id) / self.passes))

    def _end_pass(self) -> None:
        self._done += 1
        self._on_share(min(1.0, self._done / self.passes))
