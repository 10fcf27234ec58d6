"""A raw server on loopback whose behaviours are scripted byte by byte.

A behaviour is a list of steps, played for each request whose path it is registered under:

- `bytes` are sent as they are;
- `Repeat(data, times, every_s)` sends `data` again and again, `times=None` until the client is gone;
- `Pause(seconds)` waits; `WAIT` holds still until the client is gone;
- `CLOSE` ends the connection in order, `RESET` with a TCP RST.

After the last step the connection waits for the next request. A path may have several behaviours, one a visit, the
last one staying. All that came in is kept, byte for byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self

_END_OF_HEAD = b"\r\n\r\n"


class End(Enum):
    """Ways for a server to stop."""

    CLOSE = "close"
    RESET = "reset"
    WAIT = "wait"


CLOSE, RESET, WAIT = End.CLOSE, End.RESET, End.WAIT


@dataclass(frozen=True, slots=True)
class Pause:
    """Do nothing for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Repeat:
    """Send the same bytes many times."""

    data: bytes
    times: int | None = None
    every_s: float = 0.0


Step = bytes | Pause | Repeat | End
Behaviour = Sequence[Step]


def answer(body: bytes = b"", *, status: str = "200 OK", headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """A well-formed response with a Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode("latin-1") + _END_OF_HEAD + body


def head(*lines: str, status: str = "200 OK") -> bytes:
    """A response head of the given header lines and no other."""
    return "\r\n".join([f"HTTP/1.1 {status}", *lines]).encode("latin-1") + _END_OF_HEAD


@dataclass
class HostileServer:
    """Serves `paths` on `address` while its block runs.

    `greeting` is sent as soon as a connection stands, before any request.
    """

    paths: Mapping[str, Behaviour | list[Behaviour]] = field(default_factory=dict)
    address: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    greeting: bytes = b""
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _visits: dict[str, int] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self.address, self.port, ssl=self.tls, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def url(self, path: str = "/", scheme: str = "") -> str:
        """The URL of a path on this server."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{scheme or ('https' if self.tls else 'http')}://{host}:{self.port}{path}"

    @property
    def targets(self) -> list[str]:
        """The request targets in the order in which they came."""
        return [request.split(b" ", 2)[1].decode("latin-1") for request in self.requests]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.write(self.greeting)
            while await self._answer(reader, writer):
                pass
        writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await reader.readuntil(_END_OF_HEAD)
        self.requests.append(request)
        for step in self._behaviour(request.split(b" ", 2)[1].decode("latin-1")):
            if not await self._play(step, reader, writer):
                return False
        return True

    def _behaviour(self, target: str) -> Behaviour:
        script = self.paths.get(target, self.paths.get("*", (answer(b"no such page", status="404 Not Found"),)))
        if not isinstance(script, list):
            return script
        visit = self._visits.get(target, 0)
        self._visits[target] = visit + 1
        return script[min(visit, len(script) - 1)]

    async def _play(self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Do one step; False where the connection is over."""
        match step:
            case bytes():
                writer.write(step)
                await writer.drain()
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Repeat(data, times, every_s):
                await self._repeat(writer, data, times, every_s)
            case End.WAIT:
                await reader.read()
                return False
            case End.CLOSE:
                return False
            case End.RESET:
                _reset(writer)
                return False
        return True

    async def _repeat(self, writer: asyncio.StreamWriter, data: bytes, times: int | None, every_s: float) -> None:
        sent = 0
        while (times is None or sent < times) and not writer.is_closing():
            writer.write(data)
            sent += 1
            await writer.drain()
            await asyncio.sleep(every_s)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
