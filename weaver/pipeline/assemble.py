"""Assemble: the one place that constructs a crawl, every stage of it, and takes it down again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path

from weaver.base.clock import Clock, SystemClock
from weaver.base.errors import SeedError
from weaver.base.events import Events
from weaver.base.record import CommitRecord
from weaver.base.settings import CrawlSettings, Settings
from weaver.base.url import Canonicalizer, origin_of, redacted
from weaver.dedupe import ContentIndex, DuplicateLinks
from weaver.fetch import Transport, affordable_concurrency, build_fetcher
from weaver.frontier import Depths, Discovery, Finding, Frontier, HostIds, HrefCache, Refused, Scope
from weaver.graph import EdgeHealth, GraphStore
from weaver.memory import allocator
from weaver.memory.bounded import StoreStatistics
from weaver.memory.budget import Budget
from weaver.memory.collector import Collector
from weaver.memory.governor import Governor
from weaver.memory.meter import Meter, capped_budget
from weaver.memory.processes import base_bytes_of_workers
from weaver.memory.scratch import release_all
from weaver.persistence import (
    Archive,
    Counts,
    CrawlDirectory,
    EventsLog,
    MaxIds,
    MemoryLog,
    PageCaches,
    Sealer,
    WarcArchive,
    Writer,
    checkpoint_and_shrink,
    last_settings,
    open_archive,
    refused_urls,
    shrink_memory,
    stored_mark,
    used_time,
)
from weaver.pipeline.captures import archivist
from weaver.pipeline.counters import Counters
from weaver.pipeline.crawl import Crawl
from weaver.pipeline.crawl_graph import CrawlGraph
from weaver.pipeline.engine import Engine
from weaver.pipeline.governing import Governing
from weaver.pipeline.journal import Journal
from weaver.pipeline.known_edges import KnownEdges
from weaver.pipeline.link_news import LinkNews
from weaver.pipeline.memory_history import MemoryHistory
from weaver.pipeline.memory_status import MemoryStatus
from weaver.pipeline.near_stage import build_near, tell_templates, with_merging
from weaver.pipeline.page_run import PageRun, Stages
from weaver.pipeline.reading_stage import build_workers, has_room_for_workers
from weaver.pipeline.relief import Relief, Shrinkable
from weaver.pipeline.restore import (
    passed_refusals,
    restore_counters,
    restore_depths,
    restore_discovery,
    restore_duplicates,
    restore_edge_health,
    restore_graph,
    restore_host_caps,
    restore_near,
)
from weaver.pipeline.results import Results
from weaver.pipeline.run_log import RunLog
from weaver.pipeline.status import Earlier, StatusReport
from weaver.pipeline.url_index import build_seen, with_key_merging
from weaver.politeness import Gate, user_agent

HREF_CACHE_ENTRIES = 65_536


@asynccontextmanager
async def open_crawl(
    settings: Settings,
    directory: Path | str,
    *,
    resume: bool = False,
    clock: Clock | None = None,
    transport: Transport | None = None,
    meter: Meter | None = None,
    make_budget: Callable[[int], Budget] = Budget,
) -> AsyncIterator[Crawl]:
    """Open a crawl in its directory, locked against a second crawler; closed, and drained, at the end of the block.

    A new crawl wants a directory that holds none; `resume` wants one that does, and goes on where it was, with the
    given settings. `transport` takes the network's place in tests, `meter` the system's, which is closed with the
    crawl, and `make_budget` gives the budget. Raises SeedError, SettingsError, DirectoryError.
    """
    # Before the writer's thread has a heap of its own.
    allocator.share_one_heap()
    with closing(meter or Meter()) as meter:
        # Before any store is built: what is resident now is not the crawl's.
        baseline_bytes = meter.rss()
        clock = clock or SystemClock()
        settings = with_canonical_seeds(settings)
        path = Path(directory)
        opened = CrawlDirectory.open_existing(path) if resume else CrawlDirectory.create(path)
        with opened:
            assembly = _Assembly(settings, opened, clock, transport, meter, baseline_bytes, make_budget)
            try:
                await assembly.begin()
                yield assembly.crawl
            finally:
                await assembly.close()


def canonical_seeds(settings: Settings) -> tuple[str, ...]:
    """The seeds as canonical URLs. Raises SeedError for one that is no absolute http(s) URL."""
    canonical = Canonicalizer(settings.url).canonical
    seeds = []
    for seed in settings.crawl.seeds:
        url = canonical(seed)
        if url is None:
            raise SeedError(f"expected an absolute http(s) URL such as https://example.org/, got {redacted(seed)!r}")
        seeds.append(url)
    return tuple(dict.fromkeys(seeds))


def with_canonical_seeds(settings: Settings) -> Settings:
    """The settings with canonical seeds: nothing that a user typed into a URL besides it is kept, sent or shown."""
    crawl = settings.crawl.model_copy(update={"seeds": canonical_seeds(settings)})
    return settings.model_copy(update={"crawl": crawl})


class _Assembly:
    """The parts of one open crawl, constructed from the disk up."""

    def __init__(
        self,
        settings: Settings,
        directory: CrawlDirectory,
        clock: Clock,
        transport: Transport | None,
        meter: Meter,
        baseline_bytes: int,
        make_budget: Callable[[int], Budget],
    ) -> None:
        self._make_budget = make_budget
        self._writer: Writer | None = None
        self._seeds = settings.crawl.seeds
        self._directory = directory
        self._persistence = settings.persistence
        self._events = Events(clock)
        self._events_log = EventsLog(directory.path)
        self._events.listen(self._events_log.write)
        self._meter = meter
        self._baseline_bytes = baseline_bytes
        self._budget = self._capped_budget(settings.memory.budget, base_bytes_of_workers(settings))
        self._events.keep_within(self._budget.account("events"))
        self._caches = PageCaches(self._budget.account("database"), directory.database_path)
        self._connection = directory.connect_readonly(self._caches.reader_bytes)
        self._archive = Archive(self._connection)
        self._counts = counts = self._archive.counts()
        last_ids = self._archive.max_ids()
        self._journal = Journal(self._archive, self._budget.account("database"))
        self._warc = self._open_warc(settings, clock)
        self._collector = Collector(clock, settings.memory.collector)
        self._counters = Counters()
        self._stages = self._build_stages(settings, clock, transport, counts, last_ids)
        self._restore(settings, counts)
        tell_templates(self._stages.duplicate_links, self._events)
        self._page_run = PageRun(settings, self._stages, self._counters, clock, self._events, self._archive.url)
        affordable = self._affordable(settings.crawl)
        self._engine = Engine(
            affordable, self._stages.frontier, self._journal, self._page_run, self._counters, clock, self._events
        )
        self._memory_log = MemoryLog(directory.path)
        governing = self._build_governing(settings, affordable.concurrency, clock)
        memory = MemoryStatus(
            self._budget, settings.memory.budget, baseline_bytes, meter, governing, self._collector,
            allocator.detect(), self._store_statistics, self._stages.fetcher.pools,
        )  # fmt: skip
        earlier = Earlier(*used_time(self._connection))
        report = StatusReport(self._stages, self._counters, memory, clock, earlier, self._warc)
        news = LinkNews(self._journal, self._events, settings.graph.disk_limit)
        self._sealer = Sealer(settings.persistence.seal_pages, settings.graph.disk_limit, news.dropped, news.damaged)
        self._run_log = RunLog(directory, self._journal, settings, report, clock, self._sealer, self._events)
        self.crawl = Crawl(
            settings, directory.path, self._engine, report, self._run_log, governing,
            Results(settings.crawl.concurrency, self._stages.fetcher.bodies, self._page_run.url_of),
            self._crawl_graph(settings), self._stages.contents, self._events,
        )  # fmt: skip

    def _crawl_graph(self, settings: Settings) -> CrawlGraph:
        graph, canonicalizer = self._stages.graph, Canonicalizer(settings.url)
        return CrawlGraph(graph, self._journal, self._archive, self._directory, canonicalizer)

    def _open_warc(self, settings: Settings, clock: Clock) -> WarcArchive | None:
        if settings.warc.directory is None:
            return None
        warc = open_archive(
            settings.warc, self._directory.path, self._directory.crawl_seed, stored_mark(self._connection),
            archivist(settings.politeness), settings.fetch.headers, clock.wall,
            must_sync=settings.persistence.synchronous == "full",
        )  # fmt: skip
        if warc.repaired.cut_bytes or warc.repaired.is_short:
            self._events.emit("warc_repaired", cut_bytes=warc.repaired.cut_bytes, has_lost=warc.repaired.is_short)
        return warc

    def _affordable(self, wanted: CrawlSettings) -> CrawlSettings:
        """The settings with no more workers than there are file descriptors for."""
        concurrency = affordable_concurrency(wanted.concurrency)
        if concurrency < wanted.concurrency:
            self._events.emit("concurrency_lowered", wanted=wanted.concurrency, got=concurrency)
        return wanted.model_copy(update={"concurrency": concurrency})

    def _capped_budget(self, asked_bytes: int, workers_bytes: int) -> Budget:
        """The budget asked for, or what the limit of the control group leaves of it."""
        limit_bytes = self._meter.read().group_limit
        budget_bytes = capped_budget(asked_bytes, limit_bytes, self._baseline_bytes + workers_bytes)
        if budget_bytes < asked_bytes:
            self._events.emit(
                "budget_capped",
                asked=asked_bytes,
                budget=budget_bytes,
                limit=limit_bytes,
                baseline=self._baseline_bytes,
            )
        return self._make_budget(budget_bytes)

    def _build_governing(self, settings: Settings, concurrency: int, clock: Clock) -> Governing:
        wanted, stages = settings.memory, self._stages
        governor = Governor(self._budget.limit, self._baseline_bytes, wanted.sample_min, wanted.sample_max)
        relief = Relief(
            self._engine, concurrency, self._budget, self._shrinkable(),
            [stages.fetcher.release_memory, stages.reader.release_memory, lambda: shrink_memory(self._connection)],
            lambda: self._journal.ask(checkpoint_and_shrink), allocator.trim, self._meter,
        )  # fmt: skip
        history = MemoryHistory(
            self._memory_log, self._budget, self._baseline_bytes, wanted.sample_min, clock,
            lambda: (self._counters.fetched, stages.discovery.known_urls),
        )  # fmt: skip
        return Governing(
            self._meter, governor, self._budget, self._baseline_bytes, relief, history, self._collector,
            self._engine, self._events, clock, max_pause_s=wanted.max_pause, is_acting=wanted.governor,
        )  # fmt: skip

    def _shrinkable(self) -> tuple[Shrinkable, ...]:
        stages = self._stages
        return (
            stages.graph, stages.edge_health, stages.frontier, self._hrefs, self._seen, stages.contents, stages.hosts,
            stages.gate, self._events, *((stages.near,) if stages.near else ()),
        )  # fmt: skip

    def _store_statistics(self) -> Iterator[StoreStatistics]:
        stages, gate = self._stages, self._stages.gate.statistics()
        yield self._seen.statistics()
        yield self._hrefs.statistics()
        yield stages.hosts.statistics()
        yield gate.hosts
        yield gate.robots
        yield stages.graph.statistics()
        yield stages.edge_health.statistics()
        yield stages.contents.statistics()
        if stages.near is not None:
            yield from stages.near.statistics()
        yield stages.fetcher.statistics().transport.dns

    def _build_stages(
        self,
        settings: Settings,
        clock: Clock,
        transport: Transport | None,
        counts: Counts,
        last_ids: MaxIds,
    ) -> Stages:
        account = self._budget.account
        is_new = counts.urls == 0
        scope = Scope(settings.scope, self._seeds, settings.crawl.max_depth)
        seen_account = account("seen")
        self._seen = build_seen(seen_account, self._archive, self._connection, self._directory, last_ids.url_id)
        self._refused = Refused(seen_account)
        hosts = HostIds(
            settings.politeness.max_hosts, account("hosts"), self._archive, scope.host_refusal,
            last_id=last_ids.host_id, pages_cap=settings.scope.max_pages_per_host,
        )  # fmt: skip
        self._hrefs = HrefCache(HREF_CACHE_ENTRIES, account("frontier"))
        graph = GraphStore(settings.graph, account("graph"))
        edges = KnownEdges(graph, self._archive, follows_nofollow=settings.crawl.nofollow == "follow")
        self._depths = None if settings.crawl.max_depth is None else Depths(seen_account)
        discovery = Discovery(
            Canonicalizer(settings.url), self._directory.crawl_seed,
            self._seen,
            hosts, scope, self._hrefs, self._refused, self._archive,
            self._depths, edges.of,
        )  # fmt: skip
        gate = Gate(
            settings.politeness, retries=settings.fetch.retries, store=self._journal, clock=clock,
            hosts_account=account("hosts"), robots_account=account("robots"), events=self._events,
        )  # fmt: skip
        frontier = Frontier(
            settings.frontier, settings.politeness.per_host, account("frontier"), self._journal, clock, gate.deadline,
            is_resumed=not is_new, queued=counts.queued,
        )  # fmt: skip
        fetcher = build_fetcher(
            settings.fetch, user_agent(settings.politeness), settings.crawl.concurrency,
            frozenset(origin_of(seed) for seed in self._seeds), clock, transport,
            bodies=account("bodies"), names=account("hosts"), keeps_exchange=self._warc is not None,
        )  # fmt: skip
        reader = build_workers(
            settings, fetcher, clock, self._events, seed=self._directory.crawl_seed, is_scripted=transport is not None,
            wants_body=lambda: self.crawl.has_listener,
            may_start=lambda count: has_room_for_workers(self._meter, self._budget, self._baseline_bytes, count),
        )  # fmt: skip
        self._meter.beyond = lambda: reader.beyond_base_bytes
        return Stages(
            frontier=frontier,
            discovery=discovery,
            hosts=hosts,
            gate=gate,
            fetcher=fetcher,
            reader=reader,
            contents=ContentIndex(settings.dedupe, account("content"), self._archive, is_complete=is_new),
            duplicate_links=DuplicateLinks(
                settings.crawl.duplicates, settings.crawl.duplicates_per_template, account("content")
            ),
            near=build_near(
                settings.dedupe, self._budget, self._connection, seed=self._directory.crawl_seed, is_complete=is_new
            ),
            graph=graph,
            edge_health=EdgeHealth(settings.graph, account("edge_health")),
            journal=self._journal,
        )

    def _restore(self, settings: Settings, counts: Counts) -> None:
        if counts.urls == 0:
            return
        restore_counters(self._counters, counts)
        restore_discovery(self._connection, self._stages.discovery, self._refused, counts)
        restore_depths(self._connection, self._depths)
        restore_duplicates(self._connection, self._stages.duplicate_links)
        restore_near(self._connection, self._stages.near, self._counters)
        restore_host_caps(self._connection, self._stages.hosts, settings.scope.max_pages_per_host)
        restore_graph(self._connection, self._archive, self._stages.graph)
        restore_edge_health(self._connection, self._stages.edge_health)

    async def begin(self) -> None:
        """Start the writer, enter the run, and queue the seeds; those that are known already change nothing."""
        stages = self._stages
        self._writer = Writer(
            lambda persistence: self._directory.connect(persistence, self._caches.writer_bytes),
            self._persistence,
            self._journal.on_commit,
            self._journal.on_failure,
            self._warc,
            with_key_merging(self._seen, self._journal.hop, with_merging(stages.near, self._sealer)),
        )
        self._writer.start()
        stores = (stages.discovery, stages.contents, self._page_run, self._caches)
        self._journal.connect(
            self._writer, stages.frontier, stores, self._engine.changed, self._engine.fail, stages.fetcher.bodies
        )
        for seed in self._seeds:
            stages.discovery.resolve(seed, [seed], Finding(source_id=0, depth=0))
        self._queue_found()
        wanted = self.crawl.settings
        reasons = passed_refusals(wanted, last_settings(self._connection), self._counts)
        for rows in refused_urls(self._connection, reasons, wanted.crawl.max_depth):
            for row in rows:
                stages.discovery.reconsider(*row)
            self._queue_found()
        await self._run_log.begin()
        allocator.keep_large_blocks_apart()
        self._collector.start()
        stages.reader.begin()

    def _queue_found(self) -> None:
        found = self._stages.discovery.take()
        if found.urls or found.promoted:
            self._journal.append(
                CommitRecord(urls=found.urls, queued=found.queued, promoted=found.promoted, hosts=found.hosts)
            )
            self._stages.frontier.push(found.tasks)

    async def close(self) -> None:
        """Drain the crawl, commit what waits, end the writer's thread, close connections and files."""
        with ExitStack() as stack:
            stack.callback(self._events_log.close)
            stack.callback(self._memory_log.close)
            if self._warc is not None:
                stack.callback(self._warc.close)
            # The writer's connection is the last one closed: only it can fold the log back into the one file.
            if self._writer is not None:
                stack.callback(self._writer.close)
            stack.callback(self._connection.close)
            stack.callback(self._collector.stop)
            await self.crawl.close()
            release_all()
            await self._stages.reader.close()
            await self._stages.fetcher.close()
