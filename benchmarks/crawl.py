"""CPU per page of a whole crawl: weaver beside a bare loop (and Scrapy where installed) on the same pages.

The server runs on one core and the crawler on another; contenders take turns, each in a fresh process, and the median
of the rounds counts. `python -m benchmarks.crawl --rounds 3`; the result goes to benchmarks/results/.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.generated_web import generated_web
from tests.support.nginx import Site, nginx
from tests.support.sites import CPPREFERENCE, POSTGRESQL, PYTHON, SQLITE, DebianSite
from weaver.base.version import VERSION

RESULTS = Path(__file__).parent / "results"
SERVER_CORE, CRAWLER_CORE = 0, 1
CONCURRENCY = 32
SITES = {site.package.split("-")[0]: site for site in (CPPREFERENCE, POSTGRESQL, PYTHON, SQLITE)}

Line = dict[str, Any]


@contextlib.contextmanager
def served(name: str) -> Iterator[str]:
    """The entry URL of the site, served on a core of its own; a generated one where there is no nginx or document."""
    site = SITES.get(name)
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {SERVER_CORE} & cores or cores)
    with contextlib.ExitStack() as stack:
        entry = stack.enter_context(_nginx(site) if site else generated_web())
        os.sched_setaffinity(0, cores)
        yield entry


@contextlib.contextmanager
def _nginx(site: DebianSite) -> Iterator[str]:
    with nginx([Site(site.address, 0, Path(site.folder))]) as server:
        yield server.origins[0] + site.entry


def contenders() -> list[str]:
    """The modules that can run here; the bare loop is the yardstick and comes first."""
    has_scrapy = importlib.util.find_spec("scrapy") is not None
    return ["bare_loop", "weaver_crawl", *["scrapy_spider"] * has_scrapy]


def run(contender: str, entry: str) -> Line:
    """One crawl in a fresh process."""
    command = [sys.executable, "-m", f"benchmarks.contenders.{contender}", entry, str(CONCURRENCY), str(CRAWLER_CORE)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if outcome.returncode:
        raise SystemExit(f"{contender} failed:\n{outcome.stderr}")
    line: Line = json.loads(outcome.stdout.splitlines()[-1])
    return line


def medians(lines: list[Line]) -> Line:
    """The median of each number, with the spread of the CPU per page."""
    numbers = {key: median(line[key] for line in lines) for key, value in lines[0].items() if isinstance(value, float)}
    spread = [line["cpu_ms_a_page"] for line in lines]
    return {**lines[0], **numbers, "cpu_ms_a_page_from": min(spread), "cpu_ms_a_page_to": max(spread)}


def table(rows: dict[str, Line]) -> str:
    """What a person reads."""
    bare = rows["bare_loop"]["cpu_ms_a_page"]
    head = ("pages", 7), ("CPU ms/page", 13), ("(range)", 14), ("x bare", 8), ("whole process", 15), ("pages/s", 9)
    lines = [" " * 14 + "".join(f"{word:>{width}}" for word, width in (*head, ("RSS MiB", 9)))]
    for name, row in rows.items():
        span = f"{row['cpu_ms_a_page_from']:.2f}-{row['cpu_ms_a_page_to']:.2f}"
        lines.append(
            f"{name:14}{row['pages']:7}{row['cpu_ms_a_page']:13.3f}{span:>14}{row['cpu_ms_a_page'] / bare:8.2f}"
            f"{row['process_cpu_ms_a_page']:15.3f}{row['pages'] / row['wall_s']:9.0f}{row['peak_rss_mib']:9.0f}"
        )
    return "\n".join(lines)


def default_site() -> str:
    """cppreference where it and nginx are there, else a generated web."""
    has_nginx = any(Path(folder, "nginx").exists() for folder in ("/usr/sbin", "/usr/local/sbin", "/usr/bin"))
    return "cppreference" if has_nginx and Path(CPPREFERENCE.folder).exists() else "generated"


def main() -> None:
    """Run the rounds, print the table, keep the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--site", choices=[*SITES, "generated"], default=default_site())
    arguments = parser.parse_args()
    names = contenders()
    lines: dict[str, list[Line]] = {name: [] for name in names}
    with served(arguments.site) as entry:
        for round_number in range(arguments.rounds):
            for name in names:
                sys.stderr.write(f"round {round_number + 1} of {arguments.rounds}: {name}\n")
                lines[name].append(run(name, entry))
    rows = {name: medians(runs) for name, runs in lines.items()}
    are_same = {row["digest"] for row in rows.values()}
    print(f"{arguments.site}: {CONCURRENCY} connections, medians of {arguments.rounds} rounds")
    print(table(rows))
    print("the same pages" if len(are_same) == 1 else "NOT THE SAME PAGES: the figures can't be compared")
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    result = {
        "at": now.isoformat(timespec="seconds"), "site": arguments.site, "weaver": VERSION,
        "python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count(), "rows": rows,
    }  # fmt: skip
    (RESULTS / f"crawl-{arguments.site}-{now:%Y%m%d-%H%M%S}.json").write_text(json.dumps(result, indent=1), "utf-8")
    if len(are_same) != 1:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
