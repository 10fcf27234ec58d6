"""Crawl: one crawl as its user holds it: run it, watch it, ask it to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from weaver.base.events import Events
from weaver.base.settings import Settings
from weaver.dedupe import ContentIndex
from weaver.pipeline.crawl_graph import CrawlGraph
from weaver.pipeline.engine import Engine, ExitReason
from weaver.pipeline.governing import Governing
from weaver.pipeline.page_run import PageResult
from weaver.pipeline.results import End, Results
from weaver.pipeline.run_log import RunLog
from weaver.pipeline.status import StatusReport


class Crawl:
    """One crawl in one directory. Use it through `open_crawl`, which also closes it.

    `graph` is the link graph, in RAM and on disk, `contents` the index of what was seen, `events` what happened
    and why. `run` may be called once.
    """

    def __init__(
        self,
        settings: Settings,
        directory: Path,
        engine: Engine,
        report: StatusReport,
        run_log: RunLog,
        governing: Governing,
        results: Results,
        graph: CrawlGraph,
        contents: ContentIndex,
        events: Events,
    ) -> None:
        self.settings = settings
        self.directory = directory
        self.graph = graph
        self.contents = contents
        self.events = events
        self._engine = engine
        self._report = report
        self._run_log = run_log
        self._governing = governing
        self._results = results
        self._running: asyncio.Task[ExitReason] | None = None
        self._has_listener = False
        self.exit_reason: ExitReason | None = None
        self.graph_digest = ""

    def __repr__(self) -> str:
        return f"Crawl({self.directory}, {self._engine!r})"

    @property
    def has_listener(self) -> bool:
        """Whether somebody gets each page, with its body."""
        return self._has_listener

    async def run_to_end(self) -> ExitReason:
        """Crawl until there is nothing left, a limit is reached, or `drain` or `stop` is called; the reason why."""
        self._start()
        assert self._running is not None
        return await asyncio.shield(self._running)

    async def run(self) -> AsyncIterator[PageResult]:
        """Crawl, and hand out each finished page. The crawl waits for a slow listener; leaving the loop drains it."""
        self._has_listener = True
        self._start()
        try:
            while not isinstance(result := await self._results.get(), End):
                yield result
        finally:
            self._has_listener = False
            self.drain()
            self._make_room()
        assert self._running is not None
        await self._running

    def _start(self) -> None:
        if self._running is not None:
            raise RuntimeError("expected a crawl that has not run yet; open it again to go on")
        self._running = asyncio.create_task(self._run(), name="weaver crawl")

    async def _run(self) -> ExitReason:
        async with self._governing.watching():
            return await self._run_and_finish()

    async def _run_and_finish(self) -> ExitReason:
        reason = ExitReason.FAILED
        self.events.emit("run_started", seeds=list(self.settings.crawl.seeds))
        try:
            async with self._run_log.heartbeat(self.status):
                reason = await self._engine.run(self._hand_out)
        finally:
            self.exit_reason = reason
            self.events.emit("run_ended", reason=reason.value)
            if self._has_listener:
                # A listener that leaves meanwhile makes room on its way out.
                await self._results.put(End())
        self.graph_digest = await self._run_log.finish(reason, self.status)
        return reason

    async def _hand_out(self, result: PageResult) -> None:
        if self._has_listener:
            await self._results.put(result)

    def _make_room(self) -> None:
        """Drop what nobody listens to any more, so that no worker waits for it."""
        if not self._has_listener:
            self._results.drop_all()

    def drain(self) -> None:
        """Finish what is under way, commit it, and end; the directory can be resumed."""
        self._engine.end(ExitReason.DRAINED)

    def stop(self) -> None:
        """Give up what is under way (it stays queued), commit what is finished, and end at once."""
        self._engine.stop()

    async def close(self) -> None:
        """Drain a run that is still going, and wait for its end."""
        if self._running is None:
            return
        self._has_listener = False
        self.drain()
        self._make_room()
        await asyncio.wait([self._running])
        if not self._running.cancelled():
            # Whoever ran it was told; asking for it here keeps asyncio from telling it again.
            self._running.exception()

    def status(self) -> dict[str, object]:
        """The status document, as `weaver status --json` prints it."""
        return self._report.document(self.exit_reason or self._engine.ending)
