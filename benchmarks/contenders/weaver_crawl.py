"""weaver with everything on: robots, dedupe, graph, commits, and the graph's digest at the end."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import uvloop

from benchmarks.contenders.outcome import Stopwatch, pin
from weaver.analysis.disk_graph import open_graph
from weaver.base.settings import Settings
from weaver.base.sources import settings_from
from weaver.pipeline import open_crawl


async def crawl(settings: Settings, directory: Path) -> None:
    """One crawl from its first request to its last commit."""
    async with open_crawl(settings, directory) as running:
        await running.run_to_end()


def unhindered(entry: str, concurrency: int) -> Settings:
    """Settings for a server that is our own: no delay, and all connections at once."""
    return settings_from({
        "crawl": {"seeds": (entry,), "concurrency": concurrency},
        "politeness": {"delay": 0, "per_host": concurrency},
        "fetch": {"allow_private": True},
    })


def stored_pages(directory: Path) -> list[str]:
    """The URLs of the pages that were fetched."""
    with closing(sqlite3.connect(directory / "crawl.db")) as connection:
        query = "SELECT url FROM pages JOIN urls USING (id) WHERE state IN ('fetched', 'duplicate')"
        return [url for (url,) in connection.execute(query)]


def stored_links(directory: Path) -> int:
    """How many edges the pages have in all, each once a page."""
    with open_graph(directory) as graph:
        return graph.edges


def main() -> None:
    """usage: python -m benchmarks.contenders.weaver_crawl ENTRY CONCURRENCY CORE"""
    entry, concurrency, core = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    pin(core)
    settings = unhindered(entry, concurrency)
    with tempfile.TemporaryDirectory(prefix="weaver-bench-") as folder:
        directory = Path(folder) / "crawl"
        stopwatch = Stopwatch()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(crawl(settings, directory))
        elapsed = stopwatch.stopped()
        disk_mib = sum(path.stat().st_size for path in directory.iterdir()) / (1 << 20)
        elapsed.report(stored_pages(directory), disk_mib=disk_mib)


if __name__ == "__main__":
    main()
