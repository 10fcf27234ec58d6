"""No leak: what a long crawl takes beyond its accounts stays as it is, and a crawl that ends leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import threading
import tracemalloc
from pathlib import Path
from statistics import median

import pytest

from benchmarks.soak_web import LEAF, SoakWeb
from weaver.base.settings import CrawlSettings, MemorySettings, PolitenessSettings, ScopeSettings, Settings
from weaver.memory import Budget
from weaver.pipeline import Crawl, open_crawl

pytestmark = pytest.mark.slow

FIRST, LAST = 2_000, 4_000
# A reading falls before or after a block was sealed, a commit came, or a cache let its oldest go: 30 KiB up or down. So
# medians of five count.
READINGS = {page + before: page for page in (FIRST, LAST) for before in (-200, -150, -100, -50, 0)}
BUDGET = 2 << 20
MOST_GROWTH = 64 << 10
CYCLES = 5
# What the interpreter itself keeps a little more of now and then: caches of code, of types, of formats.
MOST_OBJECTS = 200


def _settings(web: SoakWeb) -> Settings:
    return Settings(
        crawl=CrawlSettings(seeds=(web.address(0),), concurrency=4),
        scope=ScopeSettings(mode="any", exclude=(LEAF,)),
        politeness=PolitenessSettings(delay=0.0, per_host=4),
        memory=MemorySettings(budget=BUDGET, governor=False),
    )


async def _at_rest(crawl: Crawl, budget: Budget) -> tuple[int, int]:
    """Bytes traced, and bytes charged, when nothing is under way but the results that nobody has taken yet.

    The table of keys and the in-degrees are mappings, which tracemalloc does not see.
    """
    journal = crawl._engine._journal
    for _ in range(3):
        await journal.flush()
        await asyncio.sleep(0)
    gc.collect()
    mapped = budget.account("seen").used + crawl.graph.resident._totals.size_bytes
    return tracemalloc.get_traced_memory()[0], budget.used - mapped


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_a_long_crawl_takes_no_more_than_its_accounts(tmp_path: Path) -> None:
    """Between its 2,000th and its 4,000th page a crawl grows by less than 64 KiB beyond what its accounts know."""
    web = SoakWeb(LAST + 500, leaves=4)
    levels: dict[int, list[tuple[int, int]]] = {FIRST: [], LAST: []}
    budget = Budget(BUDGET)
    tracemalloc.start()
    try:
        async with open_crawl(
            _settings(web), tmp_path / "crawl", transport=web, make_budget=lambda _size: budget
        ) as crawl:
            pages = 0
            async for _ in crawl.run():
                pages += 1
                if pages in READINGS:
                    levels[READINGS[pages]].append(await _at_rest(crawl, budget))
                if pages == LAST:
                    break
    finally:
        tracemalloc.stop()
    first, last = (list(map(median, zip(*levels[page], strict=True))) for page in (FIRST, LAST))
    traced, charged = (later - before for before, later in zip(first, last, strict=True))
    # Fewer entries need not mean less memory: the tables of a map stay as they are.
    assert traced < MOST_GROWTH + max(0, charged)


async def test_a_crawl_that_ended_leaves_nothing_behind(tmp_path: Path) -> None:
    """However many crawls a process opens and closes, its objects, descriptors and threads stay as many."""
    seen = []
    for cycle in range(CYCLES + 2):
        web = SoakWeb(50, hosts=5)
        async with open_crawl(_settings(web), tmp_path / str(cycle), transport=web) as crawl:
            await crawl.run_to_end()
        del crawl, web
        gc.collect()
        seen.append((len(gc.get_objects()), _descriptors(), threading.active_count(), len(asyncio.all_tasks())))
    # The first two crawls fill what is made once in a process: caches, the thread that waits for files.
    objects, descriptors, threads, tasks = zip(*seen[2:], strict=True)
    assert max(objects) - objects[0] < MOST_OBJECTS, seen
    assert len(set(descriptors)) == len(set(threads)) == len(set(tasks)) == 1, seen
