"""Watch: samples of a crawl's process while it runs, how long the collector stopped it, and how late its loop was."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.soak_web import SoakWeb
from weaver.base.events import Event
from weaver.pipeline import Crawl

SAMPLES = 50
TICK_S = 0.01
STEP_MS = 0.05
PERCENTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
# A line of the scheduler's: ns on a core, ns waiting for one, time slices.
_SCHEDULED = Path("/proc/thread-self/schedstat")

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """The process at one moment: bytes, `at_s` seconds since the crawl was opened, and each account's used bytes."""

    pages: int
    at_s: float
    known_urls: int
    queued: int
    rss: int
    fds: int
    tasks: int
    database: int
    rung: str
    accounts: Mapping[str, int]


class Spread:
    """Measurements in ms, counted in steps of 0.05: however many they are, they add next to nothing to RSS."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, duration_s: float) -> None:
        """Count one more; what measuring makes negative is nothing."""
        self._counts[round(max(0.0, duration_s) * 1e3 / STEP_MS)] += 1

    def figures(self) -> Figures:
        """How many, and their percentiles."""
        steps = sorted(self._counts)
        reached = np.cumsum([self._counts[step] for step in steps])
        count = int(reached[-1]) if steps else 0
        places = {name: int(np.searchsorted(reached, share * count)) for name, share in PERCENTILES.items()}
        found = {
            name: round(steps[min(at, len(steps) - 1)] * STEP_MS, 2) if steps else 0.0 for name, at in places.items()
        }
        return {"count": count, **found}


class Pauses:
    """How long each collection of the garbage collector took, by its own callbacks.

    `own` leaves out what the collecting thread waited for a core that others had.
    """

    def __init__(self) -> None:
        self.all = Spread()
        self.own = Spread()
        self._began_at = self._waited_s = 0.0

    def __enter__(self) -> Pauses:
        gc.callbacks.append(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        gc.callbacks.remove(self._note)

    def _note(self, phase: str, _info: Mapping[str, int]) -> None:
        if phase == "start":
            self._waited_s, self._began_at = waited_for_core_s(), time.perf_counter()
            return
        pause_s = time.perf_counter() - self._began_at
        self.all.add(pause_s)
        self.own.add(pause_s - (waited_for_core_s() - self._waited_s))


class Watch:
    """Samples one crawl while it runs: a tick of 10 ms whose lateness is the event loop's stall.

    `own_stalls` leaves out what the loop's thread waited for a core that others had: on a machine with other work
    it is what the crawl does to itself.
    """

    def __init__(self, crawl: Crawl, web: SoakWeb, pages: int) -> None:
        self._crawl = crawl
        self._web = web
        self._step = max(1, pages // SAMPLES)
        self._began_at = time.perf_counter()
        self.stalls = Spread()
        self.own_stalls = Spread()
        self.samples: list[Sample] = []
        self.rungs: Counter[str] = Counter()
        self.memory_errors = 0
        crawl.events.listen(self._note)

    def _note(self, event: Event) -> None:
        if event.kind == "memory_rung":
            self.rungs[str(event.facts.get("to"))] += 1
        self.memory_errors += "MemoryError" in str(event.facts.get("error", ""))

    @contextlib.asynccontextmanager
    async def ticking(self) -> AsyncIterator[None]:
        """Sample while the block runs."""
        task = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _tick(self) -> None:
        next_pages = self._step
        while True:
            before, waited_s = time.perf_counter(), waited_for_core_s()
            await asyncio.sleep(TICK_S)
            late_s = time.perf_counter() - before - TICK_S
            self.stalls.add(late_s)
            self.own_stalls.add(late_s - (waited_for_core_s() - waited_s))
            if self._web.served >= next_pages:
                next_pages += self._step
                self.samples.append(self.sample())

    def sample(self) -> Sample:
        """The process now."""
        status: Any = self._crawl.status()
        return Sample(
            self._web.served,
            time.perf_counter() - self._began_at,
            status["urls"]["known"],
            status["urls"]["queued"],
            rss(),
            sum(1 for _ in Path("/proc/self/fd").iterdir()),
            len(asyncio.all_tasks()),
            database_bytes(self._crawl.directory),
            str(status["memory"].get("rung", "")),
            {tag: account["used"] for tag, account in status["memory"]["accounts"].items()},
        )


def rss() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


def waited_for_core_s() -> float:
    """How long this thread was ready to run and had no core; 0 where the kernel doesn't say."""
    try:
        return int(_SCHEDULED.read_bytes().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def database_bytes(directory: Path) -> int:
    """The database with its log."""
    return sum(path.stat().st_size for path in directory.glob("crawl.db*"))


def written_bytes() -> int:
    """What this process has had written to disks so far; 0 where the kernel doesn't say."""
    try:
        return int(psutil.Process().io_counters().write_bytes)
    except (psutil.Error, AttributeError):
        return 0
