"""Plan F, tiered digests: a cap on what RAM holds costs look-ups and no duplicate, and what is dropped is counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.soak_web import LEAF, SoakWeb
from tests.support.crawls import Left
from tests.support.tiny_web import settings_for
from weaver.analysis.report import crawl_report
from weaver.cli.summary import summary
from weaver.pipeline import open_crawl

pytestmark = pytest.mark.slow

PAGES, CAP = 2_000, 100

Record = Callable[[str, object], None]


async def _crawled(directory: Path, **dedupe: Any) -> tuple[Left, dict[str, Any]]:
    """A web of which three pages in ten are copies, crawled to its end, and the status then."""
    web = SoakWeb(PAGES, hosts=40)
    values = {f"dedupe__{name}": value for name, value in dedupe.items()}
    settings = settings_for(web.address(0), scope__mode="any", scope__exclude=(LEAF,), **values)
    async with open_crawl(settings, directory, transport=web) as crawl:
        await crawl.run_to_end()
        status: Any = crawl.status()
    return Left(directory), status


async def test_a_hundred_digests_find_the_same_duplicates(tmp_path: Path, record_property: Record) -> None:
    """With room for 100 digests each page has the same verdict as without a cap, for at most two look-ups a page."""
    roomy, free = await _crawled(tmp_path / "roomy")
    tight, capped = await _crawled(tmp_path / "tight", max_digests=CAP)
    assert tight.pages == roomy.pages
    copies = len(tight.visited("duplicate"))
    assert copies > PAGES // 5
    assert free["dedupe"]["cold_lookups"] == 0
    costs = capped["dedupe"]
    fetched = capped["pages"]["fetched"]
    # How many are still on their way to the disk, and known in RAM, is the writer's pace.
    assert 0 < costs["cold_hits"] <= costs["cold_lookups"] <= 2 * fetched
    assert costs["digests_in_ram"] <= CAP * 1.5
    assert costs["forgotten"] == 0
    record_property("cold_lookups_a_page", round(costs["cold_lookups"] / fetched, 2))


async def test_what_is_dropped_is_counted_and_told(tmp_path: Path) -> None:
    """With `dedupe.disk = "drop"` copies are missed; the status counts what was forgotten, and the summary says so."""
    left, status = await _crawled(tmp_path / "drop", max_digests=CAP, disk="drop")
    assert 0 < len(left.visited("duplicate")) < PAGES // 4
    assert status["dedupe"]["forgotten"] > PAGES // 2
    assert status["dedupe"]["reseen"] > 0
    told = summary(status, crawl_report(tmp_path / "drop"), tmp_path / "drop")
    assert f"{status['dedupe']['forgotten']:,} digests forgotten" in told
