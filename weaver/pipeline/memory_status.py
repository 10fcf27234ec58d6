"""MemoryStatus: the memory part of the status document: what the process holds, by account and by store, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict

from weaver.memory.allocator import AllocatorInfo
from weaver.memory.bounded import StoreStatistics
from weaver.memory.budget import Budget
from weaver.memory.collector import Collector
from weaver.memory.meter import Meter, peak_rss_bytes
from weaver.pipeline.governing import Governing
from weaver.pipeline.memory_history import untracked_bytes

_STORE_FIGURES = ("current", "capacity", "peak", "bytes", "hits", "misses", "evicted", "reseen")


class MemoryStatus:
    """Reads the budget, the meter and the governor; owns nothing."""

    def __init__(
        self,
        budget: Budget,
        asked_budget_bytes: int,
        baseline_bytes: int,
        meter: Meter,
        governing: Governing,
        collector: Collector,
        allocator: AllocatorInfo,
        stores: Callable[[], Iterable[StoreStatistics]],
        pools: Callable[[], Mapping[str, object]],
    ) -> None:
        self._budget = budget
        self._asked_budget_bytes = asked_budget_bytes
        self._baseline_bytes = baseline_bytes
        self._meter = meter
        self._governing = governing
        self._collector = collector
        self._allocator = allocator
        self._stores = stores
        self._pools = pools

    def document(self) -> dict[str, object]:
        """All figures; in bytes, where a name does not say otherwise."""
        return {
            **self._process(),
            "allocator": asdict(self._allocator),
            "collector": self._collections(),
            "governor": self._governing.figures(),
            "accounts": {
                tag: {name: value for name, value in asdict(account.statistics()).items() if name != "tag"}
                for tag, account in self._budget.accounts.items()
            },
            "stores": {store.name: _figures(store) for store in self._stores()},
            "pools": dict(self._pools()),
        }

    def _process(self) -> dict[str, object]:
        rss, reading, verdict = self._meter.rss(), self._governing.reading, self._governing.verdict
        left_s = verdict.time_to_limit_s if verdict else None
        return {
            "budget_bytes": self._budget.limit,
            "asked_budget_bytes": self._asked_budget_bytes,
            "rss_bytes": rss,
            "peak_rss_bytes": peak_rss_bytes(),
            "baseline_rss_bytes": self._baseline_bytes,
            "untracked_bytes": untracked_bytes(rss, self._baseline_bytes, self._budget),
            "limit_bytes": reading.group_limit,
            "group_used_bytes": reading.group_used,
            "rung": verdict.rung.label if verdict else "calm",
            "time_to_limit_s": None if left_s is None else round(left_s, 1),
        }

    def _collections(self) -> dict[str, object]:
        statistics = self._collector.statistics()
        return {
            "mode": statistics.mode,
            "collections": list(statistics.collections),
            "pause_p50_ms": round(statistics.pause_p50_ms, 3),
            "pause_p99_ms": round(statistics.pause_p99_ms, 3),
            "pause_max_ms": round(statistics.pause_max_ms, 3),
            "total_ms": round(statistics.total_ms, 3),
        }


def _figures(store: StoreStatistics) -> dict[str, object]:
    return {name: getattr(store, name) for name in _STORE_FIGURES}
