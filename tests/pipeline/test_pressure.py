"""A crawl under memory pressure: it slows, pauses, comes back, and no page is lost by it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from mmap import PAGESIZE
from pathlib import Path
from typing import Any

import pytest

from tests.memory.fake_root import MIB, V1_MOUNT, V2_MOUNT, FakeRoot
from tests.support.tiny_web import html, settings_for, site
from tests.support.waiting import until
from weaver.base.clock import ManualClock
from weaver.base.events import Event
from weaver.fetch import ScriptedTransport
from weaver.memory.meter import Meter
from weaver.pipeline import Crawl, ExitReason, PageResult, open_crawl

LIMIT = 1024 * MIB
PAGES = 80


@dataclass
class HeldTransport:
    """A scripted web whose answers wait at a gate; `on_request` is told of each request before that."""

    web: ScriptedTransport
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    on_request: Callable[[int], None] = lambda _number: None

    async def get(self, *arguments: Any, **options: Any) -> Any:
        self.on_request(len(self.web.requests))
        await self.gate.wait()
        return await self.web.get(*arguments, **options)

    async def close(self) -> None:
        await self.web.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.web, name)


def _pages() -> ScriptedTransport:
    """A tree of pages: each of the first half leads to two others."""
    return site({
        f"/{n if n else ''}": html(f"page {n} " * 40, *(f"/{m}" for m in (2 * n + 1, 2 * n + 2) if m < PAGES))
        for n in range(PAGES)
    })


async def _plain(directory: Path) -> tuple[set[str], str]:
    async with open_crawl(settings_for(), directory, transport=_pages()) as crawl:
        urls = {page.url async for page in crawl.run()}
        return urls, crawl.graph_digest


def _own_memory(root: FakeRoot, used: int) -> None:
    root.put("proc/self/statm", f"9 {used // PAGESIZE} 0 0 0 0 0")


def _own_group(root: FakeRoot, used: int) -> None:
    root.put_process("0::/a", V2_MOUNT)
    root.put_v2("a", max=LIMIT, high="max", current=used, inactive_file=0)


def _neighbour(root: FakeRoot, used: int) -> None:
    root.put_process("0::/outer/ours", V2_MOUNT)
    root.put_v2("outer", max=LIMIT, current=used, inactive_file=0)
    root.put_v2("outer/ours", max="max", current=100 * MIB, inactive_file=0)


def _v1(root: FakeRoot, used: int) -> None:
    root.put_process("5:memory:/a", V1_MOUNT)
    root.put_v1("a", LIMIT, used)


def _memory(crawl: Crawl) -> dict[str, Any]:
    memory = crawl.status()["memory"]
    assert isinstance(memory, dict)
    return memory


@pytest.mark.slow
@pytest.mark.parametrize("machine", [_own_memory, _own_group, _neighbour, _v1])
async def test_the_ladder_climbs_and_comes_down_and_pages_are_complete(
    tmp_path: Path, machine: Callable[[FakeRoot, int], None]
) -> None:
    """Memory that fills up, our own or the control group's, through us or through a neighbour, pauses the crawl; when
    it comes free the crawl goes on and finds the same pages and the same graph as without pressure."""
    root, clock, held = FakeRoot(tmp_path / "root"), ManualClock(), HeldTransport(_pages())
    machine(root, 100 * MIB)
    held.gate.set()

    def press(number: int) -> None:
        if number == PAGES // 2:
            held.gate.clear()
            machine(root, 1000 * MIB)

    def announced(event: Event) -> None:
        if event.kind == "memory_rung":
            rungs.append(event.facts["to"])
            # What is left waits for the end of the way down, so that all of it is seen.
            (held.gate.set if event.facts["to"] in ("pause", "calm") else held.gate.clear)()

    held.on_request, rungs = press, []
    settings = settings_for(memory__sample_min=0.01)
    async with open_crawl(settings, tmp_path / "c", clock=clock, transport=held, meter=Meter(root.path)) as crawl:
        crawl.events.listen(announced)
        running = asyncio.create_task(crawl.run_to_end())
        await until(lambda: rungs == ["pause"])
        await until(lambda: not crawl.status()["urls"]["in_flight"])
        asked = len(held.web.requests)
        samples = _memory(crawl)["governor"]["samples"]
        await until(lambda: _memory(crawl)["governor"]["samples"] > samples + 2)
        assert len(held.web.requests) == asked < PAGES
        assert _memory(crawl)["rung"] == "pause"
        machine(root, 100 * MIB)
        await until(running.done, lambda: clock.advance(0.5))
        assert await running is ExitReason.FINISHED
        assert rungs == ["pause", "release", "evict", "shrink", "slow", "calm"]
        assert _memory(crawl)["governor"]["paused_s"] > 0
        fetched = {request.url for request in held.web.requests if not request.url.endswith("robots.txt")}
        digest = crawl.graph_digest
    assert (fetched, digest) == await _plain(tmp_path / "plain")


@pytest.mark.slow
async def test_a_crawl_that_was_paused_too_long_can_be_resumed(tmp_path: Path) -> None:
    """The run ends as paused with its pages committed; a resume on a machine with memory finds all the others."""
    root, clock, web = FakeRoot(tmp_path / "root"), ManualClock(), _pages()
    _own_group(root, 1000 * MIB)
    settings = settings_for(memory__sample_min=0.01, memory__max_pause=30)
    async with open_crawl(settings, tmp_path / "c", clock=clock, transport=web, meter=Meter(root.path)) as crawl:
        running = asyncio.create_task(crawl.run_to_end())
        await until(running.done, lambda: clock.advance(1.0))
        assert await running is ExitReason.PAUSED
        assert crawl.status()["state"] == "paused"
    assert not [request for request in web.requests if not request.url.endswith("robots.txt")]
    async with open_crawl(settings_for(), tmp_path / "c", transport=web, resume=True) as crawl:
        assert await crawl.run_to_end() is ExitReason.FINISHED
        digest = crawl.graph_digest
    assert digest == (await _plain(tmp_path / "plain"))[1]


async def test_the_budget_is_capped_by_the_group(tmp_path: Path) -> None:
    """In a control group with less memory than was asked for the budget is what fits, and an event says so."""
    root = FakeRoot(tmp_path / "root")
    _own_group(root, 10 * MIB)
    root.put_v2("a", max=300 * MIB)
    root.put("proc/self/statm", f"9 {60 * MIB // 4096} 0 0 0 0 0")
    web = site({"/": html("home")})
    async with open_crawl(
        settings_for(memory__budget=1024 * MIB), tmp_path / "c", transport=web, meter=Meter(root.path, 4096)
    ) as crawl:
        memory = _memory(crawl)
        (capped,) = [event for event in crawl.events.newest() if event.kind == "budget_capped"]
        await crawl.run_to_end()
    assert memory["asked_budget_bytes"] == capped.facts["asked"] == 1024 * MIB
    assert memory["budget_bytes"] == capped.facts["budget"]
    assert memory["baseline_rss_bytes"] == 60 * MIB
    assert 1.1 * memory["budget_bytes"] + memory["baseline_rss_bytes"] <= 0.9 * 300 * MIB + MIB


async def test_the_status_tells_the_whole_of_memory(tmp_path: Path) -> None:
    """The status document has every figure of the process, the accounts, the collector, the governor and the stores."""
    async with open_crawl(settings_for(), tmp_path / "c", transport=site({"/": html("home")})) as crawl:
        await crawl.run_to_end()
        memory = _memory(crawl)
    assert memory.keys() == {
        "budget_bytes", "asked_budget_bytes", "rss_bytes", "peak_rss_bytes", "baseline_rss_bytes", "untracked_bytes",
        "limit_bytes", "group_used_bytes", "rung", "time_to_limit_s", "allocator", "collector", "governor",
        "accounts", "stores", "pools",
    }  # fmt: skip
    accounts = sum(account["used"] for account in memory["accounts"].values())
    assert memory["untracked_bytes"] == memory["rss_bytes"] - memory["baseline_rss_bytes"] - accounts
    assert memory["rung"] == "calm"
    assert memory["governor"]["samples"] >= 2
    assert {"used", "limit", "base_limit", "high_water", "refused"} <= memory["accounts"]["seen"].keys()
    assert memory["stores"]["seen"]["current"] >= 1


class CountingTransport(HeldTransport):
    """Counts how many requests are under way at once; each takes many turns of the loop."""

    under_way = 0
    peak = 0

    async def get(self, *arguments: Any, **options: Any) -> Any:
        self.under_way += 1
        self.peak = max(self.peak, self.under_way)
        for _ in range(50):
            await asyncio.sleep(0)
        self.under_way -= 1
        return await self.web.get(*arguments, **options)


@pytest.mark.parametrize(("used", "peak"), [(100 * MIB, 8), (840 * MIB, 4), (880 * MIB, 2)])
async def test_a_pressed_crawl_has_fewer_requests_under_way(tmp_path: Path, used: int, peak: int) -> None:
    """Under pressure half of the requests, then a quarter, are under way at once; the crawl still comes to its end."""
    root, web = FakeRoot(tmp_path / "root"), CountingTransport(_pages())
    _own_group(root, used)
    async with open_crawl(settings_for(), tmp_path / "c", transport=web, meter=Meter(root.path)) as crawl:
        assert await crawl.run_to_end() is ExitReason.FINISHED
    assert web.peak == peak


def _page_results() -> list[PageResult]:
    """Those of the whole process that are alive."""
    gc.collect()
    return [found for found in gc.get_objects() if type(found) is PageResult]


async def test_a_worker_that_waits_holds_no_page(tmp_path: Path) -> None:
    """A page that is done takes no memory, though its worker waits for the next: idle workers keep no body or text."""
    others, held = _page_results(), HeldTransport(_pages())
    held.gate.set()
    held.on_request = lambda number: held.gate.clear() if number == PAGES // 2 else None
    async with open_crawl(settings_for(), tmp_path / "c", transport=held) as crawl:
        running = asyncio.create_task(crawl.run_to_end())
        await until(lambda: not held.gate.is_set())
        assert len(_page_results()) == len(others)
        held.gate.set()
        await running
