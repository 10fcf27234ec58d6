"""Bodies and connections against their account: admitted, grown, charged, given back."""

from __future__ import annotations

import asyncio

import zstandard

from tests.support.fetching import failure_of, fetching, page, response_to
from tests.support.hostile_server import WAIT, HostileServer, answer, head
from weaver.base.page import Response
from weaver.fetch import Fetcher
from weaver.fetch.aiohttp_connection import CONNECTION_BYTES
from weaver.fetch.transport import REQUEST_BYTES

LARGE = b"0123456789abcdef" * (2 << 16)  # 2 MiB: beyond what is gathered in a list


def _used(fetcher: Fetcher) -> int:
    return fetcher.bodies.account.used


async def test_a_page_holds_what_it_takes_until_it_is_done() -> None:
    """While the caller works on a page its bytes are charged, exactly; afterwards only the idle connection is."""
    async with HostileServer({"/": (answer(b"x" * 9_000),)}) as server, fetching() as fetcher:
        task = page(server.url())
        with await fetcher.room_for(task) as room:
            assert _used(fetcher) == room.held_bytes > REQUEST_BYTES
            await fetcher.get(task, room)
            assert room.held_bytes == REQUEST_BYTES + 9_000
            assert _used(fetcher) == room.held_bytes + CONNECTION_BYTES
        assert _used(fetcher) == CONNECTION_BYTES
    assert _used(fetcher) == 0


async def test_a_failure_holds_nothing() -> None:
    """A request that brought no page leaves no byte charged."""
    async with HostileServer({"/": (b"nonsense",)}) as server, fetching() as fetcher:
        await failure_of(fetcher, server.url())
    assert _used(fetcher) == 0


async def test_large_bodies_at_once_take_turns() -> None:
    """Bodies that together outgrow the account all arrive whole, and it passes its limit by one of them at most."""
    limit = 3 << 20
    async with (
        HostileServer({"*": (answer(LARGE),)}) as server,
        fetching(bodies_bytes=limit, concurrency=8, timeout=20.0) as fetcher,
    ):
        bodies = await asyncio.gather(*(response_to(fetcher, server.url(f"/{number}")) for number in range(12)))
        statistics = fetcher.bodies.statistics()
    assert all(response.body == LARGE for response in bodies)
    assert statistics.waits > 0
    assert fetcher.bodies.account.high_water <= limit + len(LARGE) + REQUEST_BYTES + 8 * CONNECTION_BYTES
    assert _used(fetcher) == 0


async def test_a_liar_about_its_length_takes_little() -> None:
    """A server that promises gigabytes and sends nothing keeps others from a MiB, not from the account."""
    paths = {"/liar": (head("Content-Length: 8000000000") + b"x", WAIT), "/": (answer(b"hi"),)}
    async with (
        HostileServer(paths) as server,
        fetching(bodies_bytes=4 << 20, max_body="8MiB", timeout=0.2) as fetcher,
    ):
        liars = [asyncio.ensure_future(fetcher.get(page(server.url("/liar")))) for _ in range(2)]
        await asyncio.sleep(0.05)
        assert (await response_to(fetcher, server.url())).body == b"hi"
        await asyncio.gather(*liars)
    assert _used(fetcher) == 0


async def test_waiting_for_room_is_no_fault_of_the_server_s() -> None:
    """A body whose time ran out while it waited for room here is told as this machine's limit."""
    async with (
        HostileServer({"/": (answer(LARGE),)}) as server,
        fetching(bodies_bytes=600 << 10, timeout=0.2) as fetcher,
    ):
        task = page(server.url())
        with await fetcher.room_for(task) as room, await fetcher.bodies.admit(1) as other:
            # Another body passes the limit, as one may at a time, and stays.
            await other.grow(fetcher.bodies.account.limit + 1)
            fetched = await fetcher.get(task, room)
    assert getattr(fetched, "reason", "") == "local_limit"


async def test_idle_connections_give_way_to_bodies() -> None:
    """Kept-alive connections are charged, and take at most half of the account."""
    limit = 10 * CONNECTION_BYTES
    async with (
        HostileServer({"/": (answer(b"hi"),)}, address="0.0.0.0") as server,
        fetching(bodies_bytes=limit, concurrency=32) as fetcher,
    ):
        for number in range(1, 30):
            await response_to(fetcher, f"http://127.0.0.{number}:{server.port}/")
        await asyncio.sleep(0.05)
        statistics = fetcher.statistics().transport
        assert statistics.connection_bytes == statistics.open_connections * CONNECTION_BYTES
        assert 1 <= statistics.open_connections <= 6


async def test_memory_is_released_on_request() -> None:
    """Idle connections close, idle buffers go; the next request works as before."""
    async with (
        HostileServer({"/": (answer(LARGE),)}, address="0.0.0.0") as server,
        fetching() as fetcher,
    ):
        for number in range(1, 5):
            await response_to(fetcher, f"http://127.0.0.{number}:{server.port}/")
        assert fetcher.statistics().transport.open_connections == 4
        assert fetcher.release_memory() > 4 * CONNECTION_BYTES
        await asyncio.sleep(0.05)
        assert fetcher.statistics().transport.open_connections == 0
        assert _used(fetcher) == 0
        assert (await response_to(fetcher, server.url())).body == LARGE


async def test_large_bodies_use_the_same_buffers() -> None:
    """In a steady crawl of large pages more than 80 % of the buffers are reused."""
    async with HostileServer({"*": (answer(LARGE),)}) as server, fetching() as fetcher:
        for number in range(10):
            assert (await response_to(fetcher, server.url(f"/{number}"))).body == LARGE
        figures = fetcher.pools()["bodies"]
    assert isinstance(figures["reuse_rate"], float)
    assert figures["reuse_rate"] > 0.8
    assert figures["in_use"] == 1  # what the arena keeps for its next page


async def test_zstd_decompressors_are_used_again() -> None:
    """One decompressor serves page after page, also after a page that was not what it claimed."""
    packed = zstandard.ZstdCompressor().compress(b"page" * 500)
    coded = [("Content-Encoding", "zstd")]
    paths = {"*": (answer(packed, headers=coded),), "/bad": (answer(b"not zstd at all", headers=coded),)}
    async with HostileServer(paths) as server, fetching() as fetcher:
        await failure_of(fetcher, server.url("/bad"))
        for number in range(9):
            assert (await response_to(fetcher, server.url(f"/{number}"))).body == b"page" * 500
        figures = fetcher.pools()["zstd"]
    assert (figures["acquired"], figures["reused"], figures["in_use"]) == (10, 9, 0)


async def test_a_cancelled_fetch_gives_all_of_it_back() -> None:
    """However a fetch ends, nothing stays charged but connections."""
    paths = {"/": (head(f"Content-Length: {len(LARGE)}") + LARGE[:-1], WAIT)}
    async with HostileServer(paths) as server, fetching() as fetcher:
        fetching_now = asyncio.ensure_future(fetcher.get(page(server.url())))
        await asyncio.sleep(0.1)
        assert _used(fetcher) > len(LARGE) // 2
        fetching_now.cancel()
        await asyncio.wait([fetching_now])
        await asyncio.sleep(0.05)
        assert fetcher.bodies.statistics().open == 0
        fetcher.release_memory()
        assert fetcher.pools()["bodies"]["in_use"] == 0
        assert _used(fetcher) == 0


async def test_without_a_room_a_request_has_its_own() -> None:
    """Whoever only fetches need not think of rooms: the answer comes, and nothing stays held."""
    async with HostileServer({"/": (answer(b"hi"),)}) as server, fetching() as fetcher:
        assert isinstance(await fetcher.get(page(server.url())), Response)
        assert fetcher.bodies.statistics().open == 0
