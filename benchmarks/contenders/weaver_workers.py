"""weaver with a number of worker processes: what its loop, its other threads and its workers take, a page."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.contenders.weaver_crawl import unhindered
from weaver.base.settings import Settings
from weaver.pipeline import Crawl, open_crawl

PATIENCE_S = 30.0


async def measured(settings: Settings, count: int, directory: Path) -> dict[str, Any]:
    """One crawl, from when its workers stand; CPU and wall in us a page."""
    async with open_crawl(settings, directory) as crawl:
        await _standing(crawl, count - 1)
        begun_s = sum(one["cpu_s"] for one in crawl.status()["workers"]["processes"])  # type: ignore[index]
        wall_s, loop_s, process_s = time.perf_counter(), time.thread_time(), time.process_time()
        await crawl.run_to_end()
        wall_s, loop_s = time.perf_counter() - wall_s, time.thread_time() - loop_s
        process_s = time.process_time() - process_s
        status, digest = crawl.status(), crawl.graph_digest
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    pages: Any = status["pages"]
    workers: Any = status["workers"]
    us = 1e6 / pages["fetched"]
    return {
        "pages": pages["fetched"],
        "digest": digest,
        "wall_us": wall_s * us,
        "loop_us": loop_s * us,
        "threads_us": (process_s - loop_s) * us,
        "workers_us": (usage.ru_utime + usage.ru_stime - begun_s) * us,
        "worker_rss_mib": max((one["rss_bytes"] / (1 << 20) for one in workers["processes"]), default=0.0),
        "worker_base_mib": max((one["base_rss_bytes"] / (1 << 20) for one in workers["processes"]), default=0.0),
    }


async def _standing(crawl: Crawl, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while crawl.status()["workers"]["running"] != count:  # type: ignore[index]  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


def main() -> None:
    """usage: python -m benchmarks.contenders.weaver_workers ENTRY CONCURRENCY WORKERS"""
    entry, concurrency, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    settings = unhindered(entry, concurrency)
    settings = settings.model_copy(update={"crawl": settings.crawl.model_copy(update={"workers": count})})
    with (
        tempfile.TemporaryDirectory(prefix="weaver-bench-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        print(json.dumps(runner.run(measured(settings, count, Path(folder) / "crawl"))))


if __name__ == "__main__":
    main()
