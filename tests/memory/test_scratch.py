"""Arenas: scoped scratch bytes that never show what was there before."""

from __future__ import annotations

import gc
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaver.memory.budget import Account
from weaver.memory.buffers import Pool
from weaver.memory.scratch import Arena, Arenas, release_all

SIZE = 64
pages = st.lists(st.lists(st.binary(max_size=3 * SIZE), max_size=6), max_size=8)


def _pool(capacity: int = 4) -> Pool:
    return Pool("scratch", capacity, buffer_bytes=SIZE, account=Account("bodies", 1 << 20))


def _poison(pool: Pool) -> None:
    """Fill all that the pool has with what no page holds."""
    taken = []
    while (buffer := pool.acquire()) is not None:
        buffer[:] = b"\xdb" * SIZE
        taken.append(buffer)
    for buffer in taken:
        pool.give_back(buffer)


@given(pages=pages, capacity=st.integers(0, 4))
def test_a_reused_buffer_never_shows_the_previous_page(pages: list[list[bytes]], capacity: int) -> None:
    """Whatever the blocks held before (poison, or an earlier page), an arena shows what this page wrote, no more."""
    pool = _pool(capacity)
    arenas = Arenas("body", pool)
    for parts in pages:
        _poison(pool)
        whole = b"".join(parts)
        with arenas.open() as arena:
            for part in parts:
                arena.append(part)
            assert arena.size_bytes == len(whole)
            assert arena.joined(1 << 20) == whole
            assert arena.joined(len(whole) // 2) == whole[: len(whole) // 2]
            assert b"".join(arena.views(SIZE)) == whole[:SIZE]
        assert arena.size_bytes == 0
        assert arena.joined(1 << 20) == b""
        pool.check()


def test_an_arena_is_reset_not_freed() -> None:
    """The first block stays with the arena; the overflow chain goes back to the pool at the end of the page."""
    pool = _pool()
    arenas = Arenas("body", pool)
    for _ in range(10):
        with arenas.open() as arena:
            arena.append(b"x" * (3 * SIZE))
            assert pool.statistics().in_use == 3
        assert (pool.statistics().in_use, pool.statistics().idle) == (1, 2)
    assert pool.statistics().peak == 3
    assert pool.statistics().reuse_rate > 0.8
    assert arena.peak_bytes == 3 * SIZE


def test_an_arena_goes_on_where_the_pool_ends() -> None:
    """A page that needs more than the pool has gets blocks of its own, freed with it; nobody waits."""
    pool = _pool(capacity=1)
    with Arena("body", pool) as arena:
        arena.append(b"ab" * SIZE)
        assert arena.joined(9_999) == b"ab" * SIZE
        assert pool.statistics().in_use == 1
    with Arena("other", pool) as other:
        other.append(b"cd" * SIZE)
        assert other.joined(9_999) == b"cd" * SIZE
    assert pool.statistics().in_use == 1
    pool.check()


def test_views_are_no_copies() -> None:
    """What is read as views lies in the arena's own blocks; what is joined outlives the scope."""
    with Arena("body", _pool()) as arena:
        arena.append(b"page")
        joined, views = arena.joined(4), arena.views(4)
        assert isinstance(views[0].obj, bytearray)
    assert joined == b"page"


def test_one_arena_holds_one_page() -> None:
    """Two pages in one arena would mix: the second is refused."""
    arena = Arena("body", _pool())
    with arena:
        arena.append(b"x")
        with pytest.raises(AssertionError, match="second page"), arena:
            pass


def test_pages_at_once_have_arenas_of_their_own() -> None:
    """Two pages in flight never share an arena; the one used last is used next."""
    arenas = Arenas("body", _pool())
    with arenas.open() as first:
        with arenas.open() as second:
            assert first is not second
        with arenas.open() as third:
            assert third is second


def test_release_gives_the_kept_block_back_from_any_thread() -> None:
    """One arena, the arenas of one use, or all of the process: idle blocks go, those of a page in flight stay."""
    pool = _pool()
    arenas = Arenas("body", pool)
    lone = Arena("lone", pool)
    for scope in (arenas.open(), lone):
        with scope as arena:
            arena.append(b"x")
    busy = Arena("busy", pool)
    with busy:
        busy.append(b"page")
        assert pool.statistics().in_use == 3
        lone.release()
        lone.release()
        assert pool.statistics().in_use == 2
        arenas.release()
        assert pool.statistics().in_use == 1
        thread = threading.Thread(target=release_all)
        thread.start()
        thread.join()
        assert (pool.statistics().in_use, busy.joined(9)) == (1, b"page")
    release_all()
    assert pool.statistics().in_use == 0


def test_a_forgotten_arena_is_forgotten() -> None:
    """The registry of arenas keeps none alive."""
    pool = _pool()
    Arena("gone", pool)
    gc.collect()
    release_all()
    assert pool.statistics().in_use == 0


def test_arenas_release_while_others_write() -> None:
    """A release that comes between two pages, at any moment and from another thread, loses no block and mixes none."""
    pool = _pool()
    arenas = Arenas("body", pool)
    is_over = threading.Event()

    def keep_releasing() -> None:
        while not is_over.is_set():
            release_all()
            pool.release()

    thread = threading.Thread(target=keep_releasing)
    thread.start()
    try:
        for number in range(500):
            with arenas.open() as arena:
                whole = bytes((number % 251,)) * (2 * SIZE)
                arena.append(whole)
                assert arena.joined(9_999) == whole
    finally:
        is_over.set()
        thread.join()
    release_all()
    pool.release()
    pool.check()
    assert pool.statistics().in_use == 0
