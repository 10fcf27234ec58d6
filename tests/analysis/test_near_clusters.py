"""The report of near duplicates: which page stands for a cluster, what kind it is, what to do about its pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.analysis.made_crawl import AT, FRONT, A, adjacency, make_crawl
from weaver.analysis.directory import open_reader
from weaver.analysis.duplicates import COLUMNS, duplicates_document, duplicates_table
from weaver.base.page import EdgeKind, PageState
from weaver.base.record import CommitRecord, NearRow, PageRow, UrlRow
from weaver.cli.main import cli
from weaver.persistence import Writer, settle_near_duplicates

SIZE = 700
# Each page with the page it is near, its canonical, how alike they are, and how much of it the host repeats.
PAGES = {
    20: (f"{A}/story/long-name", 0, 0, 0.0, 0.0),
    21: (f"{A}/story", 20, 21, 0.9, 0.1),
    22: (f"{A}/story?print=1", 20, 21, 0.95, 0.1),
    23: (f"{A}/STORY", 22, 0, 0.93, 0.1),
    24: (f"{A}/story/own", 21, 24, 0.87, 0.2),
    30: (f"{A}/shop/1", 0, 0, 0.0, 0.0),
    31: (f"{A}/shop/22", 30, 0, 0.96, 0.8),
    32: (f"{A}/shop/333", 31, 0, 0.97, 0.9),
}  # fmt: skip
ADVICE = {
    f"{A}/story/long-name": "near_add_canonical",
    f"{A}/story?print=1": "consolidated",
    f"{A}/STORY": "redirect",
    f"{A}/story/own": "near_canonical_to_itself",
    f"{A}/shop/22": "little_text_of_its_own",
    f"{A}/shop/333": "little_text_of_its_own",
}


def _add_pages(writer: Writer) -> None:
    for number, (url, other, canonical, similarity, boilerplate) in PAGES.items():
        row = PageRow(number, PageState.FETCHED, AT, 200, "text/html", SIZE, bytes([number]) * 16)
        near = NearRow(number, b"7" * 56, b"8" * 64, other, similarity, boilerplate)
        edges = adjacency([(canonical, EdgeKind.CANONICAL)] if canonical else [])
        writer.submit(CommitRecord(row, edges, urls=(UrlRow(number, number, url, 1, 1, FRONT, 0),), near=near))
    writer.ask(settle_near_duplicates).result()


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    """A crawl with a story of five addresses, and a shop with three pages that say next to nothing."""
    return make_crawl(tmp_path / "crawl", extra=_add_pages)


def test_a_cluster_tells_a_content_from_a_template(crawl: Path) -> None:
    """Pages of one URL template that their host's blocks fill are a template's; the rest is one content."""
    near = duplicates_document(crawl, top=9)["near"]
    assert near["kinds"] == {"content": {"clusters": 1, "pages": 4}, "template": {"clusters": 1, "pages": 2}}
    assert (near["pages"], near["bytes"], near["is_settled"]) == (6, 6 * SIZE, True)
    assert near["hosts"] == [{"name": "a.test", "requests": 6, "bytes": 6 * SIZE}]
    assert {"name": f"{A}/shop/0", "requests": 2, "bytes": 2 * SIZE} in near["templates"]
    story, shop = near["clusters"]
    assert (story["url"], story["copies"], story["kind"]) == (f"{A}/story", 4, "content")
    assert (story["least_similarity"], shop["least_similarity"]) == (0.87, 0.96)


def test_each_page_has_its_advice(crawl: Path) -> None:
    """The page that others name as canonical stands for a cluster; the others are told what they lack."""
    with open_reader(crawl) as reader:
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in duplicates_table(crawl, reader).rows]
    near = [row for row in rows if row["same"] == "near"]
    assert {row["url"]: row["advice"] for row in near} == ADVICE
    assert {row["target_url"] for row in near} == {f"{A}/story", f"{A}/shop/1"}
    assert {row["url"]: row["similarity"] for row in near}[f"{A}/story/long-name"] == 0.95, "its nearest later page"


def test_the_rule_of_the_settings_is_the_report_s_rule(tmp_path: Path) -> None:
    """Where the crawl had a rule for what stands for a cluster, the report goes by what it chose."""

    def settle(writer: Writer) -> None:
        _add_pages(writer)
        writer.ask(lambda connection: settle_near_duplicates(connection, "first_seen")).result()
        settings = '{"dedupe":{"representative":"first_seen"}}'
        writer.ask(lambda connection: connection.execute("UPDATE runs SET settings = ?", (settings,))).result()

    crawl = make_crawl(tmp_path / "crawl", extra=settle)
    near = duplicates_document(crawl, top=9)["near"]
    assert [cluster["url"] for cluster in near["clusters"]] == [PAGES[20][0], PAGES[30][0]]


def test_exact_copies_are_counted_apart(crawl: Path) -> None:
    """What was fetched again byte for byte is waste; what is nearly the same may be meant."""
    document = duplicates_document(crawl, top=1)
    assert document["duplicates"]["pages"] == document["wasted"]["requests"] == 1
    assert document["similarities"]["near"] == [[0.87, 1], [0.9, 1], [0.93, 1], [0.95, 1], [0.96, 1], [0.97, 1]]


def test_the_terminal_tells_both(crawl: Path) -> None:
    """Near duplicates follow the copies, with their kinds, costs and advice."""
    output = CliRunner().invoke(cli, ["duplicates", str(crawl)], prog_name="weaver").output
    assert "near duplicates: 6 pages are nearly the same as an earlier one" in output
    assert "1  clusters of one content: 4 pages" in output
    assert f"{A}/story (content, from 0.87)" in output


def test_a_crawl_that_goes_on_says_how_old_its_clusters_are(tmp_path: Path) -> None:
    """Clusters are made at a run's end."""
    crawl = make_crawl(tmp_path / "crawl", exit_reason=None, extra=_add_pages)
    assert not duplicates_document(crawl, top=1)["near"]["is_settled"]
    assert "as of its last run's end" in CliRunner().invoke(cli, ["duplicates", str(crawl)]).output
