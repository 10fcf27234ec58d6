"""Connections: kept, bounded, told when stale, and never trusted with bytes that nobody asked for."""

from __future__ import annotations

import asyncio
import gc
import resource
from dataclasses import replace

import pytest

from tests.support.fetching import USER_AGENT, failure_of, fetching, page, response_to
from tests.support.hostile_server import CLOSE, RESET, WAIT, Behaviour, End, HostileServer, Pause, answer, head
from tests.support.waiting import until
from weaver.base.page import Response

OK = answer(b"hi")


async def _settled(seconds: float = 0.05) -> None:
    await asyncio.sleep(seconds)


async def test_a_connection_is_used_again() -> None:
    """Requests to one host share a connection as long as the server keeps it."""
    async with HostileServer({"/": (OK,)}) as server, fetching() as fetcher:
        for _ in range(5):
            await response_to(fetcher, server.url())
        assert (server.connections, len(server.requests)) == (1, 5)


async def test_the_request_is_what_it_should_be() -> None:
    """On the wire: GET, Host, User-Agent, Accept, Accept-Encoding, and nothing that was not asked for."""
    async with HostileServer({"*": (OK,)}) as server, fetching() as fetcher:
        await response_to(fetcher, server.url("/a%20b/%2e/?q=%41&x=[]|^%0D%0A"))
        request = server.requests[0].decode()
    line, *headers = request.removesuffix("\r\n\r\n").split("\r\n")
    assert line == "GET /a%20b/%2e/?q=%41&x=[]|^%0D%0A HTTP/1.1"
    assert [header.partition(":")[0] for header in headers] == ["Host", "User-Agent", "Accept", "Accept-Encoding"]
    assert f"User-Agent: {USER_AGENT}" in headers


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://user@127.0.0.1:{port}/", "userinfo"),
        ("http://user:secret@127.0.0.1:{port}/", "userinfo"),
        ("http://:secret@127.0.0.1:{port}/", "userinfo"),
        ("http://127.0.0.1:{port}/a b", "invalid_url"),
        ("http://127.0.0.1:{port}/a\r\nX-Evil: 1", "invalid_url"),
        ("http://127.0.0.1:{port}/\0", "invalid_url"),
        ("http://127.0.0.1:{port}/caf\u00e9", "invalid_url"),
        ("http://127.0.0.1:99999/", "invalid_url"),
        ("http:///{port}", "invalid_url"),
        ("http://[::1:{port}/", "invalid_url"),
        ("", "invalid_url"),
        ("ftp://127.0.0.1:{port}/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://127.0.0.1:{port}/_x", "scheme"),
        ("data:text/html,x", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("ws://127.0.0.1:{port}/", "scheme"),
    ],
)
async def test_what_must_not_be_sent_is_not(url: str, reason: str) -> None:
    """User names, broken URLs and other schemes are refused before a connection is made."""
    async with HostileServer({"*": (OK,)}) as server, fetching() as fetcher:
        assert (await failure_of(fetcher, url.format(port=server.port))).reason == reason
        assert server.connections == 0


async def test_an_at_sign_in_the_path_is_no_user() -> None:
    """Only what stands before the host is userinfo."""
    async with HostileServer({"*": (OK,)}) as server, fetching() as fetcher:
        assert (await response_to(fetcher, server.url("/@user?mail=a@b"))).status == 200


@pytest.mark.parametrize("end", [CLOSE, RESET], ids=["closed", "reset"])
async def test_a_stale_connection_is_told_and_the_next_try_is_fresh(end: End) -> None:
    """A kept-alive connection that dies as the next request is sent is told as that; only a new task tries again."""
    async with HostileServer({"/": (OK,), "/2": [(end,), (OK,)]}) as server, fetching() as fetcher:
        await response_to(fetcher, server.url())
        failed = await failure_of(fetcher, server.url("/2"))
        assert (failed.reason, failed.is_retryable) == ("stale_connection", True)
        assert server.targets == ["/", "/2"]
        again = await fetcher.get(replace(page(server.url("/2")), attempts=1))
        assert isinstance(again, Response)
        assert server.connections == 2
        assert fetcher.statistics().transport.stale_losses == 1


async def test_a_second_try_has_a_connection_of_its_own() -> None:
    """What failed once is not sent over a kept connection, however many there are."""
    async with HostileServer({"*": (OK,)}) as server, fetching() as fetcher:
        await response_to(fetcher, server.url())
        await fetcher.get(replace(page(server.url()), attempts=1))
        await fetcher.get(replace(page(server.url()), attempts=1))
        assert server.connections == 3


@pytest.mark.parametrize("end", [CLOSE, RESET], ids=["closed", "reset"])
async def test_a_fresh_connection_that_dies_is_not_retried(end: End) -> None:
    """A server that dropped a first request sees no second one without the delay that politeness asks for."""
    async with HostileServer({"/": (end,)}) as server, fetching() as fetcher:
        await failure_of(fetcher, server.url())
        assert (server.connections, len(server.requests)) == (1, 1)


async def test_an_answer_that_began_is_not_retried() -> None:
    """A kept-alive connection that dies within an answer has been answered: no second request."""
    paths = {"/": (OK,), "/2": (b"HTTP/1.1 200 OK\r\nContent-", CLOSE)}
    async with HostileServer(paths) as server, fetching() as fetcher:
        await response_to(fetcher, server.url())
        assert (await failure_of(fetcher, server.url("/2"))).reason == "disconnected"
        assert server.targets == ["/", "/2"]


@pytest.mark.parametrize(
    "steps",
    [
        (OK + answer(b"poison"),),
        (OK, Pause(0.01), answer(b"poison")),
        (OK, Pause(0.01), b"garbage"),
        (head("Content-Length: 2"), Pause(0.01), b"hi" + answer(b"poison")),
        (head("Transfer-Encoding: chunked") + b"2\r\nhi\r\n0\r\n\r\n" + answer(b"poison"),),
    ],
)
async def test_extra_bytes_poison_nobody(steps: Behaviour) -> None:
    """Bytes after an answer are dropped with their connection: the next request gets its own answer."""
    async with HostileServer({"/bad": steps, "/ok": (answer(b"fine"),)}) as server, fetching() as fetcher:
        assert (await response_to(fetcher, server.url("/bad"))).body == b"hi"
        await _settled()
        assert (await response_to(fetcher, server.url("/ok"))).body == b"fine"
        assert server.connections == 2


async def test_half_an_extra_answer_poisons_nobody() -> None:
    """The beginning of a second answer is dropped when the next request begins."""
    paths = {"/bad": (OK + b"HTTP/1.1 200 OK\r\nX-Half: ",), "/ok": (answer(b"fine"),)}
    async with HostileServer(paths) as server, fetching() as fetcher:
        assert (await response_to(fetcher, server.url("/bad"))).body == b"hi"
        assert (await response_to(fetcher, server.url("/ok"))).body == b"fine"


async def test_a_greeting_is_no_answer() -> None:
    """A server that talks before it is asked (mail, SSH) gives no page; the reason depends on who was first."""
    async with HostileServer({"/": (WAIT,)}, greeting=b"SSH-2.0-OpenSSH_9.2\r\n") as server, fetching() as fetcher:
        assert (await failure_of(fetcher, server.url())).reason in {"protocol", "disconnected"}


async def test_half_closed_answers_are_read() -> None:
    """A server that closes right after its answer loses nothing of it; the next try goes over a fresh connection."""
    async with HostileServer({"/": (OK, CLOSE)}) as server, fetching() as fetcher:
        await response_to(fetcher, server.url())
        for _ in range(3):
            again = await fetcher.get(replace(page(server.url()), attempts=1))
            assert isinstance(again, Response)
            assert again.body == b"hi"


async def test_a_refused_connection_may_be_retried() -> None:
    """Nobody listening is a reason of its own."""
    async with HostileServer() as server:
        url = server.url()
    async with fetching() as fetcher:
        failed = await failure_of(fetcher, url)
        assert (failed.reason, failed.is_retryable) == ("connect", True)


async def test_idle_connections_are_bounded() -> None:
    """However many hosts are visited, few connections stay open."""
    async with HostileServer({"/": (OK,)}, address="0.0.0.0") as server, fetching(concurrency=4) as fetcher:
        for number in range(1, 60):
            await response_to(fetcher, f"http://127.0.0.{number}:{server.port}/")
        await _settled()
        statistics = fetcher.statistics().transport
        assert statistics.open_connections <= 12
        assert statistics.peak_connections <= 16
        assert statistics.connections_made == 59


async def test_many_stalled_hosts_leave_room_for_others() -> None:
    """Connections that stall end with their deadline, and the next ones get their place."""
    async with (
        HostileServer({"/": (OK,), "/stall": (WAIT,)}) as server,
        fetching(concurrency=64, timeout=0.2) as fetcher,
    ):
        stalled = [asyncio.ensure_future(fetcher.get(page(server.url("/stall")))) for _ in range(48)]
        await _settled(0.01)
        served = await asyncio.gather(*(fetcher.get(page(server.url())) for _ in range(16)))
        assert all(isinstance(fetched, Response) for fetched in served)
        assert {getattr(fetched, "reason", "") for fetched in await asyncio.gather(*stalled)} == {"timeout"}


async def test_a_cancelled_request_closes_its_connection() -> None:
    """A request that is given up leaves no connection and no warning behind."""
    async with HostileServer({"/": (head("Content-Length: 10") + b"a", WAIT)}) as server, fetching() as fetcher:
        request = asyncio.ensure_future(fetcher.get(page(server.url())))
        await _settled()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        await until(lambda: fetcher.statistics().transport.open_connections == 0)
        gc.collect()


async def test_closing_ends_what_is_under_way() -> None:
    """Closing the fetcher ends requests under way with a reason."""
    async with HostileServer({"/": (WAIT,)}) as server, fetching() as fetcher:
        request = asyncio.ensure_future(fetcher.get(page(server.url())))
        await _settled()
        await fetcher.close()
        assert getattr(await request, "reason", "") == "disconnected"


async def test_descriptors_that_run_out_are_told_as_local() -> None:
    """Out of descriptors is this machine's trouble, not the server's: retried later, and it recovers."""
    async with HostileServer({"/": (OK,)}) as server, fetching() as fetcher:
        await response_to(fetcher, server.url())
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            failed = await failure_of(fetcher, f"http://127.0.0.2:{server.port}/")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert (failed.reason, failed.is_retryable) == ("local_limit", True)
        assert (await response_to(fetcher, server.url())).body == b"hi"


async def test_own_headers_reach_only_their_origin() -> None:
    """Two ports of one machine are two origins: the second server sees no secret header."""
    async with HostileServer({"/": (OK,)}) as mine, HostileServer({"/": (OK,)}) as other:
        seeds = frozenset({mine.url("")})
        async with fetching(headers={"X-Api-Key": "secret"}, private_headers_for=seeds) as fetcher:
            await response_to(fetcher, mine.url())
            await response_to(fetcher, other.url())
        assert b"X-Api-Key: secret\r\n" in mine.requests[0]
        assert b"secret" not in other.requests[0]


async def test_cookies_are_off_by_default() -> None:
    """What a server sets is not sent back, unless the user asks for it."""
    setting = answer(b"hi", headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2; Path=/"), ("Set-Cookie", "evil")])
    async with HostileServer({"/": (setting,)}) as server:
        async with fetching() as fetcher:
            for _ in range(2):
                await response_to(fetcher, server.url())
        async with fetching(cookies=True) as fetcher:
            for _ in range(2):
                await response_to(fetcher, server.url())
        assert [b"Cookie" in request for request in server.requests] == [False, False, False, True]
        assert b"Cookie: a=1; b=2\r\n" in server.requests[3]


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy comes in from outside: its address would pass by the guard."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1/")
    async with HostileServer({"/": (OK,)}) as server, fetching() as fetcher:
        assert (await response_to(fetcher, server.url())).body == b"hi"


async def test_lists_in_several_header_lines_are_whole() -> None:
    """Link and X-Robots-Tag may come in several lines: no line of them is lost."""
    lines = [("X-Robots-Tag", "noindex"), ("X-Robots-Tag", "nofollow"), ("Link", "<a>; rel=x"), ("Link", "<b>; rel=y")]
    async with HostileServer({"*": (answer(b"x", headers=lines),)}) as server, fetching() as fetcher:
        headers = (await response_to(fetcher, server.url())).headers
        assert headers["x-robots-tag"] == "noindex, nofollow"
        assert headers["link"] == "<a>; rel=x, <b>; rel=y"
