"""Admission: bytes are taken in turn, back-pressure instead of growth, and never a deadlock."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weaver.memory.admission import Admission, ByteGate, Expectation
from weaver.memory.budget import Account

LIMIT = 100


def _gate(limit: int = LIMIT) -> tuple[ByteGate, Account]:
    account = Account("bodies", limit)
    return ByteGate(account), account


async def _turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def _start(waiting: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    return asyncio.ensure_future(waiting)


async def test_what_fits_is_admitted_at_once() -> None:
    """While there is room nobody waits, and leaving the block gives all of it back."""
    gate, account = _gate()
    with await gate.admit(40) as first, await gate.admit(60):
        assert (account.used, gate.statistics().open) == (100, 2)
        first.settle(10)
        assert account.used == 70
    assert (account.used, gate.statistics()) == (0, type(gate.statistics())(0, 0, 0, 0, 0))


async def test_newcomers_wait_in_their_order() -> None:
    """A small one never goes before a large one that came first."""
    gate, account = _gate()
    holder = await gate.admit(80)
    large, small = _start(gate.admit(90)), _start(gate.admit(5))
    await _turns()
    assert not large.done()
    assert not small.done()
    assert gate.admit_nowait(1) is None
    holder.release()
    assert (await large).held_bytes == 90
    assert (await small).held_bytes == 5
    assert large.result().has_waited
    assert not holder.has_waited
    assert (account.used, gate.statistics().waits) == (95, 2)


async def test_whoever_is_alone_is_admitted() -> None:
    """What is larger than the whole account goes when nobody else holds anything, or it would wait for ever."""
    gate, account = _gate()
    with await gate.admit(500):
        assert account.used == 500
        assert gate.admit_nowait(1) is None


async def test_a_body_that_outgrows_its_room_waits() -> None:
    """With the one overdraft taken, the next grower waits until there is room, and goes before every newcomer."""
    gate, account = _gate()
    first, second, third = [await gate.admit(30) for _ in range(3)]
    await first.grow(90)
    assert (account.used, gate.statistics().overdrawn) == (150, 1)
    growing, newcomer = _start(third.grow(40)), _start(gate.admit(1))
    older = _start(second.grow(35))
    await _turns()
    assert not growing.done()
    assert not older.done()
    assert not newcomer.done()
    first.release()
    await asyncio.gather(growing, older, newcomer)
    assert account.used == 76
    gate.check()


async def test_the_oldest_that_waits_goes_first() -> None:
    """When the one that overdrew is done, the oldest of those who wait is let past the limit, not the first to ask."""
    gate, _ = _gate()
    first, second, third = [await gate.admit(30) for _ in range(3)]
    await first.grow(90)
    younger, older = _start(third.grow(80)), _start(second.grow(80))
    await _turns()
    first.release()
    await _turns()
    assert older.done()
    assert not younger.done()
    second.release()
    await younger
    gate.check()


async def test_less_than_is_held_changes_nothing() -> None:
    """Growing to less is no growth."""
    gate, account = _gate()
    admission = await gate.admit(50)
    assert admission.try_grow(20)
    assert (admission.held_bytes, account.used) == (50, 50)


async def test_what_is_there_is_held_without_asking() -> None:
    """`settle` tells what is held already: it may pass the limit, and what it frees lets others in."""
    gate, account = _gate()
    admission = await gate.admit(50)
    admission.settle(400)
    assert account.used == 400
    waiting = _start(gate.admit(60))
    await _turns()
    assert not waiting.done()
    admission.settle(40)
    await waiting
    assert account.used == 100


async def test_other_users_of_the_account_make_room() -> None:
    """What is held beside the gate takes room from it, and lets the next in when it is given back."""
    gate, _ = _gate()
    gate.hold(60)
    holder = await gate.admit(40)
    waiting = _start(gate.admit(50))
    await _turns()
    assert not waiting.done()
    gate.give_back(60)
    await waiting
    holder.release()
    gate.check()


async def test_a_second_release_changes_nothing() -> None:
    """Bytes are given back once."""
    gate, account = _gate()
    admission = await gate.admit(10)
    admission.release()
    admission.release()
    assert account.used == 0


@pytest.mark.parametrize("is_granted_first", [False, True])
async def test_a_cancelled_newcomer_leaves_nothing(is_granted_first: bool) -> None:
    """Cancelled while it waits, or in the moment it was let in: no byte stays taken, and the next one is let in."""
    gate, account = _gate()
    holder = await gate.admit(100)
    first, second = _start(gate.admit(90)), _start(gate.admit(20))
    await _turns()
    if is_granted_first:
        holder.release()
    first.cancel()
    if not is_granted_first:
        holder.release()
    await asyncio.wait([first])
    assert first.cancelled()
    assert (await second).held_bytes == 20
    assert account.used == 20
    gate.check()


async def test_a_cancelled_grower_leaves_what_it_had() -> None:
    """Its room stays its own until it is released, and those behind it go on."""
    gate, account = _gate()
    first, second, third = [await gate.admit(30) for _ in range(3)]
    await first.grow(60)
    giving_up, waiting = _start(second.grow(60)), _start(third.grow(31))
    await _turns()
    first.settle(39)
    await _turns()
    assert not waiting.done()
    giving_up.cancel()
    await asyncio.wait([giving_up])
    await waiting
    assert second.gave_up_waiting
    assert (second.held_bytes, account.used) == (30, 100)
    gate.check()


Body = tuple[int, int, int]
bodies = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 120), st.integers(1, 4)), min_size=1, max_size=14
)  # expected, further bytes, parts


@pytest.mark.slow
@given(arrivals=bodies, cancelled=st.sets(st.integers(0, 13)), order=st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_any_interleaving_of_bodies_ends(arrivals: list[Body], cancelled: set[int], order: Any) -> None:
    """However bodies arrive, grow and are cancelled, all end; the account passes its limit by one body at most."""
    asyncio.run(_interleaved(arrivals, cancelled, order))


async def _interleaved(arrivals: list[Body], cancelled: set[int], order: Any) -> None:
    gate, account = _gate()
    largest = max(expected + further for expected, further, _ in arrivals)

    async def fetch(expected: int, further: int, parts: int) -> None:
        with await gate.admit(expected) as room:
            for part in range(1, parts + 1):
                await _turns(order.randint(0, 3))
                await room.grow(expected + further * part // parts)
                gate.check()
                assert account.used <= LIMIT + largest
            await _turns(order.randint(0, 3))

    async def watch(task: asyncio.Task[None]) -> None:
        await _turns(order.randint(0, 12))
        task.cancel()

    async with asyncio.timeout(20):
        tasks = [_start(fetch(*body)) for body in arrivals]
        watchers = [_start(watch(task)) for number, task in enumerate(tasks) if number in cancelled]
        await asyncio.gather(*tasks, *watchers, return_exceptions=True)
    failed = [task.exception() for task in tasks if not task.cancelled()]
    assert not any(failed), failed
    assert account.used == 0
    assert gate.statistics().waiting == 0
    gate.check()


def test_an_admission_shows_itself() -> None:
    """State lines for logs: number and bytes, and the gate's counts."""
    gate, _ = _gate()
    admission = gate.admit_nowait(7)
    assert isinstance(admission, Admission)
    assert repr(admission) == "Admission(1: 7 B)"
    assert repr(gate).startswith("ByteGate(1 open, 0 waiting")


def test_what_is_expected_follows_what_comes() -> None:
    """After some of one size the next is expected to be of it; after a jump, to be of the larger size soon."""
    expected = Expectation(64_000, 1 << 20)
    for _ in range(60):
        expected.observe(10_000)
    assert 9_900 <= expected.size_bytes <= 12_000
    for _ in range(8):
        expected.observe(200_000)
    assert expected.size_bytes > 200_000


@given(sizes=st.lists(st.integers(0, 1 << 40), max_size=50))
def test_what_is_expected_stays_within_bounds(sizes: list[int]) -> None:
    """Whatever servers send, the expectation is no less than nothing and no more than what is ever read."""
    expected = Expectation(64_000, 1 << 20)
    for size in sizes:
        expected.observe(size)
        assert 0 <= expected.size_bytes <= 1 << 20


def test_who_was_let_in_elsewhere_never_waits() -> None:
    """An admission at once is charged beyond the limit where it must be, and given back like any other."""
    gate = ByteGate(Account("bodies", 100))
    first, second = gate.admit_at_once(80), gate.admit_at_once(80)
    gate.check()
    assert (gate.account.used, gate.account.overdrawn) == (160, 60)
    assert gate.admit_nowait(1) is None
    first.release()
    second.release()
    gate.check()
    assert gate.account.used == 0
