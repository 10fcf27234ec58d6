"""Plan A, retention: what is kept of hosts, contents, edges and bytes is bounded, and what leaves is not lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.soak_web import LEAF, SoakWeb
from tests.memory.fake_root import MIB, V2_MOUNT, FakeRoot
from tests.support.counting_web import Answer, Hit, counting_web
from tests.support.crawls import loopback_settings
from tests.support.fetching import fetching, response_to
from tests.support.host_store import MemoryHostStore
from tests.support.hostile_server import HostileServer
from tests.support.hostile_server import answer as raw_answer
from tests.support.tiny_web import SITE, answer, crawl_all, html, settings_for, site
from tests.support.waiting import until
from weaver.base.clock import ManualClock
from weaver.base.events import Events
from weaver.base.page import PageState, Parsed, Response, Task
from weaver.base.record import PageRow
from weaver.base.settings import DedupeSettings, GraphSettings, PolitenessSettings, Settings
from weaver.base.sources import settings_from
from weaver.cli.running import interruptible
from weaver.dedupe import ContentIndex
from weaver.fetch import ScriptedTransport
from weaver.graph import EdgeHealth, GraphStore
from weaver.memory import Account, Budget
from weaver.memory.buffers import Pool
from weaver.memory.meter import Meter
from weaver.memory.scratch import Arena, Arenas, release_all
from weaver.persistence import read_receipts
from weaver.pipeline import ExitReason, open_crawl
from weaver.politeness import Decision, Gate

CAP = 1_000
FINE = Response("", 200, {}, b"", 0, 0.1)
BUSY = Response("", 503, {"retry-after": "300"}, b"", 0, 0.1)
MISSING = Response("", 404, {}, b"", 0, 0.1)
PAGES = 60
# Beyond what is gathered in a list, and more than one buffer.
LARGE = b"<p>" + b"0123456789abcdef" * (48 << 10)


class NoDisk:
    """A disk that knows no digest."""

    def page_with_digest(self, _digest: bytes) -> int:
        return 0


def _gate(clock: ManualClock, store: MemoryHostStore, **settings: Any) -> Gate:
    wanted = PolitenessSettings(**{"max_hosts": CAP, "delay": 1.0} | settings)
    return Gate(wanted, retries=2, store=store, clock=clock, events=Events(clock), jitter=float)


def _visit(gate: Gate, host_id: int, response: Response = FINE) -> float:
    """One request to a host, from its start to its end; from when the next one may be."""
    origin = f"http://h{host_id}.test"
    gate.started(host_id, origin)
    return gate.ready_at(Task(host_id, f"{origin}/", host_id), response)


def _host_counts(prune_to: float) -> list[int]:
    clock = ManualClock()
    gate = _gate(clock, MemoryHostStore(), prune_to=prune_to)
    counts = []
    for host_id in range(1, 2 * CAP):
        _visit(gate, host_id)
        clock.advance(2.0)
        counts.append(gate.statistics().hosts.current)
    return counts


def _digest_counts(prune_to: float) -> list[int]:
    settings = DedupeSettings(max_digests=CAP, prune_to=prune_to)
    contents = ContentIndex(settings, Account("content", 1 << 30), NoDisk())
    counts = []
    for number in range(1, 2 * CAP):
        contents.observe(number, b"body %d" % number, Parsed("http://a.test/"))
        contents.submitted(number)
        contents.committed(number)
        counts.append(len(contents))
    return counts


@pytest.mark.parametrize("counts", [_host_counts, _digest_counts])
@pytest.mark.parametrize("prune_to", [0.9, 0.5])
def test_host_and_content_maps_are_bounded_and_pruned_in_a_batch_to_90_percent(
    counts: Callable[[float], list[int]], prune_to: float
) -> None:
    """A map that meets its cap goes back to 90 % of it, or to what the user set, within a few puts, and fills again."""
    held = counts(prune_to)
    full_at = held.index(CAP)
    assert max(held) == CAP
    assert min(held[full_at:]) == int(prune_to * CAP)
    assert held[full_at:].index(int(prune_to * CAP)) <= CAP // 30
    assert held[-1] > min(held[full_at:])


def test_the_caps_and_what_they_are_pruned_to_are_settings() -> None:
    """200,000 hosts and 2,000,000 digests, pruned to 90 %, unless the user says otherwise."""
    usual, own = Settings(), settings_from({"dedupe": {"max_digests": 5, "prune_to": 0.8}})
    assert (usual.politeness.max_hosts, usual.politeness.prune_to) == (200_000, 0.9)
    assert (usual.dedupe.max_digests, usual.dedupe.prune_to) == (2_000_000, 0.9)
    assert (own.dedupe.max_digests, own.dedupe.prune_to) == (5, 0.8)


def test_hosts_with_a_request_under_way_or_a_deadline_ahead_are_never_victims() -> None:
    """However many idle hosts come by, one that is being asked and one that must be left alone stay in RAM."""
    clock, store = ManualClock(), MemoryHostStore()
    gate = _gate(clock, store, max_hosts=100)
    gate.started(1, "http://h1.test")
    deadline = _visit(gate, 2, BUSY)
    for host_id in range(3, 280):
        _visit(gate, host_id)
        clock.advance(1.0)
    assert gate.statistics().hosts.evicted >= 150
    loads = store.loads
    assert gate.deadline(2) == deadline > clock.monotonic()
    gate.release(1)
    assert store.loads == loads


def test_an_evicted_host_keeps_its_deadline_and_robots_verdict_on_disk() -> None:
    """Where every host has a deadline some leave nonetheless: each keeps its deadline, and what robots.txt said."""
    clock, store = ManualClock(), MemoryHostStore()
    gate = _gate(clock, store, max_hosts=10)
    deadlines = {}
    for host_id in range(1, 101):
        origin = f"http://h{host_id}.test"
        task = gate.robots_task(host_id, origin)
        gate.started(host_id, origin)
        gate.ready_at(task, FINE)
        rules = Response("", 200, {}, b"User-agent: *\nDisallow: /private", 0, 0.1)
        assert gate.robots_answered(task, rules) is None
        deadlines[host_id] = _visit(gate, host_id, BUSY)
    assert gate.statistics().hosts.current <= 11
    assert all(gate.deadline(host_id) == pytest.approx(deadline) for host_id, deadline in deadlines.items())
    for host_id in deadlines:
        origin = f"http://h{host_id}.test"
        assert gate.judge(Task(1, f"{origin}/private", host_id), origin) is Decision.ROBOTS


def test_an_evicted_host_keeps_even_its_plain_delay() -> None:
    """A deadline that nobody wrote down before, the ordinary pause after a visit, is saved when its host leaves."""
    clock = ManualClock()
    gate = _gate(clock, MemoryHostStore(), max_hosts=10, delay=5.0)
    for host_id in range(1, 101):
        _visit(gate, host_id)
    clock.advance(60.0)
    deadlines = {host_id: _visit(gate, host_id) for host_id in range(1, 101)}
    assert gate.statistics().hosts.current <= 11
    assert all(gate.deadline(host_id) == pytest.approx(deadline) for host_id, deadline in deadlines.items())


async def test_a_deadline_that_a_crawl_let_go_is_in_its_database(tmp_path: Path) -> None:
    """With room for 2 hosts, 30 hosts that asked for ten minutes' peace all have it written down."""
    seeds = [f"http://h{number}.test/" for number in range(30)]
    transport = ScriptedTransport({seed: answer(seed, status=503, retry_after="600") for seed in seeds})
    settings = settings_for(*seeds, politeness__max_hosts=2, scope__mode="any")
    async with open_crawl(settings, tmp_path / "c", transport=transport) as crawl:
        running = asyncio.create_task(crawl.run_to_end())
        await until(lambda: crawl.events.counts.get("host_overloaded") == len(seeds))
        crawl.stop()
        await running
        now = crawl.status()["memory"]
    assert now["stores"]["hosts"]["evicted"] >= 20  # type: ignore[index]
    with contextlib.closing(sqlite3.connect(tmp_path / "c" / "crawl.db")) as connection:
        waits = connection.execute("SELECT count(*) FROM hosts WHERE ready_at > unixepoch() + 500").fetchone()[0]
    assert waits == len(seeds)


def _copies() -> ScriptedTransport:
    """PAGES pages, and when they have all been met, a copy of each."""
    texts = [f"text number {number} " * 40 for number in range(PAGES)]
    pages = {f"/p{number}": html(text) for number, text in enumerate(texts)}
    pages |= {f"/c{number}": html(text) for number, text in enumerate(texts)}
    pages["/"] = html("home", *(f"/p{number}" for number in range(PAGES)), "/more")
    pages["/more"] = html("more", *(f"/c{number}" for number in range(PAGES)))
    return site(pages)


async def _copies_found(directory: Path, **values: object) -> tuple[int, ContentIndex]:
    """How many copies were recognised with room for 16 digests, each committed at once; and the index."""
    settings = settings_for(
        dedupe__max_digests=16, crawl__concurrency=1, persistence__commit_pages=1, persistence__queue_pages=1, **values
    )
    async with open_crawl(settings, directory, transport=_copies()) as crawl:
        found = [page async for page in crawl.run()]
    copies = [page for page in found if page.url.startswith(f"{SITE}/c")]
    assert len(copies) == PAGES
    return sum(page.state is PageState.DUPLICATE for page in copies), crawl.contents


async def test_an_evicted_digest_is_still_found_on_disk(tmp_path: Path) -> None:
    """With room for 16 digests the copies of 60 pages are all recognised."""
    recognised, contents = await _copies_found(tmp_path / "c")
    assert recognised == PAGES
    assert contents.cold_hits >= PAGES // 2
    assert contents.forgotten == 0


async def test_the_loss_is_counted_where_the_user_chose_to_drop(tmp_path: Path) -> None:
    """With `dedupe.disk = "drop"` what leaves RAM is forgotten: copies count as new, and `forgotten` says why."""
    recognised, contents = await _copies_found(tmp_path / "c", dedupe__disk="drop")
    assert recognised < PAGES // 2
    assert contents.cold_lookups == 0
    assert contents.forgotten >= PAGES


@pytest.mark.slow
async def test_small_caps_change_no_page_and_no_edge(tmp_path: Path) -> None:
    """A crawl with room for 4 hosts and 8 digests comes to the same graph as one with room for all."""
    digests = set()
    for name, caps in (("roomy", {}), ("tight", {"politeness": {"max_hosts": 4}, "dedupe": {"max_digests": 8}})):
        web = SoakWeb(120, hosts=20)
        settings = settings_for(web.address(0), scope__mode="any", scope__exclude=(LEAF,))
        tree = settings.model_dump()
        settings = settings_from({section: tree[section] | caps.get(section, {}) for section in tree})
        async with open_crawl(settings, tmp_path / name, transport=web) as crawl:
            await crawl.run_to_end()
            digests.add(crawl.graph_digest)
    assert len(digests) == 1


@pytest.mark.parametrize("settings", [GraphSettings(max_edges=1_000), GraphSettings(max_nodes=20), GraphSettings()])
def test_graph_retention_has_an_upper_limit(settings: GraphSettings) -> None:
    """Edges, nodes and bytes in RAM end at their caps; what was ever added is still counted exactly."""
    account = Account("graph", 64 << 10)
    store = GraphStore(settings, account)
    for page in range(1, 2_001):
        store.add_page(page, np.arange(1, 51, dtype=np.uint32), bytes(50))
    assert store.resident_edges <= (settings.max_edges or 100_000)
    assert len(store) <= (settings.max_nodes or 2_000)
    assert account.used <= account.limit
    assert store.edges == 100_000
    store.check()


@pytest.mark.parametrize("policy", ["active_set", "strict_lru"])
def test_the_edge_health_registry_is_bounded(policy: Any) -> None:
    """Either policy ends at its cap; each link's status, failures in a row and time of the last look are kept."""
    settings = GraphSettings(edge_health=policy, max_edge_health=100)
    health = EdgeHealth(settings, Account("edge_health", 1 << 20))
    for round_s in (1, 2):
        for url_id in range(1, 301):
            health.note(PageRow(url_id, PageState.FAILED, float(round_s), 404, reason="http_404"))
    assert len(health) == 100 == health.capacity
    found = health.get(300)
    assert found is not None
    assert (found.status, found.last_checked_at) == (404, 2)
    assert health.statistics().evicted > 0
    health.check()


async def test_a_reused_buffer_never_shows_the_previous_page() -> None:
    """Pages fetched one after the other through the same buffers, poisoned in between, are what the server sent."""
    bodies = {f"/{size}": bytes((65 + size,)) * (size * 100_000 + size) for size in (30, 7, 19, 6, 25)}
    paths = {path: (raw_answer(body),) for path, body in bodies.items()}
    async with HostileServer(paths) as server, fetching() as fetcher:
        for path, body in bodies.items():
            assert (await response_to(fetcher, server.url(path))).body == body
            for block in fetcher.transport._buffers._idle:  # type: ignore[attr-defined]
                block[:] = b"\xdb" * len(block)
        assert fetcher.pools()["bodies"]["reused"]


async def test_truncation_is_deterministic() -> None:
    """A body over the limit is cut at exactly the limit, each time the same, and says so."""
    limit = 700_001
    async with HostileServer({"/": (raw_answer(LARGE),)}) as server, fetching(max_body=limit) as fetcher:
        for _ in range(3):
            response = await response_to(fetcher, server.url())
            assert (response.body, response.truncated_by) == (LARGE[:limit], "max_body")


def test_scratch_is_released_from_any_thread() -> None:
    """One instance's scratch, or that of the whole process, goes on an explicit call from whichever thread."""
    pool = Pool("scratch", 8, buffer_bytes=64, account=Account("bodies", 1 << 20))
    mine, others = Arenas("mine", pool), Arena("others", pool)
    for scope in (mine.open(), others):
        with scope as arena:
            arena.append(b"page")
    for release, left in ((mine.release, 1), (release_all, 0)):
        thread = threading.Thread(target=release)
        thread.start()
        thread.join()
        assert pool.statistics().in_use == left


def _large_pages(hit: Hit, _visits: int) -> Answer:
    """Ten pages of a megabyte, each linked from the first."""
    links = b"".join(b'<a href="/%d">%d</a>' % (number, number) for number in range(1, 10))
    return Answer(status=404) if hit.path == "/robots.txt" else Answer(body=links + hit.path.encode() + LARGE)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_scratch_is_released_on_sigterm_and_on_close(tmp_path: Path, number: signal.Signals) -> None:
    """A crawl that is told to end gives back all buffers and connections: nothing is charged to `bodies` any more."""
    budget = Budget(64 << 20)
    async with counting_web(_large_pages) as web:
        settings = loopback_settings([f"{web.origins[0]}/"], crawl={"concurrency": 2})
        async with open_crawl(settings, tmp_path / "c", make_budget=lambda _: budget) as crawl:
            with interruptible(crawl, lambda _: None):
                running = asyncio.create_task(crawl.run_to_end())
                await web.wait_for_hits(4)
                os.kill(os.getpid(), number)
                assert await running is ExitReason.DRAINED
            assert crawl.status()["memory"]["pools"]["bodies"]["in_use"]  # type: ignore[index]
    assert budget.account("bodies").used == 0


@pytest.mark.slow
async def test_scratch_is_released_on_the_governor_s_word(tmp_path: Path) -> None:
    """When memory gets scarce the buffers that wait for the next page are freed, and the crawl goes on."""
    root = FakeRoot(tmp_path / "root")
    root.put_process("0::/a", V2_MOUNT)
    root.put_v2("a", max=1024 * MIB, high="max", current=100 * MIB, inactive_file=0)

    async with counting_web(_large_pages) as web:
        settings = loopback_settings(
            [f"{web.origins[0]}/"],
            crawl={"concurrency": 1},
            memory={"sample_min": 0.01, "sample_max": 0.02, "budget": 64 * MIB},
        )
        async with open_crawl(settings, tmp_path / "c", meter=Meter(root.path)) as crawl:

            def in_use() -> Any:
                return crawl.status()["memory"]["pools"]["bodies"]["in_use"]  # type: ignore[index]

            pages = 0
            async for _ in crawl.run():
                pages += 1
                if pages == 2:
                    # The worker waits for this listener: what is in use is what an arena kept.
                    assert in_use()
                    root.put_v2("a", current=940 * MIB)
                    await until(lambda: not in_use())
                    root.put_v2("a", current=100 * MIB)
            assert pages == 10


async def test_evidence_of_each_run_is_kept(tmp_path: Path) -> None:
    """Each run, one that was cut short and one that went on, leaves one line in receipts.jsonl."""
    pages = {"/": html("home", "/a", "/b"), "/a": html("a"), "/b": html("b")}
    await crawl_all(site(pages), tmp_path / "c", settings_for(crawl__max_pages=1))
    await crawl_all(site(pages), tmp_path / "c", resume=True)
    first, second = read_receipts(tmp_path / "c")
    assert (tmp_path / "c" / "receipts.jsonl").read_bytes().count(b"\n") == 2
    assert (first["exit_reason"], second["exit_reason"]) == ("max_pages", "finished")
    assert second["counts"]["pages"]["fetched"] == 3
    assert second["graph_digest"]
    assert first["settings_hash"] != second["settings_hash"]
