"""Why: each URL's story is told in full, from the seed to its fate."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.analysis.made_crawl import (
    ADVERT,
    AT,
    COPY,
    GONE,
    MOVED,
    NEXT,
    OTHER,
    PRIVATE,
    TWO,
    URLS,
    A,
    B,
    make_crawl,
)
from weaver.analysis.explain import explain
from weaver.analysis.robots_reason import RobotsLine, blocking_line
from weaver.base.errors import SeedError
from weaver.base.page import PageState
from weaver.base.record import CommitRecord, HostRecord, PageRow, QueueRow
from weaver.cli.story import story_lines
from weaver.persistence import CrawlDirectory, Writer


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


def because(crawl: Path, url_id: int = NEXT) -> str:
    """The verdict on a URL."""
    return str(explain(crawl, URLS[url_id])["because"])


def test_a_queued_url_names_what_it_waits_for(tmp_path: Path) -> None:
    """The next of its host waits for the host's time; one behind it for what comes before; both for the crawl."""

    def queue_two(writer: Writer) -> None:
        writer.submit(CommitRecord(queued=(QueueRow(1, 2, ADVERT),), promoted=((ADVERT, 1),)))

    crawl = make_crawl(tmp_path / "two", extra=queue_two)
    assert "it is the next there" in because(crawl)
    assert "may be asked from 2023-11-14T22:13:26.000Z" in because(crawl)
    assert "1 of 2 URLs queued at its host come before it" in because(crawl, ADVERT)
    assert "weaver resume" in because(crawl)


def test_a_queued_url_of_a_crawl_at_work_waits_for_no_resume(crawl: Path) -> None:
    """While a crawler is at work, nobody is told to resume."""
    with CrawlDirectory.open_existing(crawl):
        assert "resume" not in because(crawl)


def robots_of(status: str, since: float = 0.0) -> Callable[[Writer], None]:
    """Records of a first host whose robots.txt stands so."""
    host = HostRecord(1, A, AT + 6, None, 2, status, b"", 0.0, since)
    return lambda writer: writer.submit(CommitRecord(hosts=(host,)))


def test_a_queued_url_waits_for_robots_txt(tmp_path: Path) -> None:
    """Where robots.txt is unreachable, its pages wait for it: since when, why, and at which try is told."""
    crawl = make_crawl(tmp_path / "crawl", extra=robots_of("unreachable", AT + 3))
    assert "waits for its host's robots.txt, unreachable since 2023-11-14T22:13:23.000Z" in because(crawl)
    events = [
        {"kind": "robots_unreachable", "at": AT + 3, "origin": A, "tries": 1, "why": "timeout"},
        {"kind": "robots_unreachable", "at": AT + 4, "origin": A, "tries": 2, "why": "connect_refused"},
        {"kind": "robots_unreachable", "at": AT + 5, "origin": B, "tries": 3, "why": "503"},
    ]
    (crawl / "events.jsonl").write_text("".join(f"{json.dumps(event)}\n" for event in events), encoding="utf-8")
    assert "unreachable since 2023-11-14T22:13:23.000Z (connect_refused, try 2 of 5)" in because(crawl)
    lines = story_lines(explain(crawl, URLS[NEXT]))
    assert any("until it answers, nothing may be fetched" in line for line in lines)


def test_robots_txt_that_no_row_knows_of_is_told_by_the_events(tmp_path: Path) -> None:
    """While a host's state is not committed, the events tell of an unreachable robots.txt; an answer ends that."""
    event = {"kind": "robots_unreachable", "at": AT + 3, "origin": A, "tries": 7, "why": "timeout"}
    unknown = make_crawl(tmp_path / "unknown", extra=robots_of(""))
    answered = make_crawl(tmp_path / "answered")
    for crawl in (unknown, answered):
        (crawl / "events.jsonl").write_text(json.dumps(event) + "\n", encoding="utf-8")
    assert "unreachable since 2023-11-14T22:13:23.000Z (timeout, try 7)" in because(unknown)
    assert "robots.txt" not in because(answered)


def test_a_queued_url_of_a_new_host_waits_for_robots_txt(tmp_path: Path) -> None:
    """Before a host's rules are known its pages wait for them, unless the user said to ignore them."""
    unknown = make_crawl(tmp_path / "unknown", extra=robots_of(""))
    ignored = make_crawl(tmp_path / "ignored", extra=robots_of(""), flags=[("politeness.robots", "ignore")])
    assert "robots.txt, which has not been answered yet" in because(unknown)
    assert "robots.txt" not in because(ignored)


def test_an_opted_out_url_names_the_list(tmp_path: Path) -> None:
    """A URL of a host that opted out is told as left out at its turn by the list, and before it as about to be."""
    flags = [("politeness.opt_out", ("a.test",))]
    assert "will be left out then, by the opt-out list" in because(make_crawl(tmp_path / "queued", flags=flags))

    def skip(writer: Writer) -> None:
        row = PageRow(NEXT, PageState.SKIPPED, AT + 8, reason="opt_out")
        writer.submit(CommitRecord(page=row, deleted=(QueueRow(1, 1, NEXT),)))

    crawl = make_crawl(tmp_path / "skipped", extra=skip, flags=flags)
    assert because(crawl) == "it was left out at its turn by the opt-out list (politeness.opt_out)"
    assert because(crawl, OTHER) == "it was left out when it was found: out_of_scope"


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
