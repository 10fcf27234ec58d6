"""Messages come out as they went in, however the stream is cut."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from weaver.base.page import Exchange, Failure, Fetched, Parsed, Response, Task, TaskKind
from weaver.reading import Reading
from weaver.reading.messages import (
    MOST_TOGETHER,
    Channel,
    Message,
    packed_reading,
    packed_task,
    unpacked_reading,
    unpacked_task,
)

URL = "http://a.test/page"
TEXTS = st.text(max_size=60) | st.text(st.characters(categories=("Cs", "Lo")), max_size=8)
HREFS = st.lists(st.sampled_from(("/a", "/b", "../c?d=1", "#e", "\udc80")), max_size=12)
EXCHANGES = st.builds(
    Exchange, st.floats(0, 2e9), TEXTS, st.binary(max_size=20), st.just(((b"Host", b"a.test"),)), st.binary(max_size=20)
)
RESPONSES = st.builds(
    Response, st.just(URL), st.integers(100, 599), st.dictionaries(TEXTS, TEXTS, max_size=4), st.binary(max_size=200),
    st.integers(0, 1 << 40), st.floats(0, 100), st.sampled_from(("", "short", "max_body")),
    st.just(((b"Server", b"x"),)), st.none() | EXCHANGES,
)  # fmt: skip
FAILURES = st.builds(Failure, st.just(URL), TEXTS, TEXTS, st.booleans(), st.floats(0, 100))
PAGES = st.builds(
    Parsed, st.just(URL) | TEXTS.filter(bool), HREFS, HREFS, st.none() | TEXTS, st.none() | TEXTS, TEXTS, TEXTS, TEXTS,
    st.booleans(), st.booleans(), st.booleans(), TEXTS,
)  # fmt: skip
DIGESTS = st.just(b"") | st.binary(min_size=16, max_size=16)


class Pieces(asyncio.Transport):
    """Hands what is written to the other end in pieces of one size."""

    def __init__(self, to: asyncio.Protocol, size: int) -> None:
        super().__init__()
        self._to = to
        self._size = size

    def write(self, data: bytes | bytearray | memoryview) -> None:
        for start in range(0, len(data), self._size):
            self._to.data_received(bytes(data[start : start + self._size]))


def _through(messages: list[Message], size: int) -> list[Message]:
    """What comes out at the other end of a channel."""
    found: list[Message] = []

    async def talk() -> None:
        here, there = Channel(lambda _: None, lambda: None), Channel(found.append, lambda: None)
        here.connection_made(Pieces(there, size))
        for message in messages:
            here.send(message)
        await asyncio.sleep(0)

    asyncio.run(talk())
    return found


def _seen(fetched: Fetched, *, has_body: bool) -> Fetched:
    """An answer as the crawl needs it: without a body that nobody wants, and lines that only an archive keeps."""
    if isinstance(fetched, Failure):
        return fetched
    lines = fetched.header_lines if fetched.exchange is not None else ()
    return replace(fetched, body=fetched.body if has_body else b"", header_lines=lines)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(RESPONSES, st.none() | PAGES, DIGESTS, DIGESTS, DIGESTS) | st.tuples(FAILURES), max_size=5),
    st.integers(1, 4_000),
    st.booleans(),
)
def test_a_reading_survives_the_way(found: list[tuple[Any, ...]], size: int, wants_body: bool) -> None:
    """Every answer arrives whole and in order, whatever the pieces; only what nobody asked for stays behind."""
    readings = [Reading(one[0], *((one[1], 7, *one[2:]) if len(one) > 1 else ())) for one in found]
    packed = [packed_reading(number, reading, wants_body=wants_body) for number, reading in enumerate(readings)]
    arrived = [unpacked_reading(message, URL) for message in _through(packed, size)]
    for before, after in zip(readings, arrived, strict=True):
        has_body = wants_body or before.parsed is None
        assert after.fetched == _seen(before.fetched, has_body=has_body)
        assert (after.body_bytes, after.body_digest, after.text_digest, after.signature) == (
            before.body_bytes, before.body_digest, before.text_digest, before.signature
        )  # fmt: skip
        hrefs = before.parsed.hrefs if before.parsed else []
        distinct = hrefs if wants_body else list(dict.fromkeys(hrefs))
        assert after.parsed == (before.parsed and replace(before.parsed, hrefs=distinct))


async def test_the_other_end_need_not_wait_for_the_end_of_a_turn() -> None:
    """Of what is said in one turn of the loop some messages at a time go out before it ends, the rest then."""
    found: list[Message] = []
    here, there = Channel(lambda _: None, lambda: None), Channel(found.append, lambda: None)
    here.connection_made(Pieces(there, 100))
    for number in range(2 * MOST_TOGETHER + 1):
        here.send((number,))
    assert found == [(number,) for number in range(2 * MOST_TOGETHER)]
    await asyncio.sleep(0)
    assert found[-1] == (2 * MOST_TOGETHER,)


def test_a_task_survives_the_way() -> None:
    """A worker learns what it needs for the request, and the number to answer under."""
    task = Task(9, URL, 3, depth=2, redirects=1, attempts=4, kind=TaskKind.ROBOTS, robots_for=3)
    (message,) = _through([packed_task(77, task, wants_body=True)], 5)
    assert unpacked_task(message) == Task(77, URL, 0, attempts=4, kind=TaskKind.ROBOTS)


def test_a_large_message_is_put_together_once() -> None:
    """A body of megabytes in small pieces takes time in proportion: nothing is copied again for each piece."""
    body = bytes(4 << 20)
    (message,) = _through([(1, body)], 512)
    assert message[1] == body
