"""GhostFilter: what was let go is recognised, and little else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaver.memory import Account, BoundedLRU, GhostFilter
from weaver.memory.ghost import MOST_BYTES


def test_a_key_that_was_let_go_is_recognised_once() -> None:
    """`take` says yes once for each key that was added, and counts it."""
    ghost = GhostFilter(1024)
    for key in (b"digest", "a.test", 7, (1, 2)):
        assert not ghost.take(key)
        ghost.add(key)
        assert ghost.take(key)
        assert not ghost.take(key)
    assert (ghost.reseen, len(ghost)) == (4, 0)
    ghost.check()


@pytest.mark.parametrize("spread", [1, 2**32, 0x9E3779B97F4A7C15])
def test_a_full_ghost_errs_rarely(spread: int) -> None:
    """With all marks set, at most 12 of 100,000 keys that were never let go are taken for one that was."""
    ghost = GhostFilter(MOST_BYTES)
    for key in range(3 * ghost.capacity):
        ghost.add(key * spread)
    assert len(ghost) > 0.99 * ghost.capacity
    strangers = range(10**9, 10**9 + 200_000)
    assert sum(ghost.take(key * spread) for key in strangers) <= 2 * 1.5 * 12
    ghost.check()


def test_a_ghost_remembers_the_newest() -> None:
    """Nearly all of the last evictions, up to half the marks, are recognised; of ten times as many few are."""
    ghost = GhostFilter(MOST_BYTES)
    keys = np.random.default_rng(1).integers(0, 2**62, 10 * ghost.capacity).tolist()
    for key in keys:
        ghost.add(key)
    newest = keys[-ghost.capacity // 2 :]
    assert sum(ghost.take(key) for key in newest) > 0.95 * len(newest)
    assert sum(ghost.take(key) for key in keys[: ghost.capacity]) < 0.01 * ghost.capacity


def test_no_eviction_costs_no_ram() -> None:
    """Before the first eviction a ghost has no marks, and answers without a look."""
    ghost = GhostFilter(MOST_BYTES)
    assert not ghost.take("key")
    assert len(ghost._marks) == 0
    ghost.check()


def test_a_ghost_suits_its_account() -> None:
    """It is charged, takes a small share of a small account, and is left out where there is no room for it."""
    large, small, full = Account("hosts", 1 << 30), Account("hosts", 1 << 20), Account("hosts", 1 << 20)
    full.charge(1 << 20)
    ghost = GhostFilter.within(large)
    assert ghost is not None
    assert (ghost.size_bytes, large.used) == (MOST_BYTES, MOST_BYTES)
    ghost = GhostFilter.within(small)
    assert ghost is not None
    assert ghost.size_bytes == small.used == 1 << 12
    assert GhostFilter.within(full) is None
    assert GhostFilter.within(Account("hosts", 100)) is None
    assert GhostFilter.within(None) is None
    with pytest.raises(ValueError, match="at least 16 bytes, got 15"):
        GhostFilter(15)


def test_a_map_tells_what_its_cap_costs() -> None:
    """`reseen` counts the entries that were put again after the cap took them, not those that the owner took out."""
    lru: BoundedLRU[int, str] = BoundedLRU("lru", 20, ghost=GhostFilter(1024))
    for key in range(40):
        lru.put(key, "v")
    lru.pop(39)
    lru.put(39, "v")
    lru.put(38, "w")
    assert lru.statistics().reseen == 0
    for key in range(5):
        lru.put(key, "v")
    assert lru.statistics().reseen == 5


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=200), st.integers(1, 4))
def test_a_ghost_says_no_more_than_it_was_told(steps: list[tuple[bool, int]], buckets: int) -> None:
    """Over any steps a key is recognised at most as often as it was let go, and the invariants hold."""
    ghost = GhostFilter(16 * buckets)
    told = dict.fromkeys(range(51), 0)
    for is_let_go, key in steps:
        if is_let_go:
            ghost.add(key)
            told[key] += 1
        elif ghost.take(key):
            told[key] -= 1
        ghost.check()
    assert min(told.values()) >= 0
