"""Pooled buffers: bounded, charged, reused, given back on request from any thread."""

from __future__ import annotations

import threading

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from weaver.memory.budget import Account
from weaver.memory.buffers import Pool

SIZE = 1 << 10


def _pool(capacity: int = 4, limit: int = 1 << 20) -> tuple[Pool, Account]:
    account = Account("bodies", limit)
    return Pool("bodies", capacity, buffer_bytes=SIZE, account=account), account


def test_a_buffer_is_used_again() -> None:
    """In steady use more than 80 % of the buffers handed out had been there before."""
    pool, _ = _pool()
    for _ in range(100):
        buffer = pool.acquire()
        assert buffer is not None
        pool.give_back(buffer)
    statistics = pool.statistics()
    assert statistics.reuse_rate > 0.8
    assert (statistics.acquired, statistics.in_use, statistics.idle, statistics.peak) == (100, 0, 1, 1)


def test_an_unused_pool_has_no_reuse_rate() -> None:
    """Before the first buffer the rate is 0, and nothing is charged."""
    pool, account = _pool()
    assert (pool.statistics().reuse_rate, account.used) == (0.0, 0)


def test_an_exhausted_pool_refuses() -> None:
    """Beyond its capacity a pool hands out nothing, counts it, and goes on when a buffer comes back."""
    pool, account = _pool(capacity=2)
    first, second = pool.acquire(), pool.acquire()
    assert first is not None
    assert second is not None
    assert pool.acquire() is None
    assert (pool.statistics().refused, account.used) == (1, 2 * SIZE)
    pool.give_back(first)
    assert pool.acquire() is first


def test_a_full_account_refuses_a_new_buffer() -> None:
    """A pool takes no byte that its account has not, however many buffers it may have."""
    pool, account = _pool(capacity=9, limit=SIZE)
    assert pool.acquire() is not None
    assert pool.acquire() is None
    assert account.refused == 1


def test_a_buffer_comes_with_what_is_in_it() -> None:
    """A pool does not clean: it says so, and whoever takes a buffer reads only what he wrote."""
    pool, _ = _pool()
    buffer = pool.acquire()
    assert buffer is not None
    assert buffer == bytes(SIZE)
    buffer[:] = b"\xdb" * SIZE
    pool.give_back(buffer)
    assert pool.acquire() == b"\xdb" * SIZE


def test_release_frees_the_idle_ones_from_any_thread() -> None:
    """Idle buffers go at once; those in use stay, and the account hears of it on its own thread."""
    pool, account = _pool()
    kept, idle = pool.acquire(), pool.acquire()
    assert kept is not None
    assert idle is not None
    pool.give_back(idle)
    freed: list[int] = []
    thread = threading.Thread(target=lambda: freed.append(pool.release()))
    thread.start()
    thread.join()
    assert freed == [SIZE]
    assert (pool.statistics().in_use, pool.statistics().idle, account.used) == (1, 0, SIZE)
    pool.give_back(kept)
    pool.check()


def test_under_pressure_nothing_is_kept() -> None:
    """A buffer that comes back to an account whose limit has fallen is freed."""
    pool, account = _pool()
    buffer = pool.acquire()
    assert buffer is not None
    account.limit = 0
    pool.give_back(buffer)
    assert (pool.statistics().idle, account.used) == (0, 0)


def test_a_foreign_buffer_is_no_buffer_of_the_pool() -> None:
    """A buffer of another size is a mistake of the caller's, told at once."""
    pool, _ = _pool()
    with pytest.raises(AssertionError, match="foreign"):
        pool.give_back(bytearray(3))


@pytest.mark.parametrize(("capacity", "size"), [(-1, 1), (1, 0)])
def test_a_pool_has_a_size(capacity: int, size: int) -> None:
    """No pool has fewer than no buffers, or empty ones."""
    with pytest.raises(ValueError, match="expected buffers"):
        Pool("bodies", capacity, buffer_bytes=size)


class PoolMachine(RuleBasedStateMachine):
    """A pool beside a count of what is out."""

    def __init__(self) -> None:
        super().__init__()
        self.pool, self.account = _pool(capacity=3, limit=5 * SIZE)
        self.out: list[bytearray] = []

    @rule()
    def acquire(self) -> None:
        buffer = self.pool.acquire()
        if buffer is None:
            assert len(self.out) == 3 or self.account.used + SIZE > self.account.limit
        else:
            assert all(buffer is not other for other in self.out)
            self.out.append(buffer)

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        self.pool.give_back(self.out.pop(data.draw(st.integers(0, len(self.out) - 1))))

    @rule()
    def release(self) -> None:
        self.pool.release()

    @rule(share=st.integers(0, 5))
    def limit(self, share: int) -> None:
        self.account.limit = share * SIZE

    @invariant()
    def agrees(self) -> None:
        self.pool.check()
        statistics = self.pool.statistics()
        assert statistics.in_use == len(self.out)
        assert self.account.used == (statistics.in_use + statistics.idle) * SIZE


TestPoolMachine = pytest.mark.slow(PoolMachine.TestCase)
TestPoolMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
