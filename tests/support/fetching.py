"""A Fetcher for tests: over a real transport with small limits, closed when its block ends."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from weaver.base.clock import SystemClock
from weaver.base.page import Failure, Response, Task, TaskKind
from weaver.base.settings import FetchSettings
from weaver.fetch import Fetcher, build_fetcher
from weaver.fetch.aiohttp_transport import AiohttpTransport
from weaver.fetch.resolver import Lookup
from weaver.fetch.wire import RATE_WINDOW_S
from weaver.memory.admission import ByteGate
from weaver.memory.budget import Account

USER_AGENT = "weaver-test/1 (+https://example.org/)"


@asynccontextmanager
async def fetching(
    *,
    lookup: Lookup | None = None,
    tls: ssl.SSLContext | None = None,
    rate_window_s: float = RATE_WINDOW_S,
    private_headers_for: frozenset[str] = frozenset(),
    concurrency: int = 8,
    bodies_bytes: int = 1 << 30,
    keeps_exchange: bool = False,
    **settings: Any,
) -> AsyncIterator[Fetcher]:
    """A Fetcher that may visit loopback, unless the settings say otherwise."""
    wanted = FetchSettings(**({"allow_private": True, "timeout": 5.0, "connect_timeout": 2.0} | settings))
    clock = SystemClock()
    bodies = ByteGate(Account("bodies", bodies_bytes))
    transport = AiohttpTransport(
        wanted, concurrency, clock, bodies, Account("names", 1 << 20), lookup=lookup, tls=tls,
        rate_window_s=rate_window_s, keeps_exchange=keeps_exchange,
    )  # fmt: skip
    fetcher = replace(
        build_fetcher(wanted, USER_AGENT, concurrency, private_headers_for, clock, transport), bodies=bodies
    )
    try:
        yield fetcher
    finally:
        await fetcher.close()


def page(url: str) -> Task:
    """A task for a page."""
    return Task(1, url, 1)


def robots(url: str) -> Task:
    """A task for a robots.txt."""
    return Task(0, url, 1, kind=TaskKind.ROBOTS, robots_for=1)


async def response_to(fetcher: Fetcher, url: str) -> Response:
    """The response to a page's request; a failure fails the test."""
    fetched = await fetcher.get(page(url))
    assert isinstance(fetched, Response), fetched
    return fetched


async def failure_of(fetcher: Fetcher, url: str) -> Failure:
    """Why a page's request brought no response; one that did fails the test."""
    fetched = await fetcher.get(page(url))
    assert isinstance(fetched, Failure), fetched
    return fetched
