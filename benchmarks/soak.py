"""Soak: whether memory and speed stay flat over a long crawl of a computed web, and what each account takes meanwhile.

`python -m benchmarks.soak --pages 100000 --memory 256MiB` prints a text chart and leaves an SVG in benchmarks/results/;
`--json` prints the figures instead. The web is finite and crawled to its end, so the pages are the same at each budget
(`pages_digest`); `--endless` makes it ten times as large and stops after so many pages: the queue grows all the while.
`own_` pauses and stalls leave out what the thread waited for a core. `--collector default` leaves Python's garbage
collector alone: what tuning it gains in full collections, page times and CPU.
`--near 0.1` makes a tenth of the pages near duplicates; `recognised` tells how many of them, and of the exact copies
(`--duplicates`), were found, against what the web is by construction. `--near-share 0.002` gives the index of near
duplicates so little of the budget that it finds most of them on disk.
With `--directory` the crawl is kept, and `--resume` measures how long it takes to go on from it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from xxhash import xxh3_64_intdigest

from benchmarks.soak_chart import MIB, chart, svg
from benchmarks.soak_targets import PageTimes, targets
from benchmarks.soak_truth import recognised
from benchmarks.soak_watch import SAMPLES, Figures, Pauses, Sample, Watch, database_bytes, rss, written_bytes
from benchmarks.soak_web import COPIES_SHARE, HOSTS, LEAF, SoakWeb
from weaver.base.settings import CrawlSettings, MemorySettings, PolitenessSettings, ScopeSettings, Settings
from weaver.base.units import parse_size
from weaver.cli.running import loop_factory
from weaver.memory.budget import DEFAULT_SHARES, Budget
from weaver.memory.meter import peak_rss_bytes
from weaver.persistence import CrawlDirectory
from weaver.pipeline import open_crawl

RESULTS = Path(__file__).parent / "results"
# Known URLs for each page, of which most are never fetched: the seen table must hold ten times what is crawled.
LEAVES = 13
ENDLESS_TIMES = 10
WARM_UP = 0.2
# Links are sealed for the first time once `persistence.seal_pages` wait: from then on 2 to 3 MiB more are resident.
WARM_UP_PAGES = 18_000
MOST_WARM_UP = 0.5


def settings_for(
    web: SoakWeb,
    memory: str,
    max_pages: int | None,
    max_seconds: float | None,
    collector: Literal["tuned", "default"] = "tuned",
) -> Settings:
    """No delay, 8 requests a host, any host; leaf URLs are known and never fetched."""
    return Settings(
        crawl=CrawlSettings(seeds=(web.address(0),), max_pages=max_pages, max_duration=max_seconds),
        scope=ScopeSettings(mode="any", exclude=(LEAF,)),
        politeness=PolitenessSettings(delay=0.0, per_host=8),
        memory=MemorySettings(budget=parse_size(memory), collector=collector),
    )


def with_near_share(share: float | None) -> Callable[[int], Budget]:
    """What makes the budget of a crawl: with this share of it for near duplicates where it is not the usual one."""
    shares = DEFAULT_SHARES if share is None else {**DEFAULT_SHARES, "near": share}
    return lambda limit_bytes: Budget(limit_bytes, shares)


async def soak(
    web: SoakWeb, settings: Settings, pages: int, directory: Path, near_share: float | None = None
) -> Figures:
    """Crawl the web to its end, watched; the figures."""
    gc.collect()
    baseline, written_before = rss(), written_bytes()
    make_budget = with_near_share(near_share)
    async with open_crawl(settings, directory, transport=web, make_budget=make_budget) as crawl:
        watch, page_times = Watch(crawl, web, pages), PageTimes(crawl)
        with Pauses() as pauses:
            async with watch.ticking():
                reason = await crawl.run_to_end()
        watch.samples.append(watch.sample())
        # Before the figures are reckoned: a fit by least squares alone takes 7 MiB.
        peak_bytes = peak_rss_bytes()
        status: Any = crawl.status()
        graph_digest = crawl.graph_digest
    samples = watch.samples
    return {
        "exit_reason": reason.value,
        "memory_errors": watch.memory_errors,
        **targets(warm(samples[:-1]), page_times.spread, status["memory"]["collector"]["collections"], status["cpu_s"]),
        **slope_and_peak(samples, baseline, peak_bytes),
        "throughput_first_tenth": pace(samples[: SAMPLES // 10 + 1]),
        "throughput_last_tenth": pace(samples[-SAMPLES // 10 - 2 : -1]),
        "wall_s": round(samples[-1].at_s, 1),
        "cpu_s": status["cpu_s"],
        "finish_s": round(samples[-1].at_s - samples[-2].at_s, 1) if len(samples) > 1 else 0.0,
        "gc_pauses_ms": pauses.all.figures(),
        "own_gc_pauses_ms": pauses.own.figures(),
        "stalls_ms": watch.stalls.figures(),
        "own_stalls_ms": watch.own_stalls.figures(),
        "known_urls": samples[-1].known_urls,
        "pages": status["pages"],
        "dedupe": status["dedupe"],
        "graph": status["graph"],
        "database_mib": mib(samples[-1].database),
        "written_kib_a_page": round((written_bytes() - written_before) / max(1, web.served) / 1024, 1),
        "fds": [min(s.fds for s in samples), max(s.fds for s in samples)],
        "tasks": [min(s.tasks for s in samples), max(s.tasks for s in samples)],
        "rungs": dict(watch.rungs),
        **memory_of(status["memory"]),
        "graph_digest": graph_digest,
        "samples": [asdict(sample) for sample in samples],
    }


def memory_of(memory: Figures) -> Figures:
    """What the crawl itself says of its memory at the end."""
    stores = memory.get("stores", {})
    return {
        **{name: memory.get(name) for name in ("rung", "governor", "collector", "allocator")},
        "reseen": {name: store["reseen"] for name, store in stores.items() if "reseen" in store},
        "stores": stores,
        "pools": memory.get("pools", {}),
        "accounts": memory["accounts"],
    }


def slope_and_peak(samples: list[Sample], baseline: int, peak_bytes: int) -> Figures:
    """How RSS grew: least squares over the pages after the warm-up, the end of the run (settling) apart.

    Beside the slope its standard error: a short run has few samples, and RSS moves in steps.
    """
    running = samples[:-1]
    late = warm(running)
    slope, error = slope_of(late)
    slope_of_half, _ = slope_of(running[len(running) // 2 :])
    untracked = [s.rss - baseline - sum(s.accounts.values()) for s in running or samples]
    return {
        "rss_slope_mib_per_100k_pages": slope,
        "rss_slope_error_mib_per_100k_pages": error,
        "rss_slope_last_half_mib_per_100k_pages": slope_of_half,
        "rss_from_to_mib": [mib(min(s.rss for s in late)), mib(max(s.rss for s in late))] if late else [],
        "peak_rss_mib": mib(peak_bytes),
        "peak_sampled_rss_mib": mib(max(sample.rss for sample in samples)),
        "baseline_rss_mib": mib(baseline),
        "untracked_mib": mib(untracked[-1]),
        "untracked_from_to_mib": [mib(min(untracked)), mib(max(untracked))],
    }


def warm(samples: list[Sample]) -> list[Sample]:
    """Those after the first fifth of the pages, and after the first pass of sealing where that leaves half of them."""
    if not samples:
        return []
    pages = samples[-1].pages
    warm_up = max(WARM_UP * pages, min(WARM_UP_PAGES, MOST_WARM_UP * pages))
    return [sample for sample in samples if sample.pages > warm_up]


def slope_of(samples: list[Sample]) -> tuple[float, float]:
    """The slope of RSS in MiB per 100,000 pages by least squares, and its standard error; zeros for too few."""
    if len(samples) < 4:
        return 0.0, 0.0
    pages, sizes = [sample.pages / 1e5 for sample in samples], [sample.rss / MIB for sample in samples]
    (slope, _), covariance = np.polyfit(pages, sizes, 1, cov=True)
    return round(float(slope), 3), round(float(covariance[0, 0]) ** 0.5, 3)


def pace(samples: list[Sample]) -> float:
    """Pages a second between the first of these samples and the last."""
    if len(samples) < 2:
        return 0.0
    return round((samples[-1].pages - samples[0].pages) / (samples[-1].at_s - samples[0].at_s), 1)


def mib(size_bytes: float) -> float:
    """Bytes as MiB."""
    return round(size_bytes / MIB, 2)


def pages_digest(directory: Path) -> tuple[int, str]:
    """How many pages a server answered with 200, and one number over their URLs, whatever their order."""
    connection = CrawlDirectory.open_existing(directory).connect_readonly()
    with contextlib.closing(connection):
        rows = connection.execute("SELECT url FROM pages JOIN urls USING (id) WHERE http_status = 200")
        pages = total = 0
        for (url,) in rows:
            pages += 1
            total += xxh3_64_intdigest(url.encode())
    return pages, f"{total % 2**64:016x}"


async def resumed(web: SoakWeb, settings: Settings, directory: Path) -> Figures:
    """How long a crawl takes to open again, and then to its first request; what it takes in RAM by then."""
    gc.collect()
    baseline, began_at = rss(), time.perf_counter()
    async with open_crawl(settings, directory, resume=True, transport=web) as crawl:
        opened_at, opened_rss = time.perf_counter(), rss()
        running = asyncio.create_task(crawl.run_to_end())
        asked = asyncio.create_task(web.asked.wait())
        await asyncio.wait([running, asked], return_when=asyncio.FIRST_COMPLETED)
        first_at = time.perf_counter()
        status: Any = crawl.status()
        crawl.stop()
        await asyncio.wait([running])
        asked.cancel()
    return {
        "open_s": round(opened_at - began_at, 3),
        "first_fetch_s": round(first_at - began_at, 3) if web.asked.is_set() else None,
        "rss_after_open_mib": mib(opened_rss - baseline),
        "known_urls": status["urls"]["known"],
        "queued": status["urls"]["queued"],
        "database_mib": mib(database_bytes(directory)),
        "accounts_mib": {tag: mib(account["used"]) for tag, account in status["memory"]["accounts"].items()},
    }


def main() -> None:
    """Run what was asked for, keep the drawing, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=100_000)
    parser.add_argument("--memory", default="256MiB")
    parser.add_argument("--collector", choices=("tuned", "default"), default="tuned")
    parser.add_argument("--hosts", type=int, default=HOSTS)
    parser.add_argument("--duplicates", type=float, default=COPIES_SHARE, help="share of exact copies, up to 0.3")
    parser.add_argument("--near", type=float, default=0.0, help="share of near duplicates, up to 0.5")
    parser.add_argument("--near-share", type=float, help="share of the budget for the index of near duplicates")
    parser.add_argument("--max-seconds", type=float, help="end the crawl then, wherever it is")
    parser.add_argument("--endless", action="store_true", help="stop at --pages of a web of ten times as many")
    parser.add_argument("--directory", type=Path, help="keep the crawl there")
    parser.add_argument("--resume", action="store_true", help="measure a resume of --directory, with the same options")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the drawing goes")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.resume and arguments.directory is None:
        parser.error("--resume needs --directory")
    figures = run(arguments)
    if not arguments.resume:
        arguments.results.mkdir(parents=True, exist_ok=True)
        name = f"soak-{arguments.pages}-{arguments.memory}-{datetime.now(UTC):%Y%m%d-%H%M%S}.svg"
        drawing = arguments.results / name
        drawing.write_text(svg(figures), "utf-8")
        figures["drawing"] = str(drawing)
    if arguments.json or arguments.resume:
        print(json.dumps(figures, indent=1))
    else:
        print("\n".join(chart(figures)))


def run(arguments: argparse.Namespace) -> Figures:
    """The soak, or the resume, in an event loop of its own."""
    is_endless, pages = arguments.endless, arguments.pages
    web = SoakWeb(
        pages * ENDLESS_TIMES if is_endless else pages, arguments.hosts, 0 if is_endless else LEAVES,
        duplicates=arguments.duplicates, near=arguments.near,
    )  # fmt: skip
    max_pages = pages if is_endless and not arguments.resume else None
    settings = settings_for(web, arguments.memory, max_pages, arguments.max_seconds, arguments.collector)
    with contextlib.ExitStack() as stack:
        directory = arguments.directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        runner = stack.enter_context(asyncio.Runner(loop_factory=loop_factory(settings)))
        if arguments.resume:
            return runner.run(resumed(web, settings, directory))
        figures = runner.run(soak(web, settings, pages, directory, arguments.near_share))
        ok_pages, digest = pages_digest(directory)
        found = recognised(web, directory)
    asked = {"asked_pages": pages, "hosts": arguments.hosts, "budget_mib": mib(settings.memory.budget)}
    return {**asked, "ok_pages": ok_pages, "pages_digest": digest, "recognised": found, **figures}


if __name__ == "__main__":
    main()
