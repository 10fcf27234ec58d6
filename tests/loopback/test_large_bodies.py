"""Large bodies: many times what is buffered, however they are framed and cut; the connection's next request follows."""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import Iterator

import pytest

from tests.support.fetching import fetching, response_to
from tests.support.hostile_server import HostileServer, Repeat, Step, answer, head
from weaver.fetch.aiohttp_connection import READ_BUFFER_BYTES

MOST_BYTES = 2 << 20
BODY = random.Random(6).randbytes(MOST_BYTES)
PACKED = gzip.compress(BODY, 1)
GZIP = ("Content-Encoding", "gzip")
SMALL = answer(b"hi")


def _chunks(body: bytes, chunk_bytes: int) -> Iterator[bytes]:
    for start in range(0, len(body), chunk_bytes):
        chunk = body[start : start + chunk_bytes]
        yield b"%x\r\n%b\r\n" % (len(chunk), chunk)
    yield b"0\r\n\r\n"


def _chunked(body: bytes, chunk_bytes: int, *lines: str) -> tuple[Step, ...]:
    return head("Transfer-Encoding: chunked", *lines), b"".join(_chunks(body, chunk_bytes))


WHOLE: dict[str, tuple[Step, ...]] = {
    "plain": (answer(BODY),),
    "a buffer at a time": (head(f"Content-Length: {len(BODY)}"), Repeat(BODY[:READ_BUFFER_BYTES], 32)),
    "twice a buffer": (head(f"Content-Length: {len(BODY)}"), Repeat(BODY[: 2 * READ_BUFFER_BYTES], 16)),
    "gzip": (answer(PACKED, headers=[GZIP]),),
    "one chunk": _chunked(BODY, MOST_BYTES),
    "chunks": _chunked(BODY, 5_000),
    "tiny chunks": _chunked(BODY[:READ_BUFFER_BYTES], 3),
    "gzip in chunks": _chunked(PACKED, 1_000, "Content-Encoding: gzip"),
}
CUT: dict[str, tuple[Step, ...]] = {
    "plain": (answer(BODY + b"x"),),
    "far too long": (answer(4 * BODY),),
    "gzip": (answer(gzip.compress(BODY + BODY, 1), headers=[GZIP]),),
    "chunks": _chunked(BODY + BODY, 5_000),
    "gzip in chunks": _chunked(gzip.compress(BODY + BODY, 1), 1_000, "Content-Encoding: gzip"),
    "behind the end of gzip": (answer(gzip.compress(BODY[:9_000]) + BODY, headers=[GZIP]),),
    "a redirect's": (
        head("Location: /elsewhere", f"Content-Length: {len(BODY)}", status="302 Found"), BODY,
    ),
}  # fmt: skip


@pytest.mark.parametrize("steps", WHOLE.values(), ids=WHOLE)
async def test_a_large_body_leaves_the_connection_ready(steps: tuple[Step, ...]) -> None:
    """Large pages follow each other and small ones on one connection, for the whole of each was read."""
    async with (
        HostileServer({"/": steps, "/small": (SMALL,)}) as server,
        fetching(max_body=MOST_BYTES) as fetcher,
    ):
        for _ in range(3):
            response = await response_to(fetcher, server.url())
            assert response.truncated_by == ""
            assert len(response.body) >= READ_BUFFER_BYTES
            assert (await response_to(fetcher, server.url("/small"))).body == b"hi"
        assert (server.connections, len(server.requests)) == (1, 6)


@pytest.mark.parametrize("steps", CUT.values(), ids=CUT)
async def test_a_body_that_is_cut_holds_nobody_up(steps: tuple[Step, ...]) -> None:
    """What is left of a body is not waited for: the next request is answered, if need be on another connection."""
    async with (
        HostileServer({"/": steps, "/small": (SMALL,)}) as server,
        fetching(max_body=MOST_BYTES) as fetcher,
    ):
        for _ in range(3):
            response = await response_to(fetcher, server.url())
            assert BODY.startswith(response.body)
            assert (await response_to(fetcher, server.url("/small"))).body == b"hi"
        assert len(server.requests) == 6


@pytest.mark.parametrize("limit_bytes", [1 << 20, 1 << 30], ids=["little room", "room"])
async def test_large_bodies_of_one_host_at_once(limit_bytes: int) -> None:
    """Whole and cut bodies in several framings over several connections of a host all end, with or without room."""
    steps = [*WHOLE.values(), *CUT.values()]
    paths = {f"/{number}": behaviour for number, behaviour in enumerate(steps)}
    async with (
        HostileServer(paths) as server,
        fetching(max_body=MOST_BYTES, bodies_bytes=limit_bytes, concurrency=4, timeout=20.0) as fetcher,
    ):
        urls = [server.url(path) for path in paths] * 2
        responses = await asyncio.gather(*(response_to(fetcher, url) for url in urls))
    assert [response.url for response in responses] == urls
    assert fetcher.bodies.account.used == 0
