"""kill -9 at any moment: the crawl that is resumed ends as if nothing had happened, and asks for little twice."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.counting_web import Answer, CountingWeb, Hit, counting_web
from tests.support.crawls import Left, command, run_command

pytestmark = pytest.mark.slow

PAGES = 400
LATENCY_S = 0.004
CONCURRENCY = 8
QUEUE_PAGES = 32
ROUNDS = 5
KILLS_A_ROUND = 10
# What may be unknown to the disk at a kill: pages under way, and pages that wait for their commit (both are bounded).
UNCOMMITTED = CONCURRENCY + QUEUE_PAGES

FLAGS = (
    "--json", "-q", "--allow-private", "--delay", "0",
    "--per-host", str(CONCURRENCY), "--concurrency", str(CONCURRENCY),
    "--set", f"persistence.queue_pages={QUEUE_PAGES}", "--set", "persistence.commit_pages=8",
)  # fmt: skip


def _site(hit: Hit, _times: int) -> Answer:
    """A site of 400 pages: a tree with cross links, some pages under two names, redirects, canonicals, dead ends."""
    name = hit.path.removeprefix("/")
    if name == "robots.txt":
        return Answer(body=b"User-agent: *\nDisallow: /secret\n", content_type="text/plain")
    if name.startswith("old"):
        return Answer(301, headers=(("Location", f"/page{name[3:]}"),))
    if not name.startswith(("page", "copy")) or not 0 <= int(name[4:]) < PAGES:
        return Answer(404)
    return Answer(body=_page(int(name[4:])))


def _page(number: int) -> bytes:
    names = [f"page{2 * number + 1}", f"page{2 * number + 2}", f"page{number * 7 % PAGES}"]
    names += [f"old{number}"] * (number % 9 == 0) + [f"copy{number}"] * (number % 8 == 1)
    names += ["secret"] * (number % 50 == 0) + [f"missing{number}"] * (number % 40 == 0)
    links = "".join(f'<a href="/{name}">{name}</a> ' for name in names)
    canonical = f'<link rel="canonical" href="/page{number}">'
    text = f"Page {number} says what only page {number} says. " * 12
    return f"<html><head><title>Page {number}</title>{canonical}</head><body>{text}{links}</body></html>".encode()


def _committed(directory: Path) -> set[str]:
    """The URLs that the disk knows to be visited."""
    if not (directory / "crawl.db").exists():
        return set()
    with closing(sqlite3.connect(f"file:{directory / 'crawl.db'}?mode=ro", uri=True)) as connection:
        has_pages = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'pages'").fetchone()[0]
        rows = connection.execute("SELECT url FROM pages JOIN urls USING (id)").fetchall() if has_pages else []
    return {url for (url,) in rows}


async def _run_until_killed(web: CountingWeb, arguments: tuple[str, ...], chance: random.Random) -> bool:
    """Kill -9 after some more requests and a moment; whether it came to a kill before the crawl's end."""
    async with command(*arguments) as process:
        end = asyncio.ensure_future(process.wait())
        moment = asyncio.ensure_future(web.wait_for_hits(len(web.hits) + chance.randint(1, 2 * PAGES // KILLS_A_ROUND)))
        await asyncio.wait([end, moment], return_when=asyncio.FIRST_COMPLETED)
        moment.cancel()
        await asyncio.wait([end], timeout=chance.uniform(0, 0.06))
        has_ended = end.done()
        if not has_ended:
            process.kill()
            await end
        return not has_ended


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_a_killed_crawl_ends_like_an_undisturbed_one(seed: int, tmp_path: Path) -> None:
    """Ten kills at random moments: same pages, edges and digest; only what no commit had reached is asked for again."""
    chance = random.Random(seed)
    async with counting_web(_site, latency_s=LATENCY_S) as web:
        entry = f"{web.origins[0]}/page0"
        calm = await run_command("crawl", entry, "-o", str(tmp_path / "calm"), *FLAGS)
        calm_hits = Counter(web.seen)
        directory = tmp_path / "killed"
        start, resume = ("crawl", entry, "-o", str(directory), *FLAGS), ("resume", str(directory), "--json", "-q")
        kills = refetched = 0
        committed: set[str] = set()
        before = Counter(web.seen)
        while kills < KILLS_A_ROUND:
            first_hit = len(web.hits)
            if not await _run_until_killed(web, resume if (directory / "crawl.db").exists() else start, chance):
                break
            kills += 1
            again = {hit.url for hit in web.hits[first_hit:] if not hit.path.endswith("robots.txt")}
            assert again & committed == set(), "what was committed is not fetched again"
            committed = _committed(directory)
        first_hit = len(web.hits)
        last = await run_command(*resume)
        again = {hit.url for hit in web.hits[first_hit:] if not hit.path.endswith("robots.txt")}
        assert again & committed == set(), "what was committed is not fetched again"
    hits = web.seen - before
    refetched = sum(count - 1 for url, count in hits.items() if not url.endswith("robots.txt"))
    assert kills == KILLS_A_ROUND
    assert hits.keys() == calm_hits.keys()
    assert max(hits.values()) <= 1 + kills
    assert refetched <= kills * UNCOMMITTED
    _assert_same(Left(tmp_path / "calm"), Left(directory))
    assert last["graph_digest"] == calm["graph_digest"] != ""


def _assert_same(calm: Left, killed: Left) -> None:
    assert killed.integrity == "ok"
    assert killed.queued == calm.queued == 0
    assert killed.pages == calm.pages
    assert killed.edges_by_kind() == calm.edges_by_kind()
