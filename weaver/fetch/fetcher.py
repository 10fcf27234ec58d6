"""Fetcher: one task's request, with the right headers and one deadline for all of it, and the count of how it ended."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from weaver.base.clock import Clock
from weaver.base.errors import SettingsError
from weaver.base.page import Failure, Fetched, Task, TaskKind
from weaver.base.settings import FetchSettings
from weaver.base.url import origin_of
from weaver.base.validators import header_refusal
from weaver.fetch.aiohttp_transport import AiohttpTransport
from weaver.fetch.deadlines import Deadlines
from weaver.fetch.decode import ACCEPT_ENCODING
from weaver.fetch.descriptors import affordable_concurrency
from weaver.fetch.reasons import failure
from weaver.fetch.transport import REQUEST_BYTES, Transport, TransportStatistics
from weaver.memory.admission import Admission, ByteGate, Expectation, GateStatistics
from weaver.memory.budget import Account

ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ROBOTS_BODY_BYTES = 512 << 10  # RFC 9309, 2.5: at least 500 KiB must be parsed
ROBOTS_CAP = "robots_cap"
# What is expected of a body before the first has come: the median page, and the median robots.txt, are smaller.
_FIRST_PAGE_BYTES = 64 << 10
_FIRST_ROBOTS_BYTES = 4 << 10


@dataclass(frozen=True, slots=True)
class FetchStatistics:
    """Totals since the start: requests made, bytes received (headers and framing too), and how requests failed."""

    requests: int
    under_way: int
    peak_under_way: int
    received_bytes: int
    failures: Mapping[str, int]
    transport: TransportStatistics
    bodies: GateStatistics


@dataclass(slots=True)
class Fetcher:
    """The stage's face: makes a task's GET and always returns a Fetched, for whatever a server does.

        with await fetcher.room_for(task) as room:
            fetched = await fetcher.get(task, room)

    A request begins when its expected body fits the account; `room` holds the bytes until the caller is done with them.
    """

    transport: Transport
    bodies: ByteGate
    deadlines: Deadlines
    max_body_bytes: int
    clock: Clock
    headers: Mapping[str, str]
    private_headers: Mapping[str, str] = field(default_factory=dict)
    private_headers_for: frozenset[str] = frozenset()
    _expected: dict[TaskKind, Expectation] = field(init=False)
    _requests: int = 0
    _under_way: int = 0
    _peak_under_way: int = 0
    _received_bytes: int = 0
    _failures: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._expected = {
            TaskKind.PAGE: Expectation(_FIRST_PAGE_BYTES, self.max_body_bytes),
            TaskKind.ROBOTS: Expectation(_FIRST_ROBOTS_BYTES, self._most_bytes(TaskKind.ROBOTS)),
        }

    def __repr__(self) -> str:
        return f"Fetcher(under_way={self._under_way}, requests={self._requests}, {self.transport!r})"

    async def room_for(self, task: Task) -> Admission:
        """Room for a request and the body that is expected of it, as soon as there is some."""
        size_bytes = REQUEST_BYTES + self._expected[task.kind].size_bytes
        return self.bodies.admit_nowait(size_bytes) or await self.bodies.admit(size_bytes)

    async def get(self, task: Task, room: Admission | None = None) -> Fetched:
        """The answer to one hop of `task`, never a redirect's target; ends within the deadline.

        When it is there, `room` holds what it takes, exactly; without a room the request waits for one of its own.
        """
        if room is not None:
            return await self._get(task, room)
        with await self.room_for(task) as own:
            return await self._get(task, own)

    async def _get(self, task: Task, room: Admission) -> Fetched:
        self._start()
        started_at = self.clock.monotonic()
        try:
            with self.deadlines.watch():
                fetched = await self.transport.get(
                    task.url,
                    self._headers_for(task.url),
                    self._most_bytes(task.kind),
                    room,
                    is_fresh=task.attempts > 0,
                )
        except TimeoutError:
            # A body that was waiting for room here is no fault of the server's.
            reason = "local_limit" if room.gave_up_waiting else "timeout"
            fetched = failure(task.url, reason, elapsed_s=self.clock.monotonic() - started_at)
        finally:
            self._under_way -= 1
        return self._counted(fetched, task.kind, room)

    def pools(self) -> dict[str, dict[str, object]]:
        """The figures of the pools of buffers, by name."""
        return {
            pool.name: {
                "size_bytes": pool.size_bytes,
                "capacity": pool.capacity,
                "in_use": pool.in_use,
                "peak": pool.peak,
                "acquired": pool.acquired,
                "reused": pool.reused,
                "reuse_rate": round(pool.reuse_rate, 3),
                "refused": pool.refused,
            }
            for pool in self.transport.statistics().pools
        }

    def release_memory(self) -> int:
        """Let go of what is only kept for later: idle connections, idle buffers; the bytes that go."""
        return self.transport.release_memory()

    async def close(self) -> None:
        """Close all connections."""
        self.deadlines.close()
        await self.transport.close()

    def statistics(self) -> FetchStatistics:
        """The figures now."""
        return FetchStatistics(
            self._requests,
            self._under_way,
            self._peak_under_way,
            self._received_bytes,
            dict(self._failures),
            self.transport.statistics(),
            self.bodies.statistics(),
        )

    def _most_bytes(self, kind: TaskKind) -> int:
        return min(self.max_body_bytes, ROBOTS_BODY_BYTES) if kind is TaskKind.ROBOTS else self.max_body_bytes

    def _start(self) -> None:
        self._requests += 1
        self._under_way += 1
        self._peak_under_way = max(self._peak_under_way, self._under_way)

    def _headers_for(self, url: str) -> Mapping[str, str]:
        """The user's own headers may hold secrets: they go to the origins named, to no other host, port or scheme."""
        if self.private_headers and _origin(url) in self.private_headers_for:
            return self.private_headers
        return self.headers

    def _counted(self, fetched: Fetched, kind: TaskKind, room: Admission) -> Fetched:
        body_bytes = 0 if isinstance(fetched, Failure) else len(fetched.body)
        room.settle(REQUEST_BYTES + body_bytes)
        if isinstance(fetched, Failure):
            self._failures[fetched.reason] += 1
            return fetched
        self._expected[kind].observe(body_bytes)
        self._received_bytes += fetched.wire_bytes
        if kind is TaskKind.ROBOTS and fetched.truncated_by == "max_body":
            return replace(fetched, truncated_by=ROBOTS_CAP)
        return fetched


def build_fetcher(
    settings: FetchSettings,
    user_agent: str,
    concurrency: int,
    private_headers_for: frozenset[str],
    clock: Clock,
    transport: Transport | None = None,
    *,
    bodies: Account | None = None,
    names: Account | None = None,
    keeps_exchange: bool = False,
) -> Fetcher:
    """A Fetcher over aiohttp, or over `transport`; `private_headers_for` holds origins as `base.url.origin_of` says.

    Bodies in flight and connections are charged to `bodies`, addresses to `names`; without accounts nothing waits.

    `concurrency` is lowered to what the process's file descriptors are enough for. With `keeps_exchange` a response
    tells what an archive wants to know.

    Raises SettingsError for headers that can't be sent and networks that are none.
    """
    own = {"User-Agent": user_agent, "Accept": ACCEPT, "Accept-Encoding": ACCEPT_ENCODING}
    _check_headers(own)
    _check_headers(settings.headers)
    gate = ByteGate(bodies or Account("bodies", sys.maxsize))
    if transport is None:
        names = names or Account("names", sys.maxsize)
        connections = affordable_concurrency(concurrency)
        transport = AiohttpTransport(settings, connections, clock, gate, names, keeps_exchange=keeps_exchange)
    return Fetcher(
        transport,
        gate,
        Deadlines(settings.timeout),
        settings.max_body,
        clock,
        own,
        _merged(own, settings.headers) if settings.headers else {},
        private_headers_for,
    )


def _origin(url: str) -> str:
    try:
        return origin_of(url)
    except ValueError:
        return ""


def _merged(own: Mapping[str, str], private: Mapping[str, str]) -> dict[str, str]:
    replaced = {name.lower() for name in private}
    return {name: value for name, value in own.items() if name.lower() not in replaced} | dict(private)


def _check_headers(headers: Mapping[str, str]) -> None:
    refusal = header_refusal(headers)
    if refusal:
        raise SettingsError(f"fetch.headers: {refusal}")
