"""The report of duplicates: variants by name, what copies cost, and what mends them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.made_crawl import AT, COPY, FRONT, TWO, A, adjacency, make_crawl
from weaver.analysis import duplicate_costs
from weaver.analysis.directory import open_reader
from weaver.analysis.duplicate_costs import Costs
from weaver.analysis.duplicate_variants import remedy_of, variant_of
from weaver.analysis.duplicates import COLUMNS, duplicates_document, duplicates_table
from weaver.base.page import EdgeKind, PageState
from weaver.base.record import CommitRecord, PageRow, UrlRow
from weaver.persistence import Writer

SITE = "http://www.shop.test"
VARIANTS = [
    (f"{SITE}/a", "https://www.shop.test/a", "scheme"),
    (f"{SITE}/a", "http://shop.test/a", "www"),
    (f"{SITE}/a", f"{SITE}/a/", "trailing_slash"),
    (f"{SITE}/a/", f"{SITE}/a/index.html", "index_page"),
    (f"{SITE}/About", f"{SITE}/about", "case"),
    (f"{SITE}/a//b", f"{SITE}/a/b", "double_slash"),
    (f"{SITE}/a?x=1&y=2", f"{SITE}/a?y=2&x=1", "parameter_order"),
    (f"{SITE}/a?PHPSESSID=1f", f"{SITE}/a", "session_id"),
    (f"{SITE}/a;jsessionid=77?x=1", f"{SITE}/a;jsessionid=78?x=1", "session_id"),
    (f"{SITE}/(S(4k2))/a", f"{SITE}/a", "session_id"),
    (f"{SITE}/a?utm_source=x&p=1", f"{SITE}/a?p=1", "campaign"),
    (f"{SITE}/a?p=1", f"{SITE}/a?p=2", "parameters"),
    (f"{SITE}/a?p=1", "https://other.test/a?p=1", "mirror"),
    (f"{SITE}/a", "https://shop.test/a/", "scheme+www+trailing_slash"),
    (f"{SITE}/a?sid=2&x=1&y=2", f"{SITE}/A?y=2&x=1&sid=1", "case+parameter_order+session_id"),
    (f"{SITE}/news", f"{SITE}/about", "path"),
    (f"{SITE}/A?p=1", f"{SITE}/a?p=2", "parameters"),
]


@pytest.mark.parametrize(("url", "other", "name"), VARIANTS)
def test_a_variant_has_a_name(url: str, other: str, name: str) -> None:
    """What two URLs of one page differ by is named, the same both ways."""
    assert variant_of(url, other) == variant_of(other, url) == name


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_url_is_too_odd_to_be_compared(path: str, query: str) -> None:
    """Whatever stands behind the host, two URLs are compared without an error."""
    assert variant_of(f"{SITE}/{path}?{query}", f"{SITE}/") != ""


def test_spellings_are_redirected_and_the_rest_is_named_canonical() -> None:
    """Two spellings of one address want a redirect; a parameter may be wanted, and wants a canonical."""
    assert remedy_of("scheme+www") == "redirect"
    assert remedy_of("scheme+session_id") == remedy_of("path") == "canonical"


COPIES = {
    10: (f"{A}/two?sid=4", None, "add_canonical", f"{A}/two"),
    11: (f"{A}/two/", None, "redirect", f"{A}/two"),
    12: (f"{A}/deux", 12, "canonical_to_itself", f"{A}/two"),
    13: (f"{A}/dos", TWO, "consolidated", f"{A}/two"),
    14: (f"{A}/tva", FRONT, "canonical_elsewhere", f"{A}/two"),
}


def _add_copies(writer: Writer) -> None:
    for number, (url, canonical, _, _) in COPIES.items():
        row = PageRow(number, PageState.DUPLICATE, AT, 200, "text/html", 700, b"3" * 16, duplicate_of=TWO)
        edges = [(TWO, EdgeKind.DUPLICATE)] + ([(canonical, EdgeKind.CANONICAL)] if canonical else [])
        writer.submit(CommitRecord(row, adjacency(edges), urls=(UrlRow(number, number, url, 1, 1, FRONT, 0),)))


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    """A crawl in which /two has six copies."""
    return make_crawl(tmp_path / "crawl", extra=_add_copies)


def test_what_the_copies_cost_is_added_up(crawl: Path) -> None:
    """Requests and bytes, in all, by host and by URL template."""
    document = duplicates_document(crawl, top=3)
    assert document["duplicates"] == {"pages": 6, "by": {"body": 1, "text": 5}, "clusters": 1}
    assert document["wasted"] == {"requests": 6, "bytes": 500 + 5 * 700}
    assert document["hosts"] == [{"name": "a.test", "requests": 6, "bytes": 4_000}]
    assert {"name": f"{A}/two?sid", "requests": 1, "bytes": 700} in document["templates"]
    assert len(document["templates"]) == 3
    (cluster,) = document["clusters"]
    assert (cluster["url"], cluster["copies"], cluster["bytes"]) == (f"{A}/two", 6, 4_000)


def test_each_copy_has_its_advice(crawl: Path) -> None:
    """What a site owner can do depends on what the page says of itself, and on what the URLs differ by."""
    with open_reader(crawl) as reader:
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in duplicates_table(crawl, reader).rows]
    told = {row["url"]: (row["advice"], row["target_url"]) for row in rows}
    assert told.pop(f"{A}/copy") == ("add_canonical", f"{A}/two"), f"the page {COPY} names none"
    assert told == {url: (advice, target) for url, _, advice, target in COPIES.values()}


def test_near_pairs_are_told_where_the_crawl_has_them(crawl: Path) -> None:
    """The distribution counts near pairs by hundredths."""
    assert duplicates_document(crawl, 1)["similarities"] == {"same_body": 1, "same_text": 5, "near": []}
    with closing(sqlite3.connect(crawl / "crawl.db")) as connection:
        pairs = [(2, 1, 0.87), (3, 1, 0.87), (4, 3, 0.9)]
        connection.executemany("INSERT INTO near_duplicates VALUES (?, ?, ?, 0)", pairs)
        connection.commit()
    assert duplicates_document(crawl, 1)["similarities"]["near"] == [[0.87, 2], [0.9, 1]]


def test_names_without_number_are_added_up_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """More hosts or templates than are kept: the ones that cost least become one entry, and the totals stay."""
    monkeypatch.setattr(duplicate_costs, "MOST_TEMPLATES", 10)
    costs = Costs()
    for number in range(100):
        costs.add("often", 5)
        costs.add(f"seldom{number}", 1)
    assert len(costs.pages) <= 11
    assert sum(costs.pages.values()) == 200
    assert sum(costs.size_bytes.values()) == 600
    assert {entry["name"] for entry in costs.top(2)} == {"often", "(others)"}
