"""HTTP over aiohttp: one GET, guarded and bounded, that ends in a Response or a Failure.

aiohttp's redirects, cookies, decompression, retries, proxies and DNS cache are off: weaver has its own rules for each.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from weaver.base.clock import Clock
from weaver.base.page import Exchange, Failure, Fetched, Response
from weaver.base.settings import FetchSettings
from weaver.fetch.address_guard import AddressGuard
from weaver.fetch.aiohttp_connection import Connections, WatchedConnection, current_meter
from weaver.fetch.aiohttp_errors import AddressRefusedError, Border, neutral
from weaver.fetch.cookies import CookieShelf
from weaver.fetch.decode import Body, body_for
from weaver.fetch.descriptors import affordable_connections, is_last_of_reserve
from weaver.fetch.reasons import failure
from weaver.fetch.resolver import CachingResolver, Lookup
from weaver.fetch.transport import REQUEST_BYTES, TransportStatistics
from weaver.fetch.wire import RATE_WINDOW_S, WireLimits, WireMeter
from weaver.fetch.zstd import DECOMPRESSOR_BYTES, Decompressors
from weaver.memory.admission import Admission, ByteGate
from weaver.memory.budget import Account
from weaver.memory.buffers import BUFFER_BYTES, Pool
from weaver.memory.scratch import Arenas

MAX_HEADER_LINES = 1_000
REDIRECT_BODY_BYTES = 64 << 10  # nobody reads a redirect's body; more than this is not waited for
READ_BUFFER_BYTES = 64 << 10  # aiohttp stops reading at twice this until the body's reader catches up
KEEP_ALIVE_S = 15.0  # servers close idle connections after 5 to 75 s
# Connections that are closing get the time for it, and a crawl does not run through all its hosts in one such spell.
LOCAL_LIMIT_WAIT_S = 0.1
# Of a body's length as the server names it, at once: liars would take the whole account, and then send nothing.
_MOST_CLAIMED_BYTES = 1 << 20
_MOST_BUFFERS = 16  # more than large bodies come at once; with 64 they cost 1.3 times what they cost now
_MOST_IDLE = 4  # decompressors
_KEPT_SHARE = 8  # what is only kept for the next bodies takes at most one in so many bytes of the account
_IDLE_PER_REQUEST = 2  # kept-alive connections for each request that may be under way
# Headers that are lists, which servers may send in several lines (RFC 9110, 5.3).
_LISTS = ("link", "x-robots-tag")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SENDABLE = re.compile(r"[\x21-\x7e]+")
_BROKEN_OFF = (aiohttp.ClientError, OSError)


class _Resolver(AbstractResolver):
    """CachingResolver in aiohttp's words."""

    def __init__(self, names: CachingResolver) -> None:
        self._names = names

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
            for address in await self._names.resolve(host)
        ]

    async def close(self) -> None:
        await self._names.close()


@dataclass(slots=True)
class _Request:
    url: str
    headers: Mapping[str, str]
    max_body_bytes: int
    room: Admission
    started_at: float


class AiohttpTransport:
    """The Transport of real crawls. Connections are opened on first use, inside the running loop."""

    def __init__(
        self,
        settings: FetchSettings,
        concurrency: int,
        clock: Clock,
        bodies: ByteGate,
        names: Account,
        *,
        lookup: Lookup | None = None,
        tls: ssl.SSLContext | None = None,
        rate_window_s: float = RATE_WINDOW_S,
        keeps_exchange: bool = False,
    ) -> None:
        self._settings = settings
        self._concurrency = concurrency
        self._clock = clock
        self._guard = AddressGuard(allow_private=settings.allow_private, allow_networks=settings.allow_networks)
        self._names = CachingResolver(
            self._guard, clock, names, capacity=settings.dns_entries, ttl_s=settings.dns_ttl, lookup=lookup
        )
        self._tls: ssl.SSLContext | bool = tls if tls is not None else settings.verify_tls
        self._keeps_exchange = keeps_exchange
        self._limits = WireLimits(settings.max_header, settings.min_rate, rate_window_s)
        capacity = affordable_connections(concurrency * (1 + _IDLE_PER_REQUEST), concurrency)
        self._connections = Connections(capacity, bodies)
        self._buffers = Pool("bodies", _kept(_MOST_BUFFERS, BUFFER_BYTES, bodies), account=bodies.account)
        self._decompressors = Decompressors(_kept(_MOST_IDLE, DECOMPRESSOR_BYTES, bodies), bodies.account)
        self._arenas = Arenas("body", self._buffers)
        self._cookies = CookieShelf(clock) if settings.cookies else None
        self._session: aiohttp.ClientSession | None = None
        self._fresh_session: aiohttp.ClientSession | None = None
        self._stale_losses = 0

    def __repr__(self) -> str:
        return f"AiohttpTransport(open={self._connections.current}/{self._connections.capacity}, {self._names!r})"

    async def get(
        self, url: str, headers: Mapping[str, str], max_body_bytes: int, room: Admission, *, is_fresh: bool = False
    ) -> Fetched:
        session = self._session_for(is_fresh=is_fresh)
        request = _Request(url, headers, max_body_bytes, room, self._clock.monotonic())
        self._connections.under_way += 1
        try:
            return await self._attempt(session, request)
        finally:
            self._connections.under_way -= 1

    def _session_for(self, *, is_fresh: bool) -> aiohttp.ClientSession:
        if is_fresh:
            self._fresh_session = self._fresh_session or self._open_session(is_keeping=False)
            return self._fresh_session
        self._session = self._session or self._open_session(is_keeping=True)
        return self._session

    async def close(self) -> None:
        for session in (self._session, self._fresh_session):
            if session is not None:
                await session.close()
        await self._names.close()
        self.release_memory()

    def release_memory(self) -> int:
        """Close idle connections, free idle buffers, forget names that the account has no room for."""
        freed_bytes = self._connections.held_bytes
        if self._session is not None:
            # aiohttp passes by a closed connection, and forgets it within its keep-alive time.
            idle = self._session.connector._conns.values() if self._session.connector is not None else ()
            for connection, _ in itertools.chain.from_iterable(idle):
                connection.close()
        freed_bytes -= self._connections.held_bytes
        self._arenas.release()
        freed_bytes += self._buffers.release() + self._decompressors.release() + self._names.shrink()
        self._buffers.settle()
        return freed_bytes

    def statistics(self) -> TransportStatistics:
        connections = self._connections
        return TransportStatistics(
            connections.current,
            connections.peak,
            connections.made,
            self._stale_losses,
            self._names.statistics(),
            connections.held_bytes,
            (self._buffers.statistics(), self._decompressors.statistics()),
        )

    async def _attempt(self, session: aiohttp.ClientSession, request: _Request) -> Fetched:
        """One request, sent once: the server may have seen what got no answer, so a second try is politeness's."""
        meter = WireMeter(self._limits)
        current_meter.set(meter)
        border = Border(meter)
        with border:
            target = _target(request.url)
            if isinstance(target, Failure):
                return target
            headers = self._with_cookies(target, request.headers)
            response = await session.get(target, headers=headers, allow_redirects=False)
            try:
                return await self._received(response, request, meter)
            except BaseException:
                response.close()
                raise
        if border.reason == "disconnected" and meter.is_stale_loss:
            self._stale_losses += 1
            return self._failed(request, "stale_connection")
        if border.reason == "local_limit":
            await asyncio.sleep(LOCAL_LIMIT_WAIT_S)
        return self._failed(request, border.reason, border.detail)

    async def _received(self, response: aiohttp.ClientResponse, request: _Request, meter: WireMeter) -> Fetched:
        headers = {
            name.lower(): value if value.isprintable() else neutral(value) for name, value in response.headers.items()
        }
        for name in _LISTS:
            if name in headers:
                headers[name] = ", ".join(neutral(line) for line in response.headers.getall(name))
        if self._cookies is not None:
            lines = response.headers.getall("Set-Cookie", ())
            self._cookies.keep(*_cookie_place(response.url), lines, is_secure=response.url.scheme == "https")
        is_redirect = response.status in _REDIRECTS and "location" in headers
        cap_bytes = min(request.max_body_bytes, REDIRECT_BODY_BYTES) if is_redirect else request.max_body_bytes
        codings = response.headers.getall("Content-Encoding", ())
        with (
            self._arenas.open() as arena,
            body_for(codings, cap_bytes, self._settings.max_ratio, arena, self._decompressors) as body,
        ):
            await _claimed(response, request.room, cap_bytes)
            content = await _filled(response, body, request.room)
        is_foreign = response.status == 101 or (response.version or (0,))[0] != 1
        reason = "protocol" if is_foreign else meter.violation
        if reason:
            response.close()
            return self._failed(request, reason)
        truncated_by = "redirect_cap" if is_redirect and body.truncated_by == "max_body" else body.truncated_by
        elapsed_s = self._clock.monotonic() - request.started_at
        return Response(
            request.url, response.status, headers, content, meter.received_bytes, elapsed_s, truncated_by,
            response.raw_headers,
            _exchange(response, self._clock.wall() - elapsed_s, meter.peer) if self._keeps_exchange else None,
        )  # fmt: skip

    def _failed(self, request: _Request, reason: str, detail: str = "") -> Failure:
        return failure(request.url, reason, detail, self._clock.monotonic() - request.started_at)

    def _with_cookies(self, target: URL, headers: Mapping[str, str]) -> Mapping[str, str]:
        if self._cookies is None:
            return headers
        cookie = self._cookies.header_for(*_cookie_place(target), is_secure=target.scheme == "https")
        return {**headers, "Cookie": cookie} if cookie else headers

    def _open_session(self, *, is_keeping: bool) -> aiohttp.ClientSession:
        """A session whose every part that acts on its own is off; the second one keeps no connection."""
        connector = aiohttp.TCPConnector(
            limit=self._concurrency,
            ssl=self._tls,
            use_dns_cache=False,
            resolver=_Resolver(self._names),
            socket_factory=self._guarded_socket,
            force_close=not is_keeping,
            keepalive_timeout=KEEP_ALIVE_S if is_keeping else None,
        )
        # aiohttp has no public way to watch a connection; tests/loopback would notice if this one were gone.
        connector._factory = partial(WatchedConnection, asyncio.get_running_loop(), self._connections)  # type: ignore[assignment]
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=self._settings.connect_timeout),
            read_bufsize=READ_BUFFER_BYTES,
            max_line_size=self._settings.max_header,
            max_field_size=self._settings.max_header,
            max_headers=MAX_HEADER_LINES,
        )
        # Its own retry would ask a host twice without the politeness of a second task.
        session._retry_connection = False
        return session

    def _guarded_socket(self, address_info: aiohttp.AddrInfoType) -> socket.socket:
        """The one place that sees every address just before the connection: what it refuses gets no packet."""
        family, kind, protocol, _, address = address_info
        if not self._guard.allows(str(address[0])):
            raise AddressRefusedError
        opened = socket.socket(family, kind, protocol)
        if is_last_of_reserve(opened.fileno()):
            opened.close()
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return opened


def _kept(most: int, size_bytes: int, bodies: ByteGate) -> int:
    return min(most, bodies.account.base_limit // _KEPT_SHARE // size_bytes)


def _exchange(response: aiohttp.ClientResponse, started_at: float, peer: str) -> Exchange:
    """The request as aiohttp sent it, and the status line as it came; it keeps neither as bytes."""
    sent = response.request_info
    lines = tuple((name.encode(), value.encode()) for name, value in sent.headers.items())
    reason = (response.reason or "").encode("utf-8", "surrogateescape")
    minor = 1 if response.version is None else response.version.minor
    return Exchange(
        started_at,
        peer,
        f"{sent.method} {sent.url.raw_path_qs} HTTP/1.1".encode(),
        lines,
        b"HTTP/1.%d %d %s" % (minor, response.status, reason),
    )


def _cookie_place(target: URL) -> tuple[str, str]:
    return target.raw_host or "", target.raw_path


def _target(url: str) -> URL | Failure:
    """The URL as it is sent, byte for byte; a Failure for one that must not be."""
    if _SENDABLE.fullmatch(url) is None:
        return failure(url, "invalid_url")
    target = URL(url, encoded=True)
    if target.raw_user is not None or target.raw_password is not None:
        return failure(url, "userinfo")
    return target if target.scheme in {"http", "https"} else failure(url, "scheme")


async def _claimed(response: aiohttp.ClientResponse, room: Admission, cap_bytes: int) -> None:
    """Make room for the length that the server names, before the socket is read on; it may lie, so not for all."""
    claim_bytes = min(response.content_length or 0, cap_bytes, _MOST_CLAIMED_BYTES)
    await room.grow(REQUEST_BYTES + claim_bytes)


async def _filled(response: aiohttp.ClientResponse, body: Body, room: Admission) -> bytes:
    """Read the response into `body` until one of them ends; the connection is closed unless it can be used again.

    What outgrows its room waits for more of it, and the socket meanwhile: aiohttp stops reading (back-pressure).
    """
    content = response.content
    try:
        while part := await content.readany():
            for size_bytes in body.feed(part):
                if not room.try_grow(REQUEST_BYTES + size_bytes):
                    await room.grow(REQUEST_BYTES + size_bytes)
            if body.truncated_by:
                response.close()
                break
    except _BROKEN_OFF:
        response.close()
        return body.close(is_whole=False)
    return body.close(is_whole=True)
