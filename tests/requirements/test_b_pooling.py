"""Plan B, pooling: buffers belong to an instance, are sized when it is made, and are used again and again."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from tests.support.fetching import fetching, response_to
from tests.support.hostile_server import HostileServer, answer
from weaver.fetch import Fetcher
from weaver.memory import Account, KeyTable
from weaver.memory.buffers import Pool
from weaver.memory.reserve import reserved_zeros
from weaver.memory.scratch import Arenas

LARGE = b"0123456789abcdef" * (96 << 10)  # 1.5 MiB: some six buffers


def _bodies(fetcher: Fetcher) -> dict[str, Any]:
    return fetcher.pools()["bodies"]


async def test_buffers_belong_to_their_instance() -> None:
    """Two crawls in one process share no buffer: what one fetches never passes through the other's."""
    async with HostileServer({"*": (answer(LARGE),)}) as server, fetching() as one, fetching() as other:
        await response_to(one, server.url())
        assert _bodies(one)["acquired"] > 0
        assert _bodies(other)["acquired"] == 0
        await response_to(other, server.url())
        mine, theirs = ({id(block) for block in fetcher.transport._buffers._idle} for fetcher in (one, other))  # type: ignore[attr-defined]
        assert mine
        assert not mine & theirs


async def test_no_buffer_is_allocated_for_a_page_in_steady_state() -> None:
    """After the first large page no further one makes a buffer: each that is taken was there before."""
    async with HostileServer({"*": (answer(LARGE),)}) as server, fetching() as fetcher:
        await response_to(fetcher, server.url())
        before = _bodies(fetcher)
        for number in range(20):
            assert (await response_to(fetcher, server.url(f"/{number}"))).body == LARGE
        after = _bodies(fetcher)
    assert after["acquired"] - before["acquired"] == after["reused"] - before["reused"] > 20
    assert (after["peak"], after["capacity"]) == (before["peak"], before["capacity"])


def test_arrays_are_reserved_in_the_constructor() -> None:
    """The seen table's columns are made once, for all that its account can hold: growing and shrinking keep them."""
    account = Account("seen", 1 << 20)
    table = KeyTable("seen", 10**6, account)
    columns = table._keys, table._ids, table._taken
    random = np.random.default_rng(1)
    for first in range(1, 60_001, 1_000):
        table.put_many(random.integers(0, 2**64, 1_000, np.uint64), np.arange(first, first + 1_000, dtype=np.uint32))
    account.limit //= 2
    while table.shrink():
        table.check()
    assert all(now is then for now, then in zip((table._keys, table._ids, table._taken), columns, strict=True))


def test_what_is_used_again_reads_as_zero_or_not_at_all() -> None:
    """A slot that was let go knows its old key no more, and room that was given back is zeros when it is taken anew."""
    account = Account("seen", 1 << 20)
    table = KeyTable("seen", 10**6, account)
    keys = np.random.default_rng(1).integers(0, 2**64, 40_000, np.uint64)
    table.put_many(keys, np.arange(1, len(keys) + 1, dtype=np.uint32))
    account.limit //= 4
    while table.shrink():
        pass
    account.limit = account.base_limit
    table.evict(len(table))
    table.put_many(~keys, np.arange(1, len(keys) + 1, dtype=np.uint32))
    assert not table.get_many(keys).any()
    table.check()
    assert not reserved_zeros(1 << 20, np.uint8).any()


@pytest.mark.parametrize("capacity", [0, 1, 8])
def test_a_short_page_after_a_long_one_shows_nothing_of_it(capacity: int) -> None:
    """Whether the pool has buffers or not, an arena shows as much as was written since it was opened."""
    arenas = Arenas("body", Pool("bodies", capacity, buffer_bytes=64, account=Account("bodies", 1 << 20)))
    for length in itertools.chain(range(300, 0, -7), (0,)):
        with arenas.open() as arena:
            arena.append(bytes((length % 251,)) * length)
            assert arena.joined(1 << 20) == bytes((length % 251,)) * length
