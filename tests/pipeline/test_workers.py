"""Worker processes find what one process finds, and one that dies costs nothing but time."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.counting_web import Answer, CountingWeb, Hit, counting_web
from tests.support.crawls import Left, loopback_settings
from tests.support.tiny_web import settings_for, site
from tests.support.waiting import until
from tests.support.warcs import Read, archive_of
from weaver.base.settings import Settings
from weaver.pipeline import Crawl, open_crawl

pytestmark = pytest.mark.slow

PAGES = 120


def _site(hit: Hit, _times: int) -> Answer:
    """Pages that link to each other, every fifth under two names, with a redirect and a page that is not there."""
    name = hit.path.removeprefix("/")
    if name == "robots.txt":
        return Answer(body=b"User-agent: *\nDisallow: /secret\n", content_type="text/plain")
    if name == "old":
        return Answer(301, headers=(("Location", "/page7"),))
    if not name.startswith(("page", "copy")):
        return Answer(404)
    number = int(name[4:])
    links = [f"/page{(2 * number + step) % PAGES}" for step in (1, 2)] + ["/old", "/gone", "/secret"]
    links += [f"/copy{number}"] * (number % 5 == 0)
    anchors = "".join(f'<a href="{link}">{link}</a> ' for link in links)
    text = f"Page {number} says what only page {number} says. " * 12
    return Answer(body=f"<title>Page {number}</title><body>{text}{anchors}".encode())


def _settings(web: CountingWeb, workers: int, warc: str | None = None) -> Settings:
    sections = {"crawl": {"concurrency": 8, "workers": workers}, "warc": {"directory": warc}}
    return loopback_settings([f"{web.origins[0]}/page0"], **sections)


def _workers(crawl: Crawl) -> dict[str, Any]:
    found = crawl.status()["workers"]
    assert isinstance(found, dict)
    return found


async def _standing(crawl: Crawl, count: int) -> None:
    await until(lambda: _workers(crawl)["running"] == count)


async def test_any_number_of_workers_finds_the_same(tmp_path: Path) -> None:
    """Pages, edges and the graph's digest are the same for one, two and three, and each page is asked for once."""
    digests, pages, hits = [], [], []
    async with counting_web(_site) as web:
        for count in (1, 2, 3):
            web.seen.clear()
            async with open_crawl(_settings(web, workers=count), tmp_path / str(count)) as crawl:
                await _standing(crawl, count - 1)
                await crawl.run_to_end()
                read = [process["read"] for process in _workers(crawl)["processes"]]
                assert all(read), "each of them had a part in it"
                digests.append(crawl.graph_digest)
            hits.append(dict(web.seen))
            pages.append(Left(tmp_path / str(count)).pages)
    assert digests[0] == digests[1] == digests[2] != ""
    assert pages[0] == pages[1] == pages[2]
    assert hits[0] == hits[1] == hits[2]
    assert set(hits[0].values()) == {1}


async def test_a_listener_gets_bodies_from_workers(tmp_path: Path) -> None:
    """Whoever listens gets each page's body and text, whichever process has read it."""
    async with counting_web(_site) as web, open_crawl(_settings(web, workers=3), tmp_path / "c") as crawl:
        await _standing(crawl, 2)
        found = {page.url: page async for page in crawl.run()}
    page = found[f"{web.origins[0]}/page3"]
    assert page.body == _site(Hit(0.0, "", "/page3"), 1).body
    assert "Page 3 says" in page.text


async def test_a_killed_worker_is_replaced_and_nothing_is_lost(tmp_path: Path) -> None:
    """A worker that is killed in the midst of a crawl is told and replaced, and its pages are read all the same."""
    async with counting_web(_site, latency_s=0.02) as web:
        async with open_crawl(_settings(web, workers=1), tmp_path / "calm") as crawl:
            await crawl.run_to_end()
            digest = crawl.graph_digest
        async with open_crawl(_settings(web, workers=3), tmp_path / "killed") as crawl:
            await _standing(crawl, 2)
            running = asyncio.ensure_future(crawl.run_to_end())
            await web.wait_for_hits(len(web.hits) + PAGES // 4)
            os.kill(_workers(crawl)["processes"][0]["pid"], signal.SIGKILL)
            await running
            pages = crawl.status()["pages"]
            assert crawl.graph_digest == digest != ""
            assert crawl.events.counts["worker_lost"] == 1
            assert isinstance(pages, dict)
            assert (pages["internal_errors"], pages["retries"]) == (0, 0)
    assert Left(tmp_path / "killed").pages == Left(tmp_path / "calm").pages


def _lasting(read: Read) -> list[bytes]:
    """What a record says that is the same each time: of what is told about a fetch, the links."""
    if read.kind in {"request", "response"}:
        return [read.block]
    return [line for line in read.block.splitlines() if line.startswith(b"outlink")]


async def test_an_archive_is_the_same_by_workers(tmp_path: Path) -> None:
    """What is archived has the same bytes by one process and by three: requests, answers with their bodies, links."""
    archives = []
    async with counting_web(_site) as web:
        for count in (1, 3):
            folder = tmp_path / str(count)
            async with open_crawl(_settings(web, workers=count, warc="warc"), folder) as crawl:
                await _standing(crawl, count - 1)
                await crawl.run_to_end()
            archives.append(sorted((read.kind, read.url, _lasting(read)) for read in archive_of(folder / "warc")))
    assert archives[0] == archives[1]
    assert len(archives[0]) > 2 * PAGES


async def test_a_closed_crawl_leaves_no_process(tmp_path: Path) -> None:
    """Workers end with the crawl that started them, and what was held for their bodies is given back."""
    async with counting_web(_site) as web:
        async with open_crawl(_settings(web, workers=3), tmp_path / "c") as crawl:
            await _standing(crawl, 2)
            pids = [process["pid"] for process in _workers(crawl)["processes"]]
        memory = crawl.status()["memory"]
    assert not any(map(psutil.pid_exists, pids))
    assert isinstance(memory, dict)
    assert memory["accounts"]["bodies"]["used"] == 0


async def test_a_scripted_web_is_read_here(tmp_path: Path) -> None:
    """Where a transport takes the network's place no process is started, whatever number is asked for."""
    async with open_crawl(settings_for(crawl__workers=3), tmp_path / "c", transport=site({"/": b"x"})) as crawl:
        await crawl.run_to_end()
        assert _workers(crawl)["running"] == 0
        assert "worker_started" not in crawl.events.counts
