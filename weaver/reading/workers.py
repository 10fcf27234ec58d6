"""Workers: the Reader that has worker processes read: so many as are asked for, or some once this one is the brake."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import replace
from zlib import crc32

from weaver.base.clock import Clock
from weaver.base.events import Events
from weaver.base.page import Failure, Response, Task, TaskKind
from weaver.base.url import host_of
from weaver.fetch.transport import REQUEST_BYTES
from weaver.memory.admission import Admission, ByteGate, Expectation
from weaver.reading.orders import Orders
from weaver.reading.reading import Reader, Reading
from weaver.reading.worker import Worker, WorkerFault, WorkerLost

# One in so many bytes of the account for bodies is the workers'; the rest is for what is under way to and from them.
BODIES_SHARE = 2
# Names and their addresses are small beside bodies, and each worker has its own.
NAMES_SHARE = 16
# A loop that did nothing else for so long holds the crawl back; before that, a process more would be wasted.
BUSY_SHARE = 0.8
BUSY_S = 5
TICK_S = 1.0
MOST_BY_ITSELF = 4
# How far the worker that has a host's connections may be ahead of the least busy one, in tasks.
LEAN = 2
RESTART_S = 0.5
MOST_RESTART_S = 30.0
STEADY_S = 10.0
# A page that ended its process so often is not given to another one.
MOST_DEATHS = 2
_FIRST_BYTES = {TaskKind.PAGE: 64 << 10, TaskKind.ROBOTS: 4 << 10}
_MOST_EXPECTED_BYTES = 1 << 20
# What an answer takes here besides its texts: the objects around them, and each link's.
_READING_BYTES = 2_000
_HREF_BYTES = 80


class Workers:
    """Reads by processes beside this one, and by `local` where there are none (yet).

    `count` processes in all, this one among them, from the start; None for as many as there are cores once the loop
    is busy. One that ends is replaced, and its tasks are answered as by a machine that had no room for them: they
    wait, and are tried again.
    With `is_bound` a host's tasks are read by one worker only, which has its cookies, never by `local`.
    """

    def __init__(
        self,
        count: int | None,
        local: Reader,
        bodies: ByteGate,
        orders: Orders,
        clock: Clock,
        events: Events,
        *,
        wants_body: Callable[[], bool],
        may_start: Callable[[int], bool],
        is_bound: bool,
    ) -> None:
        self._count = count
        self._local = local
        self._bodies = bodies
        self._orders = orders
        self._clock = clock
        self._events = events
        self._wants_body = wants_body
        self._may_start = may_start
        self._is_bound = is_bound
        self._workers: list[Worker | None] = []
        self._keeping: list[asyncio.Task[None]] = []
        self._watching: asyncio.Task[None] | None = None
        self._held_bytes = 0
        self._spent_s = 0.0
        self._lost = 0
        self._told_at_end: dict[str, object] | None = None
        self._deaths: dict[int, int] = {}
        self._expected = {kind: Expectation(first, _MOST_EXPECTED_BYTES) for kind, first in _FIRST_BYTES.items()}

    def __repr__(self) -> str:
        return f"Workers({self._alive()})"

    def begin(self) -> None:
        """Start the workers in the background, or watch whether some are needed."""
        if self._count is None:
            if cores() > 1 and not self._is_bound:
                self._watching = asyncio.create_task(self._watch(), name="weaver workers")
        elif self._count > 1:
            self._start(self._count - 1)

    async def close(self) -> None:
        """End all of them; the figures stay as they were."""
        self._told_at_end = self.figures()
        tasks = [*self._keeping, *([self._watching] if self._watching else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._keeping, self._watching = [], None
        self._bodies.give_back(self._held_bytes)
        self._held_bytes = 0

    async def room_for(self, task: Task) -> Admission:
        if not any(self._workers):
            return await self._local.room_for(task)
        size_bytes = REQUEST_BYTES + self._expected[task.kind].size_bytes
        return self._bodies.admit_nowait(size_bytes) or await self._bodies.admit(size_bytes)

    async def read(self, task: Task, room: Admission) -> Reading:
        worker = self._choose(task)
        if worker is None:
            if (self._is_bound and self._workers) or task.url_id in self._deaths:
                return _later(task)
            return await self._local.read(task, room)
        try:
            reading = await worker.read(task, wants_body=self._wants_body())
        except WorkerLost as lost:
            return self._later_or_never(task, lost)
        self._expected[task.kind].observe(reading.body_bytes)
        room.settle(_size_of(reading))
        return reading

    @property
    def beyond_base_bytes(self) -> int:
        """What the workers take beyond what each began with."""
        return sum(max(0, worker.rss_bytes - worker.base_bytes) for worker in self._alive())

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all workers so far."""
        return self._spent_s + sum(worker.cpu_s for worker in self._alive())

    def release_memory(self) -> None:
        """Have each let go of what is only kept for later."""
        for worker in self._alive():
            worker.release_memory()

    def figures(self) -> dict[str, object]:
        """How many there are and what each does, for the status."""
        return self._told_at_end or {
            "wanted": "auto" if self._count is None else self._count,
            "running": len(self._alive()),
            "lost": self._lost,
            "processes": [
                {
                    "pid": worker.pid,
                    "rss_bytes": worker.rss_bytes,
                    "base_rss_bytes": worker.base_bytes,
                    "cpu_s": round(worker.cpu_s, 3),
                    "busy_share": round(worker.busy_share, 3),
                    "under_way": worker.under_way,
                    "read": worker.reads,
                }
                for worker in self._alive()
            ],
        }

    def _alive(self) -> list[Worker]:
        """Those that can be asked; one that has just ended keeps its place until it is replaced."""
        return [worker for worker in self._workers if worker is not None and worker.is_alive]

    def _choose(self, task: Task) -> Worker | None:
        """1. the host's own 2. the least busy one, where that is too far behind or there is no other."""
        if not self._workers:
            return None
        if self._is_bound:
            return self._workers[_group_of(task.url) % len(self._workers)]
        own = self._workers[task.host_id % len(self._workers)]
        least = min(self._alive(), key=_load, default=None)
        if own is None or not own.is_alive or least is None or own.under_way > least.under_way + LEAN:
            return least
        return own

    def _later_or_never(self, task: Task, lost: WorkerLost) -> Reading:
        if lost.is_cause:
            deaths = self._deaths[task.url_id] = self._deaths.get(task.url_id, 0) + 1
            if deaths >= MOST_DEATHS:
                raise WorkerFault(f"the page ended the process that read it, {deaths} times")
        return _later(task)

    async def _watch(self) -> None:
        """Start workers once the loop had no rest for BUSY_S, where memory has room for them."""
        busy_s = 0
        while busy_s < BUSY_S:
            wall_s, cpu_s = time.monotonic(), time.thread_time()
            await asyncio.sleep(TICK_S)
            share = (time.thread_time() - cpu_s) / (time.monotonic() - wall_s)
            busy_s = busy_s + 1 if share > BUSY_SHARE else 0
        count = min(cores(), MOST_BY_ITSELF) - 1
        if self._may_start(count):
            self._start(count)

    def _start(self, count: int) -> None:
        self._held_bytes = self._bodies.account.base_limit // BODIES_SHARE
        self._bodies.hold(self._held_bytes)
        each_bytes = self._held_bytes // count
        names_bytes = each_bytes // NAMES_SHARE
        self._orders = replace(self._orders, bodies_bytes=each_bytes - names_bytes, names_bytes=names_bytes)
        self._workers = [None] * count
        self._keeping = [asyncio.create_task(self._keep(place), name="weaver worker") for place in range(count)]

    async def _keep(self, place: int) -> None:
        """Have a worker in this place: whenever one ends, another is started, later if it did not last."""
        delay_s = RESTART_S
        while True:
            began_at = self._clock.monotonic()
            try:
                await self._one(place)
            except OSError as error:
                self._events.emit("worker_failed", error=str(error))
            is_steady = self._clock.monotonic() - began_at >= STEADY_S
            delay_s = RESTART_S if is_steady else min(2 * delay_s, MOST_RESTART_S)
            await asyncio.sleep(delay_s)

    async def _one(self, place: int) -> None:
        worker = Worker()
        try:
            await worker.start(self._orders)
            if worker.is_alive:
                self._workers[place] = worker
                self._events.emit("worker_started", pid=worker.pid, rss=worker.base_bytes)
            await worker.ended.wait()
        finally:
            self._workers[place] = None
            self._spent_s += worker.cpu_s
            code = await worker.close()
        self._lost += 1
        self._events.emit("worker_lost", pid=worker.pid, code=code, unanswered=worker.unanswered)


def cores() -> int:
    """The processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _load(worker: Worker) -> int:
    return worker.under_way


def _later(task: Task) -> Reading:
    """What a machine without room for the request says: the host has no part in it, and the task waits as it was."""
    return Reading(Failure(task.url, "local_limit", "the process that was to read it is gone", is_retryable=True))


def _group_of(url: str) -> int:
    """A number that all hosts have in common that may share a cookie: those with the same last two labels."""
    return crc32(".".join(host_of(url).rsplit(".", 2)[-2:]).encode())


def _size_of(reading: Reading) -> int:
    """What an answer takes in this process."""
    size_bytes = _READING_BYTES + (len(reading.fetched.body) if isinstance(reading.fetched, Response) else 0)
    if reading.parsed is None:
        return size_bytes
    links = reading.parsed.hrefs
    return size_bytes + len(reading.parsed.text) + sum(map(len, links)) + _HREF_BYTES * len(links)
