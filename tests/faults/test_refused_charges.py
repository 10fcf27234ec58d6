"""An account may refuse any charge at any time: the crawl goes on, and loses nothing but speed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.soak_web import LEAF, SoakWeb
from tests.faults.refusing_budget import Doubt, RefusingBudget
from tests.support.crawls import Left
from weaver.base.settings import CrawlSettings, MemorySettings, PolitenessSettings, ScopeSettings, Settings
from weaver.pipeline import open_crawl

pytestmark = pytest.mark.slow

PAGES = 60
HOSTS = 4
BUDGET = 2 << 20
# The first questions are asked while the stores are built: each is refused once; of the others a sample.
EVERY_ONE_UP_TO = 12
SAMPLES = 10
FOR_EVER = 1 << 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a crawl came to, in words that don't depend on the order of its pages."""

    reason: str
    digest: str
    pages: frozenset[tuple[Any, ...]]
    edges: frozenset[tuple[str, str]]


async def _crawl(doubt: Doubt, directory: Path) -> Outcome:
    web = SoakWeb(PAGES, HOSTS, leaves=3)
    settings = Settings(
        crawl=CrawlSettings(seeds=(web.address(0),), concurrency=8),
        scope=ScopeSettings(mode="any", exclude=(LEAF,)),
        politeness=PolitenessSettings(delay=0.0, per_host=8),
        memory=MemorySettings(budget=BUDGET, governor=False),
    )
    async with open_crawl(
        settings, directory, transport=web, make_budget=partial(RefusingBudget, doubt=doubt)
    ) as crawl:
        reason = await crawl.run_to_end()
        status: Any = crawl.status()
        assert status["pages"]["internal_errors"] == 0, crawl.events.newest()
        crawl.graph.resident.check()
    left = Left(directory)
    assert left.integrity == "ok"
    pages = frozenset(page[:-2] for page in left.pages)
    return Outcome(str(reason), crawl.graph_digest, pages, frozenset(left.edges()))


def _chosen(asked: int) -> list[int]:
    """Every one of the first questions, then ever fewer, to the last."""
    growth = (asked / EVERY_ONE_UP_TO) ** (1 / SAMPLES)
    sampled = {round(EVERY_ONE_UP_TO * growth**step) for step in range(1, SAMPLES + 1)}
    return sorted({*range(1, EVERY_ONE_UP_TO + 1), *sampled})


async def test_every_refused_charge_is_survived(tmp_path: Path) -> None:
    """Whichever question the budget says no to, pages, edges and digest are the same, and nothing raises."""
    calm = Doubt(0)
    expected = await _crawl(calm, tmp_path / "calm")
    assert expected.reason == "finished"
    assert len(expected.pages) >= PAGES
    for number in _chosen(calm.asked):
        doubt = Doubt(number)
        assert await _crawl(doubt, tmp_path / str(number)) == expected, f"question {number} of {calm.asked}"
        assert doubt.refused == (doubt.asked >= number)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
async def test_a_budget_that_refuses_everything_is_survived(tmp_path: Path, share: float) -> None:
    """Where no account takes anything more, the crawl still comes to the same end, by way of the disk."""
    calm = Doubt(0)
    expected = await _crawl(calm, tmp_path / "calm")
    doubt = Doubt(1 + int(calm.asked * share), FOR_EVER)
    assert await _crawl(doubt, tmp_path / "refused") == expected
    assert doubt.refused > 0
