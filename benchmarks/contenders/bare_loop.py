"""The yardstick: aiohttp, selectolax, ada-url and a set; it fetches, parses and normalises, and keeps nothing."""

from __future__ import annotations

import asyncio
import sys

import aiohttp
import uvloop
import yarl
from ada_url import join_url
from selectolax.lexbor import LexborHTMLParser

from benchmarks.contenders.outcome import Stopwatch, pin


async def crawl(entry: str, concurrency: int) -> list[str]:
    """The URLs of all pages of the entry's origin that answered with 200."""
    origin = entry[: entry.index("/", 8) + 1]
    known = {entry}
    waiting: asyncio.Queue[str] = asyncio.Queue()
    waiting.put_nowait(entry)
    pages: list[str] = []

    async def work(session: aiohttp.ClientSession) -> None:
        while True:
            url = await waiting.get()
            async with session.get(yarl.URL(url, encoded=True), allow_redirects=False) as response:
                body = await response.read()
                if response.status == 200:
                    pages.append(url)
                    if response.content_type in ("text/html", "application/xhtml+xml"):
                        take_links(url, body)
            waiting.task_done()

    def take_links(base: str, body: bytes) -> None:
        for node in LexborHTMLParser(body).tags("a"):
            href = node.attributes.get("href")
            if href is None:
                continue
            try:
                url = join_url(base, href).partition("#")[0]
            except ValueError:
                continue
            if url.startswith(origin) and url not in known:
                known.add(url)
                waiting.put_nowait(url)

    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        workers = [asyncio.create_task(work(session)) for _ in range(concurrency)]
        await waiting.join()
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return pages


def main() -> None:
    """usage: python -m benchmarks.contenders.bare_loop ENTRY CONCURRENCY CORE"""
    pin(int(sys.argv[3]))
    stopwatch = Stopwatch()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        pages = runner.run(crawl(sys.argv[1], int(sys.argv[2])))
    stopwatch.stopped().report(pages)


if __name__ == "__main__":
    main()
