"""Politeness by the server's own clock: no host is ever asked twice within its delay, whatever happens."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.counting_web import Answer, Hit, counting_web
from tests.support.crawls import crawl, loopback_settings

HOSTS = 40
PAGES_A_HOST = 256
DELAY_S = 0.02
CRAWL_DELAY_S = 0.04
RETRY_AFTER_S = 1
MAX_HOSTS = 8
REQUESTS = 10_000
# Two clock readings of one process: what a float of monotonic seconds can hold, no more.
CLOCK_S = 1e-6


def _answer(hit: Hit, times: int) -> Answer:
    """A web that redirects, refuses and hangs up now and then; the first host asks for a longer pause."""
    if hit.path == "/robots.txt":
        return _robots(hit, times)
    number = int(hit.path.removeprefix("/moved").removeprefix("/"))
    if hit.path.startswith("/moved"):
        return Answer(302, headers=(("Location", f"/{number}"),))
    if number % 120 == 50 and times == 1:
        return Answer(503, headers=(("Retry-After", str(RETRY_AFTER_S)),))
    if number % 120 == 70 and times == 1:
        return Answer(is_reset=True)
    return Answer(body=_page(number))


def _robots(hit: Hit, times: int) -> Answer:
    delay = f"Crawl-delay: {CRAWL_DELAY_S}\n" if "127.0.1.1:" in hit.origin else ""
    if "127.0.1.2:" in hit.origin and times == 1:
        return Answer(is_reset=True)
    return Answer(body=f"User-agent: *\n{delay}Disallow: /private\n".encode(), content_type="text/plain")


def _page(number: int) -> bytes:
    children = [child for child in (2 * number + 1, 2 * number + 2) if child < PAGES_A_HOST]
    links = "".join(f'<a href="/{"moved" * (child % 10 == 4)}{child}">{child}</a>' for child in children)
    return f"<html><body>page {number} {links}</body></html>".encode()


@pytest.mark.slow
async def test_no_two_requests_to_a_host_are_closer_than_its_delay(tmp_path: Path) -> None:
    """10,000 requests to 40 hosts, with redirects, refusals, resets and room for the state of 8 hosts only."""
    async with counting_web(_answer, [f"127.0.1.{number}" for number in range(1, HOSTS + 1)]) as web:
        settings = loopback_settings(
            [f"{origin}/0" for origin in web.origins],
            politeness={"delay": DELAY_S, "per_host": 1, "max_hosts": MAX_HOSTS, "max_backoff": 1},
            crawl={"concurrency": 64},
        )
        ended = await crawl(settings, tmp_path / "polite")
    assert ended.reason == "finished"
    assert len(web.hits) >= REQUESTS
    assert ended.status["memory"]["accounts"]["hosts"]["evicted"] > HOSTS, "the cap forced host state out"
    by_origin: dict[str, list[Hit]] = defaultdict(list)
    for hit in web.hits:
        by_origin[hit.origin].append(hit)
    for origin, hits in by_origin.items():
        delay_s = CRAWL_DELAY_S if "127.0.1.1:" in origin else DELAY_S
        for earlier, later in pairwise(hits):
            assert later.at - earlier.at >= _pause_after(earlier, hits, delay_s) - CLOCK_S, (earlier, later)


def _pause_after(hit: Hit, hits: list[Hit], delay_s: float) -> float:
    """The host's delay, or what it asked for when it refused."""
    is_first = next(other for other in hits if other.path == hit.path) is hit
    is_refused = hit.path[1:].isdigit() and int(hit.path[1:]) % 120 == 50 and is_first
    return RETRY_AFTER_S if is_refused else delay_s
