"""aiohttp's connector with weaver's own parts in it: names, addresses, sockets and connections that are watched."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import socket
import ssl
from functools import partial
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from weaver.fetch.address_guard import AddressGuard
from weaver.fetch.aiohttp_connection import Connections, WatchedConnection
from weaver.fetch.aiohttp_errors import AddressRefusedError
from weaver.fetch.aiohttp_origins import Origin
from weaver.fetch.descriptors import is_last_of_reserve
from weaver.fetch.resolver import CachingResolver

KEEP_ALIVE_S = 15.0  # servers close idle connections after 5 to 75 s


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


class Connector(aiohttp.TCPConnector):
    """Opens and keeps the connections of one transport; made inside the running loop.

    A request needs no more than its origin until there is a connection to open: with a session, and its request and
    response objects, a page's CPU was 1.4 times what it is (benchmarks/fetch.py).
    """

    def __init__(
        self,
        names: CachingResolver,
        guard: AddressGuard,
        connections: Connections,
        tls: ssl.SSLContext | bool,
        limit: int,
        connect_timeout_s: float,
        *,
        is_keeping: bool,
    ) -> None:
        super().__init__(
            limit=limit,
            ssl=tls,
            use_dns_cache=False,
            resolver=_Resolver(names),
            socket_factory=self._guarded_socket,
            force_close=not is_keeping,
            keepalive_timeout=KEEP_ALIVE_S if is_keeping else None,
        )
        self._guard = guard
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout_s)
        # aiohttp has no public way to watch a connection; tests/loopback would notice if this one were gone.
        self._factory = partial(WatchedConnection, asyncio.get_running_loop(), connections)  # type: ignore[assignment]

    async def connected(self, origin: Origin) -> Connection:
        """A connection to the origin, a kept one where there is one."""
        try:
            return await self.connect(origin, [], self._timeout)  # type: ignore[arg-type]
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {origin.url}") from error

    def close_idle(self) -> None:
        """Close the kept connections; aiohttp passes by a closed one, and forgets it within its keep-alive time."""
        for connection, _ in itertools.chain.from_iterable(self._conns.values()):
            connection.close()

    async def _create_connection(self, req: Any, traces: Any, timeout: aiohttp.ClientTimeout) -> ResponseHandler:  # noqa: ASYNC109
        return await super()._create_connection(req.as_request(), traces, timeout)

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
