"""Accounting: what knowing every byte costs: the accounts' share of a crawl's CPU, and the governor's.

`python -m benchmarks.accounting` prints JSON. The share is calls a page (counted in one crawl) times what a call costs
(timed in a loop), over the CPU a page of an unhindered crawl, the computed web's own part left out. As a cross-check
the crawl is also run with accounts that take every charge and keep no figures: each in a fresh process, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from timeit import timeit
from typing import Any

from benchmarks.soak import LEAVES, settings_for
from benchmarks.soak_web import HOSTS, SoakWeb
from weaver.cli.running import loop_factory
from weaver.memory import budget
from weaver.memory.budget import Account
from weaver.pipeline import open_crawl

# Everything fits, so that the crawl with accounts and the one without keep the same.
MEMORY = "1GiB"
TIMED_CALLS = 1_000_000
CALLS = ("would_fit", "try_charge", "charge", "hold", "release", "record_evicted")

Figures = dict[str, Any]
_COUNTS: Counter[str] = Counter()


def _counted(name: str) -> Callable[..., Any]:
    plain = getattr(Account, name)

    def call(self: Account, amount: int) -> Any:
        _COUNTS[name] += 1
        return plain(self, amount)

    return call


# `charge` calls `try_charge`: both are counted, as both are paid for.
Counting = type("Counting", (Account,), {name: _counted(name) for name in CALLS})


class Unkept(Account):
    """Takes every charge, at no cost but the call's, and keeps no figures."""

    def would_fit(self, size_bytes: int) -> bool:  # noqa: ARG002 - the account's interface
        """Always."""
        return True

    try_charge = would_fit

    def charge(self, size_bytes: int) -> None:
        """Nothing."""

    hold = release = charge

    def record_evicted(self, entries: int) -> None:
        """Nothing."""


KINDS: dict[str, type[Account]] = {"accounts": Account, "counting": Counting, "unkept": Unkept}


def crawled(kind: str, pages: int) -> Figures:
    """CPU a page of one crawl with accounts of this kind, in ms; the calls they had, and the governor's part."""
    budget.Account = KINDS[kind]  # type: ignore[misc]
    web = SoakWeb(pages, HOSTS, LEAVES)
    settings = settings_for(web, MEMORY, None, None)
    with (
        tempfile.TemporaryDirectory(prefix="accounting-") as folder,
        asyncio.Runner(loop_factory=loop_factory(settings)) as runner,
    ):
        cpu_s, memory = runner.run(_crawl(web, settings, Path(folder) / "crawl"))
    governor_s = (memory.get("governor") or {}).get("cpu_s", 0.0)
    calls = {name: round(count / pages, 2) for name, count in _COUNTS.items()}
    return {"cpu_ms_a_page": cpu_s / pages * 1e3, "calls_a_page": calls, "governor_share": governor_s / cpu_s}


async def _crawl(web: SoakWeb, settings: Any, directory: Path) -> tuple[float, Figures]:
    began_s = time.process_time()
    async with open_crawl(settings, directory, transport=web) as crawl:
        await crawl.run_to_end()
        status: Any = crawl.status()
    return time.process_time() - began_s, status["memory"]


def web_ms_a_page(pages: int) -> float:
    """What computing a page of the web costs, in ms: no part of the crawl."""
    web = SoakWeb(pages, HOSTS, LEAVES)
    sampled = range(0, pages, 10)
    began_s = time.process_time()
    for number in sampled:
        web.body(number)
    return (time.process_time() - began_s) / len(sampled) * 1e3


def call_ns() -> dict[str, float]:
    """What each call costs, in ns; `release` with the `hold` that it needs, less that."""
    account = Account("timed", 1 << 60)
    costs = {name: _timed(f"account.{name}(64)", account) for name in CALLS if name != "release"}
    costs["release"] = _timed("account.hold(64); account.release(64)", account) - costs["hold"]
    return {name: round(cost, 1) for name, cost in costs.items()}


def _timed(call: str, account: Account) -> float:
    return timeit(call, number=TIMED_CALLS, globals={"account": account}) / TIMED_CALLS * 1e9


def measure(pages: int, rounds: int) -> Figures:
    """All figures: medians of the rounds, in which the kinds take turns."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        calls = pool.submit(crawled, "counting", pages).result()["calls_a_page"]
        runs: dict[str, list[Figures]] = {"accounts": [], "unkept": []}
        for _ in range(rounds):
            for kind, found in runs.items():
                found.append(pool.submit(crawled, kind, pages).result())
        web_ms = pool.submit(web_ms_a_page, pages).result()
        costs = pool.submit(call_ns).result()
    cpu_ms = {kind: median(run["cpu_ms_a_page"] for run in found) - web_ms for kind, found in runs.items()}
    accounting_ms = sum(count * costs[name] for name, count in calls.items()) / 1e6
    return {
        "pages": pages,
        "calls_a_page": calls,
        "call_ns": costs,
        "cpu_ms_a_page": round(cpu_ms["accounts"], 3),
        "web_ms_a_page": round(web_ms, 3),
        "accounting_share": round(accounting_ms / cpu_ms["accounts"], 5),
        "ratio_to_unkept": round(cpu_ms["accounts"] / cpu_ms["unkept"], 3),
        "governor_share": round(median(run["governor_share"] for run in runs["accounts"]), 6),
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.pages, arguments.rounds), indent=1))


if __name__ == "__main__":
    main()
