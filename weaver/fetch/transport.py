"""The seam between weaver and HTTP: what a transport does, and a scripted one that needs no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from weaver.base.page import Fetched, Response
from weaver.memory.admission import Admission
from weaver.memory.bounded import StoreStatistics
from weaver.memory.buffers import PoolStatistics

# What a request under way takes besides its connection and its body: 4 KiB, and 40 KiB for a decoder's window
# (benchmarks/bodies.py).
REQUEST_BYTES = 44 << 10
_NO_NAMES = StoreStatistics("dns", 0, 0, 0)


@dataclass(frozen=True, slots=True)
class TransportStatistics:
    """A transport's connections and look-ups: current values, peaks, and totals since it was opened."""

    open_connections: int = 0
    peak_connections: int = 0
    connections_made: int = 0
    stale_losses: int = 0
    dns: StoreStatistics = _NO_NAMES
    connection_bytes: int = 0
    pools: tuple[PoolStatistics, ...] = ()


class Transport(Protocol):
    """Makes one GET request at a time per call; never follows a redirect, never raises for what a server does."""

    async def get(
        self, url: str, headers: Mapping[str, str], max_body_bytes: int, room: Admission, *, is_fresh: bool = False
    ) -> Fetched:
        """The response's head and at most `max_body_bytes` of its decoded body, or why there is none.

        A body that outgrows `room` is read on when that has grown to REQUEST_BYTES and the body. With `is_fresh` it
        goes over a connection of its own: what failed once is not tried on a kept one.
        """
        ...

    async def close(self) -> None:
        """Close all connections; what is under way ends in a Failure."""
        ...

    def release_memory(self) -> int:
        """Let go of what is only kept for later, such as idle connections; the bytes that go."""
        ...

    def statistics(self) -> TransportStatistics:
        """Where it stands."""
        ...


Answer = Fetched | Callable[[str, Mapping[str, str]], Fetched]


@dataclass(frozen=True, slots=True)
class SentRequest:
    """A request as a ScriptedTransport saw it."""

    url: str
    headers: dict[str, str]
    is_fresh: bool = False


@dataclass(slots=True)
class ScriptedTransport:
    """A transport for tests: answers from a table of URLs; a URL that is not there is a 404.

    A list is answered from front to back, its last entry again and again; a callable is asked each time.
    """

    answers: Mapping[str, Answer | list[Answer]] = field(default_factory=dict)
    requests: list[SentRequest] = field(default_factory=list)
    is_closed: bool = False
    _turns: dict[str, int] = field(default_factory=dict)

    async def get(
        self, url: str, headers: Mapping[str, str], max_body_bytes: int, room: Admission, *, is_fresh: bool = False
    ) -> Fetched:
        self.requests.append(SentRequest(url, dict(headers), is_fresh))
        answer = self._next_answer(url)
        fetched = _capped(answer(url, headers) if callable(answer) else answer, max_body_bytes)
        if isinstance(fetched, Response):
            await room.grow(REQUEST_BYTES + len(fetched.body))
        return fetched

    async def close(self) -> None:
        self.is_closed = True

    def release_memory(self) -> int:
        return 0

    def statistics(self) -> TransportStatistics:
        return TransportStatistics()

    def _next_answer(self, url: str) -> Answer:
        scripted = self.answers.get(url)
        if scripted is None:
            return Response(url, 404, {}, b"", 0, 0.0)
        if not isinstance(scripted, list):
            return scripted
        turn = self._turns.get(url, 0)
        self._turns[url] = turn + 1
        return scripted[min(turn, len(scripted) - 1)]


def _capped(fetched: Fetched, max_body_bytes: int) -> Fetched:
    if not isinstance(fetched, Response) or len(fetched.body) <= max_body_bytes:
        return fetched
    return replace(fetched, body=fetched.body[:max_body_bytes], truncated_by="max_body")
