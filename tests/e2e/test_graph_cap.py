"""A cap on the graph in RAM costs look-ups, never an edge: what is exported is what an uncapped crawl exports."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from benchmarks.soak_web import SoakWeb
from tests.support.crawls import Left
from tests.support.tiny_web import settings_for
from weaver.analysis.export import export
from weaver.base.page import EdgeKind
from weaver.base.settings import Settings
from weaver.pipeline import Crawl, ExitReason, open_crawl

pytestmark = pytest.mark.slow

Lines = Counter[bytes]
Whole = tuple[str, Lines, dict[EdgeKind, set[tuple[str, str]]]]

PAGES, HOSTS = 400, 20
# Of all edges of the crawl.
CAP_SHARE = 100


def _web() -> SoakWeb:
    return SoakWeb(PAGES, hosts=HOSTS)


def _settings(**values: object) -> Settings:
    return settings_for(_web().address(0), scope__mode="any", **values)


async def _crawled(directory: Path, settings: Settings, watch: Callable[[Crawl], None] = lambda _: None) -> Crawl:
    async with open_crawl(settings, directory, transport=_web()) as crawl:
        async for _ in crawl.run():
            watch(crawl)
        assert crawl.exit_reason is ExitReason.FINISHED
        crawl.graph.resident.check()
        return crawl


def _exported(directory: Path) -> Lines:
    """Every line of the edges' table, by URLs."""
    table = BytesIO()
    export(directory, "csv", "edges", table, with_urls=True)
    return Counter(table.getvalue().splitlines())


@pytest.fixture(scope="module")
def uncapped(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The digest of the crawl whose graph stays in RAM as a whole, what it exports, and its edges by kind."""
    directory = tmp_path_factory.mktemp("uncapped") / "crawl"
    crawl = asyncio.run(_crawled(directory, _settings()))
    assert crawl.graph.resident.resident_edges == crawl.graph.edges
    return crawl.graph_digest, _exported(directory), Left(directory).edges_by_kind()


@pytest.mark.parametrize("retention", ["oldest", "least_recently_seen", "least_linked", "host_share", "score"])
async def test_a_cap_of_one_percent_loses_no_edge(retention: str, uncapped: Whole, tmp_path: Path) -> None:
    """With room for one edge in a hundred, whichever leaves first, a crawl exports the same edges."""
    digest, exported, edges = uncapped
    cap, most = exported.total() // CAP_SHARE, 0

    def watch(crawl: Crawl) -> None:
        nonlocal most
        most = max(most, crawl.graph.resident.resident_edges)

    settings = _settings(graph__max_edges=cap, graph__retention=retention)
    crawl = await _crawled(tmp_path / "crawl", settings, watch)
    assert 0 < most <= cap * (1 + settings.graph.grace)
    assert crawl.graph.resident.resident_edges < crawl.graph.edges // 50
    assert crawl.graph_digest == digest
    assert Left(tmp_path / "crawl").edges_by_kind() == edges
    assert _exported(tmp_path / "crawl") == exported


async def test_a_cap_of_one_percent_loses_no_edge_when_the_crawl_is_resumed(uncapped: Whole, tmp_path: Path) -> None:
    """Cut short half way and resumed, both times with room for one edge in a hundred, it is the same graph."""
    digest, exported, _ = uncapped
    cap = exported.total() // CAP_SHARE
    first = _settings(graph__max_edges=cap, crawl__max_pages=PAGES // 2)
    async with open_crawl(first, tmp_path / "crawl", transport=_web()) as crawl:
        assert await crawl.run_to_end() is ExitReason.MAX_PAGES
    async with open_crawl(_settings(graph__max_edges=cap), tmp_path / "crawl", transport=_web(), resume=True) as crawl:
        assert await crawl.run_to_end() is ExitReason.FINISHED
        assert crawl.graph_digest == digest
    assert _exported(tmp_path / "crawl") == exported
