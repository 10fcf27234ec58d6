"""What an entry of each bounded store costs in bytes and time, each store in a process of its own: JSON lines.

`python -m benchmarks.memory` answers all questions; a question's name answers that one.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import psutil
from xxhash import xxh3_128_digest

from benchmarks.queued import queued_in_ram, queued_on_disk
from weaver.base.clock import ManualClock
from weaver.base.record import HostRecord
from weaver.base.settings import GraphSettings, PolitenessSettings
from weaver.dedupe.content_index import DIGEST_ENTRY_BYTES
from weaver.graph import GraphStore
from weaver.memory import Account, BoundedLRU, KeyTable
from weaver.politeness.host_state import HostTable

ENTRIES = 1_000_000
BATCH = 100
PAGES = 1_000_000
IDLE_HOSTS = 200_000
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


def content_digest() -> Figures:
    """The hot map of digests: a cachetools.Cache over one OrderedDict, 17 bytes to a page's id; full, then churned."""
    account = Account("content", 1 << 40)
    store: BoundedLRU[bytes, int] = BoundedLRU("content", ENTRIES, account=account, entry_bytes=DIGEST_ENTRY_BYTES)
    before = rss()
    for page in range(ENTRIES):
        store.put(b"b" + xxh3_128_digest(page.to_bytes(4)), page)
    full = rss() - before
    for page in range(ENTRIES, 2 * ENTRIES):
        store.put(b"b" + xxh3_128_digest(page.to_bytes(4)), page)
    return {
        "what": "content digest",
        "entries": ENTRIES,
        "rss_bytes_per_entry": round(full / ENTRIES, 1),
        "rss_bytes_per_entry_churned": round((rss() - before) / ENTRIES, 1),
        "charged_bytes_per_entry": round(DIGEST_ENTRY_BYTES, 1),
    }


def key_table() -> Figures:
    """A table in 64 MiB, filled to 0.8 of its slots."""
    return filled_table("seen url with its id", 64 << 20, 0.8)


def key_table_small() -> Figures:
    """The same with 50,000 keys."""
    return filled_table("seen url with its id, few", 64 << 20, 0.009)


def key_table_evicting() -> Figures:
    """A table in 8 MiB that meets four times as many keys as it has slots."""
    return filled_table("seen url with its id, evicting", 8 << 20, 4.0)


def filled_table(name: str, limit: int, share: float) -> Figures:
    """A table of so many bytes that meets keys for a share of its slots, in batches of 100, and is asked for them."""
    warm_up = KeyTable("seen", 10**9, Account("seen", 1 << 20))
    warm_up.put_many(np.arange(4096, dtype=np.uint64) << np.uint64(20), np.arange(1, 4097, dtype=np.uint32))
    account = Account("seen", limit)
    table = KeyTable("seen", 10**9, account)
    entries = int(table.capacity * share)
    random = np.random.default_rng(1)
    keys = random.integers(0, 2**64, entries, dtype=np.uint64)
    ids = np.arange(1, entries + 1, dtype=np.uint32)
    before = rss()
    put_s = slowest_s = 0.0
    for batch in in_batches(entries):
        # The thread's own time: a stall that a neighbour causes is not the table's.
        started = time.thread_time()
        table.put_many(keys[batch], ids[batch])
        taken_s = time.thread_time() - started
        put_s, slowest_s = put_s + taken_s, max(slowest_s, taken_s)
    entry_bytes = (rss() - before) / len(table)
    asked = keys[random.integers(entries // 2, entries, 1_000_000)]
    started = time.thread_time()
    for batch in in_batches(len(asked)):
        table.get_many(asked[batch])
    get_s = time.thread_time() - started
    charged_bytes = account.used / len(table)
    return {
        "what": name,
        "entries": len(table),
        "rss_bytes_per_entry": round(entry_bytes, 1),
        "charged_bytes_per_entry": round(charged_bytes, 1),
        "evicted_share": round(table.statistics().evicted / entries, 4),
        "puts_per_s": round(entries / put_s),
        "slowest_put_ms": round(slowest_s * 1e3, 1),
        "gets_per_s": round(len(asked) / get_s),
        **_shrunk(table, account),
    }


def _shrunk(table: KeyTable, account: Account) -> Figures:
    """What a table gives back at half its limit, and how long one call takes."""
    account.limit = account.used // 2
    before, slowest_s, given, released = rss(), 0.0, 1, 0
    while given:
        started = time.thread_time()
        given = table.shrink()
        slowest_s = max(slowest_s, time.thread_time() - started)
        released += given
    return {
        "shrunk_by_mib": round(released / 2**20, 2),
        "rss_fell_by_mib": round((before - rss()) / 2**20, 2),
        "slowest_shrink_ms": round(slowest_s * 1e3, 1),
    }


def graph(name: str, limit: int, pages: int, links: int) -> Figures:
    account = Account("graph", limit)
    store = GraphStore(GraphSettings(), account)
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


class NoStore:
    """A disk that knows no host and keeps none."""

    def load_host(self, _host_id: int) -> HostRecord | None:
        return None

    def save_host(self, record: HostRecord) -> None: ...


def idle_host() -> Figures:
    """Politeness's state of hosts that were visited once."""
    account = Account("hosts", 1 << 40)
    table = HostTable(PolitenessSettings(max_hosts=IDLE_HOSTS), NoStore(), ManualClock(), account)
    before = rss()
    for host_id in range(1, IDLE_HOSTS + 1):
        table.state(host_id, f"https://host-{host_id}.example.org").last_start = float(host_id)
    return {
        "what": "idle host",
        "entries": len(table),
        "rss_bytes_per_entry": round((rss() - before) / len(table), 1),
        "charged_bytes_per_entry": round(account.used / len(table), 1),
    }


QUESTIONS: list[Callable[[], Figures]] = [
    lru_plain, lru_by_bytes, lru_by_age, content_digest, key_table, key_table_small, key_table_evicting,
    graph_whole, graph_evicting, graph_wide,
    idle_host, queued_in_ram, queued_on_disk,
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
