"""Governing: the task that reads memory while a crawl runs, and has the governor's word carried out."""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from weaver.base.clock import Clock
from weaver.base.errors import WeaverError
from weaver.base.events import Events
from weaver.memory.budget import Budget
from weaver.memory.collector import Collector
from weaver.memory.governor import Governor, Rung, Verdict
from weaver.memory.meter import Meter
from weaver.pipeline.engine import Engine, ExitReason
from weaver.pipeline.memory_history import MemoryHistory, untracked_bytes
from weaver.pipeline.relief import Relief

# Between two readings one number is read this often: a burst must not wait for the end of a calm minute.
GLANCE_S = 0.25
# While a rung is held, memory is given back again this often.
RELIEF_INTERVAL_S = 5.0

Sleep = Callable[[float], Awaitable[None]]


class Governing:
    """Samples, judges, acts and records, from the beginning of a run to its end.

    Every change of rung is an event with its reason. A pause longer than `max_pause_s` ends the run, resumable; nothing
    here ever kills one. With `is_acting` False memory is read and recorded, and nothing is done about it.
    """

    def __init__(
        self,
        meter: Meter,
        governor: Governor,
        budget: Budget,
        baseline_bytes: int,
        relief: Relief,
        history: MemoryHistory,
        collector: Collector,
        engine: Engine,
        events: Events,
        clock: Clock,
        *,
        max_pause_s: float,
        is_acting: bool = True,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._meter = meter
        self._governor = governor
        self._budget = budget
        self._baseline_bytes = baseline_bytes
        self._relief = relief
        self._history = history
        self._collector = collector
        self._engine = engine
        self._events = events
        self._clock = clock
        self._max_pause_s = max_pause_s
        self._is_acting = is_acting
        self._sleep = sleep
        self._relief_due_at = 0.0
        self._paused_since: float | None = None
        self._paused_s = 0.0
        self.reading = meter.read()
        self.verdict: Verdict | None = None
        self.cpu_s = 0.0

    def __repr__(self) -> str:
        return f"Governing({self._governor!r}, {self.cpu_s:.3f} s CPU)"

    @property
    def paused_s(self) -> float:
        """Seconds that the run was paused for want of memory."""
        since = self._paused_since
        return self._paused_s + (0.0 if since is None else self._clock.monotonic() - since)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Govern while the block runs; its first and its last sample are always recorded."""
        self.sample(due=True)
        task = asyncio.create_task(self._govern(), name="weaver governor")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            self._end()

    def sample(self, *, due: bool = False) -> Verdict:
        """Read memory, judge it and record it. Raises PersistenceError."""
        began_at = time.thread_time()
        self.reading = self._meter.read()
        self.verdict = self._governor.judge(self.reading, self._clock.monotonic())
        self._history.write(self.reading, self.verdict.rung, due=due)
        self.cpu_s += time.thread_time() - began_at
        return self.verdict

    async def carry_out(self, verdict: Verdict) -> None:
        """Do what the verdict says: announce a new rung and set its limits, give memory back, mind the pause."""
        if not self._is_acting:
            return
        now_s = self._clock.monotonic()
        if verdict.rung is not verdict.before:
            self._announce(verdict)
            self._relief.apply(verdict.rung)
        if verdict.rung > verdict.before:
            self._relief_due_at = now_s
        self._mind_the_pause(verdict.rung, now_s)
        await self._relieve(verdict.rung, now_s)

    async def _govern(self) -> None:
        try:
            verdict = self.verdict or self.sample()
            while True:
                await self.carry_out(verdict)
                await self._rest(verdict.delay_s)
                verdict = self.sample()
        except WeaverError as error:
            self._engine.fail(error)
        except Exception as error:  # noqa: BLE001 - the task's root: its fault must not hold the crawl at a ceiling
            self._relief.apply(Rung.CALM)
            self.verdict = None
            self._events.emit("governor_failed", error=repr(error), trace=traceback.format_exc())

    async def _rest(self, delay_s: float) -> None:
        """Wait for the next reading, with a glance at memory and an idle collection now and then."""
        while delay_s > 0:
            await self._sleep(min(delay_s, GLANCE_S))
            delay_s -= GLANCE_S
            self._collector.idle()
            if self._governor.is_due(self._meter.rss()):
                return

    async def _relieve(self, rung: Rung, now_s: float) -> None:
        untracked = untracked_bytes(self.reading.rss, self._baseline_bytes, self._budget)
        if rung >= Rung.EVICT and now_s >= self._relief_due_at:
            self._relief_due_at = now_s + RELIEF_INTERVAL_S
            if rung >= Rung.RELEASE:
                self._collector.full()
            await self._relief.relieve(rung, now_s)
        elif self._relief.trimming.is_due(untracked, self._budget.limit, now_s, is_pressed=rung > Rung.CALM):
            await self._relief.trim(now_s)

    def _mind_the_pause(self, rung: Rung, now_s: float) -> None:
        if rung is not Rung.PAUSE:
            self._paused_s = self.paused_s
            self._paused_since = None
        elif self._paused_since is None:
            self._paused_since = now_s
        elif now_s - self._paused_since >= self._max_pause_s:
            self._engine.end(ExitReason.PAUSED)

    def _announce(self, verdict: Verdict) -> None:
        facts: dict[str, object] = {
            "from": verdict.before.label,
            "to": verdict.rung.label,
            "reason": verdict.reason,
            "rss": self.reading.rss,
            "limit": self.reading.group_limit,
            "own_share": round(verdict.own_share, 3),
            "group_share": round(verdict.group_share, 3),
        }
        self._events.emit("memory_rung", **facts)

    def _end(self) -> None:
        """The run is over: limits are as they were, and the last sample is on disk."""
        self._relief.apply(Rung.CALM)
        # A disk that failed has ended the crawl already, with its own error.
        with contextlib.suppress(WeaverError):
            self.sample(due=True)
        self._mind_the_pause(Rung.CALM, self._clock.monotonic())

    def figures(self) -> dict[str, object]:
        """How much was governed, for the status."""
        return {
            "samples": self._governor.samples,
            "climbs": self._governor.climbs,
            "cpu_s": round(self.cpu_s, 6),
            "paused_s": round(self.paused_s, 3),
        }
