"""One connection of aiohttp's, watched: each byte is counted by the request that asked for it, others are refused."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import ServerDisconnectedError
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

from weaver.fetch.wire import WireMeter
from weaver.memory.admission import ByteGate

# Resident bytes of an idle kept-alive connection, the client's side of 500 on loopback (benchmarks/bodies.py): 15-19
# KiB plain, with TLS 107-127 KiB on uvloop and 342-363 KiB on asyncio, whose protocol fills a buffer of 256 KiB.
CONNECTION_BYTES = 18 << 10
UVLOOP_TLS_BYTES = 112 << 10
ASYNCIO_TLS_BYTES = 350 << 10

READ_BUFFER_BYTES = 64 << 10  # aiohttp stops reading at twice this until the body's reader catches up
MAX_HEADER_LINES = 1_000


class Connections:
    """Counts the open connections and what they hold, and says when an idle one should not be kept: sockets are a
    bounded good too, and idle ones may take half of the account.

    `under_way` requests each have a connection that is not idle; the transport counts them.
    """

    def __init__(self, capacity: int, bodies: ByteGate) -> None:
        self.capacity = capacity
        self.current = self.peak = self.made = 0
        self.under_way = 0
        self.held_bytes = 0
        self._bodies = bodies

    @property
    def is_full(self) -> bool:
        # Asked by a connection whose request is ending: it is about to be idle.
        idle = self.current - self.under_way + 1
        return self.current > self.capacity or 2 * self.held_bytes * idle > self._bodies.account.limit * self.current

    def opened(self, size_bytes: int) -> None:
        self.made += 1
        self.current += 1
        self.peak = max(self.peak, self.current)
        self.held_bytes += size_bytes
        self._bodies.hold(size_bytes)

    def closed(self, size_bytes: int) -> None:
        self.current -= 1
        self.held_bytes -= size_bytes
        self._bodies.give_back(size_bytes)


def _bytes_of(transport: asyncio.BaseTransport) -> int:
    if transport.get_extra_info("ssl_object") is None:
        return CONNECTION_BYTES
    return ASYNCIO_TLS_BYTES if type(transport).__module__.startswith("asyncio.") else UVLOOP_TLS_BYTES


class WatchedConnection(ResponseHandler):
    """aiohttp's protocol of one connection, with each byte that comes in counted by the request that asked for it.

    It also closes what a desynchronised or meddling server tries: bytes that nobody asked for.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, connections: Connections) -> None:
        super().__init__(loop)
        self._connections = connections
        self._held_bytes = 0
        self._peer = ""
        self._meter: WireMeter | None = None
        self._requests = 0
        self._answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._held_bytes = _bytes_of(transport)
        self._peer = str((transport.get_extra_info("peername") or ("",))[0])
        self._connections.opened(self._held_bytes)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._connections.closed(self._held_bytes)

    @property
    def should_close(self) -> bool:
        return super().should_close or self._answers > 1 or self._connections.is_full

    def send(self, head: bytes, meter: WireMeter) -> None:
        """Begin a request on this connection, whose bytes `meter` counts from now on."""
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ServerDisconnectedError
        self._meter = meter
        self._requests += 1
        self._answers = 0
        meter.is_reused = self._requests > 1
        meter.peer = self._peer
        self.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            read_bufsize=READ_BUFFER_BYTES,
            max_line_size=meter.limits.max_header_bytes,
            max_field_size=meter.limits.max_header_bytes,
            max_headers=MAX_HEADER_LINES,
        )
        transport.write(head)

    def data_received(self, data: bytes) -> None:
        payload = self._payload
        if data and self._answers and payload is not None and payload.is_eof():
            # The answer is complete: what follows would be taken for the next request's.
            self._cut()
            return
        super().data_received(data)
        if self._meter is not None:
            payload = self._payload
            body_bytes = 0 if payload is None else payload.total_bytes
            if self._meter.receive(len(data), body_bytes, self._loop.time()):
                self._cut()

    def feed_data(self, data: Any, size: int = 0) -> None:
        """A message's head was parsed: 1xx are counted and dropped, a second answer to one request ends it all."""
        message = data[0]
        if 100 <= message.code < 200 and message.code != 101:
            if self._meter is not None and self._meter.interim():
                self._cut()
            return
        self._answers += 1
        if self._answers > 1:
            self._cut()
            return
        if self._meter is not None:
            self._meter.headers(message.raw_headers)
        super().feed_data(data, size)

    def resume_reading(self, resume_parser: bool = True) -> None:
        """aiohttp asks for it at the end of every body, though few were ever paused."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """aiohttp tells nobody who reads a body that its framing broke: the reader would wait for its deadline."""
        super().set_exception(exc, *(() if exc_cause is None else (exc_cause,)))
        payload = self._payload
        if isinstance(exc, HttpProcessingError) and payload is not None and not payload.is_eof():
            payload.set_exception(exc)

    def _cut(self) -> None:
        if self.transport is not None:
            self.transport.abort()
