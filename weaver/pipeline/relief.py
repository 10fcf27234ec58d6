"""Relief: what each rung of the governor's ladder does to a crawl, on the way up and on the way down."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from weaver.memory.budget import Budget
from weaver.memory.governor import Rung
from weaver.memory.meter import Meter
from weaver.memory.trimming import Trimming
from weaver.pipeline.engine import Engine

# The part of the crawl's concurrency that may be under way, at least one task but for a pause.
CEILINGS: Mapping[Rung, float] = MappingProxyType({
    Rung.SLOW: 0.50, Rung.SHRINK: 0.25, Rung.EVICT: 0.25, Rung.RELEASE: 0.25, Rung.PAUSE: 0.0,
})  # fmt: skip
# The part of each account's share that its stores may use.
SCALES: Mapping[Rung, float] = MappingProxyType({
    Rung.SHRINK: 0.85, Rung.EVICT: 0.70, Rung.RELEASE: 0.70, Rung.PAUSE: 0.70,
})  # fmt: skip
# A disk that is busy for longer must not keep the governor from looking at memory.
DISK_TIMEOUT_S = 5.0


class Shrinkable(Protocol):
    """A store that can go back to its account's present limit."""

    def shrink(self) -> int:
        """Let go what is over the limit, and give the memory back: some milliseconds' worth a call.

        The bytes released; 0 when there is nothing more to let go.
        """
        ...


class Relief:
    """Carries the rungs out: the engine's ceiling, the accounts' limits, the stores, and all that holds spare memory.

    `releases` are plain calls that give idle memory back (pools, idle connections, page caches); `release_disk` has the
    writer do the same; `trim` asks the allocator, in a thread: it may take 50 ms.
    """

    def __init__(
        self,
        engine: Engine,
        concurrency: int,
        budget: Budget,
        stores: Sequence[Shrinkable],
        releases: Sequence[Callable[[], object]],
        release_disk: Callable[[], Awaitable[None]],
        trim: Callable[[], bool],
        meter: Meter,
    ) -> None:
        self._engine = engine
        self._concurrency = concurrency
        self._budget = budget
        self._stores = stores
        self._releases = releases
        self._release_disk = release_disk
        self._trim = trim
        self._meter = meter
        self.trimming = Trimming()

    def __repr__(self) -> str:
        return f"Relief({len(self._stores)} stores, {len(self._releases)} releases, {self.trimming!r})"

    def apply(self, rung: Rung) -> None:
        """Set the ceiling and the limits of a rung; the same on the way up and down, and harmless if repeated."""
        self._engine.set_ceiling(ceiling(rung, self._concurrency))
        self._budget.scale(SCALES.get(rung, 1.0))

    async def relieve(self, rung: Rung, now_s: float) -> None:
        """Give memory back as far as the rung says; at rest below EVICT, where stores adapt as they are used."""
        if rung >= Rung.EVICT:
            await self._shrink_stores()
        if rung >= Rung.RELEASE:
            for release in self._releases:
                release()
            await self._ask_disk()
            if self.trimming.may_trim(now_s):
                await self.trim(now_s)

    async def trim(self, now_s: float) -> None:
        """Have the allocator give back what was freed, and remember whether it helped."""
        before = self._meter.rss()
        await asyncio.to_thread(self._trim)
        self.trimming.trimmed(before - self._meter.rss(), now_s)

    async def _shrink_stores(self) -> None:
        for store in self._stores:
            # A store gives back a part a call, and other tasks may run in between: one part is the longest stall.
            released_bytes = store.shrink()
            while released_bytes:
                await asyncio.sleep(0)
                released_bytes = store.shrink()

    async def _ask_disk(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DISK_TIMEOUT_S):
                await self._release_disk()


def ceiling(rung: Rung, concurrency: int) -> int | None:
    """How many tasks may be under way at a rung; None for as many as there are workers."""
    share = CEILINGS.get(rung)
    if share is None:
        return None
    return max(1, int(concurrency * share)) if share else 0
