"""Real sites: what weaver's crawl of Debian's documentation finds, judged by a walk that shares none of its code."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.cases import conformance_root, skip_reason
from tests.support import oracle
from tests.support.crawls import Left, crawl, loopback_settings
from tests.support.sites import ALL, PYTHON, DebianSite, served
from weaver.base.page import EdgeKind

pytestmark = [pytest.mark.slow, pytest.mark.needs("nginx")]

LINKS = (EdgeKind.HYPERLINK, EdgeKind.NOFOLLOW)
ANSWERED = ("fetched", "duplicate")


class Web:
    """All four sites at once, each walked by the oracle once."""

    def __init__(self, entries: list[str]) -> None:
        self.entries = dict(zip(ALL, entries, strict=True))
        self._walks: dict[DebianSite, oracle.Walk] = {}

    def walk(self, site: DebianSite) -> oracle.Walk:
        """What the oracle sees of a site."""
        if site not in self._walks:
            self._walks[site] = oracle.walk(self.entries[site])
        return self._walks[site]


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    """The four sites, served while this module's tests run."""
    with served(*ALL) as entries:
        yield Web(entries)


def _package(site: DebianSite) -> str:
    return site.package


def _assert_same(left: Left, *walks: oracle.Walk) -> None:
    """The same pages and the same edges, named one by one where they differ."""
    pages, expected_pages = left.visited(*ANSWERED), set().union(*(walk.pages for walk in walks))
    assert sorted(pages - expected_pages)[:10] == [], "fetched, and not reached by the oracle"
    assert sorted(expected_pages - pages)[:10] == [], "reached by the oracle, and not fetched"
    links, expected_links = left.edges(*LINKS), set().union(*(walk.links for walk in walks))
    assert sorted(links - expected_links)[:10] == [], "edges that the oracle does not see"
    assert sorted(expected_links - links)[:10] == [], "edges that only the oracle sees"
    assert left.edges(EdgeKind.REDIRECT) == set().union(*(walk.redirects for walk in walks))
    assert left.queued == 0


@pytest.mark.parametrize("site", ALL, ids=_package)
async def test_a_crawl_finds_what_an_independent_walk_finds(web: Web, site: DebianSite, tmp_path: Path) -> None:
    """Pages and edges of a crawl equal those of a plain breadth-first walk; a second crawl has the same digest."""
    settings = loopback_settings([web.entries[site]])
    first = await crawl(settings, tmp_path / "first")
    second = await crawl(settings, tmp_path / "second")
    assert first.reason == second.reason == "finished"
    _assert_same(Left(tmp_path / "first"), web.walk(site))
    assert first.digest == second.digest != ""


async def test_four_hosts_in_one_crawl_are_four_crawls(web: Web, tmp_path: Path) -> None:
    """One crawl of all four sites at once finds what four walks find, no host lost to another."""
    ended = await crawl(loopback_settings(list(web.entries.values())), tmp_path / "all")
    assert ended.reason == "finished"
    _assert_same(Left(tmp_path / "all"), *map(web.walk, ALL))


@pytest.fixture
def published() -> tuple[list[str], set[tuple[str, str]]]:
    """The published link graph of the Python documentation: its nodes by path, and its edges."""
    root = conformance_root()
    if root is None:
        pytest.skip(skip_reason())
    name = root / "graphs" / "debian-python3.11-doc"
    with gzip.open(f"{name}.nodes.json.gz", "rt", encoding="utf-8") as stream:
        nodes: list[str] = json.load(stream)["nodes"]
    with gzip.open(f"{name}.edges.txt.gz", "rt", encoding="utf-8") as stream:
        pairs = (line.split() for line in stream if line.strip())
        edges = {(nodes[int(source)], nodes[int(target)]) for source, target in pairs}
    return nodes, edges


async def test_the_graph_equals_the_published_one(
    web: Web, published: tuple[list[str], set[tuple[str, str]]], tmp_path: Path
) -> None:
    """The Python documentation's links among its pages are those of a graph that others made from the package."""
    nodes, edges = published
    entry = web.entries[PYTHON]
    await crawl(loopback_settings([entry]), tmp_path / "python")
    left = Left(tmp_path / "python")
    root = entry.removesuffix("index.html")
    reached = {url.removeprefix(root) for url in left.visited(*ANSWERED)}
    found = {(source.removeprefix(root), target.removeprefix(root)) for source, target in left.edges(*LINKS)}
    among_pages = {(source, target) for source, target in found if {source, target} <= set(nodes)}
    assert among_pages == {(source, target) for source, target in edges if source in reached}
