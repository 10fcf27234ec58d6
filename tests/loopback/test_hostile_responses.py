"""Malformed and hostile responses: each ends in a value with a reason, and the next request is not harmed."""

from __future__ import annotations

import asyncio
import gzip
import time

import pytest

from tests.support.fetching import failure_of, fetching, page, response_to, robots
from tests.support.hostile_server import CLOSE, RESET, WAIT, Behaviour, HostileServer, Pause, Repeat, answer, head
from weaver.base.page import Failure, Response
from weaver.fetch import Fetcher

CHUNKED = head("Transfer-Encoding: chunked")
OK = answer(b"hi")
TINY_CHUNKS = Repeat(b"1;" + b"e" * 4000 + b"\r\nx\r\n")
GZIP = ("Content-Encoding", "gzip")

# What the server sends, and the reason that it must be given.
REFUSED: dict[str, tuple[Behaviour, str]] = {
    "no-status-line": ((b"<html>hello</html>\r\n\r\n", CLOSE), "protocol"),
    "status-is-text": ((b"HTTP/1.1 abc\r\n\r\n", CLOSE), "protocol"),
    "status-of-one-digit": ((answer(b"x", status="0 x"), CLOSE), "protocol"),
    "status-of-two-digits": ((answer(b"x", status="99 x"), CLOSE), "protocol"),
    "shoutcast": ((b"ICY 200 OK\r\n\r\nx", CLOSE), "protocol"),
    "version-2-over-1": ((b"HTTP/2.0 200 OK\r\nContent-Length: 1\r\n\r\nx", CLOSE), "protocol"),
    "switching-protocols": (
        (head("Upgrade: websocket", "Connection: upgrade", status="101 Switching Protocols"), WAIT),
        "protocol",
    ),
    "tls-alert-on-http": ((b"\x15\x03\x01\x00\x02\x02\x46", CLOSE), "protocol"),
    "length-is-negative": ((head("Content-Length: -1") + b"hello", CLOSE), "protocol"),
    "length-is-text": ((head("Content-Length: abc") + b"hello", CLOSE), "protocol"),
    "two-lengths": ((head("Content-Length: 5", "Content-Length: 6") + b"hello", CLOSE), "protocol"),
    "length-and-chunked": (
        (head("Content-Length: 5", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n", CLOSE),
        "protocol",
    ),
    "chunk-size-is-text": ((CHUNKED + b"5\r\nhello\r\nZZ\r\n", WAIT), "protocol"),
    "chunk-size-is-text-later": ((CHUNKED + b"5\r\nhello\r\n", Pause(0.02), b"ZZ\r\n", WAIT), "protocol"),
    "header-without-colon": ((head("Content-Length: 1", "nonsense") + b"x", CLOSE), "protocol"),
    "nul-in-header": ((head("X-A: a\0b", "Content-Length: 1") + b"x", CLOSE), "protocol"),
    "closed-in-silence": ((CLOSE,), "disconnected"),
    "reset-in-silence": ((RESET,), "disconnected"),
    "closed-in-the-head": ((b"HTTP/1.1 200 OK\r\nContent-", CLOSE), "disconnected"),
    "reset-in-the-head": ((b"HTTP/1.1 200 OK\r\nContent-", Pause(0.02), RESET), "disconnected"),
    "interim-flood": ((Repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n"),), "interim_limit"),
    "17-interims": ((Repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n", 17), OK), "interim_limit"),
    "header-lines-for-ever": ((b"HTTP/1.1 200 OK\r\n", Repeat(b"X-Long: " + b"a" * 1000 + b"\r\n")), "header_limit"),
    "short-header-lines-for-ever": ((b"HTTP/1.1 200 OK\r\n", Repeat(b"a:b\r\n" * 100)), "header_limit"),
    "one-header-for-ever": ((b"HTTP/1.1 200 OK\r\nX: ", Repeat(b"a" * 1000)), "header_limit"),
    "a-reason-for-ever": ((b"HTTP/1.1 200 ", Repeat(b"a" * 1000)), "header_limit"),
    "20-mb-of-headers": (
        (b"HTTP/1.1 200 OK\r\n", Repeat(b"X: " + b"a" * 8000 + b"\r\n", 2500), b"\r\n"),
        "header_limit",
    ),
    "headers-at-once-over-the-cap": ((head("Content-Length: 0", *(["X: " + "a" * 4000] * 17)),), "header_limit"),
    "chunk-extensions": ((CHUNKED, TINY_CHUNKS), "framing"),
    "chunks-of-one-byte": ((CHUNKED, Repeat(b"1\r\nx\r\n" * 1000)), "framing"),
    "trailers-for-ever": ((CHUNKED + b"0\r\n", Repeat(b"X-T: " + b"a" * 1000 + b"\r\n")), "framing"),
    "two-codings": ((answer(b"x", headers=[("Content-Encoding", "gzip, br")]),), "encoding"),
    "ten-codings": ((answer(b"x", headers=[GZIP] * 10),), "encoding"),
    "plain-as-gzip": ((answer(b"<html>plain</html>", headers=[GZIP]),), "corrupt_encoding"),
    "gzip-bomb": ((answer(gzip.compress(bytes(32 << 20)), headers=[GZIP]),), "bomb"),
}

# What the server sends; status, body and what cut it.
ACCEPTED: dict[str, tuple[Behaviour, tuple[int, bytes, str]]] = {
    "plain": ((OK,), (200, b"hi", "")),
    "16-interims": ((Repeat(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 16), OK), (200, b"hi", "")),
    "100-continue": ((b"HTTP/1.1 100 Continue\r\n\r\n", OK), (200, b"hi", "")),
    "bare-line-feeds": ((b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",), (200, b"hi", "")),
    "no-reason": ((b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi",), (200, b"hi", "")),
    "old-version": ((b"HTTP/1.0 200 OK\r\n\r\nhi", CLOSE), (200, b"hi", "")),
    "until-closed": ((head() + b"hi", CLOSE), (200, b"hi", "")),
    "chunked": ((CHUNKED + b"1\r\nh\r\n1;x=y\r\ni\r\n0\r\nX-T: 1\r\n\r\n",), (200, b"hi", "")),
    "status-099": ((answer(b"x", status="099 x"),), (99, b"x", "")),
    "status-299": ((answer(b"x", status="299 x"),), (299, b"x", "")),
    "status-600": ((answer(b"x", status="600 x"),), (600, b"x", "")),
    "status-999": ((answer(b"x", status="999 x"),), (999, b"x", "")),
    "no-content": ((head(status="204 No Content"),), (204, b"", "")),
    "not-modified-unasked": ((head('ETag: "' + "e" * 60_000 + '"', status="304 Not Modified"),), (304, b"", "")),
    "redirect-without-location": ((answer(b"x", status="301 Moved"),), (301, b"x", "")),
    "redirect-with-empty-location": ((answer(b"x", status="302 F", headers=[("Location", "")]),), (302, b"x", "")),
    "shorter-than-its-length": ((head("Content-Length: 10") + b"hello", CLOSE), (200, b"hello", "short")),
    "nothing-of-its-length": ((head("Content-Length: 10"), CLOSE), (200, b"", "short")),
    "reset-in-the-body": ((head("Content-Length: 10") + b"hello", Pause(0.02), RESET), (200, b"hello", "short")),
    "chunks-without-end": ((CHUNKED + b"5\r\nhello\r\n", CLOSE), (200, b"hello", "short")),
    "gzip-cut": (
        (head("Content-Encoding: gzip") + gzip.compress(b"hello", mtime=0)[:-9], CLOSE),
        (200, b"hello", "short"),
    ),
    "unknown-coding": ((answer(b"hi", headers=[("Content-Encoding", "utf-8")]),), (200, b"hi", "")),
}


async def _has_closed_all(fetcher: Fetcher) -> None:
    """Wait for connections that are being closed: the loop gets there some turns later."""
    for _ in range(500):
        if fetcher.statistics().transport.open_connections == 0:
            return
        await asyncio.sleep(0.001)
    pytest.fail(f"a connection stayed open: {fetcher!r}")


@pytest.mark.parametrize(("behaviour", "reason"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_used_gets_its_reason(behaviour: Behaviour, reason: str) -> None:
    """Each malformed or boundless response ends at once in its counted reason; the next request is served."""
    async with HostileServer({"/bad": behaviour, "/ok": (OK,)}) as server, fetching() as fetcher:
        failed = await failure_of(fetcher, server.url("/bad"))
        assert failed.reason == reason, failed
        assert (await response_to(fetcher, server.url("/ok"))).body == b"hi"
        assert fetcher.statistics().failures == {reason: 1}


@pytest.mark.parametrize(("behaviour", "expected"), ACCEPTED.values(), ids=ACCEPTED)
async def test_what_can_be_used_is_used(behaviour: Behaviour, expected: tuple[int, bytes, str]) -> None:
    """Odd but readable responses are read, and what broke off is kept and flagged; the next request is served."""
    async with HostileServer({"/odd": behaviour, "/ok": (OK,)}) as server, fetching() as fetcher:
        fetched = await response_to(fetcher, server.url("/odd"))
        assert (fetched.status, fetched.body, fetched.truncated_by) == expected
        assert (await response_to(fetcher, server.url("/ok"))).body == b"hi"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_a_body_where_none_may_be_harms_nobody(status: str) -> None:
    """Bytes after a 204 or 304 are no part of anything: the next answer is its own."""
    server = HostileServer({"/bad": (answer(b"HTTP/1.1 200 poison", status=status),), "/ok": (OK,)})
    async with server, fetching() as fetcher:
        fetched = await fetcher.get(page(server.url("/bad")))
        assert isinstance(fetched, Failure) or fetched.body == b""
        assert (await response_to(fetcher, server.url("/ok"))).body == b"hi"


async def test_control_characters_are_neutralised() -> None:
    """Nothing in a header steers a terminal or a log, or can't be encoded; a tab is a space, the last value counts."""
    raw = [("X-A", "a\x01\x1b[31m\tb\x7f"), ("X-B", "caf\xe9"), ("x-b", "\x93q\x94 \xff"), ("X-C", "caf\u00c3\u00a9")]
    async with HostileServer({"/": (answer(b"x", headers=raw),)}) as server, fetching() as fetcher:
        headers = (await response_to(fetcher, server.url())).headers
    assert headers["x-a"] == "a\ufffd\ufffd[31m b\ufffd"
    assert headers["x-b"] == "\ufffdq\ufffd \xff"
    assert headers["x-c"] == "café"
    assert all(value.encode() for value in headers.values())
    assert all(name == name.lower() for name in headers)


async def test_folded_headers_become_one_line() -> None:
    """A folded value (RFC 9112, 5.2) is one line afterwards."""
    folded = b"HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 1\r\n\r\nx"
    async with HostileServer({"/": (folded,)}) as server, fetching() as fetcher:
        assert (await response_to(fetcher, server.url())).headers["x-a"] == "a b"


async def test_an_endless_body_is_cut_at_its_cap() -> None:
    """A body without end is cut at `max_body`, and the connection is closed."""
    endless = (CHUNKED, Repeat(b"1000\r\n" + b"a" * 4096 + b"\r\n"))
    async with HostileServer({"/": endless}) as server, fetching(max_body=100_000) as fetcher:
        fetched = await response_to(fetcher, server.url())
        assert (fetched.body, fetched.truncated_by) == (b"a" * 100_000, "max_body")
        assert fetched.wire_bytes < 600_000
        await _has_closed_all(fetcher)


async def test_a_length_beyond_the_cap_is_cut_too() -> None:
    """What a Content-Length announces is not believed, nor waited for."""
    huge = (head("Content-Length: 1000000000000000"), Repeat(b"a" * 4096))
    async with HostileServer({"/": huge}) as server, fetching(max_body=50_000) as fetcher:
        fetched = await response_to(fetcher, server.url())
        assert (len(fetched.body), fetched.truncated_by) == (50_000, "max_body")


async def test_an_endless_robots_file_is_cut_at_512_kib() -> None:
    """A robots.txt without end is read to 512 KiB (RFC 9309, 2.5), the cut is told as weaver's own."""
    endless = (head(), Repeat(b"Disallow: /private\n" * 200))
    async with HostileServer({"/robots.txt": endless}) as server, fetching() as fetcher:
        fetched = await fetcher.get(robots(server.url("/robots.txt")))
        assert isinstance(fetched, Response)
        assert (len(fetched.body), fetched.truncated_by) == (512 << 10, "robots_cap")


async def test_a_redirects_body_is_not_read() -> None:
    """A redirect keeps its Location; of its gigabyte of body little is received."""
    redirect = (head("Location: /next", "Content-Length: 1000000000", status="302 Found"), Repeat(b"a" * 4096))
    async with HostileServer({"/": redirect}) as server, fetching() as fetcher:
        fetched = await response_to(fetcher, server.url())
        assert (fetched.is_redirect, fetched.headers["location"]) == (True, "/next")
        assert fetched.truncated_by == "redirect_cap"
        assert fetched.wire_bytes < 1 << 20


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://169.254.169.254/", "//u:p@evil.example/", "\\\\x"])
async def test_a_redirect_is_never_followed(location: str) -> None:
    """Where a redirect leads is data: it is handed on, and nobody goes there."""
    redirect = answer(b"", status="302 Found", headers=[("Location", location)])
    async with HostileServer({"/": (redirect,)}) as server, fetching() as fetcher:
        fetched = await response_to(fetcher, server.url())
        assert (fetched.status, fetched.headers["location"]) == (302, location)
        assert server.targets == ["/"]
        assert fetcher.statistics().transport.dns.current == 0


async def test_silence_ends_with_the_deadline() -> None:
    """A server that accepts and says nothing costs one deadline."""
    async with HostileServer({"/": (WAIT,)}) as server, fetching(timeout=0.1) as fetcher:
        failed = await failure_of(fetcher, server.url())
        assert (failed.reason, failed.is_retryable) == ("timeout", True)
        await _has_closed_all(fetcher)


async def test_a_stalled_body_ends_with_the_deadline() -> None:
    """A body that stops coming costs one deadline, whatever its length said."""
    async with (
        HostileServer({"/": (head("Content-Length: 100") + b"a", WAIT)}) as server,
        fetching(timeout=0.1) as fetcher,
    ):
        assert (await failure_of(fetcher, server.url())).reason == "timeout"


@pytest.mark.slow
@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX: ", head("Content-Length: 100000")], ids=["head", "body"])
async def test_a_drip_ends_before_the_deadline(start: bytes) -> None:
    """Bytes that trickle in reset no clock: the minimum rate ends them, in the head and in the body."""
    server = HostileServer({"/": (start, Repeat(b"a", None, 0.01))})
    async with server, fetching(timeout=10.0, rate_window_s=0.2) as fetcher:
        started_at = time.monotonic()
        assert (await failure_of(fetcher, server.url())).reason == "too_slow"
        assert time.monotonic() - started_at < 5.0


@pytest.mark.slow
async def test_a_drip_ends_with_the_deadline_too() -> None:
    """Without a minimum rate the total deadline still ends a drip that no read timeout would notice."""
    server = HostileServer({"/": (head(), Repeat(b"a", None, 0.02))})
    async with server, fetching(timeout=0.3, min_rate=0) as fetcher:
        assert (await failure_of(fetcher, server.url())).reason == "timeout"
