"""kill -9 with near duplicates: the crawl that is resumed ends with the clusters of one that nobody disturbed."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.counting_web import Answer, CountingWeb, Hit, counting_web
from tests.support.crawls import command, run_command

pytestmark = pytest.mark.slow

PAGES, STORIES = 200, 20
KILLS = 5
FLAGS = (
    "--json", "-q", "--allow-private", "--delay", "0", "--per-host", "4", "--concurrency", "4",
    "--set", "persistence.queue_pages=32", "--set", "persistence.commit_pages=8",
)  # fmt: skip


def _site(hit: Hit, _times: int) -> Answer:
    """Two hundred pages in a tree that tell twenty stories, each with words of its own at the end."""
    name = hit.path.removeprefix("/page")
    if not name.isdecimal() or int(name) >= PAGES:
        return Answer(404)
    number = int(name)
    links = "".join(f'<a href="/page{target}">.</a>' for target in (2 * number + 1, 2 * number + 2) if target < PAGES)
    story = " ".join(f"story{number % STORIES}word{word}" for word in range(200))
    return Answer(body=f"<title>Page</title><body>{links}{story} told by {number}".encode())


def _clusters(directory: Path) -> list[list[str]]:
    """The paths of each cluster's pages, in order; and as many pairs as they need."""
    clusters: dict[int, list[str]] = {}
    with closing(sqlite3.connect(directory / "crawl.db")) as connection:
        rows = connection.execute("SELECT representative_id, url FROM near_clusters JOIN urls ON urls.id = page_id")
        for cluster, url in rows.fetchall():
            clusters.setdefault(cluster, []).append("/" + url.rpartition("/")[2])
        ((pairs,),) = connection.execute("SELECT count(*) FROM near_duplicates").fetchall()
    assert pairs == sum(map(len, clusters.values())) - len(clusters)
    return sorted(sorted(members) for members in clusters.values())


async def _run_until(web: CountingWeb, hits: int, *arguments: str) -> None:
    """Kill -9 after so many requests."""
    async with command(*arguments) as process:
        end = asyncio.ensure_future(process.wait())
        moment = asyncio.ensure_future(web.wait_for_hits(hits))
        await asyncio.wait([end, moment], return_when=asyncio.FIRST_COMPLETED)
        moment.cancel()
        assert not end.done(), "the crawl goes on until it is killed"
        process.kill()
        await end


async def test_no_near_duplicate_is_lost_by_a_kill(tmp_path: Path) -> None:
    """Signatures are committed with their pages, under keys of one crawl: five kills change no cluster."""
    chance = random.Random(1)
    async with counting_web(_site, latency_s=0.004) as web:
        entry = f"{web.origins[0]}/page0"
        resume = ("resume", str(tmp_path), "--json", "-q")
        for kill in range(1, KILLS + 1):
            start = ("crawl", entry, "-o", str(tmp_path), *FLAGS)
            arguments = resume if (tmp_path / "crawl.db").exists() else start
            await _run_until(web, kill * 25 + chance.randint(0, 9), *arguments)
        last = await run_command(*resume)
    assert last["pages"]["near_duplicates"] == PAGES - STORIES
    stories = [[f"/page{number}" for number in range(story, PAGES, STORIES)] for story in range(STORIES)]
    assert _clusters(tmp_path) == sorted(map(sorted, stories))
