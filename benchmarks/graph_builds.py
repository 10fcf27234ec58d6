"""Builds of the resident graph, each to be watched in a process of its own: what it takes, how fast, how evenly."""

from __future__ import annotations

import gc
import itertools
import statistics
import time

import numpy as np
from numpy.typing import NDArray

from benchmarks.graph_web import EdgeFiles, Window
from benchmarks.outside import Figures, Work
from weaver.base.settings import GraphSettings
from weaver.graph import GraphStore
from weaver.memory import Account
from weaver.memory.meter import rss_bytes

STEP_EDGES = 100_000
SEALED_BYTES_PER_EDGE = 1.5
"""What the account of a graph that is sealed has: as much as hot and sealed edges are to take together."""
LEAST_ACCOUNT_BYTES = 1 << 20
CAP_SHARE = 10
REBUILDS = 30
REBUILD_EDGES = 500_000
# How many edges come in a churn run at least, a smaller web more than once; and in how many steps it is looked at.
CHURN_EDGES = 2_000_000
CHURN_STEPS = 100
CHURN_RECRAWLS = 3
CHURN_REMOVALS = 10
ROOMY_BYTES_PER_EDGE = 32


def hot(files: EdgeFiles) -> Work:
    """All edges in slabs."""
    return _build(files, GraphSettings(sealed=False), roomy_bytes(files.edges))


def sealed(files: EdgeFiles) -> Work:
    """The newest edges in slabs, the others in compressed blocks."""
    return _build(files, GraphSettings(), account_bytes(files.edges))


def evicting_hot(files: EdgeFiles) -> Work:
    """Ten times as many edges as may stay, in slabs."""
    cap = max(1, files.edges // CAP_SHARE)
    return _evict(files, GraphSettings(sealed=False, max_edges=cap), roomy_bytes(files.edges))


def evicting_sealed(files: EdgeFiles) -> Work:
    """Ten times as many edges as may stay, the older half in blocks."""
    cap = max(1, files.edges // CAP_SHARE)
    return _evict(files, GraphSettings(max_edges=cap), account_bytes(cap))


def rebuild(files: EdgeFiles) -> Work:
    """The same graph made anew, time after time."""
    windows = list(EdgeFiles(files.folder, REBUILD_EDGES).windows())
    edges = sum(len(window.kinds) for window in windows)
    yield {}
    gc.freeze()
    spent = []
    for _ in range(REBUILDS + 1):
        store = _store(GraphSettings(), account_bytes(edges))
        spent.append(sum(_added_s(store, window) for window in windows))
    # The first one touches memory that the others find.
    spent = spent[1:]
    median_s, p95_s = statistics.median(spent), float(np.percentile(spent, 95))
    yield {
        "edges": edges,
        "rebuilds": REBUILDS,
        "rebuild_ms_median": round(1e3 * median_s, 2),
        "rebuild_ms_p95": round(1e3 * p95_s, 2),
        "rebuild_p95_per_median": round(p95_s / median_s, 3),
    }


def churn(files: EdgeFiles) -> Work:
    """Pages come, are crawled again with half of their links changed, and go, at the cap all the while."""
    files = EdgeFiles(files.folder, CHURN_EDGES)
    cap, step_edges = max(1, files.edges // CAP_SHARE), max(1, files.edges // CHURN_STEPS)
    store = _store(GraphSettings(max_edges=cap), account_bytes(cap))
    yield {}
    random = np.random.default_rng(1)
    seen, rss, charged = [0], list[int](), list[int]()
    recrawled = removed = 0
    while seen[-1] < CHURN_EDGES:
        for window in files.windows(step_edges):
            _added_s(store, window)
            pages = len(window.begins) - 1
            for node in random.integers(1, window.first + pages, pages // CHURN_RECRAWLS).tolist():
                recrawled += _recrawl(store, node, random)
            for node in random.integers(1, window.first + pages, pages // CHURN_REMOVALS).tolist():
                removed += store.remove(node)
            seen.append(seen[-1] + len(window.kinds))
            rss.append(rss_bytes())
            charged.append(store.resident_bytes)
    store.check()
    yield {
        "edges": seen[-1],
        "max_edges": cap,
        "recrawled": recrawled,
        "removed": removed,
        "resident_bytes": store.resident_bytes,
        "rss_high_water_slope_bytes_per_100k_edges": _high_water_slope(seen[1:], rss),
        "charged_high_water_slope_bytes_per_100k_edges": _high_water_slope(seen[1:], charged),
    }


def account_bytes(edges: int) -> int:
    """The account in which so many edges are to fit when they are sealed."""
    return max(LEAST_ACCOUNT_BYTES, int(edges * SEALED_BYTES_PER_EDGE))


def roomy_bytes(edges: int) -> int:
    """An account that never fills."""
    return max(64 << 20, edges * ROOMY_BYTES_PER_EDGE)


def _build(files: EdgeFiles, settings: GraphSettings, limit_bytes: int) -> Work:
    store = _store(settings, limit_bytes)
    yield {}
    wall_s, cpu_s = time.perf_counter(), 0.0
    rss, charged = [rss_bytes()], [store.resident_bytes]
    for window in files.windows(STEP_EDGES):
        cpu_s += _added_s(store, window)
        rss.append(rss_bytes())
        charged.append(store.resident_bytes)
    yield {
        "edges": store.edges,
        "resident_edges": store.resident_edges,
        "resident_bytes": store.resident_bytes,
        "resident_bytes_per_edge": round(store.resident_bytes / max(1, store.resident_edges), 3),
        "account_bytes": limit_bytes,
        "build_edges_per_s": round(store.edges / cpu_s),
        "build_us_per_page": round(1e6 * cpu_s / max(1, files.pages), 2),
        "build_cpu_s": round(cpu_s, 3),
        "wall_with_reading_s": round(time.perf_counter() - wall_s, 3),
        "growth_bytes_per_100k_edges": {"rss": _growth(rss), "charged": _growth(charged)},
    }
    del store


def _evict(files: EdgeFiles, settings: GraphSettings, limit_bytes: int) -> Work:
    """Each call by itself: one after which edges are gone costs what the others do that seal a block, or none, as it
    does, and beyond that the eviction."""
    store = _store(settings, limit_bytes)
    yield {}
    spent_ns = np.zeros(files.pages, np.int64)
    is_evicting, is_sealing = np.zeros(files.pages, np.bool_), np.zeros(files.pages, np.bool_)
    for window in files.windows():
        targets, kinds = window.targets.tobytes(), window.kinds
        for index, (begin, end) in enumerate(itertools.pairwise(window.begins), start=window.first - 1):
            row, host = targets[4 * begin : 4 * end], window.hosts[index + 1 - window.first]
            expected = store.resident_edges + end - begin
            expected_hot = expected - store.sealed_edges
            started_ns = time.thread_time_ns()
            store.add_page(index + 1, row, kinds[begin:end], host)
            spent_ns[index] = time.thread_time_ns() - started_ns
            is_evicting[index] = store.resident_edges != expected
            is_sealing[index] = settings.sealed and store.resident_edges - store.sealed_edges != expected_hot
    total_s = float(spent_ns.sum()) / 1e9
    evicting = spent_ns[is_evicting]
    eviction_s = sum(_beyond_others_s(spent_ns[kind], is_evicting[kind]) for kind in (is_sealing, ~is_sealing))
    yield {
        "edges": store.edges,
        "max_edges": settings.max_edges,
        "resident_edges": store.resident_edges,
        "evictions": len(evicting),
        "eviction_share": round(eviction_s / total_s, 4),
        "slowest_add_ms": round(float(spent_ns.max()) / 1e6, 2),
        "slowest_eviction_ms": round(float(evicting.max(initial=0)) / 1e6, 2),
        "build_cpu_s": round(total_s, 3),
    }


def _store(settings: GraphSettings, limit_bytes: int) -> GraphStore:
    """A store, after a small one of its kind had all code loaded that runs on first use."""
    warm = GraphStore(settings, Account("graph", LEAST_ACCOUNT_BYTES))
    for node in range(1, 3_000):
        warm.add_page(node, np.arange(node, node + 20, dtype=np.uint32), bytes(20))
    return GraphStore(settings, Account("graph", limit_bytes))


def _added_s(store: GraphStore, window: Window) -> float:
    """CPU seconds of adding a window's pages, one after the other."""
    add_page, targets, kinds, hosts = store.add_page, window.targets.tobytes(), window.kinds, window.hosts
    started = time.thread_time()
    for index, (begin, end) in enumerate(itertools.pairwise(window.begins)):
        add_page(window.first + index, targets[4 * begin : 4 * end], kinds[begin:end], hosts[index])
    return time.thread_time() - started


def _beyond_others_s(spent_ns: NDArray[np.int64], is_evicting: NDArray[np.bool_]) -> float:
    """Seconds that the calls which evict took beyond the mean of the others; all of it where there are no others."""
    others = spent_ns[~is_evicting]
    usual_ns = float(others.mean()) if len(others) else 0.0
    return float((spent_ns[is_evicting] - usual_ns).clip(min=0).sum()) / 1e9


def _recrawl(store: GraphStore, node: int, random: np.random.Generator) -> bool:
    found = store.neighbours(node)
    if found is None:
        return False
    targets, kinds = found
    changed = np.where(random.random(len(targets)) < 0.5, random.integers(1, store.nodes + 1, len(targets)), targets)
    changed, first = np.unique(changed.astype(np.uint32), return_index=True)
    store.add_page(node, changed, kinds[first].tobytes())
    return True


def _growth(samples: list[int]) -> Figures:
    steps = np.diff(samples)
    return {"mean": round(float(steps.mean())), "highest": int(steps.max())} if len(steps) else {}


def _high_water_slope(seen: list[int], samples: list[int]) -> float:
    """Of the highest value so far against the edges, over the last fifth."""
    last = max(3, len(samples) // 5)
    edges, high = np.array(seen[-last:], np.float64), np.maximum.accumulate(samples)[-last:]
    return round(float(np.polyfit(edges / STEP_EDGES, high.astype(np.float64), 1)[0]), 1)


BUILDS = {
    "hot": hot, "sealed": sealed, "evicting_hot": evicting_hot, "evicting_sealed": evicting_sealed,
    "rebuild": rebuild, "churn": churn,
}  # fmt: skip
