"""A crawl with an archive: everything fetched is in it, replays as it was, and survives kill -9."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import weaver
from tests.support.counting_web import Answer, CountingWeb, Hit, counting_web
from tests.support.crawls import command, loopback_settings, run_command
from tests.support.warcs import Read, archive_of
from weaver.analysis.corpus_warc import WarcRecord, iterate_warc

PAGES = 60
CONCURRENCY = 8
FLAGS = ("--json", "-q", "--allow-private", "--delay", "0", "--per-host", "8", "--concurrency", "8", "--warc", "warc")


def _site(hit: Hit, times: int) -> Answer:
    """Pages, copies, redirects, compressed pages, one that is down at first, dead ends."""
    name = hit.path.removeprefix("/")
    if name == "robots.txt":
        return Answer(body=b"User-agent: *\nDisallow: /secret\n", content_type="text/plain")
    if name.startswith("old"):
        return Answer(301, b"gone over there", headers=(("Location", f"/page{name[3:]}"),))
    if name == "shaky" and times == 1:
        return Answer(503, b"not now", headers=(("Retry-After", "0"),))
    if name == "shaky":
        return Answer(body=b"<p>now I am here</p>")
    if name.startswith("zipped"):
        return Answer(body=gzip.compress(_page(1)), headers=(("Content-Encoding", "gzip"),))
    if not name.startswith(("page", "copy")) or not 0 <= int(name[4:]) < PAGES:
        return Answer(404, b"nothing here")
    return Answer(body=_page(int(name[4:])), headers=(("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")))


def _page(number: int) -> bytes:
    names = [f"page{2 * number + 1}", f"page{2 * number + 2}"]
    names += [f"old{number}"] * (number % 9 == 0) + [f"copy{number}"] * (number % 8 == 1)
    names += ["secret", "shaky", "zipped1"] * (number == 0) + [f"missing{number}"] * (number % 20 == 0)
    links = "".join(f'<a href="/{name}">{name}</a> ' for name in names)
    return f"<title>Page {number}</title><p>{f'Only page {number} says this. ' * 20}</p>{links}".encode()


def _kinds(reads: list[Read]) -> dict[str, Counter[str]]:
    """How often each path has a record of each kind."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for read in reads:
        counted[read.kind][urlsplit(read.url).path] += 1
    return counted


async def test_everything_fetched_is_archived_once(tmp_path: Path) -> None:
    """Pages, copies, redirects, errors, retried answers and robots.txt: one response or revisit for each request."""
    async with counting_web(_site) as web:
        await run_command("crawl", f"{web.origins[0]}/page0", "-o", str(tmp_path / "crawl"), *FLAGS)
    counted = _kinds(archive_of(tmp_path / "crawl" / "warc"))
    asked = Counter(hit.path for hit in web.hits)
    assert counted["response"] + counted["revisit"] == counted["request"] == counted["metadata"] == asked
    assert asked["/shaky"] == 2
    copies = {path for path in asked if path.startswith("/copy")}
    assert len(copies) == len(copies & (counted["revisit"].keys() | counted["response"].keys())) > 3
    assert counted["revisit"].total() >= len(copies)
    assert counted["warcinfo"].total() == 1
    told = await run_command("status", str(tmp_path / "crawl"), "--json")
    size_bytes = sum(path.stat().st_size for path in (tmp_path / "crawl" / "warc").iterdir())
    assert told["warc"] == {
        "directory": "warc", "responses": counted["response"].total(), "revisits": counted["revisit"].total(),
        "left_out": 0, "files": 1, "bytes": size_bytes,
    }  # fmt: skip


async def test_the_archive_replays_as_the_site_was(tmp_path: Path) -> None:
    """A server that has nothing but the archive gives each page's body and header lines as the origin gave them."""
    async with counting_web(_site) as web:
        first = await _crawl(web, tmp_path / "first")
    records = [record for path in (tmp_path / "first" / "warc").iterdir() for record in iterate_warc(path)]
    async with counting_web(_replay(records)) as replayed:
        second = await _crawl(replayed, tmp_path / "second")
    assert second == first
    assert first["/copy1"] == first["/page1"] == (_page(1), 200)
    pages = {urlsplit(record.url).path: record for record in records if record.kind in ("response", "revisit")}
    cookies = [value for name, value in pages["/page1"].headers if name == "Set-Cookie"]
    assert cookies == ["a=1", "b=2"]


async def _crawl(web: CountingWeb, directory: Path) -> dict[str, tuple[bytes, int]]:
    settings = loopback_settings([f"{web.origins[0]}/page0"], warc={"directory": "warc"})
    async with weaver.open_crawl(settings, directory) as crawl:
        return {urlsplit(page.url).path: (page.body, page.status) async for page in crawl.run()}


def _replay(records: list[WarcRecord]) -> Callable[[Hit, int], Answer]:
    kept = {record.url: record for record in records if record.kind == "response"}
    heads = {urlsplit(record.url).path: record for record in records if record.kind in ("response", "revisit")}

    def answer(hit: Hit, _times: int) -> Answer:
        record = heads[hit.path]
        body = kept[record.refers_to].body if record.kind == "revisit" else record.body
        lines = {name.lower(): value for name, value in record.headers}
        assert lines["content-length"] == str(len(body))
        location = (("Location", lines["location"]),) if "location" in lines else ()
        return Answer(record.status, body, lines["content-type"], location)

    return answer


async def test_a_compressed_page_is_kept_decoded(tmp_path: Path) -> None:
    """The body is what the page says; how it was packed stays known under another name."""
    async with counting_web(_site) as web:
        await _crawl(web, tmp_path / "crawl")
    (path,) = (tmp_path / "crawl" / "warc").iterdir()
    (record,) = (found for found in iterate_warc(path) if found.url.endswith("/zipped1") and found.status == 200)
    names = dict(record.headers)
    assert names["X-Crawler-Content-Encoding"] == "gzip"
    assert names["X-Crawler-Content-Length"] == str(len(gzip.compress(_page(1))))
    assert names["Content-Length"] == str(len(_page(1)))


async def test_without_the_setting_nothing_is_archived(tmp_path: Path) -> None:
    """The archive is off unless it is asked for."""
    async with counting_web(_site) as web:
        settings = loopback_settings([f"{web.origins[0]}/page0"], crawl={"max_pages": 3})
        async with weaver.open_crawl(settings, tmp_path / "crawl") as crawl:
            await crawl.run_to_end()
    assert not (tmp_path / "crawl" / "warc").exists()


async def test_a_file_that_can_not_grow_stops_the_crawl(tmp_path: Path) -> None:
    """A disk that takes no more ends the crawl with an error; when it is resumed, nothing is missing or twice."""

    def noise(hit: Hit, times: int) -> Answer:
        if not hit.path.startswith("/page"):
            return _site(hit, times)
        links = b" ".join(b'<a href="/page%d">x</a>' % number for number in range(PAGES))
        words = b"".join(hashlib.sha256(b"%d %b" % (n, hit.path.encode())).hexdigest().encode() for n in range(300))
        return Answer(body=b"<p>%b</p>%b" % (words, links))

    directory = tmp_path / "crawl"
    async with counting_web(noise) as web:
        arguments = ("crawl", f"{web.origins[0]}/page0", "-o", str(directory), *FLAGS, "--set", "warc.compress=0")
        async with command(*arguments, file_bytes=600_000) as process:
            _, errors = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 1
        assert b"File too large" in errors
        await run_command("resume", str(directory), "--json", "-q")
    counted = _kinds(archive_of(directory / "warc"))
    assert counted["response"]["/page1"] == 1
    _assert_each_page_once(directory)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_a_killed_crawl_has_each_committed_page_archived_once(seed: int, tmp_path: Path) -> None:
    """Kill -9 at random moments, then resume: no page lacks its record, and none has two."""
    chance = random.Random(seed)
    directory = tmp_path / "crawl"
    async with counting_web(_site, latency_s=0.004) as web:
        start = ("crawl", f"{web.origins[0]}/page0", "-o", str(directory), *FLAGS, "--set", "warc.max_file=8KiB")
        for _ in range(6):
            arguments = ("resume", str(directory), "--json", "-q") if (directory / "crawl.db").exists() else start
            async with command(*arguments) as process:
                end = asyncio.ensure_future(process.wait())
                hits = asyncio.ensure_future(web.wait_for_hits(len(web.hits) + chance.randint(3, 14)))
                await asyncio.wait([end, hits], return_when=asyncio.FIRST_COMPLETED)
                hits.cancel()
                await asyncio.wait([end], timeout=chance.uniform(0, 0.06))
                process.kill()
                await end
        await run_command("resume", str(directory), "--json", "-q")
    assert not list((directory / "warc").glob("*.open"))
    assert len(list((directory / "warc").iterdir())) > 3
    _assert_each_page_once(directory)


def _assert_each_page_once(directory: Path) -> None:
    counted = _kinds(archive_of(directory / "warc"))
    with closing(sqlite3.connect(directory / "crawl.db")) as connection:
        query = "SELECT url FROM pages JOIN urls USING (id) WHERE http_status != 0"
        visited = Counter(urlsplit(url).path for (url,) in connection.execute(query))
    archived = counted["response"] + counted["revisit"]
    # A retried answer has a record of its own, and robots.txt is asked for in each run.
    for path in ("/robots.txt", "/shaky"):
        archived.pop(path, None)
        visited.pop(path, None)
    assert archived == visited
