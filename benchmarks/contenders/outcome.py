"""What a contender reports of its one crawl, as one JSON line on stdout."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


def pin(core: int) -> None:
    """Keep this process on one core, where the machine has several."""
    if hasattr(os, "sched_setaffinity") and core in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {core})


class Stopwatch:
    """CPU and wall seconds of this process and its children from its construction until it is stopped."""

    def __init__(self) -> None:
        self._cpu_from = time.process_time()
        self._children_from = _children_s()
        self._waited_from = _waited_s()
        self._wall_from = time.perf_counter()

    def stopped(self) -> Cost:
        """What was spent, the whole process included: its imports and its start."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        of_children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return Cost(
            cpu_s=time.process_time() - self._cpu_from + _children_s() - self._children_from,
            wall_s=time.perf_counter() - self._wall_from,
            process_cpu_s=usage.ru_utime + usage.ru_stime + _children_s(),
            peak_rss_mib=max(usage.ru_maxrss, of_children.ru_maxrss) / 1024,
            waited_s=_waited_s() - self._waited_from,
        )


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _waited_s() -> float:
    """How long this thread could have run, and other programs had the processor."""
    path = Path("/proc/self/schedstat")
    return int(path.read_text("ascii").split()[1]) / 1e9 if path.exists() else 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What one crawl took. Wall seconds say little where `waited_s`, the time without a processor, is much of them."""

    cpu_s: float
    wall_s: float
    process_cpu_s: float
    peak_rss_mib: float
    waited_s: float

    def report(self, pages: Iterable[str], **more: object) -> None:
        """Print the line: the cost, and which pages it was for: an empty `digest` says that they have other names."""
        fetched = sorted(set(pages))
        document = {
            "pages": len(fetched),
            "digest": hashlib.sha256("\n".join(fetched).encode()).hexdigest(),
            "cpu_ms_a_page": 1000 * self.cpu_s / max(1, len(fetched)),
            "process_cpu_ms_a_page": 1000 * self.process_cpu_s / max(1, len(fetched)),
            "wall_s": self.wall_s,
            "peak_rss_mib": self.peak_rss_mib,
            "waited_s": self.waited_s,
            **more,
        }
        print(json.dumps(document | {"urls": fetched if document["digest"] else []}))
