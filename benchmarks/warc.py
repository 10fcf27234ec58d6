"""What an archive costs: CPU per page and bytes on disk of one crawl without one, and with one at several gzip levels.

`python -m benchmarks.warc --rounds 3`; the kinds of crawl take turns, each in a fresh process, and the median counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import uvloop

from benchmarks.contenders.outcome import Stopwatch, pin
from benchmarks.contenders.weaver_crawl import crawl, stored_pages, unhindered
from benchmarks.crawl import CONCURRENCY, CRAWLER_CORE, SITES, default_site, served
from weaver.base.settings import WarcSettings

OFF = -1
LEVELS = (OFF, 0, 1, 5, 9)


def measure(entry: str, level: int) -> None:
    """One crawl in this process; its figures as one JSON line."""
    pin(CRAWLER_CORE)
    settings = unhindered(entry, CONCURRENCY)
    if level != OFF:
        settings = settings.model_copy(update={"warc": WarcSettings(directory="warc", compress=level)})
    with tempfile.TemporaryDirectory(prefix="weaver-bench-") as folder:
        directory = Path(folder) / "crawl"
        stopwatch = Stopwatch()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(crawl(settings, directory))
        archive_mib = sum(path.stat().st_size for path in (directory / "warc").glob("*")) / (1 << 20)
        stopwatch.stopped().report(stored_pages(directory), archive_mib=archive_mib)


def run(entry: str, level: int) -> dict[str, float]:
    """One crawl in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.warc", "--entry", entry, "--level", str(level)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    line: dict[str, float] = json.loads(outcome.stdout.splitlines()[-1])
    return line


def main() -> None:
    """Run the rounds and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--site", choices=[*SITES, "generated"], default=default_site())
    parser.add_argument("--entry", help=argparse.SUPPRESS)
    parser.add_argument("--level", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.entry:
        measure(arguments.entry, arguments.level)
        return
    lines: dict[int, list[dict[str, float]]] = {level: [] for level in LEVELS}
    with served(arguments.site) as entry:
        for _ in range(arguments.rounds):
            for level in LEVELS:
                lines[level].append(run(entry, level))
    print(f"{arguments.site}: medians of {arguments.rounds} rounds")
    print(f"{'archive':10}{'pages':>7}{'CPU ms/page':>13}{'archive MiB':>13}{'RSS MiB':>9}")
    for level, runs in lines.items():
        cpu_ms, archive_mib, rss_mib = (
            median(line[key] for line in runs) for key in ("cpu_ms_a_page", "archive_mib", "peak_rss_mib")
        )
        name = "off" if level == OFF else f"gzip {level}" if level else "plain"
        print(f"{name:10}{runs[0]['pages']:7}{cpu_ms:13.3f}{archive_mib:13.1f}{rss_mib:9.0f}")


if __name__ == "__main__":
    main()
