"""Engine: the workers that take leases and run them, until there is nothing left, a limit, or a word to stop."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Awaitable, Callable
from enum import StrEnum

from weaver.base.clock import Clock
from weaver.base.errors import WeaverError
from weaver.base.events import Events
from weaver.base.page import TaskKind
from weaver.base.settings import CrawlSettings
from weaver.frontier import Frontier, Lease
from weaver.pipeline.counters import Counters
from weaver.pipeline.journal import Journal
from weaver.pipeline.page_run import PageResult, PageRun

# What is under way when the time is over may still finish within this; then it is cancelled and stays queued.
GRACE_S = 2.0


class ExitReason(StrEnum):
    """Why a run ended."""

    FINISHED = "finished"
    MAX_PAGES = "max_pages"
    MAX_DURATION = "max_duration"
    DRAINED = "drained"
    STOPPED = "stopped"
    PAUSED = "paused"
    FAILED = "failed"


class Engine:
    """A fixed number of workers over one frontier. One of them at a time waits for the next lease; the others wait
    behind it, so that a free host wakes one worker and not all."""

    def __init__(
        self,
        settings: CrawlSettings,
        frontier: Frontier,
        journal: Journal,
        page_run: PageRun,
        counters: Counters,
        clock: Clock,
        events: Events,
    ) -> None:
        self._settings = settings
        self._frontier = frontier
        self._journal = journal
        self._page_run = page_run
        self._counters = counters
        self._clock = clock
        self._events = events
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []
        self._ends_at: float | None = None
        self._pages_under_way = 0
        self._ceiling: int | None = None
        self._error: BaseException | None = None
        self.ending: ExitReason | None = None

    def __repr__(self) -> str:
        return f"Engine({self.ending or 'running'}, {self._frontier!r})"

    async def run(self, hand_out: Callable[[PageResult], Awaitable[None]] | None) -> ExitReason:
        """Work until the end; `hand_out` gets each finished page and may make the worker wait."""
        cut: asyncio.TimerHandle | None = None
        if self._settings.max_duration is not None:
            self._ends_at = self._clock.monotonic() + self._settings.max_duration
            cut = asyncio.get_running_loop().call_later(self._settings.max_duration + GRACE_S, self._cancel)
        async with asyncio.TaskGroup() as group:
            self._workers = [group.create_task(self._work(hand_out)) for _ in range(self._settings.concurrency)]
            if self.ending is ExitReason.STOPPED:
                self.stop()
        if cut is not None:
            cut.cancel()
        if self._error is not None:
            raise self._error
        return self.ending or ExitReason.FINISHED

    def changed(self) -> None:
        """Something outside a worker may have made a host ready."""
        self._changed.set()

    def set_ceiling(self, tasks: int | None) -> None:
        """Start nothing while so many tasks are under way; 0 starts nothing at all, None is no ceiling."""
        self._ceiling = tasks
        self._changed.set()

    def end(self, reason: ExitReason) -> None:
        """Take no further lease; what is under way is finished."""
        self.ending = self.ending or reason
        self._changed.set()

    def stop(self) -> None:
        """Cancel what is under way; it stays queued on disk."""
        self.ending = ExitReason.STOPPED
        self._cancel()

    def _cancel(self) -> None:
        for worker in self._workers:
            worker.cancel()

    def fail(self, error: BaseException) -> None:
        """The disk failed: nothing that happens from now on could be kept, so everything stops at once."""
        is_first = self._error is None
        self._error = self._error or error
        self.ending = ExitReason.FAILED
        self._cancel()
        if is_first:
            # The log of events lies on the same disk: if it can't be told there, the error itself still tells it.
            with contextlib.suppress(WeaverError):
                self._events.emit("disk_failed", error=str(error))

    async def _work(self, hand_out: Callable[[PageResult], Awaitable[None]] | None) -> None:
        try:
            while (lease := await self._next_lease()) is not None:
                await self._carry(lease, hand_out)
        except WeaverError as error:
            self.fail(error)

    async def _carry(self, lease: Lease, hand_out: Callable[[PageResult], Awaitable[None]] | None) -> None:
        """Run a lease and hand its page out. Nothing of the page stays with a worker that waits for its next lease."""
        result = await self._run(lease)
        self._changed.set()
        if result is not None and hand_out is not None:
            await hand_out(result)

    async def _run(self, lease: Lease) -> PageResult | None:
        is_page = lease.task.kind is TaskKind.PAGE
        self._pages_under_way += is_page
        try:
            return await self._page_run.run(lease)
        except WeaverError:
            raise
        except Exception as error:  # noqa: BLE001 - the task's root: one page's fault must not end the crawl
            self._counters.internal_errors += 1
            self._events.emit("internal_error", url=lease.task.url, error=repr(error), trace=traceback.format_exc())
            return self._page_run.give_up(lease)
        finally:
            self._pages_under_way -= is_page

    async def _next_lease(self) -> Lease | None:
        async with self._turn:
            while self.ending is None:
                await self._journal.wait_for_room()
                reason = self._reason_to_end()
                if reason is not None:
                    self.end(reason)
                    break
                lease = self._frontier.acquire() if self._may_start() else None
                if lease is not None:
                    return lease
                await self._wait_for_change()
        return None

    def _reason_to_end(self) -> ExitReason | None:
        max_pages = self._settings.max_pages
        if max_pages is not None and self._counters.fetched >= max_pages:
            return ExitReason.MAX_PAGES
        if self._ends_at is not None and self._clock.monotonic() >= self._ends_at:
            return ExitReason.MAX_DURATION
        return ExitReason.FINISHED if self._frontier.is_exhausted else None

    def _may_start(self) -> bool:
        """No more may be under way than the ceiling allows and, with a page limit, than could still count."""
        if self._ceiling is not None and self._frontier.in_flight >= self._ceiling:
            return False
        max_pages = self._settings.max_pages
        return max_pages is None or self._counters.fetched + self._pages_under_way < max_pages

    async def _wait_for_change(self) -> None:
        self._changed.clear()
        # A host that is ready is no reason to wake while nothing may start: that would be a busy loop.
        ready_at = self._frontier.next_ready_at() if self._may_start() else None
        times = [at for at in (ready_at, self._ends_at) if at is not None]
        timeout = max(0.0, min(times) - self._clock.monotonic()) if times else None
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            return
