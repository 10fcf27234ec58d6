"""The report of broken and moved links: what is in it, and that it holds on any graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.made_crawl import FRONT, GONE, MOVED, PRIVATE, TWO, URLS, A, B, adjacency, make_crawl
from weaver.analysis.broken import COLUMNS, NAMES, BrokenQuestion, broken_document, broken_table
from weaver.analysis.carriers import Carriers
from weaver.analysis.edge_stream import EdgeWindow, offsets_of
from weaver.analysis.link_troubles import followed
from weaver.base.errors import DirectoryError
from weaver.base.page import EdgeKind, PageState
from weaver.base.record import CommitRecord, PageRow, UrlRow
from weaver.persistence import Writer

AT = 1_700_000_100.0
LINK, NOFOLLOW, REDIRECT = EdgeKind.HYPERLINK, EdgeKind.NOFOLLOW, EdgeKind.REDIRECT
CANONICAL, DUPLICATE = EdgeKind.CANONICAL, EdgeKind.DUPLICATE
HUB, LONG, RING, RING_TOO, INTO_RING, FOR_NOW, SLOW, SEED, GUARDED = range(20, 29)
MORE = {
    HUB: f"{B}/hub", LONG: f"{B}/long", RING: f"{A}/ring", RING_TOO: f"{A}/ring-too", INTO_RING: f"{A}/into",
    FOR_NOW: f"{A}/for-now", SLOW: f"{A}/slow", SEED: f"{B}/seed", GUARDED: f"{B}/guarded",
}  # fmt: skip
OUTCOMES = {
    HUB: (PageState.FETCHED, 200, ""), LONG: (PageState.REDIRECT, 301, ""), RING: (PageState.REDIRECT, 302, ""),
    RING_TOO: (PageState.REDIRECT, 301, ""), INTO_RING: (PageState.REDIRECT, 308, ""),
    FOR_NOW: (PageState.REDIRECT, 307, ""), SLOW: (PageState.FAILED, 0, "timeout"),
    SEED: (PageState.FAILED, 500, "http_500"), GUARDED: (PageState.FAILED, 0, "blocked_private"),
}  # fmt: skip
EDGES = {
    HUB: [(GONE, LINK), (GONE, NOFOLLOW), (LONG, LINK), (RING, LINK), (SLOW, CANONICAL), (GUARDED, LINK),
          (SEED, DUPLICATE)],
    LONG: [(MOVED, REDIRECT)],
    RING: [(RING_TOO, REDIRECT)],
    RING_TOO: [(RING, REDIRECT)],
    INTO_RING: [(RING, REDIRECT)],
    FOR_NOW: [(GONE, REDIRECT)],
}  # fmt: skip


def _trouble(writer: Writer) -> None:
    """A hub of a second host whose links have every trouble there is."""
    urls = tuple(UrlRow(url_id, url_id, url, 1 if url.startswith(A) else 2, 1, FRONT) for url_id, url in MORE.items())
    writer.submit(CommitRecord(urls=urls))
    for url_id, (state, status, reason) in OUTCOMES.items():
        page = PageRow(url_id, state, AT, status, reason=reason)
        writer.submit(CommitRecord(page=page, adjacency=adjacency(EDGES.get(url_id, []))))


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A crawl with every trouble there is."""
    return make_crawl(tmp_path_factory.mktemp("broken") / "crawl", extra=_trouble)


def _report(crawl: Path, limit: int = 20, **question: Any) -> Any:
    return broken_document(BrokenQuestion(crawl, **question), limit)


def _targets(report: Any) -> dict[str, list[int]]:
    return {name: [entry["id"] for entry in report[name]["top"]] for name in NAMES.values() if name in report}


def test_each_target_in_trouble_is_in_one_section(crawl: Path) -> None:
    """Failed, moved for good, moved for now, redirected on and on, in a circle, and not asked for: each by itself."""
    assert _targets(_report(crawl)) == {
        "broken": [GONE, SLOW, SEED],
        "moved_permanently": [MOVED],
        "moved_temporarily": [FOR_NOW],
        "redirect_chains": [LONG],
        "redirect_loops": [RING, RING_TOO, INTO_RING],
        "blocked": [PRIVATE, GUARDED],
    }


def test_a_broken_target_is_told_with_the_pages_that_carry_it(crawl: Path) -> None:
    """Status, reason, time of the check, how many pages carry it, the first of them, and by which kinds of edge."""
    gone = _report(crawl)["broken"]["top"][0]
    assert (gone["url"], gone["status"], gone["reason"], gone["state"]) == (URLS[GONE], 404, "http_404", "failed")
    assert gone["checked_at"].startswith("2023-11-14T")
    assert gone["pages"] == 3
    assert gone["kinds"] == ["hyperlink", "nofollow", "redirect"]
    assert [page["id"] for page in gone["examples"]] == [FRONT, HUB, FOR_NOW]
    assert gone["examples"][0]["url"] == URLS[FRONT]


def test_duplicates_and_the_page_itself_carry_no_link(crawl: Path) -> None:
    """What no page links to, such as a seed, is told with 0 pages; an edge to what a page repeats is no link."""
    entries = {entry["id"]: entry for entry in _report(crawl)["broken"]["top"]}
    assert (entries[SEED]["pages"], entries[SEED]["examples"], entries[SEED]["kinds"]) == (0, [], [])
    assert entries[SLOW]["kinds"] == ["canonical"]


def test_a_redirect_is_told_with_its_whole_way(crawl: Path) -> None:
    """The chain of URLs, the hops, and what is at the end; a circle has no end."""
    report = _report(crawl)
    long = report["redirect_chains"]["top"][0]
    assert [step["id"] for step in long["chain"]] == [LONG, MOVED, TWO]
    assert (long["hops"], long["end"]["id"], long["end"]["url"], long["end"]["state"]) == (2, TWO, URLS[TWO], "fetched")
    dead = report["moved_temporarily"]["top"][0]
    assert (dead["end"]["status"], dead["end"]["reason"]) == (404, "http_404")
    into = report["redirect_loops"]["top"][2]
    assert ([step["id"] for step in into["chain"]], into["end"], into["hops"]) == (
        [INTO_RING, RING, RING_TOO, RING], None, None,
    )  # fmt: skip


def test_sections_count_all_however_few_are_shown(crawl: Path) -> None:
    """`targets` and `links` are of the whole section; the limit cuts what is listed."""
    broken = _report(crawl, 1)["broken"]
    assert (broken["targets"], broken["links"], len(broken["top"])) == (3, 4, 1)
    assert _report(crawl, 0)["broken"]["top"] == []


def test_only_what_moved(crawl: Path) -> None:
    """Asked for the moved only, the sections are those of redirects."""
    report = _report(crawl, moved_only=True)
    assert list(_targets(report)) == ["moved_permanently", "moved_temporarily", "redirect_chains", "redirect_loops"]


@pytest.mark.parametrize("host", ["b.test", "B.test:8080", "http://b.test:8080/"])
def test_links_on_the_pages_of_one_host(crawl: Path, host: str) -> None:
    """A host, by name, with its port or as an origin, leaves only what its pages carry, counted by them alone."""
    report = _report(crawl, host=host)
    assert _targets(report) == {
        "broken": [GONE, SLOW],
        "moved_permanently": [MOVED],
        "moved_temporarily": [],
        "redirect_chains": [LONG],
        "redirect_loops": [RING],
        "blocked": [GUARDED],
    }
    assert report["broken"]["top"][0]["pages"] == 1


def test_links_that_lead_to_one_host(crawl: Path) -> None:
    """A target's host leaves only the targets there, whoever carries them."""
    found = _targets(_report(crawl, target_host="b.test"))
    assert {name: ids for name, ids in found.items() if ids} == {
        "broken": [SEED], "redirect_chains": [LONG], "blocked": [GUARDED],
    }  # fmt: skip


@pytest.mark.parametrize("host", ["c.test", "test", "b.test:80", "https://b.test:8080"])
def test_a_host_that_is_not_known_is_an_error(crawl: Path, host: str) -> None:
    """A host without URLs in the crawl is refused with what was asked."""
    with pytest.raises(DirectoryError, match="expected a host that the crawl knows"):
        _report(crawl, host=host)


def test_the_table_has_every_target(crawl: Path) -> None:
    """As a table nothing is cut off; a row has where a redirect ends, and example pages."""
    with broken_table(BrokenQuestion(crawl)) as table:
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert table.columns == COLUMNS
    assert len(rows) == 11
    long = next(row for row in rows if row["section"] == "redirect_chains")
    assert (long["url"], long["hops"], long["end_url"], long["end_status"]) == (MORE[LONG], 2, URLS[TWO], 200)
    assert long["examples"] == MORE[HUB]


def test_without_trouble_the_report_is_empty(tmp_path: Path) -> None:
    """Where nothing leads wrong every section is there, and empty."""
    report = _report(make_crawl(tmp_path / "crawl"), target_host="b.test")
    assert [report[name]["targets"] for name in NAMES.values()] == [0] * len(NAMES)


@given(st.dictionaries(st.integers(1, 30), st.integers(1, 30), max_size=30))
def test_redirects_are_followed_to_their_ends_on_any_graph(leads: dict[int, int]) -> None:
    """Chains, trees and circles of redirects: each end and its distance is what walking there finds."""
    ids = np.array(sorted(leads), np.uint32)
    ends, hops = followed(ids, np.array([leads[url_id] for url_id in ids.tolist()], np.uint32))
    for url_id, end, distance in zip(ids.tolist(), ends.tolist(), hops.tolist(), strict=True):
        here, walked = url_id, 0
        while here in leads and walked <= len(leads):
            here, walked = leads[here], walked + 1
        assert (end, distance) == ((0, 0) if here in leads else (here, walked))


def test_a_chain_of_redirects_may_be_as_long_as_a_site_makes_it() -> None:
    """A chain of 100,000 hops and a circle of as many are followed in rounds of doubled jumps, not hop by hop."""
    hops = 100_000
    ids = np.arange(1, hops + 1, dtype=np.uint32)
    ends, distances = followed(ids, ids + np.uint32(1))
    assert (ends == hops + 1).all()
    assert (distances == np.arange(hops, 0, -1)).all()
    ends, _ = followed(ids, np.roll(ids, -1))
    assert not ends.any()


class _Windows:
    """A random graph in windows of a few rows, some of them empty."""

    nodes = 60
    version = 1

    def __init__(self, seed: int) -> None:
        random = Random(seed)
        self.rows = {
            node: sorted({(random.randint(1, 60), random.choice(list(EdgeKind))) for _ in range(random.randint(0, 9))})
            for node in range(1, 61)
        }
        self.step = random.randint(1, 20)

    def __iter__(self) -> Iterator[EdgeWindow]:
        for first in range(1, self.nodes + 1, self.step):
            nodes = range(first, min(first + self.step, self.nodes + 1))
            edges = [edge for node in nodes for edge in self.rows[node]]
            yield EdgeWindow(
                np.array(nodes, np.uint32),
                offsets_of(np.array([len(self.rows[node]) for node in nodes])),
                np.array([target for target, _ in edges], np.uint32),
                np.array([kind for _, kind in edges], np.uint8),
            )


@pytest.mark.parametrize("seed", range(20))
def test_carriers_are_those_of_a_plain_walk(seed: int) -> None:
    """Counts, first examples and kinds over windows of any size are what dicts over all edges say."""
    graph, targets = _Windows(seed), np.array(sorted(Random(seed).sample(range(1, 61), 15)), np.uint32)
    expected: dict[int, list[int]] = defaultdict(list)
    kinds: dict[int, set[EdgeKind]] = defaultdict(set)
    for node, edges in graph.rows.items():
        for target, kind in edges:
            if kind != DUPLICATE and target != node:
                kinds[target].add(kind)
                if node not in expected[target]:
                    expected[target].append(node)
    carriers = Carriers(graph, targets, 3)
    for index, target in enumerate(targets.tolist()):
        assert carriers.counts[index] == len(expected[target])
        assert [node for node in carriers.examples[index].tolist() if node] == expected[target][:3]
        assert carriers.kinds_of(index) == sorted(kinds[target])
