"""The governor at work: what each rung does to a crawl, what is told of it, and what is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.memory.fake_root import MIB
from tests.support.waiting import until
from weaver.base.clock import ManualClock
from weaver.base.events import Events
from weaver.cli.exit_codes import EXIT_CODES, ExitCode
from weaver.memory.budget import Budget
from weaver.memory.collector import Collector
from weaver.memory.governor import PRESSED_S, Governor, Rung
from weaver.memory.meter import Meter, Reading
from weaver.persistence import MemoryLog
from weaver.persistence.jsonl import read_lines
from weaver.pipeline import ExitReason
from weaver.pipeline.governing import RELIEF_INTERVAL_S, Governing
from weaver.pipeline.memory_history import MemoryHistory
from weaver.pipeline.relief import Relief, ceiling

LIMIT = 1024 * MIB
BASELINE = 70 * MIB


class SetMeter(Meter):
    """A meter that says what the test set."""

    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self.reading = reading

    def rss(self) -> int:
        return self.reading.rss

    def read(self) -> Reading:
        return self.reading

    def press(self, share: float) -> None:
        """Have the group hold this share of its limit."""
        self.reading = replace(self.reading, group_used=int(share * LIMIT))


class HeldEngine:
    """What the governor sees of an engine."""

    def __init__(self) -> None:
        self.ceilings: list[int | None] = []
        self.ended: list[ExitReason] = []
        self.errors: list[BaseException] = []

    def set_ceiling(self, tasks: int | None) -> None:
        self.ceilings.append(tasks)

    def end(self, reason: ExitReason) -> None:
        self.ended.append(reason)

    def fail(self, error: BaseException) -> None:
        self.errors.append(error)


@dataclass
class CountedStore:
    """A store with 30 bytes too much each time, which counts the calls that found nothing more to release."""

    asked: int = 0
    excess: int = 30

    def shrink(self) -> int:
        if self.excess:
            self.excess -= 10
            return 10
        self.asked += 1
        self.excess = 30
        return 0


@dataclass
class Rig:
    """A governing with everything around it faked; `step` is one sample and what follows from it."""

    directory: Path
    is_acting: bool = True
    max_pause_s: float = 600.0
    clock: ManualClock = field(default_factory=ManualClock)
    engine: HeldEngine = field(default_factory=HeldEngine)
    store: CountedStore = field(default_factory=CountedStore)
    budget: Budget = field(default_factory=lambda: Budget(256 * MIB))
    releases: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    on_sleep: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.meter = SetMeter(Reading(BASELINE, 0, LIMIT, None, 0.0))
        self.events = Events(self.clock)
        self.log = MemoryLog(self.directory)
        relief = Relief(
            self.engine, 64, self.budget, [self.store], [lambda: self.releases.append("pool")], self._disk,
            self._trim, self.meter,
        )  # fmt: skip
        history = MemoryHistory(self.log, self.budget, BASELINE, 5.0, self.clock, lambda: (7, 70))
        self.governing = Governing(
            self.meter, Governor(self.budget.limit, BASELINE, 5.0, 60.0), self.budget, BASELINE, relief, history,
            Collector(self.clock, "default"), self.engine, self.events, self.clock,
            max_pause_s=self.max_pause_s, is_acting=self.is_acting, sleep=self._sleep,
        )  # fmt: skip

    async def _disk(self) -> None:
        self.releases.append("disk")

    def _trim(self) -> bool:
        self.releases.append("trim")
        return True

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)
        self.on_sleep()
        await asyncio.sleep(0)

    async def step(self, share: float, after_s: float = PRESSED_S) -> Rung:
        self.meter.press(share)
        self.clock.advance(after_s)
        verdict = self.governing.sample()
        await self.governing.carry_out(verdict)
        return verdict.rung

    def history(self) -> list[dict[str, Any]]:
        return list(read_lines(self.directory / "memory.jsonl"))

    def rungs(self) -> list[tuple[object, object]]:
        return [(event.facts["from"], event.facts["to"]) for event in self.events.newest()]


@contextmanager
def rigged(directory: Path, **values: Any) -> Iterator[Rig]:
    rig = Rig(directory, **values)
    try:
        yield rig
    finally:
        rig.log.close()
        rig.meter.close()


@pytest.mark.parametrize(
    ("rung", "concurrency", "tasks"),
    [
        (Rung.CALM, 64, None),
        (Rung.SLOW, 64, 32),
        (Rung.SHRINK, 64, 16),
        (Rung.RELEASE, 64, 16),
        (Rung.RELEASE, 1, 1),
        (Rung.PAUSE, 64, 0),
    ],
)
def test_a_rung_has_its_ceiling(rung: Rung, concurrency: int, tasks: int | None) -> None:
    """Half, then a quarter of the crawl's concurrency may be under way, at least one task, and none in a pause."""
    assert ceiling(rung, concurrency) == tasks


async def test_slow_starts_fewer_fetches_and_touches_nothing_else(tmp_path: Path) -> None:
    """On the first rung only new fetches are held back."""
    with rigged(tmp_path) as rig:
        assert await rig.step(0.81) is Rung.SLOW
        assert rig.engine.ceilings == [32]
        assert (rig.store.asked, rig.releases) == (0, [])
        assert rig.budget.account("seen").limit == rig.budget.account("seen").base_limit


async def test_shrink_lowers_every_account(tmp_path: Path) -> None:
    """On the second rung all limits fall in proportion; stores follow as they are used."""
    with rigged(tmp_path) as rig:
        assert await rig.step(0.86) is Rung.SHRINK
        for account in rig.budget.accounts.values():
            assert account.limit == int(account.base_limit * 0.85)
        assert rig.store.asked == 0


async def test_evict_has_each_store_let_go(tmp_path: Path) -> None:
    """On the third rung every store goes back to its lower limit at once."""
    with rigged(tmp_path) as rig:
        assert await rig.step(0.89) is Rung.EVICT
        assert rig.store.asked == 1
        assert rig.releases == []
        assert rig.budget.account("graph").limit == int(rig.budget.account("graph").base_limit * 0.70)


async def test_release_gives_back_whatever_is_idle(tmp_path: Path) -> None:
    """On the fourth rung pools, page caches and the allocator give back what nobody uses."""
    with rigged(tmp_path) as rig:
        assert await rig.step(0.92) is Rung.RELEASE
        assert rig.releases == ["pool", "disk", "trim"]


async def test_a_held_rung_is_not_relieved_at_every_sample(tmp_path: Path) -> None:
    """While pressure lasts, memory is given back again every 5 s, not four times a second; trims that gave nothing
    back wait longer still."""
    with rigged(tmp_path) as rig:
        await rig.step(0.95)
        for _ in range(int(2 * RELIEF_INTERVAL_S / PRESSED_S)):
            await rig.step(0.95)
        assert rig.store.asked == 3
        assert rig.releases == ["pool", "disk", "trim", "pool", "disk", "pool", "disk"]


async def test_the_way_down_restores_all(tmp_path: Path) -> None:
    """When the pressure has gone the limits and the ceiling come back, rung by rung, each with its event."""
    with rigged(tmp_path) as rig:
        await rig.step(0.99)
        while await rig.step(0.1) is not Rung.CALM:
            pass
        assert rig.engine.ceilings == [0, 16, 16, 16, 32, None]
        assert all(account.limit == account.base_limit for account in rig.budget.accounts.values())
        down = ["pause", "release", "evict", "shrink", "slow", "calm"]
        assert rig.rungs() == [("calm", "pause"), *pairwise(down)]


async def test_every_rung_says_why(tmp_path: Path) -> None:
    """A change of rung is an event with the reason and the figures that it was judged by."""
    with rigged(tmp_path) as rig:
        await rig.step(0.83)
        (event,) = rig.events.newest()
        assert event.kind == "memory_rung"
        assert event.facts == {
            "from": "calm",
            "to": "slow",
            "reason": "the group at 0.83 of its limit",
            "rss": BASELINE,
            "limit": LIMIT,
            "own_share": 0.0,
            "group_share": 0.83,
        }


async def test_a_pause_that_lasts_too_long_ends_the_run(tmp_path: Path) -> None:
    """After `max_pause` the crawl ends as paused, which a script sees as exit code 4, and is never killed."""
    with rigged(tmp_path, max_pause_s=60.0) as rig:
        await rig.step(0.97)
        await rig.step(0.97, after_s=59.0)
        assert rig.engine.ended == []
        await rig.step(0.97, after_s=1.0)
        assert rig.engine.ended == [ExitReason.PAUSED]
        assert rig.governing.paused_s == pytest.approx(60.0)
    assert EXIT_CODES[ExitReason.PAUSED] is ExitCode.PAUSED == 4


async def test_pauses_do_not_add_up_to_an_end(tmp_path: Path) -> None:
    """Only one pause in a row counts against `max_pause`; the status tells of all of them together."""
    with rigged(tmp_path, max_pause_s=60.0) as rig:
        for _ in range(3):
            await rig.step(0.97)
            await rig.step(0.97, after_s=50.0)
            while await rig.step(0.1) is not Rung.CALM:
                pass
        assert rig.engine.ended == []
        assert rig.governing.paused_s > 150.0


async def test_untracked_memory_is_trimmed_without_pressure(tmp_path: Path) -> None:
    """What is resident outside all accounts is asked back from the allocator, seldom, though no rung asks for it."""
    with rigged(tmp_path) as rig:
        rig.meter.reading = replace(rig.meter.reading, rss=BASELINE + 100 * MIB)
        for _ in range(3):
            assert await rig.step(0.1, after_s=5.0) is Rung.CALM
        assert rig.releases == ["trim"]


async def test_a_governor_that_is_off_only_watches(tmp_path: Path) -> None:
    """With `memory.governor = false` memory is read and recorded, and nothing is done about it."""
    with rigged(tmp_path, is_acting=False) as rig:
        await rig.step(0.99)
        assert (rig.engine.ceilings, rig.store.asked, rig.releases, rig.events.newest()) == ([], 0, [], [])
        assert len(rig.history()) == 1


async def test_a_run_has_its_first_and_its_last_sample(tmp_path: Path) -> None:
    """However short a run is, its history has two samples, each with the figures of every account."""
    with rigged(tmp_path) as rig:
        rig.budget.account("seen").charge(1000)
        async with rig.governing.watching():
            rig.clock.advance(0.5)
        first, last = rig.history()
        assert (first["run_s"], last["run_s"]) == (0.0, 0.5)
        assert last["accounts"].keys() == rig.budget.accounts.keys()
        assert last["accounts"]["seen"] == 1000
        assert last["untracked"] == last["rss"] - last["baseline"] - 1000
        assert {name: last[name] for name in ("pages", "known_urls", "rung", "budget", "limit")} == {
            "pages": 7,
            "known_urls": 70,
            "rung": "calm",
            "budget": 256 * MIB,
            "limit": LIMIT,
        }


async def test_a_fault_of_the_governor_does_not_hold_the_crawl(tmp_path: Path) -> None:
    """A store that fails to shrink ends the governing with an event, not the crawl, which has its ceiling lifted."""
    with rigged(tmp_path) as rig:

        def fail() -> int:
            raise RuntimeError("broken")

        rig.store.shrink = fail  # type: ignore[method-assign]
        rig.meter.press(0.99)
        async with rig.governing.watching():
            await until(lambda: "governor_failed" in rig.events.counts)
        assert rig.engine.ceilings[:2] == [0, None]
        assert rig.engine.errors == []


async def test_an_hour_of_pressure_is_not_an_hour_of_lines(tmp_path: Path) -> None:
    """Under pressure samples come four times a second, lines only every 5 s, and with each change of rung."""
    with rigged(tmp_path) as rig:
        for _ in range(100):
            await rig.step(0.81)
        assert [line["run_s"] for line in rig.history()] == [0.25, 5.25, 10.25, 15.25, 20.25]
        await rig.step(0.86)
        assert rig.history()[-1]["rung"] == "shrink"


async def test_calm_is_sampled_seldom(tmp_path: Path) -> None:
    """An hour of calm takes some 60 samples, and a glance at RSS each second in between."""
    with rigged(tmp_path) as rig:
        done = asyncio.Event()
        rig.on_sleep = lambda: done.set() if rig.clock.monotonic() > 4_600.0 else None
        async with rig.governing.watching():
            await done.wait()
        assert 55 <= rig.governing.figures()["samples"] <= 80
        assert max(rig.slept) <= 1.0


async def test_a_burst_is_met_before_the_minute_is_over(tmp_path: Path) -> None:
    """Memory that leaps while the governor rests is judged at the next glance, a second later."""
    with rigged(tmp_path) as rig:
        climbed = asyncio.Event()

        def leap() -> None:
            if rig.clock.monotonic() > 1_900.0:
                rig.meter.reading = replace(rig.meter.reading, rss=BASELINE + 300 * MIB)
            if rig.rungs():
                climbed.set()

        rig.on_sleep = leap
        async with rig.governing.watching():
            await climbed.wait()
        assert rig.events.newest()[0].at - 1_700_000_000.0 <= 902.0
