"""CPU per page of a whole crawl: weaver beside a bare loop and other crawlers on the same pages.

The server runs on one core and the crawler on another; contenders take turns, each in a fresh process, and the median
of the rounds counts; CPU is that of the process and its children, `waited` the part of the time that other programs had
its core, which makes pages a second say little. `python -m benchmarks.crawl --rounds 3`; the result
goes to benchmarks/results/, and `python -m benchmarks.report` draws it beside the one before. Scrapy and Crawlee run
where this Python or the one of `--peers` has them, wget and httrack where they are installed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import unquote

from benchmarks.generated_web import generated_web
from tests.support.nginx import Site, nginx
from tests.support.sites import CPPREFERENCE, POSTGRESQL, PYTHON, SQLITE, DebianSite
from weaver.base.version import VERSION
from weaver.native import compiled, description

RESULTS = Path(__file__).parent / "results"
SERVER_CORE, CRAWLER_CORE = 0, 1
CONCURRENCY = 32
SITES = {site.package.split("-")[0]: site for site in (CPPREFERENCE, POSTGRESQL, PYTHON, SQLITE)}

# What joins links by other rules may have another page or two; more than one in a hundred is another crawl.
MOST_APART_SHARE = 0.01
RULES = {
    "crawlee": "it joins links by RFC 3986, where a backslash is no slash",
    "scrapy": "it makes a backslash a slash after it has joined the link",
}

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


@dataclass(frozen=True, slots=True)
class Contender:
    """Something that crawls: a module of benchmarks.contenders, and the Python and the environment that it runs in."""

    name: str
    module: str
    python: str = sys.executable
    environment: tuple[tuple[str, str], ...] = ()

    def run(self, entry: str) -> Line:
        """One crawl in a fresh process."""
        command = [self.python, "-m", f"benchmarks.contenders.{self.module}", entry, str(CONCURRENCY)]
        outcome = subprocess.run(
            [*command, str(CRAWLER_CORE)],
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
            env=os.environ | dict(self.environment),
        )
        if outcome.returncode:
            raise SystemExit(f"{self.name} failed:\n{outcome.stderr}")
        line: Line = json.loads(outcome.stdout.splitlines()[-1])
        return line


def _can_import(python: str, library: str) -> bool:
    return subprocess.run([python, "-c", f"import {library}"], capture_output=True, check=False).returncode == 0


def contenders(peers: str, wanted: list[str]) -> list[Contender]:
    """Those that can run here; the bare loop is the yardstick and comes first."""
    found = [Contender("bare_loop", "bare_loop"), Contender("weaver", "weaver_crawl")]
    if compiled is not None:
        found.append(Contender("weaver_pure", "weaver_crawl", environment=(("WEAVER_PURE", "1"),)))
    found += [Contender(name, f"{name}_spider", peers) for name in ("scrapy", "crawlee") if _can_import(peers, name)]
    found += [Contender(program, f"{program}_mirror") for program in ("wget", "httrack") if shutil.which(program)]
    return [one for one in found if not wanted or one.name in ("bare_loop", *wanted)]


def pages_apart(lines: dict[str, list[Line]]) -> dict[str, dict[str, list[str]]]:
    """Which pages each contender had not, or besides, in any round, beside the bare loop's; takes them from the lines.

    Those whose pages have other names are left out: only their number can be compared.
    """
    urls = {name: [set(line.pop("urls")) for line in runs] for name, runs in lines.items()}
    wanted = urls["bare_loop"][0]
    return {name: _apart(wanted, rounds, name in RULES) for name, rounds in urls.items() if any(rounds)}


def _apart(wanted: set[str], rounds: list[set[str]], may_escape: bool) -> dict[str, list[str]]:
    """A peer may ask for the same page by another spelling: with %3D where the link has "="."""
    if may_escape:
        wanted, rounds = set(map(unquote, wanted)), [set(map(unquote, had)) for had in rounds]
    return {
        "missing": sorted(set().union(*(wanted - had for had in rounds))),
        "besides": sorted(set().union(*(had - wanted for had in rounds))),
    }


def comparison(apart: dict[str, dict[str, list[str]]], pages: int) -> tuple[list[str], bool]:
    """What a person reads of the differences, and whether the figures can be compared all the same.

    weaver reads links as the bare loop does, so that one page of difference is one too many.
    """
    texts, is_comparable = [], True
    for name, sides in apart.items():
        told = [f"{len(urls)} {side} ({', '.join(urls[:3])})" for side, urls in sides.items() if urls]
        count = sum(map(len, sides.values()))
        if told:
            rule = f": {RULES[name]}" if name in RULES else ""
            texts.append(f"{name}: {' and '.join(told)}{rule}")
        is_comparable &= count <= (MOST_APART_SHARE * pages if name in RULES else 0)
    return texts or ["the same pages"], is_comparable


def medians(lines: list[Line]) -> Line:
    """The median of each number, with the spread of the CPU per page."""
    numbers = {key: median(line[key] for line in lines) for key, value in lines[0].items() if isinstance(value, float)}
    spread = [line["cpu_ms_a_page"] for line in lines]
    return {**lines[0], **numbers, "cpu_ms_a_page_from": min(spread), "cpu_ms_a_page_to": max(spread)}


def table(rows: dict[str, Line]) -> str:
    """What a person reads."""
    bare = rows["bare_loop"]["cpu_ms_a_page"]
    head = ("pages", 7), ("CPU ms/page", 13), ("(range)", 14), ("x bare", 8), ("whole process", 15), ("pages/s", 9)
    lines = [" " * 14 + "".join(f"{word:>{width}}" for word, width in (*head, ("waited", 8), ("RSS MiB", 9)))]
    for name, row in rows.items():
        span = f"{row['cpu_ms_a_page_from']:.2f}-{row['cpu_ms_a_page_to']:.2f}"
        lines.append(
            f"{name:14}{row['pages']:7}{row['cpu_ms_a_page']:13.3f}{span:>14}{row['cpu_ms_a_page'] / bare:8.2f}"
            f"{row['process_cpu_ms_a_page']:15.3f}{row['pages'] / row['wall_s']:9.0f}"
            f"{row['waited_s'] / row['wall_s']:8.0%}{row['peak_rss_mib']:9.0f}"
        )
    return "\n".join(lines)


def processor() -> str:
    """The processor's name, where the system tells it."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def versions() -> dict[str, str]:
    """What the crawl's own libraries are."""
    return {name: metadata.version(name) for name in ("aiohttp", "uvloop", "selectolax", "ada-url", "numpy", "xxhash")}


def default_site() -> str:
    """cppreference where it and nginx are there, else a generated web."""
    has_nginx = any(Path(folder, "nginx").exists() for folder in ("/usr/sbin", "/usr/local/sbin", "/usr/bin"))
    return "cppreference" if has_nginx and Path(CPPREFERENCE.folder).exists() else "generated"


def main() -> None:
    """Run the rounds, print the table, keep the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--site", choices=[*SITES, "generated"], default=default_site())
    parser.add_argument("--peers", default=sys.executable, help="the Python that has Scrapy and Crawlee")
    parser.add_argument(
        "--only", action="append", default=[], help="run this contender (and the bare loop); repeatable"
    )
    arguments = parser.parse_args()
    running = contenders(arguments.peers, arguments.only)
    lines: dict[str, list[Line]] = {contender.name: [] for contender in running}
    with served(arguments.site) as entry:
        for round_number in range(arguments.rounds):
            for contender in running:
                sys.stderr.write(f"round {round_number + 1} of {arguments.rounds}: {contender.name}\n")
                lines[contender.name].append(contender.run(entry))
    apart = pages_apart(lines)
    rows = {name: medians(runs) | apart.get(name, {}) for name, runs in lines.items()}
    texts, is_comparable = comparison(apart, rows["bare_loop"]["pages"])
    print(f"{arguments.site}: {CONCURRENCY} connections, medians of {arguments.rounds} rounds")
    print(table(rows))
    print("\n".join([*texts, *([] if is_comparable else ["NOT THE SAME PAGES: the figures can't be compared"])]))
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    result = {
        "at": now.isoformat(timespec="seconds"), "site": arguments.site, "weaver": VERSION,
        "native": description(), "python": platform.python_version(), "machine": platform.machine(),
        "processor": processor(), "cores": os.cpu_count(), "versions": versions(), "rounds": arguments.rounds,
        "rows": rows,
    }  # fmt: skip
    (RESULTS / f"crawl-{arguments.site}-{now:%Y%m%d-%H%M%S}.json").write_text(json.dumps(result, indent=1), "utf-8")
    if not is_comparable:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
