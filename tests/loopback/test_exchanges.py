"""What a response tells of its exchange: all header lines always, the rest where an archive is kept."""

from __future__ import annotations

import time

from tests.support.fetching import fetching, response_to
from tests.support.hostile_server import HostileServer, answer

LINES = (("Set-Cookie", "a=1"), ("X-ODD", "\u00e9"), ("set-cookie", "b=2"))


async def test_all_header_lines_are_kept_as_they_came() -> None:
    """Repeats, order and spelling are in `header_lines`; `headers` has one value a name."""
    async with HostileServer({"*": (answer(b"hi", headers=LINES),)}) as server, fetching() as fetcher:
        response = await response_to(fetcher, server.url())
    assert response.header_lines == (
        (b"Content-Length", b"2"), (b"Set-Cookie", b"a=1"), (b"X-ODD", b"\xe9"), (b"set-cookie", b"b=2"),
    )  # fmt: skip
    assert response.headers["set-cookie"] == "b=2"


async def test_without_an_archive_nobody_tells_the_exchange() -> None:
    """What only an archive wants is not put together for nothing."""
    async with HostileServer({"*": (answer(b"hi"),)}) as server, fetching() as fetcher:
        assert (await response_to(fetcher, server.url())).exchange is None


async def test_an_exchange_is_what_was_on_the_wire() -> None:
    """Request line, request header lines, status line, peer and time, byte for byte; on a kept connection too."""
    async with (
        HostileServer({"*": (answer(b"no", status="404 Not  h\u00e9re"),)}) as server,
        fetching(keeps_exchange=True) as fetcher,
    ):
        for path in ("/a%20b/?q=%41&x=[]|^", "/again"):
            exchange = (await response_to(fetcher, server.url(path))).exchange
            assert exchange is not None
            lines = (b"%b: %b" % line for line in exchange.request_lines)
            assert b"\r\n".join((exchange.request_line, *lines, b"\r\n")) == server.requests[-1]
            assert exchange.status_line == b"HTTP/1.1 404 Not  h\xe9re"
            assert exchange.peer == "127.0.0.1"
            assert abs(exchange.started_at - time.time()) < 5


async def test_an_old_server_s_version_is_told() -> None:
    """HTTP/1.0 stays HTTP/1.0, and a reason that is empty stays so."""
    old = b"HTTP/1.0 200 \r\nContent-Length: 0\r\n\r\n"
    async with HostileServer({"*": (old,)}) as server, fetching(keeps_exchange=True) as fetcher:
        exchange = (await response_to(fetcher, server.url())).exchange
    assert exchange is not None
    assert exchange.status_line == b"HTTP/1.0 200 "
