"""A process with few file descriptors: the crawl takes longer, and loses nothing."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.support.counting_web import Answer, Hit, counting_web
from tests.support.crawls import ROOT, Left

HOSTS = 30
PAGES_A_HOST = 4
LATENCY_S = 0.01


def _site(hit: Hit, _times: int) -> Answer:
    """Each host has a front page that links to three more, none like another's."""
    if hit.path == "/robots.txt":
        return Answer(body=b"User-agent: *\nDisallow: /private\n", content_type="text/plain")
    links = "".join(f'<a href="/{number}">{number}</a>' for number in range(1, PAGES_A_HOST)) if hit.path == "/" else ""
    return Answer(body=f"<html><body>{hit.url} {links}</body></html>".encode())


async def _crawl_with(limit: int, directory: Path, seeds: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", f'ulimit -n {limit} && exec "$@"', "sh",
        sys.executable, "-m", "weaver", "crawl", *seeds, "-o", str(directory), "--json", "-q", "--allow-private",
        "--delay", "0", "--concurrency", "500", "--per-host", "8",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()


@pytest.mark.slow
@pytest.mark.parametrize("limit", [64, 40])
async def test_few_descriptors_lose_no_page(limit: int, tmp_path: Path) -> None:
    """30 hosts, 500 requests wanted at once, 64 descriptors, or fewer than the reserve: every page is fetched."""
    async with counting_web(_site, [f"127.0.2.{number}" for number in range(1, HOSTS + 1)], LATENCY_S) as web:
        await _crawl_with(limit, tmp_path / "c", [f"{origin}/" for origin in web.origins])
    left = Left(tmp_path / "c")
    assert len(left.visited("fetched")) == len(left.states) == HOSTS * PAGES_A_HOST
    assert left.queued == 0
    assert {url: count for url, count in web.seen.items() if count > 1} == {}
