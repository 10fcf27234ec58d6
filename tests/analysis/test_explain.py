"""Why: each URL's story is told in full, from the seed to its fate."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from tests.analysis.made_crawl import ADVERT, COPY, GONE, MOVED, NEXT, OTHER, PRIVATE, TWO, URLS, make_crawl
from weaver.analysis.explain import explain
from weaver.analysis.robots_reason import RobotsLine, blocking_line
from weaver.base.errors import SeedError
from weaver.cli.story import story_lines


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    """A crawl of nine URLs."""
    return make_crawl(tmp_path / "crawl")


def test_the_chain_leads_from_the_seed(crawl: Path) -> None:
    """A story says by which page and which kind of link a URL was found, back to the seed."""
    story = explain(crawl, URLS[GONE])
    assert [(step["url"], step["by"]) for step in story["found_by"]] == [
        ("http://a.test/", "seed"),
        (URLS[GONE], "hyperlink"),
    ]
    assert story["because"] == "the request failed: http_404"


def test_the_url_is_canonicalised_as_the_crawl_does(crawl: Path) -> None:
    """Any spelling that the crawl takes for a URL finds its story."""
    story = explain(crawl, "HTTP://user:secret@A.test:80/x/../two?utm_source=mail#part")
    assert story["id"] == TWO
    assert "secret" not in str(story)


def test_a_blocked_page_names_the_line_of_robots_txt(crawl: Path) -> None:
    """A URL that robots.txt forbids is explained by the longest rule that does, with its line number."""
    story = explain(crawl, URLS[PRIVATE])
    assert story["robots"]["blocked_by"] == {"line": 6, "text": "Disallow: /private/ # keep out"}
    assert "line 6" in story["because"]


def test_a_duplicate_names_its_representative_and_the_other_way_round(crawl: Path) -> None:
    """A copy's story names the page that it copies, whose story names its copies."""
    assert explain(crawl, URLS[COPY])["duplicate_of"] == {"url": URLS[TWO], "same": "body"}
    assert explain(crawl, URLS[TWO])["copies"] == [URLS[COPY]]


def test_a_redirect_names_its_target(crawl: Path) -> None:
    """A redirect's story says where it led."""
    assert explain(crawl, URLS[MOVED])["out_links"]["special"] == [{"kind": "redirect", "url": URLS[TWO]}]


def test_in_links_are_counted_by_kind_with_examples(crawl: Path) -> None:
    """A story counts the edges that lead to the URL, by kind, and names some of the pages they come from."""
    in_links = explain(crawl, URLS[TWO])["in_links"]
    assert in_links["kinds"] == {"hyperlink": 1, "canonical": 1, "duplicate": 1, "redirect": 1}
    assert in_links["count"] == 4
    assert sorted(in_links["some"]) == ["http://a.test/", URLS[COPY], URLS[MOVED], URLS[TWO]]


def test_a_queued_url_tells_its_place(crawl: Path) -> None:
    """A URL that waits is told with its place at its host and when the host may be asked."""
    queue = explain(crawl, URLS[NEXT])["queue"]
    assert (queue["before_it_at_its_host"], queue["queued_at_its_host"], queue["crawl_delay_s"]) == (0, 1, 2.0)
    assert queue["host_ready_at"] == "2023-11-14T22:13:26.000Z"


@pytest.mark.parametrize(("url_id", "reason"), [(OTHER, "out_of_scope"), (ADVERT, "nofollow")])
def test_what_was_left_out_says_why(crawl: Path, url_id: int, reason: str) -> None:
    """A URL that was never queued is told with the reason of its discovery."""
    story = explain(crawl, URLS[url_id])
    assert story["state"] == "skipped"
    assert story["scope"] == {"in_scope": False, "reason": reason}


def test_an_unknown_url_is_judged_by_the_scope(crawl: Path) -> None:
    """A URL that the crawl never met says so, and whether it would be in scope."""
    inside, outside = explain(crawl, "http://a.test/never"), explain(crawl, "http://c.test/")
    assert (inside["known"], inside["scope"]["in_scope"]) == (False, True)
    assert (outside["known"], outside["scope"]["reason"]) == (False, "out_of_scope")


def test_what_is_no_url_is_refused(crawl: Path) -> None:
    """A text that is no http(s) URL is wrong use, not a traceback."""
    with pytest.raises(SeedError):
        explain(crawl, "mailto:someone@a.test")


@pytest.mark.parametrize("url_id", sorted(URLS))
def test_every_story_reads_on_a_terminal(crawl: Path, url_id: int) -> None:
    """The lines of a story hold no character that could move the cursor or reorder the text."""
    lines = story_lines(explain(crawl, URLS[url_id]))
    assert lines[0] == URLS[url_id]
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Zl") for line in lines for character in line)


def test_the_blocking_line_is_that_of_the_own_group() -> None:
    """Only a rule of the group that counts for the token is named, the longest of them."""
    body = b"User-agent: a\nDisallow: /x\nUser-agent: *\r\nDisallow: /xy\nDisallow: /x*z$\n"
    assert blocking_line(body, "weaver", "/xyz") == RobotsLine(5, "Disallow: /x*z$")
    assert blocking_line(body, "a", "/xyz") == RobotsLine(2, "Disallow: /x")
    assert blocking_line(body, "weaver", "/x") is None
    assert blocking_line(b"", "weaver", "/") is None
