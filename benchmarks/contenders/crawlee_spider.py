"""Crawlee on the same pages: its ParselCrawler with links of one host, nothing stored; only where it is installed.

As many requests at once as the others from the start, robots.txt as the others, on uvloop where that is there.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec

from crawlee import ConcurrencySettings
from crawlee.configuration import Configuration
from crawlee.crawlers import ParselCrawler, ParselCrawlingContext
from crawlee.storage_clients import MemoryStorageClient

from benchmarks.contenders.outcome import Stopwatch, pin


async def crawl(entry: str, concurrency: int) -> list[str]:
    """The URLs of all pages of the entry's host."""
    pages: list[str] = []
    crawler = ParselCrawler(
        concurrency_settings=ConcurrencySettings(
            min_concurrency=concurrency, max_concurrency=concurrency, desired_concurrency=concurrency
        ),
        configuration=Configuration(disable_browser_sandbox=True, purge_on_start=True),
        storage_client=MemoryStorageClient(),
        max_request_retries=0,
        respect_robots_txt_file=True,
        request_handler_timeout=timedelta(seconds=60),
        configure_logging=False,
    )

    @crawler.router.default_handler
    async def take(context: ParselCrawlingContext) -> None:
        pages.append(context.request.loaded_url or context.request.url)
        await context.enqueue_links(strategy="same-hostname")

    await crawler.run([entry])
    return pages


def main() -> None:
    """usage: python -m benchmarks.contenders.crawlee_spider ENTRY CONCURRENCY CORE"""
    pin(int(sys.argv[3]))
    logging.disable()
    stopwatch = Stopwatch()
    factory = import_module("uvloop").new_event_loop if find_spec("uvloop") else None
    with asyncio.Runner(loop_factory=factory) as runner:
        pages = runner.run(crawl(sys.argv[1], int(sys.argv[2])))
    stopwatch.stopped().report(pages)


if __name__ == "__main__":
    main()
