"""The public API as a type checker sees it: mypy reads this file in `make check`; nothing runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, assert_type

import networkx as nx

import weaver
from weaver.base.clock import Clock, ManualClock
from weaver.base.settings import CrawlSettings, PolitenessSettings, Settings


async def a_crawl_is_an_async_context(settings: weaver.Settings, directory: Path) -> None:
    """open_crawl gives a Crawl; run() gives pages one by one."""
    async with weaver.open_crawl(settings, directory) as crawl:
        assert_type(crawl, weaver.Crawl)
        assert_type(crawl.run(), AsyncIterator[weaver.PageResult])
        async for page in crawl.run():
            assert_type(page, weaver.PageResult)
            assert_type(page.url, str)
            assert_type(page.status, int)
            assert_type(page.depth, int)
            assert_type(page.title, str)
            assert_type(page.duplicate_of, str)
            assert_type(page.reason, str)


async def a_crawl_can_be_steered(directory: str, clock: Clock) -> str:
    """The directory may be text; drain and stop are plain calls; the end has a reason."""
    settings = Settings(crawl=CrawlSettings(seeds=("http://127.0.0.1/",)), politeness=PolitenessSettings(delay=0.0))
    async with weaver.open_crawl(settings, directory, resume=True, clock=clock) as crawl:
        crawl.drain()
        crawl.stop()
        assert_type(crawl.settings, Settings)
        assert_type(crawl.directory, Path)
        return await crawl.run_to_end()


def a_graph_on_disk_is_asked(directory: Path) -> None:
    """open_graph gives a DiskGraph; a node is an id or a URL."""
    with weaver.open_graph(directory, kinds=frozenset({weaver.EdgeKind.HYPERLINK}), memory="64MiB") as graph:
        assert_type(graph, weaver.DiskGraph)
        assert_type(graph.nodes, int)
        assert_type(graph.neighbours("https://example.org/"), list[int])
        assert_type(graph.predecessors(1), list[int])
        assert_type(graph.edges_of(1), list[tuple[int, weaver.EdgeKind]])
        assert_type(graph.in_degree(1), int)
        assert_type(graph.k_hop(1, 2, backwards=True), dict[int, int])
        assert_type(graph.shortest_path(1, "https://example.org/"), list[int])
        assert_type(graph.at_host("https://example.org"), Iterator[int])
        assert_type(graph.url_of(1), str)
        assert_type(graph.size_estimate("networkx", limit=1_000_000), int)
        assert_type(graph.to_networkx(limit=1_000_000), nx.DiGraph[int])
        assert_type(graph.networkx_view(with_urls=True), nx.DiGraph[int])
        assert_type(graph.to_scipy_sparse(force=True), Any)


async def the_graph_of_an_open_crawl_is_asked(crawl: weaver.Crawl) -> None:
    """crawl.graph answers over RAM and disk; what RAM alone can't answer is an error with the part that it knows."""
    assert_type(crawl.graph, weaver.CrawlGraph)
    assert_type(await crawl.graph.neighbours("https://example.org/", kinds={weaver.EdgeKind.HYPERLINK}), list[int])
    assert_type(await crawl.graph.predecessors(1), list[int])
    assert_type(await crawl.graph.edges_of(1), list[tuple[int, weaver.EdgeKind]])
    assert_type(await crawl.graph.k_hop(1, 2, backwards=True), dict[int, int])
    assert_type(await crawl.graph.at_host("https://example.org"), list[int])
    try:
        assert_type(await crawl.graph.shortest_path(1, 2, resident_only=True), list[int])
    except weaver.NotResident as error:
        assert_type(error.partial, object)


def a_corpus_is_deduplicated(directory: Path) -> None:
    """dedupe_corpus gives a Corpus, whose documents come one by one."""
    settings = weaver.CorpusSettings(threshold=0.8, id_field="name", verify=False)
    with weaver.dedupe_corpus(["a.jsonl", directory], "out", settings, memory="64MiB") as corpus:
        assert_type(corpus, weaver.Corpus)
        assert_type([member.similarity for member in corpus.members()], list[float])
        assert_type([kept.id for kept in corpus.kept()], list[str])
        assert_type([(pair.id_a, pair.id_b) for pair in corpus.pairs()], list[tuple[str, str]])
        assert_type(corpus.report(), dict[str, Any])


def errors_share_one_root(error: weaver.WeaverError) -> Exception:
    """Every error of weaver is a WeaverError."""
    return error


def a_manual_clock_is_a_clock() -> Clock:
    """The clock for tests fits where the machine's clock does."""
    return ManualClock()
