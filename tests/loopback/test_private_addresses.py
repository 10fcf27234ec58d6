"""No packet reaches a private address, by whatever spelling or way one leads there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import pytest

from tests.fetch.test_address_guard import PRIVATE
from tests.support.fetching import failure_of, fetching, page, response_to, robots
from tests.support.hostile_server import HostileServer, answer
from weaver.base.page import Failure
from weaver.base.settings import UrlSettings
from weaver.base.url import Canonicalizer
from weaver.fetch.resolver import Lookup

# Spellings of loopback that some parser somewhere takes for it. As canonical URLs they are all 127.0.0.1; raw, some
# are names that only the system's resolver would understand.
SPELLINGS = """
127.0.0.1 127.1 127.0.1 0x7f.1 0x7f000001 0x7f.0x0.0x0.0x1 0177.0.0.1
0177.1 2130706433 017700000001 127.0.0.1. 127.000.000.001 0x7F.0.0.1 ①②⑦.0.0.1
①②⑦.⓪.⓪.① １２７.0.0.1 127。0。0。1 %31%32%37.0.0.1 127.0.0.0x1 0 0.0.0.0
0x0 [::1] [::] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::127.0.0.1]
[64:ff9b::127.0.0.1] [2002:7f00:1::] localhost LOCALHOST localhost. 127.127.127.127
"""
CANONICAL = Canonicalizer(UrlSettings())


def _answers(*addresses: str) -> Lookup:
    async def lookup(_: str) -> Sequence[str]:
        return addresses

    return lookup


@pytest.mark.parametrize("spelling", SPELLINGS.split())
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_spelling_reaches_loopback(spelling: str, scheme: str) -> None:
    """Raw or made canonical, page or robots: no spelling of loopback brings a connection to the listener.

    Whether `localhost.` is a name at all is up to the machine.
    """
    async with HostileServer(address="0.0.0.0") as server, fetching(allow_private=False) as fetcher:
        raw = f"{scheme}://{spelling}:{server.port}/"
        canonical = CANONICAL.canonical(raw)
        for url in {raw, canonical or raw}:
            for task in (page(url), robots(url)):
                fetched = await fetcher.get(task)
                assert isinstance(fetched, Failure)
                assert fetched.reason in {"blocked_private", "invalid_url", "dns", "dns_temporary"}, fetched
        if canonical is not None and "localhost" not in canonical:
            assert (await failure_of(fetcher, canonical)).reason == "blocked_private"
        assert (server.connections, fetcher.statistics().transport.connections_made) == (0, 0)


async def test_no_private_address_is_connected_to() -> None:
    """More than 200 private addresses, wrapped and bare, as literals and as what a name resolves to: not one packet."""
    addresses = sorted({address for address in PRIVATE if "%" not in address})
    assert len(addresses) >= 200
    async with HostileServer(address="0.0.0.0") as server:
        for address in addresses:
            host = f"[{address}]" if ":" in address else address
            async with fetching(allow_private=False, lookup=_answers(address)) as fetcher:
                for name in (host, "rebound.example"):
                    failed = await failure_of(fetcher, f"http://{name}:{server.port}/")
                    assert (failed.reason, failed.is_retryable) == ("blocked_private", False), (address, failed)
                assert fetcher.statistics().transport.connections_made == 0
        assert server.connections == 0


async def test_of_mixed_addresses_no_private_one_is_tried() -> None:
    """A name with a dead public and a live private address stays unreached: there is no falling back."""
    async with HostileServer(address="0.0.0.0") as server:
        lookup = _answers("127.0.0.1", "10.0.0.1", "::1")
        async with fetching(allow_private=False, allow_networks=("127.0.0.9/32",), lookup=lookup) as fetcher:
            assert (await failure_of(fetcher, f"http://mixed.example:{server.port}/")).reason == "blocked_private"
        assert server.connections == 0


async def test_a_name_that_changes_its_mind_gains_nothing() -> None:
    """A name that is public first and private later is judged by the address that is connected to."""
    turns = iter([("127.0.0.9",), ("127.0.0.1",), ("127.0.0.1",)])

    async def lookup(_: str) -> Sequence[str]:
        return next(turns)

    async with (
        HostileServer({"/": (answer(b"hi", headers=[("Connection", "close")]),)}, address="0.0.0.0") as server,
        fetching(allow_private=False, allow_networks=("127.0.0.9",), lookup=lookup, dns_ttl=0.0) as fetcher,
    ):
        url = f"http://rebinding.example:{server.port}/"
        assert (await response_to(fetcher, url)).body == b"hi"
        assert (await failure_of(fetcher, url)).reason == "blocked_private"
        assert server.connections == 1


async def test_a_believed_address_is_not_asked_for_again() -> None:
    """Within its time a name keeps the address that was checked: the next answer is not even asked for."""
    turns = iter([("127.0.0.9",)])

    async def lookup(_: str) -> Sequence[str]:
        return next(turns)

    async with (
        HostileServer({"/": (answer(b"hi", headers=[("Connection", "close")]),)}, address="0.0.0.0") as server,
        fetching(allow_private=False, allow_networks=("127.0.0.9",), lookup=lookup) as fetcher,
    ):
        for _ in range(3):
            assert (await response_to(fetcher, f"http://pinned.example:{server.port}/")).body == b"hi"


async def test_several_private_addresses_are_one_reason() -> None:
    """However many addresses a name has, the reason is still that they are private."""
    lookup = _answers("127.0.0.1", "127.0.0.2", "::1", "10.0.0.1")
    async with fetching(allow_private=False, lookup=lookup) as fetcher:
        assert (await failure_of(fetcher, "http://many.example:9/")).reason == "blocked_private"


async def test_only_the_allowed_network_is_reached() -> None:
    """`allow_networks` opens what it names and nothing beside it."""
    async with (
        HostileServer({"/": (answer(b"hi"),)}, address="0.0.0.0") as server,
        fetching(allow_private=False, allow_networks=("127.0.5.0/24",)) as fetcher,
    ):
        assert (await response_to(fetcher, f"http://127.0.5.7:{server.port}/")).body == b"hi"
        assert (await failure_of(fetcher, f"http://127.0.6.7:{server.port}/")).reason == "blocked_private"
        assert server.connections == 1


async def test_dead_addresses_of_a_name_are_tried_in_turn() -> None:
    """A name with a dead and a live address is reached at the live one."""
    lookup = _answers("127.0.0.2", "127.0.0.3")
    async with (
        HostileServer({"/": (answer(b"hi"),)}, address="127.0.0.3") as server,
        fetching(lookup=lookup) as fetcher,
    ):
        assert (await response_to(fetcher, f"http://two.example:{server.port}/")).body == b"hi"


async def test_a_slow_name_costs_the_connect_timeout() -> None:
    """A name whose servers don't answer ends with the time allowed for connecting."""

    async def lookup(_: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    async with fetching(lookup=lookup, connect_timeout=0.1) as fetcher:
        failed = await failure_of(fetcher, "http://slow.example/")
        assert (failed.reason, failed.is_retryable) == ("connect_timeout", True)


@pytest.mark.parametrize(
    ("code", "reason", "is_retryable"),
    [(socket.EAI_NONAME, "dns", False), (socket.EAI_AGAIN, "dns_temporary", True)],
)
async def test_names_that_fail_have_their_reasons(code: int, reason: str, is_retryable: bool) -> None:
    """A missing name is final; servers that fail may do better later."""

    async def lookup(_: str) -> Sequence[str]:
        raise socket.gaierror(code, "no")

    async with fetching(lookup=lookup) as fetcher:
        failed = await failure_of(fetcher, "http://gone.example/")
        assert (failed.reason, failed.is_retryable) == (reason, is_retryable)
