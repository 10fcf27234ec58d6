"""Messages: what a worker process and its crawl say to each other, and how it lies on the wire.

A message is a tuple of plain values, marshalled, with its length in front. Both ends are this very program: marshal is
the fastest that there is, and runs no code. What a page said travels as text, as everywhere.
"""

from __future__ import annotations

import asyncio
import marshal
import struct
from collections.abc import Callable
from typing import Any, cast

from weaver.base.page import Exchange, Failure, Fetched, Parsed, Response, Task, TaskKind
from weaver.reading.reading import Reading

Message = tuple[Any, ...]

# From the crawl: the settings, first of all; a task; idle memory is to be let go.
BEGIN, READ, RELEASE = range(3)
# From the worker: it stands; what came of a task; the task met a fault of weaver's; how the worker is.
READY, ANSWER, FAULT, STATE = range(4)

# The number of the task that a worker parses, where its crawl finds it when the worker has ended.
MARK = struct.Struct("<q")
_LENGTH = struct.Struct("<I")
# Later ones look for what is there twice, which takes a third more time here and finds next to nothing.
_MARSHAL_VERSION = 2
# A turn of the loop can last for dozens of pages. Were all that is said in it sent at its end, each side would be done
# with all of its work while the other goes through its own.
MOST_TOGETHER = 4


class Channel(asyncio.Protocol):
    """One end of a stream of messages. What is sent within one turn of the loop goes out some messages at a time."""

    def __init__(self, on_message: Callable[[Message], None], on_end: Callable[[], None]) -> None:
        self._on_message = on_message
        self._on_end = on_end
        self._transport: asyncio.Transport | None = None
        self._outbox: list[bytes] = []
        self._parts: list[bytes] = []
        self._had_bytes = 0
        self._needed_bytes = _LENGTH.size

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are those of asyncio by what they do, not by their class.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        self._had_bytes += len(data)
        if self._had_bytes < self._needed_bytes:
            return
        view, start = memoryview(b"".join(self._parts)), 0
        while (needed_bytes := _size_at(view, start)) <= len(view) - start:
            message = marshal.loads(view[start + _LENGTH.size : start + needed_bytes])  # noqa: S302 - our own words
            start += needed_bytes
            self._on_message(message)
        self._parts, self._had_bytes, self._needed_bytes = [bytes(view[start:])], len(view) - start, needed_bytes

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self._on_end()

    def send(self, message: Message) -> None:
        """Have a message sent; to an end that is gone it is lost."""
        if not self._outbox:
            asyncio.get_running_loop().call_soon(self._flush)
        packed = marshal.dumps(message, _MARSHAL_VERSION)
        self._outbox += (_LENGTH.pack(len(packed)), packed)
        if len(self._outbox) == 2 * MOST_TOGETHER:
            self._flush()

    def _flush(self) -> None:
        outbox, self._outbox = self._outbox, []
        if self._transport is not None and outbox:
            self._transport.write(b"".join(outbox))

    def close(self) -> None:
        """Send what waits, and end the stream."""
        self._flush()
        if self._transport is not None:
            self._transport.close()


def _size_at(view: memoryview, start: int) -> int:
    """The bytes of the message that begins there, its length included; of the length alone where that is not whole."""
    if len(view) - start < _LENGTH.size:
        return _LENGTH.size
    return _LENGTH.size + int(_LENGTH.unpack_from(view, start)[0])


def packed_task(number: int, task: Task, *, wants_body: bool) -> Message:
    """What a worker must know of a task."""
    return READ, number, task.url, int(task.kind), task.attempts, wants_body


def unpacked_task(message: Message) -> Task:
    """The task of a READ. There its id is the request's number, and it has no host."""
    _, number, url, kind, attempts, _ = message
    return Task(number, url, 0, attempts=attempts, kind=TaskKind(kind))


def packed_reading(number: int, reading: Reading, *, wants_body: bool) -> Message:
    """An answer. A page's body stays behind where nobody wants it; the robots and errors that are kept are small."""
    parsed = reading.parsed
    fetched = _packed_fetched(reading.fetched, has_body=wants_body or parsed is None)
    of_page = None if parsed is None else _packed_parsed(parsed, has_repeats=wants_body)
    of_content = reading.body_bytes, reading.body_digest, reading.text_digest, reading.signature
    return ANSWER, number, fetched, of_page, *of_content


def unpacked_reading(message: Message, url: str) -> Reading:
    """The reading of an ANSWER to the task with this URL."""
    _, _, fetched, parsed, *of_content = message
    of_page = None if parsed is None else Parsed(parsed[0] or url, *parsed[1:])
    return Reading(_unpacked_fetched(fetched, url), of_page, *of_content)


def _packed_fetched(fetched: Fetched, *, has_body: bool) -> Message:
    if isinstance(fetched, Failure):
        return fetched.reason, fetched.detail, fetched.is_retryable, fetched.elapsed_s
    exchange = fetched.exchange
    of_archive = None
    if exchange is not None:
        of_archive = (
            exchange.started_at, exchange.peer, exchange.request_line, exchange.request_lines, exchange.status_line
        )  # fmt: skip
    return (
        fetched.status, dict(fetched.headers), fetched.body if has_body else b"", fetched.wire_bytes,
        fetched.elapsed_s, fetched.truncated_by, fetched.header_lines if exchange is not None else (), of_archive,
    )  # fmt: skip


def _unpacked_fetched(packed: Message, url: str) -> Fetched:
    if len(packed) == 4:
        return Failure(url, *packed)
    status, headers, body, wire_bytes, elapsed_s, truncated_by, header_lines, of_archive = packed
    exchange = Exchange(*of_archive) if of_archive else None
    return Response(url, status, headers, body, wire_bytes, elapsed_s, truncated_by, header_lines, exchange)


def _packed_parsed(parsed: Parsed, *, has_repeats: bool) -> Message:
    """A link counts once a page, but an archive lists each."""
    hrefs = parsed.hrefs if has_repeats else list(dict.fromkeys(parsed.hrefs))
    return (
        parsed.base_url, hrefs, parsed.nofollow_hrefs, parsed.canonical, parsed.refresh, parsed.title, parsed.text,
        parsed.charset, parsed.noindex, parsed.nofollow, parsed.is_html, parsed.note,
    )  # fmt: skip
