"""HTTP over aiohttp: one GET, guarded and bounded, that ends in a Response or a Failure.

Of aiohttp its connector, its parser and its streams are used. Its redirects, cookies, decompression, retries, proxies
and DNS cache are not: weaver has its own rules for each.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import StreamReader

from weaver.base.clock import Clock
from weaver.base.page import Failure, Fetched, Response
from weaver.base.settings import FetchSettings
from weaver.fetch.address_guard import AddressGuard
from weaver.fetch.aiohttp_connection import Connections, WatchedConnection
from weaver.fetch.aiohttp_connector import Connector
from weaver.fetch.aiohttp_errors import Border
from weaver.fetch.aiohttp_messages import RequestHeads, exchange_of, headers_of
from weaver.fetch.aiohttp_origins import Origins, Target
from weaver.fetch.cookies import CookieShelf
from weaver.fetch.decode import Body, body_for
from weaver.fetch.descriptors import affordable_connections
from weaver.fetch.reasons import failure
from weaver.fetch.resolver import CachingResolver, Lookup
from weaver.fetch.transport import REQUEST_BYTES, TransportStatistics
from weaver.fetch.wire import RATE_WINDOW_S, WireLimits, WireMeter
from weaver.fetch.zstd import DECOMPRESSOR_BYTES, Decompressors
from weaver.memory.admission import Admission, ByteGate
from weaver.memory.budget import Account
from weaver.memory.buffers import BUFFER_BYTES, Pool
from weaver.memory.scratch import Arenas

REDIRECT_BODY_BYTES = 64 << 10  # nobody reads a redirect's body; more than this is not waited for
# Connections that are closing get the time for it, and a crawl does not run through all its hosts in one such spell.
LOCAL_LIMIT_WAIT_S = 0.1
# Of a body's length as the server names it, at once: liars would take the whole account, and then send nothing.
_MOST_CLAIMED_BYTES = 1 << 20
_MOST_BUFFERS = 16  # more than large bodies come at once; with 64 they cost 1.3 times what they cost now
_MOST_IDLE = 4  # decompressors
_KEPT_SHARE = 8  # what is only kept for the next bodies takes at most one in so many bytes of the account
_IDLE_PER_REQUEST = 2  # kept-alive connections for each request that may be under way
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BROKEN_OFF = (aiohttp.ClientError, OSError)


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
        self._origins = Origins()
        self._heads = RequestHeads()
        self._keeping: Connector | None = None
        self._fresh: Connector | None = None
        self._stale_losses = 0

    def __repr__(self) -> str:
        return f"AiohttpTransport(open={self._connections.current}/{self._connections.capacity}, {self._names!r})"

    async def get(
        self, url: str, headers: Mapping[str, str], max_body_bytes: int, room: Admission, *, is_fresh: bool = False
    ) -> Fetched:
        request = _Request(url, headers, max_body_bytes, room, self._clock.monotonic())
        self._connections.under_way += 1
        try:
            return await self._attempt(self._connector(is_fresh=is_fresh), request)
        finally:
            self._connections.under_way -= 1

    def _connector(self, *, is_fresh: bool) -> Connector:
        """That of most requests, or the second one, which keeps no connection."""
        if is_fresh:
            self._fresh = self._fresh or self._open_connector(is_keeping=False)
            return self._fresh
        self._keeping = self._keeping or self._open_connector(is_keeping=True)
        return self._keeping

    def _open_connector(self, *, is_keeping: bool) -> Connector:
        return Connector(
            self._names, self._guard, self._connections, self._tls, self._concurrency, self._settings.connect_timeout,
            is_keeping=is_keeping,
        )  # fmt: skip

    async def close(self) -> None:
        for connector in (self._keeping, self._fresh):
            if connector is not None:
                await connector.close()
        await self._names.close()
        self.release_memory()

    def release_memory(self) -> int:
        """Close idle connections, free idle buffers, forget names that the account has no room for."""
        freed_bytes = self._connections.held_bytes
        if self._keeping is not None:
            self._keeping.close_idle()
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

    async def _attempt(self, connector: Connector, request: _Request) -> Fetched:
        """One request, sent once: the server may have seen what got no answer, so a second try is politeness's."""
        meter = WireMeter(self._limits)
        border = Border(meter)
        with border:
            target = self._origins.target(request.url)
            if isinstance(target, Failure):
                return target
            connection = await connector.connected(target[0])
            try:
                fetched = await self._answer(connection, target, request, meter, is_last=connector.force_close)
            except BaseException:
                connection.close()
                raise
            connection.release()
            return fetched
        if border.reason == "disconnected" and meter.is_stale_loss:
            self._stale_losses += 1
            return self._failed(request, "stale_connection")
        if border.reason == "local_limit":
            await asyncio.sleep(LOCAL_LIMIT_WAIT_S)
        return self._failed(request, border.reason, border.detail)

    async def _answer(
        self, connection: Connection, target: Target, request: _Request, meter: WireMeter, *, is_last: bool
    ) -> Fetched:
        """Send the request and read its answer; the connection is closed unless it can be used again."""
        protocol = connection.protocol
        assert isinstance(protocol, WatchedConnection)
        head = self._head(target, request, is_last=is_last)
        protocol.send(head, meter)
        message, content = await protocol.read()
        if message.code == 101 or message.version[0] != 1:
            connection.close()
            return self._failed(request, "protocol")
        headers = headers_of(message)
        if self._cookies is not None and "set-cookie" in headers:
            lines = message.headers.getall("Set-Cookie")
            self._cookies.keep(*_cookie_place(target), lines, is_secure=target[0].is_https)
        is_redirect = message.code in _REDIRECTS and "location" in headers
        cap_bytes = min(request.max_body_bytes, REDIRECT_BODY_BYTES) if is_redirect else request.max_body_bytes
        claim_bytes = _claim_bytes(headers, cap_bytes)
        if not request.room.try_grow(REQUEST_BYTES + claim_bytes):
            await request.room.grow(REQUEST_BYTES + claim_bytes)
        body, truncated_by = await self._body(message, content, request.room, cap_bytes)
        if meter.violation:
            connection.close()
            return self._failed(request, meter.violation)
        elapsed_s = self._clock.monotonic() - request.started_at
        return Response(
            request.url, message.code, headers, body, meter.received_bytes, elapsed_s,
            "redirect_cap" if is_redirect and truncated_by == "max_body" else truncated_by,
            message.raw_headers,
            exchange_of(head, message, self._clock.wall() - elapsed_s, meter.peer) if self._keeps_exchange else None,
        )  # fmt: skip

    def _head(self, target: Target, request: _Request, *, is_last: bool) -> bytes:
        cookie = ""
        if self._cookies is not None:
            cookie = self._cookies.header_for(*_cookie_place(target), is_secure=target[0].is_https)
        return self._heads.head(target, request.headers, cookie, is_last=is_last)

    async def _body(
        self, message: RawResponseMessage, content: StreamReader, room: Admission, cap_bytes: int
    ) -> tuple[bytes, str]:
        """The decoded body, and what ended it before its end."""
        codings = message.headers.getall("Content-Encoding", ())
        if not codings and content.is_eof() and content.total_bytes <= cap_bytes:
            # All of it is there already, as that of most pages.
            await _grown(room, content.total_bytes)
            return content.read_nowait(), ""
        with (
            self._arenas.open() as arena,
            body_for(codings, cap_bytes, self._settings.max_ratio, arena, self._decompressors) as body,
        ):
            return await _filled(content, body, room), body.truncated_by

    def _failed(self, request: _Request, reason: str, detail: str = "") -> Failure:
        return failure(request.url, reason, detail, self._clock.monotonic() - request.started_at)


def _kept(most: int, size_bytes: int, bodies: ByteGate) -> int:
    return min(most, bodies.account.base_limit // _KEPT_SHARE // size_bytes)


def _cookie_place(target: Target) -> tuple[str, str]:
    origin, path = target
    return origin.host, path.partition("?")[0]


def _claim_bytes(headers: Mapping[str, str], cap_bytes: int) -> int:
    """What room is made for before the socket is read on: the length that the server names; it may lie, so not all."""
    return min(int(headers.get("content-length", "0")), cap_bytes, _MOST_CLAIMED_BYTES)


async def _grown(room: Admission, body_bytes: int) -> None:
    if not room.try_grow(REQUEST_BYTES + body_bytes):
        await room.grow(REQUEST_BYTES + body_bytes)


async def _filled(content: StreamReader, body: Body, room: Admission) -> bytes:
    """Read on into `body` until one of them ends.

    What outgrows its room waits for more of it, and the socket meanwhile: aiohttp stops reading (back-pressure).
    """
    try:
        while part := await content.readany():
            for size_bytes in body.feed(part):
                await _grown(room, size_bytes)
            if body.truncated_by:
                break
    except _BROKEN_OFF:
        return body.close(is_whole=False)
    return body.close(is_whole=True)
