"""Fills one account's stores to their limit in a process of its own, and prints what was claimed and what it took.

`python -m tests.memory.filling ACCOUNT` prints JSON, all in bytes: `claimed` (the account), `traced` (tracemalloc) and
`resident` (RSS), beyond those before the filling, and the account's `limit`. With `rss` behind the account nothing is
traced, so that `resident` has no part in it that tracing takes.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

from weaver.base.clock import ManualClock
from weaver.base.events import Events
from weaver.base.page import EdgeKind, Observation, PageState, Parsed, Task
from weaver.base.record import Adjacency, CommitRecord, HostRecord, PageRow, QueueRow
from weaver.base.settings import (
    DedupeSettings,
    FrontierSettings,
    GraphSettings,
    PersistenceSettings,
    PolitenessSettings,
    ScopeSettings,
    UrlSettings,
)
from weaver.base.url import Canonicalizer
from weaver.dedupe import ContentIndex, NearIndex
from weaver.dedupe.sketch import SIGNATURE_WORDS, header
from weaver.frontier import Depths, Discovery, Finding, Frontier, HostIds, HrefCache, Refused, Scope, Seen
from weaver.graph import EdgeHealth, GraphStore
from weaver.memory import Budget, KeyTable
from weaver.memory.meter import rss_bytes
from weaver.memory.uncommitted import Uncommitted
from weaver.persistence import Archive, CrawlDirectory, Writer
from weaver.pipeline.journal import Journal
from weaver.politeness import Gate

BUDGET = 32 << 20
BATCH = 100
HOSTS = 500


class Nowhere:
    """A disk that knows nothing, and never answers a refill."""

    def merged_ids(self, _keys: object) -> dict[int, int]:
        return {}

    def host_by_origin(self, _origin: str) -> HostRecord | None:
        return None

    def refused_url(self, _url_id: int) -> tuple[str, str] | None:
        return None

    def page_with_digest(self, _digest: bytes) -> int:
        return 0

    def load_host(self, _host_id: int) -> HostRecord | None:
        return None

    def save_host(self, _record: HostRecord) -> None:
        """Forget it."""

    def ask_entries(self, _host_id: int, _after: tuple[int, int], _limit: int) -> None:
        """Never answer."""

    def ask_hosts(self, _after_host_id: int, _limit: int) -> None:
        """Never answer."""


def url_of(number: int) -> str:
    """A URL of 60 characters, new each time it is called."""
    return f"http://www.host{number % HOSTS:04d}.example/a/folder/page-{number:010d}.html"


def seen(budget: Budget) -> object:
    """The table of keys, until it evicts."""
    account = budget.account("seen")
    table = KeyTable("seen", account.limit // 12, account)
    random, next_id = np.random.default_rng(1), 1
    while not table.has_evicted:
        keys = random.integers(0, 2**64, BATCH, dtype=np.uint64)
        table.put_many(keys, np.arange(next_id, next_id + BATCH, dtype=np.uint32))
        next_id += BATCH
    return table


def depths(budget: Budget) -> object:
    """Depths and refusals of a million URLs, which share the account of the table of keys."""
    account = budget.account("seen")
    known, refused = Depths(account), Refused(account)
    for url_id in range(1, 1_000_000):
        known.note(url_id, 3)
        if not url_id % 3:
            refused.add(url_id)
    return known, refused


def graph(budget: Budget) -> object:
    """Pages of 20 links among a million URLs, until some have left."""
    store = GraphStore(GraphSettings(), budget.account("graph"))
    random, node = Random(1), 0
    while not store.statistics().evicted:
        node += 1
        targets = np.array(random.sample(range(1, node * 4 + 100), 20), np.uint32)
        store.add_page(node, targets, bytes(20))
    return store


def edge_health(budget: Budget) -> object:
    """Links that fail or moved, until some have left."""
    health, number = EdgeHealth(GraphSettings(), budget.account("edge_health")), 0
    while not health.statistics().evicted:
        number += 50
        health.note(PageRow(number, PageState.FAILED, 1.7e9, 404, reason="http_404"))
        health.note(PageRow(number + 1, PageState.REDIRECT, 1.7e9, 301), moved_to=number)
    return health


def content(budget: Budget) -> object:
    """Digests of different pages, until as many have left as there are: how full its tables are moves with churn."""
    account = budget.account("content")
    index = ContentIndex(DedupeSettings(), account, Nowhere())
    page_id = 0
    while account.evicted <= len(index):
        page_id += 1
        _observe(index, page_id)
        index.submitted(page_id)
        index.committed(page_id)
    return index


def _observe(index: ContentIndex, page_id: int) -> Observation:
    return index.observe(page_id, b"body %d" % page_id, Parsed("", text=f"text {page_id} " * 40))


def near(budget: Budget) -> object:
    """Signatures of different pages, until some have left; in the account of digests."""
    index, random = NearIndex(budget.account("content")), np.random.default_rng(1)
    doc_id = 0
    while not index.statistics().evicted:
        doc_id += 1
        signature = random.integers(0, 2**64, SIGNATURE_WORDS, dtype=np.uint64)
        signature[0] = header(2_048, 500, 500)
        index.observe(doc_id, signature)
    return index


def frontier(budget: Budget) -> object:
    """Queues of URLs, as many as the window holds."""
    account = budget.account("frontier")
    queue = Frontier(FrontierSettings(), 1, account, Nowhere(), ManualClock(), float)
    for number in range(1, 40_000):
        queue.push([Task(number, url_of(number), number % HOSTS + 1000, 3)])
    return queue


def hrefs(budget: Budget) -> object:
    """Links as pages have them, some relative, until the cache's part of the account is full."""
    cache = HrefCache(10**9, budget.account("frontier"))
    number = 0
    while not cache.evicted:
        number += 20
        folder = cache.folder(f"http://www.host{number % HOSTS:04d}.example/folder/{number}/")
        cache.remember(folder, {f"../page-{n}.html" if n % 2 else url_of(n): n for n in range(number, number + 20)})
    return cache


def hosts(budget: Budget) -> object:
    """Hosts that were met and asked, until some have left."""
    account, clock = budget.account("hosts"), ManualClock()
    ids = HostIds(10**6, account, Nowhere(), lambda _url: "")
    gate = Gate(
        PolitenessSettings(delay=0.0), retries=2, store=Nowhere(), clock=clock, events=Events(clock),
        hosts_account=account, jitter=float,
    )  # fmt: skip
    for number in range(1, 6_000):
        origin = f"https://www.some-host-{number:05d}.example"
        gate.started(ids.of_origin(origin).id, origin)
        gate.release(number)
        clock.advance(1.5)
        ids.submitted(number)
        ids.committed(number)
        ids.take_fresh()
    return ids, gate


def robots(budget: Budget) -> object:
    """Hosts with a dozen rules each, until some have left."""
    account, clock = budget.account("robots"), ManualClock()
    gate = Gate(
        PolitenessSettings(), retries=2, store=Nowhere(), clock=clock, events=Events(clock),
        robots_account=account, jitter=float,
    )  # fmt: skip
    host_id = 0
    while not account.evicted:
        host_id += 1
        rules = [f"Disallow: /{name}-{host_id}/" for name in ("private", "search", "cart", "login", "tmp", "admin")]
        gate._rules.learn(host_id, "\n".join(["User-agent: *", *rules, "Disallow: /*.pdf$"]).encode())
    return gate


def events(budget: Budget) -> object:
    """Events with a URL and a message, until the oldest have left."""
    ring = Events(ManualClock())
    ring.keep_within(budget.account("events"))
    for number in range(3_000):
        ring.emit(
            "robots_failed", url=url_of(number), error=f"no answer within {number + 1000} ms", status=number + 500
        )
    return ring


def database(budget: Budget) -> object:
    """Pages with 14 new URLs each on their way to a disk that never answers, until the queue has no room."""
    directory = CrawlDirectory.create(Path(tempfile.mkdtemp(prefix="weaver-")) / "crawl")
    journal = Journal(Archive(directory.connect_readonly()), budget.account("database"))
    writer = Writer(directory.connect, PersistenceSettings(queue_pages=10**6), lambda _: None, lambda _: None)
    journal._writer = writer
    elsewhere = Budget(1 << 30)
    account = elsewhere.account
    ids = HostIds(10**6, account("hosts"), Nowhere(), lambda _url: "")
    discovery = Discovery(
        Canonicalizer(UrlSettings()), 7, Seen(KeyTable("seen", 1000, account("seen")), Nowhere()), ids,
        Scope(ScopeSettings(mode="any", exclude=("[02468].html",)), [], None), HrefCache(1, account("frontier")),
        Refused(account("seen")), Nowhere(),
    )  # fmt: skip
    contents, pages = ContentIndex(DedupeSettings(), account("content"), Nowhere()), Uncommitted[int, str]()
    journal._stores = (discovery, contents, _Pages(pages))
    number = 0
    while journal.has_room:
        number += 20
        page_id = discovery.known_urls + 1
        discovery.resolve(url_of(number), [url_of(n) for n in range(number, number + 14)], Finding(page_id, 3))
        pages.add(page_id, url_of(page_id))
        journal.append(_record(discovery, page_id, _observe(contents, page_id)))
    return journal, writer, discovery, contents, pages


class _Pages:
    def __init__(self, pages: Uncommitted[int, str]) -> None:
        self.submitted = pages.submitted

    def committed(self, number: int) -> None:
        """Never."""


def _record(discovery: Discovery, page_id: int, seen_as: Observation) -> CommitRecord:
    found = discovery.take()
    row = PageRow(
        page_id, PageState.FETCHED, page_id + 0.5, 200, "text/html", 5_000 + page_id, seen_as.body_digest,
        seen_as.text_digest, title=f"The title of page {page_id}",
    )  # fmt: skip
    edges = Adjacency(np.arange(100, dtype=np.uint32).tobytes(), bytes([EdgeKind.HYPERLINK]) * 100)
    deleted = (QueueRow(page_id % HOSTS, 3, page_id),)
    return CommitRecord(row, edges, found.urls, found.queued, deleted, found.promoted, found.hosts)


FILLERS: dict[str, Callable[[Budget], object]] = {
    filler.__name__: filler
    for filler in (seen, depths, graph, edge_health, content, near, frontier, hrefs, hosts, robots, events, database)
}
TAGS = {"depths": "seen", "near": "content", "hrefs": "frontier"}


def fill(name: str) -> dict[str, int]:
    """Fill one account; the bytes claimed, traced and resident."""
    # What is made once in a process, such as compiled patterns, is no store's.
    FILLERS[name](Budget(2 << 20))
    gc.collect()
    budget = Budget(BUDGET)
    account = budget.account(TAGS.get(name, name))
    is_traced = name not in {"seen", "graph", "near"} and "rss" not in sys.argv
    if is_traced:
        tracemalloc.start()
    resident, traced = rss_bytes(), tracemalloc.get_traced_memory()[0]
    held = FILLERS[name](budget)
    gc.collect()
    resident, traced = rss_bytes() - resident, tracemalloc.get_traced_memory()[0] - traced
    account.check()
    assert held is not None
    return {"claimed": account.used, "traced": traced, "resident": resident, "limit": account.limit}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(fill(sys.argv[1])))
