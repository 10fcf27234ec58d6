"""Results: finished pages on their way to whoever listens, their bodies charged until they are handed out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from weaver.memory.admission import ByteGate
from weaver.pipeline.page_run import PageResult


@dataclass(frozen=True, slots=True)
class End:
    """Stands where the run ended."""


class Results:
    """A queue of at most `capacity` pages; whoever puts waits while it is full, whoever gets while it is empty.

    What it holds takes room from the pages in flight, so that a slow listener slows the crawl down before memory fills.
    A duplicate's original is looked up by `url_of` when its page is handed out: nobody else needs its name.
    """

    def __init__(self, capacity: int, bodies: ByteGate, url_of: Callable[[int], str]) -> None:
        self._bodies = bodies
        self._url_of = url_of
        self._queue: asyncio.Queue[PageResult | End] = asyncio.Queue(capacity)

    def __repr__(self) -> str:
        return f"Results({self._queue.qsize()} of {self._queue.maxsize})"

    async def put(self, result: PageResult | End) -> None:
        """Add a page, or the end, as soon as there is room."""
        size_bytes = _bytes_of(result)
        self._bodies.hold(size_bytes)
        try:
            await self._queue.put(result)
        except asyncio.CancelledError:
            self._bodies.give_back(size_bytes)
            raise

    async def get(self) -> PageResult | End:
        """The next page, or the end; the caller owns its bytes from now on."""
        result = self._handed_out(await self._queue.get())
        if isinstance(result, PageResult) and result.duplicate_id:
            return replace(result, duplicate_of=self._url_of(result.duplicate_id))
        return result

    def drop_all(self) -> None:
        """Nobody listens any more: let go of what is there, and of those who wait to add more by the time they do."""
        while not self._queue.empty():
            self._handed_out(self._queue.get_nowait())

    def _handed_out(self, result: PageResult | End) -> PageResult | End:
        self._bodies.give_back(_bytes_of(result))
        return result


def _bytes_of(result: PageResult | End) -> int:
    return 0 if isinstance(result, End) else len(result.body) + len(result.text)
