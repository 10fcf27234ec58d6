"""The demo web's server: four hosts on free loopback ports, standard library only, with a log of what was asked."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import NamedTuple

from weaver.cli.demo_sites import SITE_NAMES, DemoPage, DemoSite, Origins, demo_sites

ADDRESS = "127.0.0.1"
LOG_CAPACITY = 10_000
MAX_HEADER_BYTES = 16 << 10
IDLE_S = 30.0

_NOT_FOUND = DemoPage(b"<!doctype html><title>Not found</title><p>No such page.</p>\n", status=404)
_NOT_ALLOWED = DemoPage(b"GET and HEAD only.\n", "text/plain", 405)


class Asked(NamedTuple):
    """One request as the server saw it; times in monotonic seconds."""

    site: str
    target: str
    status: int
    started_at: float
    ended_at: float


class DemoWeb:
    """The four hosts while they are served; `log` keeps the newest requests, at most LOG_CAPACITY."""

    def __init__(self) -> None:
        self.origins: Origins = {}
        self.sites: dict[str, DemoSite] = {}
        self.log: deque[Asked] = deque(maxlen=LOG_CAPACITY)
        self._connections: set[asyncio.StreamWriter] = set()

    def __repr__(self) -> str:
        return f"DemoWeb(sites={len(self.sites)}, asked={len(self.log)})"

    @property
    def seed(self) -> str:
        """The page from which everything can be reached."""
        return f"{self.origins['almanac']}/"

    async def open(self, stack: contextlib.AsyncExitStack) -> None:
        """Listen on a free port for each host; `stack` closes them."""
        stack.callback(self._drop_connections)
        for name in SITE_NAMES:
            server = await asyncio.start_server(self._serve(name), ADDRESS, 0, limit=MAX_HEADER_BYTES)
            stack.callback(server.close)
            self.origins[name] = f"http://{ADDRESS}:{server.sockets[0].getsockname()[1]}"
        self.sites = {site.name: site for site in demo_sites(self.origins)}

    def _drop_connections(self) -> None:
        for writer in self._connections:
            writer.close()

    def _serve(self, name: str):  # type: ignore[no-untyped-def]
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._connections.add(writer)
            try:
                while await self._answer(name, reader, writer):
                    pass
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
                pass  # The client went away, fell silent or talks no HTTP: nothing is owed to it.
            finally:
                self._connections.discard(writer)
                writer.close()

        return serve

    async def _answer(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection ends with it."""
        async with asyncio.timeout(IDLE_S):
            head = await reader.readuntil(b"\r\n\r\n")
        started_at = time.monotonic()
        method, target, _ = (head.split(b"\r\n", 1)[0].decode("latin-1") + "  ").split(" ", 2)
        site = self.sites[name]
        if site.answer_s:
            await asyncio.sleep(site.answer_s)
        found = self._page(site, target) if method in ("GET", "HEAD") else _NOT_ALLOWED
        keeps_alive = b"connection: close" not in head.lower() and method in ("GET", "HEAD")
        writer.write(_message(found, with_body=method != "HEAD", keeps_alive=keeps_alive))
        await writer.drain()
        self.log.append(Asked(name, target, found.status, started_at, time.monotonic()))
        return keeps_alive

    def _page(self, site: DemoSite, target: str) -> DemoPage:
        path = target.partition("?")[0]
        return site.pages.get(path) or site.dynamic(path) or _NOT_FOUND


@contextlib.asynccontextmanager
async def demo_web() -> AsyncIterator[DemoWeb]:
    """The demo web, served until the context ends."""
    async with contextlib.AsyncExitStack() as stack:
        web = DemoWeb()
        await web.open(stack)
        yield web


def _message(page: DemoPage, *, with_body: bool, keeps_alive: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {page.status} {HTTPStatus(page.status).phrase}",
        f"Content-Type: {page.content_type}",
        f"Content-Length: {len(page.body)}",
        f"Connection: {'keep-alive' if keeps_alive else 'close'}",
        *(f"{name}: {value}" for name, value in page.headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + (page.body if with_body else b"")
