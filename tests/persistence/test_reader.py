"""The reader's windows: bounded in rows and in bytes, and in nobody's way."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from tests.analysis.made_crawl import GONE, MOVED, PRIVATE, TWO, URLS, make_crawl
from weaver.base.page import PageState
from weaver.base.record import Adjacency, CommitRecord, HostRecord, PageRow, UrlRow
from weaver.base.settings import PersistenceSettings
from weaver.persistence import CrawlDirectory, Writer
from weaver.persistence.link_windows import WINDOW_BYTES
from weaver.persistence.reader import open_reader

LINKS = 100_000
HEAVY_PAGES = range(10, 30)
WINDOW_PAGES = WINDOW_BYTES // (4 * LINKS) + 1


def _heavy(writer: Writer) -> None:
    targets = array("I", [1]) * LINKS
    for page in HEAVY_PAGES:
        url = UrlRow(page, page, f"http://a.test/heavy/{page}", 1, 2, 1)
        row = PageRow(page, PageState.FETCHED, 1.0, 200)
        writer.submit(CommitRecord(page=row, adjacency=Adjacency(targets.tobytes(), bytes(LINKS)), urls=(url,)))


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    """Nine URLs, and twenty pages with a hundred thousand links each."""
    return make_crawl(tmp_path / "crawl", extra=_heavy)


@pytest.mark.slow
def test_a_window_is_bounded_in_bytes(crawl: Path) -> None:
    """However many links pages have, a window holds about so many bytes, and all windows hold every page once."""
    with open_reader(crawl) as opened:
        edges = [window.nodes.tolist() for window in opened.adjacencies(opened.last_url_id())]
        urls = [[known.id for known in window] for window in opened.known_urls(opened.last_url_id())]
    assert max(len(set(window) & set(HEAVY_PAGES)) for window in edges) == WINDOW_PAGES
    assert set(HEAVY_PAGES) < {page for window in edges for page in window}
    assert [url for window in urls for url in window] == [*URLS, *HEAVY_PAGES]


@pytest.mark.slow
def test_a_window_that_was_cut_holds_nothing_open(crawl: Path) -> None:
    """Between two windows the log can be folded back, though rows were left unread."""
    with open_reader(crawl) as opened:
        windows = opened.adjacencies(opened.last_url_id())
        next(windows)
        connection = CrawlDirectory(crawl).connect(PersistenceSettings())
        try:
            connection.execute("INSERT INTO meta VALUES ('x', 'y')")
            connection.commit()
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.close()
        assert busy == 0
        assert sum(len(window.nodes) for window in windows) > 0


def test_hosts_are_sorted_by_the_name_that_is_asked_for(crawl: Path) -> None:
    """hosts_by_name sorts by bytes of whatever the caller makes of an origin."""
    directory = make_crawl(crawl.parent / "other", extra=lambda w: w.submit(CommitRecord(hosts=_more_hosts())))
    with open_reader(directory) as opened:
        assert list(opened.hosts_by_name(lambda origin: origin[7:])) == [
            (3, "Z.test"), (1, "a.test"), (2, "b.test:8080"), (4, "\u00e4.test"),
        ]  # fmt: skip


def test_pages_of_some_states_come_in_order(tmp_path: Path) -> None:
    """`pages_in` has only pages in the states asked for, each with its answer and where it moved to, up to an id."""
    directory = make_crawl(tmp_path / "crawl")
    states = (PageState.FAILED, PageState.REDIRECT, PageState.BLOCKED)
    with open_reader(directory) as opened:
        found = [page for window in opened.pages_in(states, GONE) for page in window]
        assert [(page.id, page.state, page.http_status, page.reason) for page in found] == [
            (MOVED, "redirect", 301, ""), (PRIVATE, "blocked_robots", 0, "robots"), (GONE, "failed", 404, "http_404"),
        ]  # fmt: skip
        assert [page.moved_to for page in found] == [TWO, 0, 0]
        assert [page.id for window in opened.pages_in(states, MOVED) for page in window] == [MOVED]


def _more_hosts() -> tuple[HostRecord, ...]:
    return HostRecord(3, "http://Z.test"), HostRecord(4, "http://\u00e4.test")
