"""What a status document says of the processes that read beside the crawl's own, as a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from weaver.base.units import format_duration, format_size

RUNNING = "running"


def worker_line(status: Mapping[str, Any]) -> Iterator[str]:
    """How many there are, what of a core each uses, or used in all, and what it has resident; nothing without any."""
    workers = status.get("workers") or {}
    processes, lost = workers.get("processes") or (), workers.get("lost", 0)
    replaced = f"{lost:,} ended and {'was' if lost == 1 else 'were'} replaced" if lost else ""
    if not processes:
        yield from filter(None, (replaced,))
        return
    is_running = status.get("state") == RUNNING
    used = _each("{} of a core", (f"{one['busy_share']:.0%}" for one in _by(processes, "busy_share")))
    spent = _each("CPU {}", (format_duration(one["cpu_s"]) for one in _by(processes, "cpu_s")))
    resident = _each("RSS {}", (format_size(one["rss_bytes"]) for one in _by(processes, "rss_bytes")))
    count = f"{len(processes)} process{'' if len(processes) == 1 else 'es'} beside the crawl's"
    read = f"{sum(one['read'] for one in processes):,} read"
    yield f"{count}: {', '.join(filter(None, (used if is_running else spent, resident, read, replaced)))}"


def _by(processes: Iterable[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    return sorted(processes, key=lambda one: float(one[name]))


def _each(pattern: str, values: Iterable[str]) -> str:
    """One value, or the least and the most of several."""
    told = list(values)
    return pattern.format(told[0] if told[0] == told[-1] else f"{told[0]} to {told[-1]}")
