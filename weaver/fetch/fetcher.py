"""Fetcher: one task's request, with the right headers and one deadline for all of it, and the count of how it ended."""

from __future__ import annotations

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
from weaver.fetch.transport import Transport, TransportStatistics

ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ROBOTS_BODY_BYTES = 512 << 10  # RFC 9309, 2.5: at least 500 KiB must be parsed
ROBOTS_CAP = "robots_cap"


@dataclass(frozen=True, slots=True)
class FetchStatistics:
    """Totals since the start: requests made, bytes received (headers and framing too), and how requests failed."""

    requests: int
    under_way: int
    peak_under_way: int
    received_bytes: int
    failures: Mapping[str, int]
    transport: TransportStatistics


@dataclass(slots=True)
class Fetcher:
    """The stage's face: makes a task's GET and always returns a Fetched, for whatever a server does."""

    transport: Transport
    deadlines: Deadlines
    max_body_bytes: int
    clock: Clock
    headers: Mapping[str, str]
    private_headers: Mapping[str, str] = field(default_factory=dict)
    private_headers_for: frozenset[str] = frozenset()
    _requests: int = 0
    _under_way: int = 0
    _peak_under_way: int = 0
    _received_bytes: int = 0
    _failures: Counter[str] = field(default_factory=Counter)

    def __repr__(self) -> str:
        return f"Fetcher(under_way={self._under_way}, requests={self._requests}, {self.transport!r})"

    async def get(self, task: Task) -> Fetched:
        """The answer to one hop of `task`, never a redirect's target; ends within the deadline."""
        is_robots = task.kind is TaskKind.ROBOTS
        max_body_bytes = min(self.max_body_bytes, ROBOTS_BODY_BYTES) if is_robots else self.max_body_bytes
        self._start()
        started_at = self.clock.monotonic()
        try:
            with self.deadlines.watch():
                fetched = await self.transport.get(
                    task.url, self._headers_for(task.url), max_body_bytes, is_fresh=task.attempts > 0
                )
        except TimeoutError:
            fetched = failure(task.url, "timeout", elapsed_s=self.clock.monotonic() - started_at)
        finally:
            self._under_way -= 1
        return self._counted(fetched, is_robots=is_robots)

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
        )

    def _start(self) -> None:
        self._requests += 1
        self._under_way += 1
        self._peak_under_way = max(self._peak_under_way, self._under_way)

    def _headers_for(self, url: str) -> Mapping[str, str]:
        """The user's own headers may hold secrets: they go to the origins named, to no other host, port or scheme."""
        if self.private_headers and _origin(url) in self.private_headers_for:
            return self.private_headers
        return self.headers

    def _counted(self, fetched: Fetched, *, is_robots: bool) -> Fetched:
        if isinstance(fetched, Failure):
            self._failures[fetched.reason] += 1
            return fetched
        self._received_bytes += fetched.wire_bytes
        if is_robots and fetched.truncated_by == "max_body":
            return replace(fetched, truncated_by=ROBOTS_CAP)
        return fetched


def build_fetcher(
    settings: FetchSettings,
    user_agent: str,
    concurrency: int,
    private_headers_for: frozenset[str],
    clock: Clock,
    transport: Transport | None = None,
) -> Fetcher:
    """A Fetcher over aiohttp, or over `transport`; `private_headers_for` holds origins as `base.url.origin_of` says.

    `concurrency` is lowered to what the process's file descriptors are enough for.

    Raises SettingsError for headers that can't be sent and networks that are none.
    """
    own = {"User-Agent": user_agent, "Accept": ACCEPT, "Accept-Encoding": ACCEPT_ENCODING}
    _check_headers(own)
    _check_headers(settings.headers)
    return Fetcher(
        transport if transport is not None else AiohttpTransport(settings, affordable_concurrency(concurrency), clock),
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
