"""PageRun: one task's way through the stages, top to bottom, with one wait: the fetch."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from weaver.base.clock import Clock
from weaver.base.events import Events
from weaver.base.page import (
    EdgeKind,
    Failure,
    Fetched,
    Observation,
    PageState,
    Parsed,
    Response,
    Task,
    TaskKind,
    Verdict,
)
from weaver.base.record import Adjacency, Capture, CommitRecord, NearRow, PageRow, QueueRow
from weaver.base.settings import Settings
from weaver.base.url import origin_of, template_of
from weaver.base.value import value
from weaver.dedupe import ContentIndex, DuplicateLinks, NearPages
from weaver.fetch import Fetcher
from weaver.frontier import DUPLICATE_LINKS, NOFOLLOW, Discovery, Finding, Frontier, HostIds, Lease
from weaver.graph import EdgeHealth, GraphStore
from weaver.memory.admission import Admission
from weaver.memory.uncommitted import Uncommitted
from weaver.pipeline.captures import captures_of
from weaver.pipeline.counters import Counters
from weaver.pipeline.journal import Journal
from weaver.politeness import Decision, Gate, is_local_limit
from weaver.reading import Reading, Workers
from weaver.reading.reading import SHORT

REDIRECT_LIMIT = "redirect_limit"
LOCAL_PAUSE_S = 1.0
LOCAL_LIMITS_AN_EVENT = 100
_NOTHING = Parsed("")


@value
class PageResult:
    """One finished page, as the library hands it out.

    `state` is fetched, duplicate, redirect, failed or blocked_robots; `reason` says why where there is something to
    say. `body` is the decoded body and `text` the visible text, empty where there was none to take; `links` the
    number of distinct out-edges; `duplicate_id` and `duplicate_of` name the page that this one is a copy of (0 and
    empty where it is none), which may come without body and text (`crawl.duplicate_bodies`); `near_id` the page that it
    is nearly the same as, by the Jaccard index `similarity` (both 0 where it is none).
    """

    id: int
    url: str
    state: PageState
    depth: int
    status: int = 0
    content_type: str = ""
    title: str = ""
    links: int = 0
    body: bytes = b""
    text: str = ""
    duplicate_of: str = ""
    reason: str = ""
    duplicate_id: int = 0
    near_id: int = 0
    similarity: float = 0.0


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages of one crawl, constructed in one place and used here."""

    frontier: Frontier
    discovery: Discovery
    hosts: HostIds
    gate: Gate
    fetcher: Fetcher
    reader: Workers
    contents: ContentIndex
    duplicate_links: DuplicateLinks
    near: NearPages | None
    graph: GraphStore
    edge_health: EdgeHealth
    journal: Journal


@value
class _Outcome:
    """What a visit came to: the row, its edges, where a redirect led, what was read, and what it is compared by."""

    row: PageRow
    edges: dict[EdgeKind, Iterable[int]]
    body: bytes = b""
    parsed: Parsed = _NOTHING
    moved_to: int = 0
    near: NearRow | None = None


class PageRun:
    """Runs tasks. It owns nothing but its wiring, the counters and the pages that are not yet on disk."""

    def __init__(
        self,
        settings: Settings,
        stages: Stages,
        counters: Counters,
        clock: Clock,
        events: Events,
        url_on_disk: Callable[[int], str | None],
    ) -> None:
        self._settings = settings
        self._stages = stages
        self._counters = counters
        self._clock = clock
        self._events = events
        self._url_on_disk = url_on_disk
        self._pages: Uncommitted[int, str] = Uncommitted()

    async def run(self, lease: Lease) -> PageResult | None:
        """Carry one lease through; None where it came to no page (robots.txt, a retry, a host not yet asked).

        What the page takes in memory is admitted before it begins and given back when it is done.
        """
        with await self._stages.reader.room_for(lease.task) as room:
            if room.has_waited and (ready_at := self._stages.gate.deadline(lease.task.host_id)):
                # While this one waited for room, the host asked another request of ours to stay away.
                self._put_back(lease, ready_at)
                return None
            return await self._run(lease, room)

    async def _run(self, lease: Lease, room: Admission) -> PageResult | None:
        stages, task = self._stages, lease.task
        origin = origin_of(task.url)
        if task.kind is TaskKind.PAGE:
            decision = stages.gate.judge(task, origin)
            if decision is Decision.ROBOTS_FIRST:
                self._ask_robots_first(lease)
                return None
            if decision is not Decision.ALLOW:
                return self._block(lease, decision)
        stages.gate.started(task.host_id, origin)
        stages.frontier.started(lease, stages.gate.next_start(task.host_id))
        reading = await stages.reader.read(task, room)
        fetched = reading.fetched
        if is_local_limit(fetched):
            self._wait_for_this_machine(lease)
            return None
        if task.kind is TaskKind.ROBOTS:
            self._archive(task, fetched)
            self._finish_robots(lease, fetched)
            return None
        if self._is_to_retry(task, fetched):
            self._archive(task, fetched)
            self._retry(lease, fetched)
            return None
        outcome = self._outcome(task, reading)
        captures = captures_of(task, fetched, outcome.parsed)
        return self._finish(lease, outcome, self._stages.gate.ready_at(task, fetched), captures)

    def _archive(self, task: Task, fetched: Fetched) -> None:
        """Have the archive keep, where there is one, what is no page's outcome."""
        captures = captures_of(task, fetched)
        if captures:
            self._stages.journal.append(CommitRecord(captures=captures))

    def _ask_robots_first(self, lease: Lease) -> None:
        """The host's rules come before its first page: the task waits again, and robots.txt goes to the head."""
        stages, task = self._stages, lease.task
        stages.frontier.park(task.host_id)
        stages.frontier.put_first(stages.gate.robots_task(task.host_id, origin_of(task.url)))
        stages.frontier.put_back(lease, task, stages.gate.deadline(task.host_id))

    def _finish_robots(self, lease: Lease, fetched: Fetched) -> None:
        stages, task = self._stages, lease.task
        self._counters.robots_fetched += 1
        ready_at = stages.gate.ready_at(task, fetched)
        next_url = stages.gate.robots_answered(task, fetched)
        if next_url is not None:
            # A hop to another host waits in that host's queue: its politeness governs the request.
            host = stages.hosts.of_origin(origin_of(next_url))
            stages.frontier.put_first(replace(task, url=next_url, host_id=host.id, redirects=task.redirects + 1))
        stages.frontier.release(lease, ready_at, is_done=False)
        if next_url is None:
            stages.frontier.unpark(task.robots_for, stages.gate.deadline(task.robots_for))

    def _wait_for_this_machine(self, lease: Lease) -> None:
        """Descriptors, ports or buffers ran out here: the task waits again as it was, and counts as never tried."""
        stages, task = self._stages, lease.task
        self._counters.local_limits += 1
        if self._counters.local_limits % LOCAL_LIMITS_AN_EVENT == 1:
            self._events.emit("local_limit", url=task.url, times=self._counters.local_limits)
        stages.gate.release(task.host_id)
        self._put_back(lease, max(stages.gate.deadline(task.host_id), self._clock.monotonic() + LOCAL_PAUSE_S))

    def _put_back(self, lease: Lease, ready_at: float) -> None:
        """The task waits again as it was."""
        stages, task = self._stages, lease.task
        if task.kind is TaskKind.PAGE:
            stages.frontier.put_back(lease, task, ready_at)
            return
        stages.frontier.put_first(task)
        stages.frontier.release(lease, ready_at, is_done=False)

    def _is_to_retry(self, task: Task, fetched: Fetched) -> bool:
        if isinstance(fetched, Response) and fetched.truncated_by == SHORT:
            return task.attempts < self._settings.fetch.retries
        return self._stages.gate.should_retry(task, fetched)

    def _retry(self, lease: Lease, fetched: Fetched) -> None:
        self._counters.retries += 1
        ready_at = self._stages.gate.ready_at(lease.task, fetched)
        self._stages.frontier.put_back(lease, replace(lease.task, attempts=lease.task.attempts + 1), ready_at)

    def _block(self, lease: Lease, decision: Decision) -> PageResult:
        state = PageState.SKIPPED if decision is Decision.OPT_OUT else PageState.BLOCKED
        row = PageRow(lease.task.url_id, state, self._clock.wall(), reason=decision.reason)
        return self._finish(lease, _Outcome(row, {}), self._clock.monotonic())

    def _finish(
        self, lease: Lease, outcome: _Outcome, ready_at: float, captures: tuple[Capture, ...] = ()
    ) -> PageResult:
        """Keep the page: graph, journal, frontier, in this order; nothing waits in between."""
        stages, task, row = self._stages, lease.task, outcome.row
        adjacency = _adjacency(outcome.edges)
        if adjacency is not None:
            stages.graph.add_page(task.url_id, adjacency.targets, adjacency.kinds, task.host_id)
        stages.edge_health.note(row, task.attempts + 1, outcome.moved_to)
        found = stages.discovery.take()
        self._pages.add(task.url_id, task.url)
        stages.journal.append(
            CommitRecord(
                page=row,
                adjacency=adjacency,
                urls=found.urls,
                queued=found.queued,
                deleted=(QueueRow(task.host_id, task.depth, task.url_id),),
                promoted=found.promoted,
                hosts=found.hosts,
                captures=captures,
                near=outcome.near,
            )
        )
        stages.frontier.push(found.tasks)
        stages.frontier.release(lease, ready_at)
        near_id, similarity = (outcome.near.other_id, outcome.near.similarity) if outcome.near else (0, 0.0)
        self._counters.count(row)
        self._counters.near_duplicates += bool(near_id)
        has_body = self._settings.crawl.duplicate_bodies or not row.duplicate_of
        return PageResult(
            task.url_id, task.url, row.state, stages.discovery.depth_of(task), row.http_status, row.content_type,
            row.title,
            len(adjacency or ()), outcome.body if has_body else b"", outcome.parsed.text if has_body else "",
            "", row.reason, row.duplicate_of, near_id, similarity,
        )  # fmt: skip

    def give_up(self, lease: Lease) -> PageResult | None:
        """End a lease whose run met a fault of weaver's own: the page failed, the crawl goes on."""
        task = lease.task
        failure = Failure(task.url, "internal_error")
        if task.kind is TaskKind.ROBOTS:
            self._finish_robots(lease, failure)
            return None
        ready_at = self._stages.gate.ready_at(task, failure)
        return self._finish(lease, self._failed(task, "internal_error", 0), ready_at)

    def url_of(self, page_id: int) -> str:
        """The URL of a page that was visited; empty for 0."""
        if not page_id:
            return ""
        return self._pages.get(page_id) or self._url_on_disk(page_id) or ""

    def submitted(self, number: int) -> None:
        """Pages since the last call travel with this record."""
        self._pages.submitted(number)

    def committed(self, number: int) -> None:
        """All records up to this number are on disk."""
        self._pages.committed(number)

    def _outcome(self, task: Task, reading: Reading) -> _Outcome:
        """1. no answer 2. a redirect 3. a page 4. an answer that is no page."""
        fetched = reading.fetched
        if isinstance(fetched, Failure):
            return self._failed(task, fetched.reason, 0)
        self._counters.wire_bytes += fetched.wire_bytes
        if fetched.is_redirect:
            return self._redirected(task, fetched)
        if reading.parsed is not None:
            return self._page(task, fetched, reading, reading.parsed)
        return self._failed(task, f"http_{fetched.status}", fetched.status)

    def _failed(self, task: Task, reason: str, status: int) -> _Outcome:
        return _Outcome(PageRow(task.url_id, PageState.FAILED, self._clock.wall(), status, reason=reason), {})

    def _redirected(self, task: Task, response: Response) -> _Outcome:
        hops = task.redirects + 1
        refusal = REDIRECT_LIMIT if hops > self._settings.fetch.max_redirects else ""
        finding = Finding(task.url_id, self._stages.discovery.depth_of(task), hops, refusal)
        targets = self._stages.discovery.targets(task.url, [response.headers["location"]], finding)
        if not targets:
            return self._failed(task, "redirect_invalid", response.status)
        row = PageRow(
            task.url_id, PageState.REDIRECT, self._clock.wall(), response.status, response.content_type, reason=refusal
        )
        return _Outcome(row, {EdgeKind.REDIRECT: targets}, moved_to=targets[0])

    def _page(self, task: Task, response: Response, reading: Reading, parsed: Parsed) -> _Outcome:
        seen = self._observe(task, reading)
        edges = self._edges(task, parsed, self._refusal_of_links(task, parsed, seen))
        if seen.duplicate_of:
            edges[EdgeKind.DUPLICATE] = [seen.duplicate_of]
        near = self._observe_near(task, reading, parsed, seen)
        if near is not None and near.other_id:
            edges[EdgeKind.NEAR_DUPLICATE] = [near.other_id]
        notes = (f"truncated_{response.truncated_by}" if response.is_truncated else "",
                 "noindex" if parsed.noindex else "", parsed.note)  # fmt: skip
        row = PageRow(
            id=task.url_id,
            state=PageState.DUPLICATE if seen.duplicate_of else PageState.FETCHED,
            fetched_at=self._clock.wall(),
            http_status=response.status,
            content_type=response.content_type,
            body_bytes=reading.body_bytes,
            body_digest=seen.body_digest,
            text_digest=seen.text_digest,
            duplicate_of=seen.duplicate_of,
            title=parsed.title,
            reason=" ".join(filter(None, notes)),
        )
        return _Outcome(row, edges, response.body, parsed, near=near)

    def _observe(self, task: Task, reading: Reading) -> Observation:
        """A page without digests says nothing: it is neither a duplicate nor a representative."""
        if not reading.body_digest:
            return Observation(Verdict.NEW, b"", b"")
        return self._stages.contents.compare(task.url_id, reading.body_digest, reading.text_digest)

    def _observe_near(self, task: Task, reading: Reading, parsed: Parsed, seen: Observation) -> NearRow | None:
        """Only new content is compared: of a copy all is known by the page that it is a copy of."""
        if self._stages.near is None or seen.verdict is not Verdict.NEW or not seen.body_digest:
            return None
        return self._stages.near.observe(task.url_id, parsed.text, origin_of(task.url), reading.signature)

    def _refusal_of_links(self, task: Task, parsed: Parsed, seen: Observation) -> str:
        """Why none of the page's links is followed; empty where they are."""
        if parsed.nofollow and self._settings.crawl.nofollow == "respect":
            return NOFOLLOW
        if seen.duplicate_of and not self._stages.duplicate_links.are_followed(template_of(task.url)):
            return DUPLICATE_LINKS
        return ""

    def _edges(self, task: Task, parsed: Parsed, refusal: str) -> dict[EdgeKind, Iterable[int]]:
        discovery, source, base = self._stages.discovery, task.url_id, parsed.base_url
        depth = discovery.depth_of(task)
        respects = self._settings.crawl.nofollow == "respect"
        kind = EdgeKind.NOFOLLOW if parsed.nofollow else EdgeKind.HYPERLINK
        edges: dict[EdgeKind, Iterable[int]] = {}
        if parsed.hrefs:
            edges[kind] = discovery.targets(base, parsed.hrefs, Finding(source, depth + 1, 0, refusal))
        if parsed.nofollow_hrefs:
            finding = Finding(source, depth + 1, 0, refusal or (NOFOLLOW if respects else ""))
            found = discovery.targets(base, parsed.nofollow_hrefs, finding)
            edges[EdgeKind.NOFOLLOW] = dict.fromkeys((*edges.get(EdgeKind.NOFOLLOW, ()), *found))
        if parsed.refresh:
            hops = task.redirects + 1
            limit = REDIRECT_LIMIT if hops > self._settings.fetch.max_redirects else ""
            edges[EdgeKind.REDIRECT] = discovery.targets(
                base, [parsed.refresh], Finding(source, depth, hops, refusal or limit)
            )
        if parsed.canonical:
            edges[EdgeKind.CANONICAL] = discovery.targets(
                base, [parsed.canonical], Finding(source, depth + 1, 0, refusal)
            )
        return edges


def _adjacency(edges: dict[EdgeKind, Iterable[int]]) -> Adjacency | None:
    """Edges packed by kind, in the kinds' order; None where there are none."""
    targets = array("I")
    kinds = bytearray()
    for kind in sorted(edges):
        before = len(targets)
        targets.extend(edges[kind])
        kinds += bytes((kind,)) * (len(targets) - before)
    return Adjacency(targets.tobytes(), bytes(kinds)) if kinds else None
