"""The resolver: bounded, coalescing, forgetful at the right time, and never handing out a private address."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections import Counter
from collections.abc import Sequence

import pytest

from weaver.base.clock import ManualClock
from weaver.fetch.address_guard import AddressGuard
from weaver.fetch.resolver import (
    ENTRY_BYTES,
    MAX_ADDRESSES,
    NEGATIVE_TTL_S,
    TEMPORARY_TTL_S,
    CachingResolver,
    ResolutionError,
)
from weaver.memory.budget import Account

LIMIT = 1 << 20
PUBLIC = "93.184.216.34"


class FakeNames:
    """Name servers for a test: a table of answers, each an error or addresses, and a count of the questions."""

    def __init__(self, **answers: Sequence[str] | Exception) -> None:
        self.answers = answers
        self.asked: Counter[str] = Counter()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked[host] += 1
        await self.gate.wait()
        answer = self.answers.get(host, socket.gaierror(socket.EAI_NONAME, "no such name"))
        if isinstance(answer, Exception):
            raise answer
        return answer


def _resolver(names: FakeNames, clock: ManualClock, *, capacity: int = 100, allow: bool = False) -> CachingResolver:
    return CachingResolver(
        AddressGuard(allow_private=allow), clock, Account("hosts", LIMIT), capacity=capacity, ttl_s=300.0, lookup=names
    )


async def _reason(resolver: CachingResolver, host: str) -> str:
    with pytest.raises(ResolutionError) as caught:
        await resolver.resolve(host)
    return caught.value.reason


async def test_an_answer_is_believed_for_its_time() -> None:
    """A name is asked for once in its time to live, and again after it."""
    names, clock = FakeNames(a=[PUBLIC]), ManualClock()
    resolver = _resolver(names, clock)
    assert [await resolver.resolve("a") for _ in range(3)] == [(PUBLIC,)] * 3
    clock.advance(299)
    await resolver.resolve("a")
    assert names.asked["a"] == 1
    clock.advance(2)
    await resolver.resolve("a")
    assert names.asked["a"] == 2


async def test_a_missing_name_is_remembered_for_less() -> None:
    """NXDOMAIN is believed for its own, shorter time."""
    names, clock = FakeNames(), ManualClock()
    resolver = _resolver(names, clock)
    assert [await _reason(resolver, "gone") for _ in range(2)] == ["dns", "dns"]
    assert names.asked["gone"] == 1
    clock.advance(NEGATIVE_TTL_S + 1)
    assert await _reason(resolver, "gone") == "dns"
    assert names.asked["gone"] == 2


async def test_a_server_failure_is_retried_soon() -> None:
    """SERVFAIL and time-outs are another reason, forgotten after seconds."""
    names, clock = FakeNames(a=socket.gaierror(socket.EAI_AGAIN, "try again"), b=OSError("broken")), ManualClock()
    resolver = _resolver(names, clock)
    assert [await _reason(resolver, "a"), await _reason(resolver, "b")] == ["dns_temporary", "dns_temporary"]
    names.answers["a"] = [PUBLIC]
    assert await _reason(resolver, "a") == "dns_temporary"
    clock.advance(TEMPORARY_TTL_S + 1)
    assert await resolver.resolve("a") == (PUBLIC,)


@pytest.mark.parametrize("error", [UnicodeError("label too long"), ValueError("embedded null character")])
async def test_a_name_that_cannot_be_asked_for_does_not_exist(error: Exception) -> None:
    """What the codec of names refuses ends as a missing name, not as an exception."""
    assert await _reason(_resolver(FakeNames(a=error), ManualClock()), "a") == "dns"


async def test_an_empty_answer_is_a_missing_name() -> None:
    """A name without addresses is as good as none."""
    assert await _reason(_resolver(FakeNames(a=[]), ManualClock()), "a") == "dns"


async def test_private_addresses_are_refused() -> None:
    """A name with private addresses only is refused as such."""
    names = FakeNames(a=["127.0.0.2", "::1", "10.0.0.1", "::ffff:169.254.169.254"])
    assert await _reason(_resolver(names, ManualClock()), "a") == "blocked_private"


async def test_of_mixed_addresses_the_public_are_used() -> None:
    """A name with public and private addresses is visited at the public ones only."""
    names = FakeNames(a=["127.0.0.1", PUBLIC, "10.0.0.1", "2606:4700:4700::1111"])
    assert await _resolver(names, ManualClock()).resolve("a") == (PUBLIC, "2606:4700:4700::1111")


async def test_private_addresses_are_used_where_allowed() -> None:
    """`allow_private` reaches names too."""
    assert await _resolver(FakeNames(a=["127.0.0.1"]), ManualClock(), allow=True).resolve("a") == ("127.0.0.1",)


async def test_a_thousand_addresses_are_cut() -> None:
    """A long answer is cut: each dead address costs attempts with all that are left."""
    names = FakeNames(a=[f"93.184.{high}.{low}" for high in range(4) for low in range(250)])
    assert len(await _resolver(names, ManualClock()).resolve("a")) == MAX_ADDRESSES


async def test_the_cache_is_bounded() -> None:
    """However many names are asked for, only the newest are kept; missing ones count too."""
    names = FakeNames(**{f"n{number}": [PUBLIC] for number in range(0, 500, 2)})
    resolver = _resolver(names, ManualClock(), capacity=50)
    for number in range(500):
        with contextlib.suppress(ResolutionError):
            await resolver.resolve(f"n{number}")
        assert resolver.statistics().current <= 50
    assert await resolver.resolve("n498") == (PUBLIC,)
    assert names.asked["n498"] == 1


async def test_a_name_is_asked_for_once_at_a_time() -> None:
    """Requests that need the same name at once share one look-up."""
    names = FakeNames(a=[PUBLIC])
    names.gate.clear()
    resolver = _resolver(names, ManualClock())
    waiting = [asyncio.ensure_future(resolver.resolve("a")) for _ in range(20)]
    await asyncio.sleep(0)
    names.gate.set()
    assert await asyncio.gather(*waiting) == [(PUBLIC,)] * 20
    assert names.asked["a"] == 1


async def test_one_waiter_that_gives_up_leaves_the_others_their_answer() -> None:
    """A cancelled request does not cancel the look-up that others wait for."""
    names = FakeNames(a=[PUBLIC])
    names.gate.clear()
    resolver = _resolver(names, ManualClock())
    first, second = (asyncio.ensure_future(resolver.resolve("a")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    names.gate.set()
    assert await second == (PUBLIC,)
    assert first.cancelled()


async def test_closing_ends_what_is_under_way() -> None:
    """Closing leaves no look-up behind."""
    names = FakeNames(a=[PUBLIC])
    names.gate.clear()
    resolver = _resolver(names, ManualClock())
    waiting = asyncio.ensure_future(resolver.resolve("a"))
    await asyncio.sleep(0)
    await resolver.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_the_systems_names_are_asked_by_default() -> None:
    """Without a look-up of one's own the system resolves, in threads."""
    resolver = CachingResolver(
        AddressGuard(allow_private=True), ManualClock(), Account("hosts", LIMIT), capacity=10, ttl_s=300.0
    )
    try:
        assert set(await resolver.resolve("localhost")) <= {"127.0.0.1", "::1"}
        assert await _reason(resolver, "a" * 64 + ".example") == "dns"
        assert await resolver.resolve("127.0.0.1") == ("127.0.0.1",)
    finally:
        await resolver.close()


async def test_a_look_up_that_this_machine_could_not_make_is_not_remembered() -> None:
    """Out of descriptors says nothing of the name: the next request asks again."""
    names = FakeNames(a=OSError(errno.EMFILE, "too many open files"))
    resolver = _resolver(names, ManualClock())
    assert await _reason(resolver, "a") == "local_limit"
    names.answers = {"a": [PUBLIC]}
    assert await resolver.resolve("a") == (PUBLIC,)


async def test_names_are_charged_and_given_back_under_pressure() -> None:
    """Each name costs its measured bytes of the account; when the limit falls, the oldest names go."""
    names = FakeNames(**{f"host{number}": [PUBLIC] for number in range(10)})
    account = Account("hosts", LIMIT)
    resolver = CachingResolver(AddressGuard(), ManualClock(), account, capacity=100, ttl_s=300.0, lookup=names)
    empty_bytes = account.used
    for number in range(10):
        await resolver.resolve(f"host{number}")
    assert account.used == empty_bytes + 10 * ENTRY_BYTES
    account.limit = empty_bytes + 4 * ENTRY_BYTES
    assert resolver.shrink() >= 6 * ENTRY_BYTES
    assert account.used <= account.limit
    await resolver.resolve("host9")
    assert names.asked["host9"] == 1
