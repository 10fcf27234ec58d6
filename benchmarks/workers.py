"""What worker processes bring: pages a second for each number of them, the server's cost taken out, and who spends it.

Each number takes its turn in a fresh process on all cores, and medians count. The server runs on the same cores; what
it took is divided by the cores and taken off the wall time where the crawl had all of them to fill. Where other
programs run as well, wall times say little: `bound` is what the CPU times allow on so many idle cores: all of it
divided among them, or the loop alone, whichever is more. `python -m benchmarks.workers --numbers 1,2 --rounds 3`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.crawl import CONCURRENCY, SITES, default_site, served

Line = dict[str, Any]


def server_cpu_s() -> float:
    """CPU seconds of the descendants of this process that serve; they are all it has between two crawls."""
    own, ticks = {str(os.getpid())}, 0
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text("utf-8").rsplit(")", 1)[1].split()
        except OSError:
            continue
        stats[path.parent.name] = fields[1], int(fields[11]) + int(fields[12])
    grew = True
    while grew:
        below = {pid for pid, (parent, _) in stats.items() if parent in own} - own
        grew = bool(below)
        own |= below
    for pid in own - {str(os.getpid())}:
        ticks += stats[pid][1]
    return ticks / os.sysconf("SC_CLK_TCK")


def run(entry: str, count: int) -> Line:
    """One crawl in a fresh process."""
    before_s = server_cpu_s()
    command = [sys.executable, "-m", "benchmarks.contenders.weaver_workers", entry, str(CONCURRENCY), str(count)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if outcome.returncode:
        raise SystemExit(outcome.stderr)
    line: Line = json.loads(outcome.stdout.splitlines()[-1])
    cores = len(os.sched_getaffinity(0))
    line["server_us"] = 1e6 * (server_cpu_s() - before_s) / line["pages"]
    line["page_us"] = line["wall_us"] - (line["server_us"] / cores if count > 1 else 0.0)
    line["cpu_us"] = line["loop_us"] + line["threads_us"] + line["workers_us"]
    line["bound_us"] = max(line["loop_us"], line["cpu_us"] / cores) if count > 1 else line["cpu_us"]
    return line


def table(rows: dict[int, Line]) -> str:
    """What a person reads."""
    names = ("wall_us", "server_us", "page_us", "loop_us", "threads_us", "workers_us", "cpu_us", "bound_us")
    first = rows[min(rows)]
    lines = [
        "workers" + "".join(f"{name.removesuffix('_us'):>9}" for name in names) + "   x wall  x bound   RSS (base) MiB"
    ]
    for count, row in rows.items():
        figures = "".join(f"{row[name]:9.0f}" for name in names)
        gains = f"{first['page_us'] / row['page_us']:9.2f}{first['bound_us'] / row['bound_us']:9.2f}"
        lines.append(f"{count:7}{figures}{gains}   {row['worker_rss_mib']:.0f} ({row['worker_base_mib']:.0f})")
    return "\n".join(lines)


def main() -> None:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", default="1,2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--site", choices=[*SITES, "generated"], default=default_site())
    arguments = parser.parse_args()
    numbers = [int(number) for number in arguments.numbers.split(",")]
    lines: dict[int, list[Line]] = {number: [] for number in numbers}
    with served(arguments.site) as entry:
        for _ in range(arguments.rounds):
            for number in numbers:
                lines[number].append(run(entry, number))
    digests = {line["digest"] for runs in lines.values() for line in runs}
    rows = {
        number: {
            name: median(line[name] for line in runs) for name, value in runs[0].items() if not isinstance(value, str)
        }
        for number, runs in lines.items()
    }
    print(f"{arguments.site}: us a page, medians of {arguments.rounds} rounds, {len(os.sched_getaffinity(0))} cores")
    print(table(rows))
    print("the same graph" if len(digests) == 1 else "NOT THE SAME GRAPH")
    if len(digests) != 1:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
