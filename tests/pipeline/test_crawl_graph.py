"""The graph of an open crawl answers over RAM and disk as one, or says that it was not to ask the disk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

import weaver
from tests.support.tiny_web import SITE, html, redirect, settings_for, site
from weaver.base.page import EdgeKind
from weaver.fetch import ScriptedTransport
from weaver.pipeline import CrawlGraph, open_crawl
from weaver.pipeline.graph_on_disk import LOOK_UPS, rows_of

PAGES = 40
REDIRECT = frozenset({EdgeKind.REDIRECT})
# With room for these few edges nearly all rows are on disk only.
FEW = {"graph__max_edges": 6}


def _web() -> ScriptedTransport:
    """Page n links to n + 1, 2 n and the front page, one of them moves on, and the last leads nowhere."""
    pages: dict[str, Any] = {"/": html("front", "/p1", "/away")}
    for number in range(1, PAGES):
        targets = {f"/p{min(PAGES, number + 1)}", f"/p{min(PAGES, 2 * number)}", "/"}
        pages[f"/p{number}"] = html(f"page {number} " * 9, *sorted(targets))
    pages[f"/p{PAGES}"] = html("the last")
    pages["/away"] = redirect(f"{SITE}/away", f"{SITE}/p7")
    return site(pages)


@asynccontextmanager
async def _crawled(directory: Path, **values: object) -> AsyncIterator[CrawlGraph]:
    """The graph of the crawl when it has ended, and is still open."""
    async with open_crawl(settings_for(**values), directory, transport=_web()) as crawl:
        await crawl.run_to_end()
        yield crawl.graph


def _model(directory: Path) -> nx.DiGraph[int]:
    with weaver.open_graph(directory) as graph:
        return graph.to_networkx()


@pytest.mark.parametrize("values", [{}, FEW], ids=["in RAM", "on disk"])
async def test_queries_see_ram_and_disk_as_one(values: dict[str, Any], tmp_path: Path) -> None:
    """Neighbours both ways, k-hop both ways and shortest paths are those of the whole graph, wherever its rows are."""
    async with _crawled(tmp_path / "c", **values) as graph:
        model = _model(tmp_path / "c")
        assert graph.nodes == len(model)
        for node in model:
            assert await graph.neighbours(node) == sorted(model.successors(node))
            assert await graph.predecessors(node) == sorted(model.predecessors(node))
        for hops in (0, 1, 3, PAGES):
            there = nx.single_source_shortest_path_length(model, 1, cutoff=hops)
            back = nx.single_source_shortest_path_length(model.reverse(), 9, cutoff=hops)
            assert await graph.k_hop(1, hops) == dict(there)
            assert await graph.k_hop(9, hops, backwards=True) == dict(back)
        for target in model:
            path = await graph.shortest_path(1, target)
            assert (path[0], path[-1], len(path)) == (1, target, nx.shortest_path_length(model, 1, target) + 1)
            assert all(model.has_edge(*step) for step in pairwise(path))


@pytest.mark.parametrize("values", [{}, FEW], ids=["in RAM", "on disk"])
async def test_queries_choose_by_kind_and_by_host(values: dict[str, Any], tmp_path: Path) -> None:
    """Of the kinds asked for alone, and of one host's URLs; a URL does where a node is asked for."""
    async with _crawled(tmp_path / "c", **values) as graph:
        away, seven = await graph.id_of(f"{SITE}/away"), await graph.id_of(f"{SITE}/p7")
        assert await graph.edges_of(f"{SITE}/away") == [(seven, EdgeKind.REDIRECT)]
        assert await graph.neighbours(seven, kinds=REDIRECT) == []
        assert await graph.predecessors(f"{SITE}/p7", kinds=REDIRECT) == [away]
        assert await graph.k_hop(away, 9, kinds=REDIRECT) == {away: 0, seven: 1}
        assert await graph.shortest_path(1, seven, kinds=REDIRECT) == []
        assert await graph.at_host(SITE) == list(range(1, graph.nodes + 1))
        assert await graph.at_host("https://a.test") == []


QUERIES: list[Callable[[CrawlGraph], Awaitable[Any]]] = [
    lambda graph: graph.neighbours(1, resident_only=True),
    lambda graph: graph.predecessors(1, resident_only=True),
    lambda graph: graph.k_hop(1, PAGES, resident_only=True),
    lambda graph: graph.k_hop(9, PAGES, backwards=True, resident_only=True),
    lambda graph: graph.shortest_path(1, 30, resident_only=True),
]


@pytest.mark.parametrize("query", QUERIES)
async def test_a_query_of_ram_alone_says_what_it_lacks(
    query: Callable[[CrawlGraph], Awaitable[Any]], tmp_path: Path
) -> None:
    """With `resident_only` rows that left RAM are not read: NotResident says so, and has the rest."""
    async with _crawled(tmp_path / "c", **FEW) as graph:
        with pytest.raises(weaver.NotResident, match="left RAM") as told:
            await query(graph)
        assert isinstance(told.value.partial, (list, dict))


async def test_a_query_of_ram_alone_is_whole_where_all_is_there(tmp_path: Path) -> None:
    """With `resident_only` and every edge in RAM, answers are those of the whole graph."""
    async with _crawled(tmp_path / "c") as graph:
        everything = graph.resident.resident_edges == graph.edges
        assert everything
        assert await graph.predecessors(1, resident_only=True) == await graph.predecessors(1)
        assert await graph.k_hop(1, 2, resident_only=True) == await graph.k_hop(1, 2)
        assert await graph.k_hop(9, 2, backwards=True, resident_only=True) == await graph.k_hop(9, 2, backwards=True)
        assert await graph.shortest_path(1, 9, resident_only=True) == await graph.shortest_path(1, 9)


@pytest.mark.parametrize("stranger", [0, 10_000, f"{SITE}/unknown", "mailto:a@b.test"])
async def test_a_node_that_the_crawl_does_not_know_is_told(stranger: int | str, tmp_path: Path) -> None:
    """An id or a URL that was never met is a DirectoryError that names it."""
    async with _crawled(tmp_path / "c") as graph:
        with pytest.raises(weaver.DirectoryError, match=str(stranger)):
            await graph.neighbours(stranger)


async def test_what_left_ram_is_found_while_the_crawl_runs(tmp_path: Path) -> None:
    """Asked between two pages, committed yet or not, each page seen so far has the links that it was given."""
    settings = settings_for(crawl__concurrency=1, **FEW)
    async with open_crawl(settings, tmp_path / "c", transport=_web()) as crawl:
        seen: list[str] = []
        async for page in crawl.run():
            seen.append(page.url)
            if len(seen) % 10 == 0:
                for url in seen:
                    assert await crawl.graph.edges_of(url) or url == f"{SITE}/p{PAGES}"
        assert len(seen) == PAGES + 2


async def test_many_rows_are_read_in_one_pass(tmp_path: Path) -> None:
    """Rows asked for one by one, and so many that a pass takes less, are the same rows."""
    async with _crawled(tmp_path / "c") as graph:
        nodes = range(1, graph.nodes + 1)
        few = [(node, sorted(row[0].tolist())) for node, row in rows_of(tmp_path / "c", nodes)]
        asked = [*nodes, *range(graph.nodes + 1, LOOK_UPS + 2)]
        assert [(node, sorted(row[0].tolist())) for node, row in rows_of(tmp_path / "c", asked)] == few
