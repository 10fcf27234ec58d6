"""Soak: whether memory and speed stay flat over a long crawl of a computed web, and what each account takes meanwhile.

`python -m benchmarks.soak --pages 100000 --memory 256MiB` prints a text chart and leaves an SVG in benchmarks/results/;
`--json` prints the figures instead. The web is finite and crawled to its end, so the pages are the same at each budget
(`pages_digest`); `--endless` makes it ten times as large and stops after so many pages: the queue grows all the while.
With `--directory` the crawl is kept, and `--resume` measures how long it takes to go on from it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import resource
import tempfile
import time
from array import array
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from xxhash import xxh3_64_intdigest

from benchmarks.soak_web import HOSTS, LEAF, SoakWeb
from weaver.base.settings import CrawlSettings, MemorySettings, PolitenessSettings, ScopeSettings, Settings
from weaver.base.units import parse_size
from weaver.cli.running import loop_factory
from weaver.memory.meter import peak_rss_bytes
from weaver.persistence import CrawlDirectory
from weaver.pipeline import Crawl, open_crawl

RESULTS = Path(__file__).parent / "results"
MIB = 1 << 20
SAMPLES = 50
TICK_S = 0.01
# Known URLs for each page, of which most are never fetched: the seen table must hold ten times what is crawled.
LEAVES = 13
ENDLESS_TIMES = 10
WARM_UP = 0.2
COLOURS = ("#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#edc948", "#b07aa1", "#ff9da7", "#9c755f")
CHART_COLUMNS = 40

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """The process at one moment: bytes, `at_s` seconds since the crawl was opened, and each account's used bytes."""

    pages: int
    at_s: float
    known_urls: int
    queued: int
    rss: int
    fds: int
    tasks: int
    database: int
    accounts: Mapping[str, int]


class Pauses:
    """How long each collection of the garbage collector took, by its own callbacks; in ms."""

    def __init__(self) -> None:
        self.pauses_ms = array("d")
        self._began_at = 0.0

    def __enter__(self) -> Pauses:
        gc.callbacks.append(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        gc.callbacks.remove(self._note)

    def _note(self, phase: str, _info: Mapping[str, int]) -> None:
        if phase == "start":
            self._began_at = time.perf_counter()
        else:
            self.pauses_ms.append((time.perf_counter() - self._began_at) * 1e3)


class Watch:
    """Samples one crawl while it runs: a tick of 10 ms whose lateness is the event loop's stall."""

    def __init__(self, crawl: Crawl, web: SoakWeb, pages: int) -> None:
        self._crawl = crawl
        self._web = web
        self._step = max(1, pages // SAMPLES)
        self._began_at = time.perf_counter()
        self.stalls_ms = array("d")
        self.samples: list[Sample] = []

    @contextlib.asynccontextmanager
    async def ticking(self) -> AsyncIterator[None]:
        """Sample while the block runs."""
        task = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _tick(self) -> None:
        next_pages = self._step
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK_S)
            self.stalls_ms.append(max(0.0, time.perf_counter() - before - TICK_S) * 1e3)
            if self._web.served >= next_pages:
                next_pages += self._step
                self.samples.append(self.sample())

    def sample(self) -> Sample:
        """The process now."""
        status: Any = self._crawl.status()
        return Sample(
            self._web.served,
            time.perf_counter() - self._began_at,
            status["urls"]["known"],
            status["urls"]["queued"],
            rss(),
            sum(1 for _ in Path("/proc/self/fd").iterdir()),
            len(asyncio.all_tasks()),
            database_bytes(self._crawl.directory),
            {tag: account["used"] for tag, account in status["memory"]["accounts"].items()},
        )


def rss() -> int:
    """Resident bytes of this process."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


def database_bytes(directory: Path) -> int:
    """The database with its log."""
    return sum(path.stat().st_size for path in directory.glob("crawl.db*"))


def settings_for(web: SoakWeb, memory: str, max_pages: int | None) -> Settings:
    """No delay, 8 requests a host, any host; leaf URLs are known and never fetched."""
    return Settings(
        crawl=CrawlSettings(seeds=(web.address(0),), max_pages=max_pages),
        scope=ScopeSettings(mode="any", exclude=(LEAF,)),
        politeness=PolitenessSettings(delay=0.0, per_host=8),
        memory=MemorySettings(budget=parse_size(memory)),
    )


async def soak(web: SoakWeb, settings: Settings, pages: int, directory: Path) -> Figures:
    """Crawl the web to its end, watched; the figures."""
    gc.collect()
    baseline = rss()
    async with open_crawl(settings, directory, transport=web) as crawl:
        watch = Watch(crawl, web, pages)
        with Pauses() as pauses:
            async with watch.ticking():
                reason = await crawl.run_to_end()
        watch.samples.append(watch.sample())
        status: Any = crawl.status()
        graph_digest = crawl.graph_digest
    samples = watch.samples
    return {
        "exit_reason": reason.value,
        **slope_and_peak(samples, baseline),
        "throughput_first_tenth": pace(samples[: SAMPLES // 10 + 1]),
        "throughput_last_tenth": pace(samples[-SAMPLES // 10 - 2 : -1]),
        "wall_s": round(samples[-1].at_s, 1),
        "cpu_s": status["cpu_s"],
        "finish_s": round(samples[-1].at_s - samples[-2].at_s, 1) if len(samples) > 1 else 0.0,
        "gc_pauses_ms": spread(pauses.pauses_ms),
        "stalls_ms": spread(watch.stalls_ms),
        "known_urls": samples[-1].known_urls,
        "pages": status["pages"],
        "dedupe": status["dedupe"],
        "graph": status["graph"],
        "database_mib": mib(samples[-1].database),
        "fds": [min(s.fds for s in samples), max(s.fds for s in samples)],
        "tasks": [min(s.tasks for s in samples), max(s.tasks for s in samples)],
        "accounts": status["memory"]["accounts"],
        "graph_digest": graph_digest,
        "samples": [asdict(sample) for sample in samples],
    }


def slope_and_peak(samples: list[Sample], baseline: int) -> Figures:
    """How RSS grew: least squares over the last 80 % of the pages, the end of the run (settling) apart."""
    running = samples[:-1]
    late = [sample for sample in running if sample.pages > WARM_UP * running[-1].pages] if running else []
    slope = float(np.polyfit([s.pages for s in late], [s.rss for s in late], 1)[0]) if len(late) > 1 else 0.0
    last = samples[-2:][0]
    return {
        "rss_slope_mib_per_100k_pages": round(slope * 1e5 / MIB, 3),
        "peak_rss_mib": mib(peak_rss_bytes()),
        "peak_sampled_rss_mib": mib(max(sample.rss for sample in samples)),
        "baseline_rss_mib": mib(baseline),
        "untracked_mib": mib(last.rss - baseline - sum(last.accounts.values())),
    }


def pace(samples: list[Sample]) -> float:
    """Pages a second between the first of these samples and the last."""
    if len(samples) < 2:
        return 0.0
    return round((samples[-1].pages - samples[0].pages) / (samples[-1].at_s - samples[0].at_s), 1)


def spread(values: array[float]) -> Figures:
    """Percentiles of a number of measurements."""
    shares = {"p50": 50.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}
    found = np.percentile(values, list(shares.values())).round(2).tolist() if len(values) else [0.0] * len(shares)
    return {"count": len(values), **dict(zip(shares, found, strict=True))}


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


def bands(samples: list[Figures], baseline: float) -> dict[str, list[float]]:
    """MiB by account, the baseline first and what no account knows last, for each sample."""
    tags = [tag for tag in samples[0]["accounts"] if any(sample["accounts"][tag] for sample in samples)]
    rows = {"baseline": [baseline] * len(samples)}
    rows |= {tag: [sample["accounts"][tag] / MIB for sample in samples] for tag in tags}
    known = [sum(column) for column in zip(*rows.values(), strict=True)]
    rows["untracked"] = [max(0.0, s["rss"] / MIB - total) for s, total in zip(samples, known, strict=True)]
    return rows


def svg(figures: Figures) -> str:
    """Memory by account against pages, stacked, with the budget above the baseline as a dashed line."""
    samples = figures["samples"]
    rows = bands(samples, figures["baseline_rss_mib"])
    limit = figures["budget_mib"] + figures["baseline_rss_mib"]
    width, height, left, top = 760, 380, 60, 40
    most = max(limit, *(sample["rss"] / MIB for sample in samples)) * 1.05
    xs = [left + sample["pages"] / samples[-1]["pages"] * width for sample in samples]
    below: list[float] = [0.0] * len(samples)
    parts = []
    for index, (tag, values) in enumerate(rows.items()):
        colour = "#bbbbbb" if tag == "baseline" else "#333333" if tag == "untracked" else COLOURS[index % len(COLOURS)]
        above = [low + value for low, value in zip(below, values, strict=True)]
        edge = [*zip(xs, above, strict=True), *reversed([*zip(xs, below, strict=True)])]
        points = " ".join(f"{x:.1f},{top + height * (1 - y / most):.1f}" for x, y in edge)
        parts.append(f'<polygon points="{points}" fill="{colour}"/>')
        key_y = top + 14 * index
        parts.append(f'<rect x="{left + width + 14}" y="{key_y}" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{left + width + 30}" y="{key_y + 9}">{tag} {values[-1]:.1f}</text>')
        below = above
    for tick in range(5):
        value, y = most * tick / 4, top + height * (1 - tick / 4)
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.0f}</text>')
        x, pages = left + width * tick / 4, samples[-1]["pages"] * tick // 4
        parts.append(f'<text x="{x}" y="{top + height + 18}" text-anchor="middle">{pages:,}</text>')
    y = top + height * (1 - limit / most)
    parts.append(f'<path d="M{left} {y:.1f}h{width}" stroke="#c00" stroke-dasharray="6 4"/>')
    title = f"MiB by account against pages; dashed: baseline + budget of {figures['budget_mib']:.0f} MiB"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 150}" height="{top + height + 30}" '
        f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{left}" y="22" font-size="14">{title}</text>{"".join(parts)}</svg>\n'
    )


def chart(figures: Figures) -> Iterator[str]:
    """What a person reads: a bar of RSS by account for every fifth sample, then the figures."""
    samples = figures["samples"]
    rows = bands(samples, figures["baseline_rss_mib"])
    most = max(sample["rss"] / MIB for sample in samples)
    letters = dict(zip(rows, ".ABCDEFGHIJK"[: len(rows) - 1] + "?", strict=True))
    yield "  ".join(f"{letter} {tag}" for tag, letter in letters.items())
    for index in sorted({*range(0, len(samples), SAMPLES // 10), len(samples) - 1}):
        bar = "".join(letters[tag] * round(values[index] / most * CHART_COLUMNS) for tag, values in rows.items())
        sample = samples[index]
        yield (
            f"{sample['pages']:>9,} {bar:{CHART_COLUMNS + 4}} {sample['rss'] / MIB:6.1f} MiB {sample['at_s']:7.1f} s"
            f"  queued {sample['queued']:>9,}  db {sample['database'] / MIB:7.1f} MiB"
        )
    yield from (f"{name}: {value}" for name, value in figures.items() if name != "samples")


def main() -> None:
    """Run what was asked for, keep the drawing, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=100_000)
    parser.add_argument("--memory", default="256MiB")
    parser.add_argument("--hosts", type=int, default=HOSTS)
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
    web = SoakWeb(pages * ENDLESS_TIMES if is_endless else pages, arguments.hosts, 0 if is_endless else LEAVES)
    settings = settings_for(web, arguments.memory, pages if is_endless and not arguments.resume else None)
    with contextlib.ExitStack() as stack:
        directory = arguments.directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        runner = stack.enter_context(asyncio.Runner(loop_factory=loop_factory(settings)))
        if arguments.resume:
            return runner.run(resumed(web, settings, directory))
        figures = runner.run(soak(web, settings, pages, directory))
        ok_pages, digest = pages_digest(directory)
    asked = {"asked_pages": pages, "hosts": arguments.hosts, "budget_mib": mib(settings.memory.budget)}
    return {**asked, "ok_pages": ok_pages, "pages_digest": digest, **figures}


if __name__ == "__main__":
    main()
