"""What an entry of each bounded store costs in bytes and time, each store in a process of its own: JSON lines."""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import psutil

from weaver.base.settings import GraphSettings
from weaver.graph import GraphStore
from weaver.memory import Account, BoundedLRU, KeyTable

ENTRIES = 1_000_000
BATCH = 100
PAGES = 1_000_000
LINKS = 20
Figures = dict[str, object]


def rss() -> int:
    return int(psutil.Process().memory_info().rss)


def in_batches(length: int) -> Iterator[slice]:
    return (slice(start, start + BATCH) for start in range(0, length, BATCH))


def lru(name: str, **caps: object) -> Figures:
    """An LRU of ints, put through once to the cap and once beyond, so that half of the puts evict."""
    account = Account(name, 1 << 40)
    before = rss()
    store: BoundedLRU[int, int] = BoundedLRU(name, ENTRIES, account=account, **caps)  # type: ignore[arg-type]
    for key in range(10**6, 10**6 + ENTRIES):
        store.put(key, -key)
    entry_bytes, charged = (rss() - before) / ENTRIES, account.used / ENTRIES
    started = time.perf_counter()
    for key in range(10**6 + ENTRIES, 10**6 + 2 * ENTRIES):
        store.put(key, -key)
    put_s = time.perf_counter() - started
    keys = list(dict(store.items()))[:200_000]
    started = time.perf_counter()
    for key in keys:
        store.get(key)
    get_s = time.perf_counter() - started
    return {
        "what": name,
        "entries": ENTRIES,
        "rss_bytes_per_entry": round(entry_bytes, 1),
        "charged_bytes_per_entry": round(charged, 1),
        "puts_with_eviction_per_s": round(ENTRIES / put_s),
        "gets_per_s": round(len(keys) / get_s),
    }


def lru_plain() -> Figures:
    return lru("lru")


def lru_by_bytes() -> Figures:
    return lru("lru, sizes", bytes_of=lambda _, value: 300 + value % 8)


def lru_by_age() -> Figures:
    return lru("lru, age", ttl_s=3600.0)


def key_table() -> Figures:
    """A table in 64 MiB, filled to three quarters, in batches of 100."""
    account = Account("seen", 64 << 20)
    table = KeyTable("seen", 10**9, account)
    entries = table.capacity * 3 // 4
    random = np.random.default_rng(1)
    keys = random.integers(0, 2**64, entries, dtype=np.uint64)
    ids = np.arange(1, entries + 1, dtype=np.uint32)
    before = rss()
    slowest_s = 0.0
    started = time.perf_counter()
    for batch in in_batches(entries):
        batch_started = time.perf_counter()
        table.put_many(keys[batch], ids[batch])
        slowest_s = max(slowest_s, time.perf_counter() - batch_started)
    put_s = time.perf_counter() - started
    entry_bytes = (rss() - before) / entries
    asked = keys[random.integers(0, entries, 1_000_000)]
    started = time.perf_counter()
    for batch in in_batches(len(asked)):
        table.get_many(asked[batch])
    get_s = time.perf_counter() - started
    single = asked[:200_000].tolist()
    started = time.perf_counter()
    for key in single:
        table.get(key)
    single_s = time.perf_counter() - started
    return {
        "what": "key table",
        "entries": entries,
        "rss_bytes_per_entry": round(entry_bytes, 1),
        "charged_bytes_per_entry": round(account.used / entries, 1),
        "evicted_share": round(table.statistics().evicted / entries, 4),
        "puts_per_s": round(entries / put_s),
        "slowest_put_ms": round(slowest_s * 1e3, 1),
        "gets_per_s": round(len(asked) / get_s),
        "single_gets_per_s": round(len(single) / single_s),
    }


def graph(name: str, limit: int, pages: int, links: int) -> Figures:
    account = Account("graph", limit)
    store = GraphStore(GraphSettings(), account)  # type: ignore[call-arg]
    random = np.random.default_rng(1)
    rows = [random.choice(pages, links, replace=False).astype(np.uint32) + 1 for _ in range(2000)]
    packed, kinds = [row.tobytes() for row in rows], bytes(links)
    before = rss()
    started = time.perf_counter()
    for page in range(pages):
        store.add_page(page + 1, packed[page % 2000], kinds)
    add_s = time.perf_counter() - started
    held_bytes = rss() - before
    started = time.perf_counter()
    store.predecessors(1)
    scan_s = time.perf_counter() - started
    return {
        "what": name,
        "pages": pages,
        "links": links,
        "resident_edges": store.resident_edges,
        "rss_bytes_per_edge": round(held_bytes / store.resident_edges, 2),
        "charged_bytes_per_edge": round(store.resident_bytes / store.resident_edges, 2),
        "add_page_us": round(add_s / pages * 1e6, 2),
        "predecessors_ms": round(scan_s * 1e3, 1),
    }


def graph_whole() -> Figures:
    return graph("graph, all resident", 1 << 30, PAGES, LINKS)


def graph_evicting() -> Figures:
    return graph("graph, evicting in 64 MiB", 64 << 20, PAGES, LINKS)


def graph_wide() -> Figures:
    return graph("graph, 94 links a page", 256 << 20, 100_000, 94)


QUESTIONS: list[Callable[[], Figures]] = [
    lru_plain, lru_by_bytes, lru_by_age, key_table, graph_whole, graph_evicting, graph_wide
]  # fmt: skip


def main() -> None:
    wanted = sys.argv[1:]
    chosen = [question for question in QUESTIONS if not wanted or question.__name__ in wanted]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        for figures in pool.map(_ask, [question.__name__ for question in chosen]):
            print(json.dumps(figures), flush=True)


def _ask(name: str) -> Figures:
    answer: Figures = globals()[name]()
    return answer


if __name__ == "__main__":
    main()
