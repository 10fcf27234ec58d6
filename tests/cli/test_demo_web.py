"""The demo web: the same on every machine, and it answers as HTTP servers do."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from pathlib import Path

import pytest

from weaver.base.sources import load_settings
from weaver.cli.demo import demo_settings
from weaver.cli.demo_sites import SITE_NAMES, demo_sites
from weaver.cli.demo_web import DemoWeb, demo_web

ORIGINS = {name: f"http://127.0.0.1:{40_000 + number}" for number, name in enumerate(SITE_NAMES)}
CONTENT_SHA256 = "3758c29231f865100f2a8a5d367ba982092efb8b9f2694e1e23d91f3479f4dfb"


async def ask(web: DemoWeb, site: str, request: str) -> bytes:
    """What the server answers to raw bytes, until it closes."""
    port = int(web.origins[site].rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


def test_the_web_is_the_same_on_every_machine() -> None:
    """No page depends on time, chance, or the order of a set: a digest over all pages is frozen here."""
    digest = hashlib.sha256()
    for site in demo_sites(ORIGINS):
        for path, page in sorted(site.pages.items()):
            body = gzip.decompress(page.body) if page.headers == (("Content-Encoding", "gzip"),) else page.body
            digest.update(f"{site.name} {path} {page.status} {page.content_type} {page.headers}\n".encode() + body)
    assert digest.hexdigest() == CONTENT_SHA256


def test_the_web_has_its_promised_size() -> None:
    """Four hosts hold well over a hundred pages, traps aside."""
    sites = demo_sites(ORIGINS)
    assert [site.name for site in sites] == list(SITE_NAMES)
    assert sum(len(site.pages) for site in sites) > 150


@pytest.mark.parametrize("path", ["/calendar/2026-01", "/calendar/1999-12-31", "/echo/", "/echo/again/again/"])
def test_the_traps_have_no_end(path: str) -> None:
    """The maze makes pages as long as one asks, each leading on."""
    maze = demo_sites(ORIGINS)[3]
    page = maze.dynamic(path)
    assert page is not None
    assert b"<a href=" in page.body


@pytest.mark.parametrize("path", ["/calendar/x-1", "/calendar/2026", "/echo/x", "/calendar/1-1" + "1" * 99, "/"])
def test_what_is_no_page_of_the_maze_is_none(path: str) -> None:
    """The maze answers no path that it did not link to."""
    assert demo_sites(ORIGINS)[3].dynamic(path) is None


async def test_the_server_speaks_http() -> None:
    """Status, length and body are right; HEAD has no body; keep-alive serves several requests on a connection."""
    async with demo_web() as web:
        answer = await ask(web, "almanac", "GET /robots.txt HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\n\r\n")
        head, _, rest = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert f"Content-Length: {rest.index(b'HTTP/1.1')}".encode() in head
        assert rest.endswith(b"\r\n\r\n")
        assert (await ask(web, "almanac", "GET /nowhere?x HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404 ")
        assert (await ask(web, "almanac", "POST / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 405 ")
        assert [(asked.target, asked.status) for asked in web.log] == [
            ("/robots.txt", 200), ("/", 200), ("/nowhere?x", 404), ("/", 405),
        ]  # fmt: skip


@pytest.mark.parametrize("request_text", ["", "\r\n\r\n", "GET\r\n\r\n", "x" * 70_000])
async def test_what_is_no_request_ends_the_connection(request_text: str) -> None:
    """A client that talks no HTTP is left alone, and the server goes on."""
    async with demo_web() as web:
        await ask(web, "maze", request_text)
        assert (await ask(web, "maze", "GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


def test_the_demo_uses_the_settings_that_configs_shows() -> None:
    """configs/demo.toml is what the demo crawls with, but for the limits that end the traps."""
    shown = load_settings(Path(__file__).parents[2] / "configs" / "demo.toml")
    used = demo_settings()
    assert used.fetch == shown.fetch
    assert used.memory == shown.memory
    assert (used.politeness.delay, used.politeness.contact) == (shown.politeness.delay, shown.politeness.contact)


def test_the_demo_may_have_another_budget() -> None:
    """`weaver demo --memory SIZE` crawls the demo web within that budget, and nothing else is different."""
    used = demo_settings(memory="3MiB")
    assert used.memory.budget == 3 << 20
    assert used.model_copy(update={"memory": demo_settings().memory}) == demo_settings()
