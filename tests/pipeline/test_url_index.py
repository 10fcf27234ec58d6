"""The lagging index of URLs in whole crawls: batches, runs and budgets change nothing in what is found."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.tiny_web import SITE, html, settings_for, site
from weaver.base.url import url_key
from weaver.fetch import ScriptedTransport
from weaver.frontier import seen
from weaver.persistence import Archive, CrawlDirectory
from weaver.pipeline import open_crawl

PAGES = 300


def _web() -> ScriptedTransport:
    """A tree of pages with cross links."""
    pages = {"/": html("Page 0", "/1", "/2")}
    for number in range(1, PAGES):
        links = [f"/{target % PAGES}" for target in (2 * number + 1, 2 * number + 2, 7 * number) if target % PAGES]
        pages[f"/{number}"] = html(f"Page {number} says what no other page says.", *links)
    return site(pages)


async def _crawl(
    directory: Path, most_unmerged: int, patch: pytest.MonkeyPatch, *, resume: bool = True, drain_after: int = 0
) -> str:
    """A run in which so many keys may wait, drained after some pages; the digest."""
    patch.setattr(seen, "LEAST_UNMERGED", most_unmerged)
    patch.setattr(seen, "MOST_UNMERGED", most_unmerged)
    # A table of 128 slots: all but the newest keys are looked up on disk.
    patch.setattr("weaver.pipeline.url_index.TABLE_SHARE", 4e-5)
    settings = settings_for(persistence__commit_pages=4, persistence__queue_pages=8)
    async with open_crawl(settings, directory, transport=_web(), resume=resume) as crawl:
        pages = 0
        async for _ in crawl.run():
            pages += 1
            if pages == drain_after:
                crawl.drain()
        return crawl.graph_digest


async def test_batches_runs_and_budgets_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crawl that merges all the time, is drained twice and goes on with other batches has the digest of one that
    never merges; every URL is found by its key."""
    calm = await _crawl(tmp_path / "calm", 1_000_000, monkeypatch, resume=False)
    directory = tmp_path / "disturbed"
    await _crawl(directory, 16, monkeypatch, resume=False, drain_after=60)
    await _crawl(directory, 200, monkeypatch, drain_after=60)
    with closing(sqlite3.connect(directory / "crawl.db")) as connection:
        ((waiting,),) = connection.execute("SELECT sum(length(ids)) / 4 FROM new_keys").fetchall()
        ((merged,),) = connection.execute("SELECT count(*) FROM url_keys").fetchall()
    assert waiting > 32
    assert merged > 0
    assert await _crawl(directory, 8, monkeypatch) == calm != ""
    opened = CrawlDirectory.open_existing(directory)
    with closing(opened.connect_readonly()) as connection:
        rows = connection.execute("SELECT id, url FROM urls").fetchall()
        found = Archive(connection).ids_of_keys([url_key(url, opened.crawl_seed) for _, url in rows])
        ((waiting,),) = connection.execute("SELECT sum(length(ids)) / 4 FROM new_keys").fetchall()
    assert len(rows) == PAGES
    assert found == {url_key(url, opened.crawl_seed): url_id for url_id, url in rows}
    assert (waiting or 0) < 3 * 8 + 4 * 3
    assert SITE in rows[0][1]
