"""Edge health: which policy knows more of the broken links when targets are checked again and again?

`python -m benchmarks.edge_health --targets 200k --checks 1M --share 0.1` prints one JSON document. Targets are checked
in the order of a power law, as links in pages are met: 2 in 100 fail always, 2 flap (fail every other time), 3 have
moved, the rest work. The registry has room for a share of the targets. For each policy: how much of what was failing or
moved at its last check is known at the end (`known_share`, and of the targets that fail always `broken_known_share`),
bytes an entry as tracemalloc has them, and CPU time for a check.
"""

from __future__ import annotations

import argparse
import json
import time
import tracemalloc
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaver.base.page import PageState
from weaver.base.record import PageRow
from weaver.base.settings import GraphSettings
from weaver.base.units import parse_count
from weaver.graph import EdgeHealth
from weaver.graph.health import ENTRY_BYTES
from weaver.memory import Account

POLICIES = ("active_set", "strict_lru")
ALWAYS, FLAPPING, MOVED = 0.02, 0.02, 0.03
REASON = "http_404"

Figures = dict[str, Any]


class RecheckStream:
    """Checks of targets 1 to `targets`, each with what it comes to, the same ones on each pass."""

    def __init__(self, targets: int, checks: int, seed: int = 1) -> None:
        made = np.random.default_rng(seed)
        ranks = np.exp(made.random(checks) * np.log(targets)).astype(np.int64).clip(1, targets)
        self.ids: NDArray[Any] = made.permutation(targets)[ranks - 1] + 1
        fates = made.random(targets + 1)
        self.is_broken = fates < ALWAYS
        fate = fates[self.ids]
        flaps = (fate >= ALWAYS) & (fate < ALWAYS + FLAPPING) & (made.random(checks) < 0.5)
        self.fails = self.is_broken[self.ids] | flaps
        self.moves = (fate >= ALWAYS + FLAPPING) & (fate < ALWAYS + FLAPPING + MOVED)

    def pages(self) -> list[tuple[PageRow, int]]:
        """The checks as rows, each with where a redirect leads."""
        return [
            (_page(url_id, at, fails, moves), url_id if moves else 0)
            for at, (url_id, fails, moves) in enumerate(
                zip(self.ids.tolist(), self.fails.tolist(), self.moves.tolist(), strict=True)
            )
        ]

    def troubled(self) -> set[int]:
        """The targets that failed or had moved at their last check."""
        last = dict(zip(self.ids.tolist(), (self.fails | self.moves).tolist(), strict=True))
        return {url_id for url_id, is_troubled in last.items() if is_troubled}


def _page(url_id: int, at: int, fails: bool, moves: bool) -> PageRow:
    if fails:
        return PageRow(url_id, PageState.FAILED, at, 404, reason=REASON)
    if moves:
        return PageRow(url_id, PageState.REDIRECT, at, 301)
    return PageRow(url_id, PageState.FETCHED, at, 200)


def measure(stream: RecheckStream, pages: list[tuple[PageRow, int]], policy: str, capacity: int) -> Figures:
    """Run the checks through a registry of this policy."""
    health = _registry(policy, capacity)
    began_s = time.process_time()
    for page, moved_to in pages:
        health.note(page, 1, moved_to)
    cpu_s = time.process_time() - began_s
    health.check()
    troubled = stream.troubled()
    broken = troubled & set(np.flatnonzero(stream.is_broken).tolist())
    known = {url_id for url_id in troubled if _is_known(health, url_id)}
    return {
        "known_share": round(len(known) / len(troubled), 4),
        "broken_known_share": round(len(known & broken) / len(broken), 4),
        "entries": len(health),
        "failing": health.failing,
        "moved": health.moved,
        "evicted": health.statistics().evicted,
        "ns_per_check": round(cpu_s / len(pages) * 1e9),
        "bytes_per_entry": _traced_bytes(pages, policy, capacity),
    }


def _registry(policy: str, capacity: int) -> EdgeHealth:
    settings = GraphSettings.model_validate({"edge_health": policy, "max_edge_health": capacity})
    return EdgeHealth(settings, Account("edge_health", capacity * ENTRY_BYTES))


def _is_known(health: EdgeHealth, url_id: int) -> bool:
    link = health.get(url_id)
    return link is not None and (link.is_failing or link.has_moved)


def _traced_bytes(pages: list[tuple[PageRow, int]], policy: str, capacity: int) -> float:
    """What a full registry takes for each of its places; tracing is slow, so it is filled as soon as can be."""
    tracemalloc.start()
    health = _registry(policy, capacity)
    for page, _ in pages:
        health.note(PageRow(page.id, PageState.FAILED, page.fetched_at, 404, reason=REASON))
        if health.statistics().evicted:
            break
    traced = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return round(traced / len(health), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=parse_count, default="200k")
    parser.add_argument("--checks", type=parse_count, default="1M")
    parser.add_argument("--share", type=float, default=0.1, help="Of the targets: the room in the registry.")
    parser.add_argument("--json", action="store_true", help="The only format there is.")
    arguments = parser.parse_args()
    stream = RecheckStream(arguments.targets, arguments.checks)
    pages, capacity = stream.pages(), max(1, int(arguments.targets * arguments.share))
    figures = {"targets": arguments.targets, "checks": arguments.checks, "capacity": capacity}
    results = {policy: measure(stream, pages, policy, capacity) for policy in POLICIES}
    print(json.dumps(figures | results))


if __name__ == "__main__":
    main()
