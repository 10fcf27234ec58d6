"""A web on loopback that writes down every request by its own clock, and misbehaves where it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

# Closing with a linger of 0 s makes the kernel send RST: what a client calls "connection reset by peer".
_LINGER_NONE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Hit:
    """One request as the server saw it: when its head was read (monotonic s), at which origin, for which path."""

    at: float
    origin: str
    path: str

    @property
    def url(self) -> str:
        return self.origin + self.path


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says; `is_reset` says nothing and resets the connection."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    is_reset: bool = False


@dataclass
class CountingWeb:
    """The running web: its origins, and the hits so far in the order of their arrival."""

    answer: Callable[[Hit, int], Answer]
    latency_s: float = 0.0
    origins: list[str] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_for_hits(self, count: int) -> None:
        """Return when `count` requests have come in all."""
        while len(self.hits) < count:
            self.arrived.clear()
            await self.arrived.wait()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until the client leaves or the script resets it."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._serve_one(reader, writer):
                pass
        writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        address, port = writer.get_extra_info("sockname")[:2]
        hit = Hit(time.monotonic(), f"http://{address}:{port}", head.split(b" ", 2)[1].decode("latin-1"))
        self.hits.append(hit)
        self.seen[hit.url] += 1
        self.arrived.set()
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        answer = self.answer(hit, self.seen[hit.url])
        if answer.is_reset:
            reset(writer)
            return False
        writer.write(_wire(answer))
        await writer.drain()
        return True


def reset(writer: asyncio.StreamWriter) -> None:
    """Send RST instead of a goodbye."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
    writer.transport.abort()


def _wire(answer: Answer) -> bytes:
    fields = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body))), *answer.headers]
    lines = [f"HTTP/1.1 {answer.status} X", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1") + answer.body


@contextlib.asynccontextmanager
async def counting_web(
    answer: Callable[[Hit, int], Answer], addresses: Sequence[str] = ("127.0.0.1",), latency_s: float = 0.0
) -> AsyncIterator[CountingWeb]:
    """Serve on a free port of each address; `answer` gets the hit and how often its URL was asked for by now."""
    web = CountingWeb(answer, latency_s)
    async with contextlib.AsyncExitStack() as stack:
        for address in addresses:
            server = await asyncio.start_server(web.talk, address, 0)
            stack.callback(server.close)
            web.origins.append(f"http://{address}:{server.sockets[0].getsockname()[1]}")
        yield web
