"""Scrapy on the same pages: its own link extractor and duplicate filter, nothing kept; only where it is installed.

No delay, no throttle, as many requests at once as the others, robots.txt as the others, on uvloop where that is there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from urllib.parse import urlsplit

from scrapy import Spider
from scrapy.crawler import CrawlerProcess
from scrapy.http import Response, TextResponse
from scrapy.linkextractors import LinkExtractor

from benchmarks.contenders.outcome import Stopwatch, pin

PAGES: list[str] = []


class Site(Spider):
    """Follows every link of one host."""

    name = "site"

    def __init__(self, entry: str) -> None:
        super().__init__()
        self.start_urls = [entry]
        self.links = LinkExtractor(allow_domains=[urlsplit(entry).netloc], deny_extensions=[])

    def parse(self, response: Response) -> Iterator[object]:
        """Count the page; follow its links where it is HTML."""
        PAGES.append(response.url)
        if isinstance(response, TextResponse) and "html" in response.headers.get("Content-Type", b"").decode():
            for link in self.links.extract_links(response):
                yield response.follow(link.url)


def main() -> None:
    """usage: python -m benchmarks.contenders.scrapy_spider ENTRY CONCURRENCY CORE"""
    entry, concurrency, core = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    pin(core)
    process = CrawlerProcess({
        "CONCURRENT_REQUESTS": concurrency,
        "CONCURRENT_REQUESTS_PER_DOMAIN": concurrency,
        "DOWNLOAD_DELAY": 0,
        "LOG_ENABLED": False,
        "ROBOTSTXT_OBEY": True,
        "TELNETCONSOLE_ENABLED": False,
        "COOKIES_ENABLED": False,
        "RETRY_ENABLED": False,
        "AUTOTHROTTLE_ENABLED": False,
        "ASYNCIO_EVENT_LOOP": "uvloop.Loop" if find_spec("uvloop") else None,
    })
    process.crawl(Site, entry=entry)
    stopwatch = Stopwatch()
    process.start()
    stopwatch.stopped().report(PAGES)


if __name__ == "__main__":
    main()
