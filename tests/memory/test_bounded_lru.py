"""BoundedLRU: what leaves, when, and what stays."""

from __future__ import annotations

import pytest

from weaver.base.clock import ManualClock
from weaver.memory import Account, BoundedLRU
from weaver.memory.bounded import (
    ENTRY_BYTES,
    PRUNE_PER_PUT,
    PUT_TIME_BYTES,
    SCAN_PER_PUT,
    SHRINK_PER_CALL,
    SIZE_BYTES,
)


def _keys(lru: BoundedLRU[int, str]) -> list[int]:
    return list(dict(lru.items()))


def test_the_least_recently_used_leave_in_one_batch() -> None:
    """Over its capacity the map prunes to 90 %, the oldest first, and tells each that left."""
    left: list[tuple[int, str]] = []
    lru: BoundedLRU[int, str] = BoundedLRU("lru", 20, on_evict=lambda key, value: left.append((key, value)))
    for key in range(20):
        lru.put(key, str(key))
    lru.get(0)
    assert left == []
    lru.put(20, "20")
    assert left == [(1, "1"), (2, "2"), (3, "3")]
    assert len(lru) == 18
    lru.check()


def test_only_get_and_put_count_as_use() -> None:
    """`peek` and `in` don't save an entry from being the oldest."""
    lru: BoundedLRU[int, str] = BoundedLRU("lru", 3, prune_to=1.0)
    for key in (1, 2, 3):
        lru.put(key, "old")
    assert lru.peek(1) == "old"
    assert 1 in lru
    lru.get(2)
    lru.put(3, "new")
    assert _keys(lru) == [1, 2, 3]
    lru.put(4, "new")
    assert _keys(lru) == [2, 3, 4]


def test_hits_and_misses_are_those_of_get() -> None:
    """Looking without using is not counted."""
    lru: BoundedLRU[int, str] = BoundedLRU("lru", 3)
    lru.put(1, "a")
    assert (lru.get(1), lru.get(2), lru.peek(2), 2 in lru) == ("a", None, None, False)
    assert (lru.statistics().hits, lru.statistics().misses) == (1, 1)


def test_bytes_are_released_whichever_way_an_entry_leaves() -> None:
    """Pop, clear, replacement, eviction and refusal all leave the account as if the entry had never been."""
    account = Account("content", 10_000)
    lru: BoundedLRU[int, str] = BoundedLRU("lru", 100, account=account, bytes_of=lambda _, value: len(value))
    base = ENTRY_BYTES + SIZE_BYTES
    lru.put(1, "x" * 10)
    lru.put(2, "x" * 20)
    assert account.used == 2 * base + 30
    lru.put(2, "x" * 5)
    assert account.used == 2 * base + 15
    assert lru.pop(1) == "x" * 10
    assert lru.pop(1) is None
    assert account.used == base + 5
    lru.put(3, "x")
    lru.evict(1)
    assert account.used == base + 1
    assert not lru.put(3, "x" * 10_000)
    assert account.used == 0
    lru.put(4, "x")
    lru.clear()
    assert (account.used, len(lru)) == (0, 0)
    lru.check()


def test_the_byte_cap_prunes_to_its_share_of_the_account() -> None:
    """Where the account is full, the oldest leave until the new entry fits into 90 % of it."""
    account = Account("robots", 20 * 1000)
    lru: BoundedLRU[int, str] = BoundedLRU("lru", 10_000, account=account, entry_bytes=1000)
    for key in range(21):
        lru.put(key, "v")
    assert len(lru) == 18
    assert _keys(lru)[0] == 3
    assert (account.used, account.high_water, account.evicted) == (18_000, 20_000, 3)
    lru.check()


def test_an_entry_that_takes_nearly_all_still_fits() -> None:
    """An entry above the prune mark but below the limit is kept, alone."""
    big: BoundedLRU[int, str] = BoundedLRU("big", 10, account=Account("robots", 1000), entry_bytes=950)
    big.put(1, "v")
    assert big.put(2, "v")
    assert _keys(big) == [2]


def test_what_could_never_fit_is_refused_and_leaves_no_stale_value() -> None:
    """A value above the account's limit is refused with False, and an older value of its key is gone."""
    account = Account("robots", 2000)
    lru: BoundedLRU[int, str] = BoundedLRU("lru", 10, account=account, bytes_of=lambda _, value: len(value))
    assert lru.put(1, "small")
    assert lru.put(2, "other")
    assert not lru.put(1, "x" * 2000)
    assert lru.get(1) is None
    assert lru.get(2) == "other"
    assert lru.statistics().refused == 1


def test_an_aged_entry_is_gone_for_every_reader() -> None:
    """From `ttl_s` after its put on, no call gives the value, and its bytes come back."""
    clock, account, left = ManualClock(), Account("robots", 10_000), []
    lru: BoundedLRU[int, str] = BoundedLRU(
        "lru", 10, account=account, ttl_s=60, clock=clock, on_evict=lambda key, _: left.append(key)
    )
    lru.put(1, "a")
    lru.put(2, "b")
    assert account.used == 2 * (ENTRY_BYTES + PUT_TIME_BYTES)
    clock.advance(59)
    assert lru.get(1) == "a"
    lru.put(2, "b again")
    clock.advance(1)
    assert 1 not in lru
    assert lru.peek(1) is None
    assert lru.get(1) is None
    assert lru.get(2) == "b again"
    assert left == [1]
    figures = lru.statistics()
    assert (figures.current, figures.expired, figures.evicted) == (1, 1, 0)
    lru.check()


def test_aged_entries_leave_though_nobody_asks_for_them() -> None:
    """Puts sweep aged entries out faster than entries come in."""
    clock = ManualClock()
    lru: BoundedLRU[int, str] = BoundedLRU("lru", 10_000, ttl_s=60, clock=clock)
    for key in range(1000):
        lru.put(key, "old")
    clock.advance(60)
    for key in range(1000, 1000 + 1000 // SCAN_PER_PUT + 1):
        lru.put(key, "new")
    assert min(_keys(lru)) == 1000
    assert lru.statistics().expired == 1000


def test_protected_entries_stay_past_every_cap() -> None:
    """What is protected is kept over the number, over the bytes and past its age, and the excess is counted."""
    clock, account = ManualClock(), Account("hosts", 5 * (1000 + PUT_TIME_BYTES))
    lru: BoundedLRU[int, str] = BoundedLRU(
        "lru",
        4,
        account=account,
        entry_bytes=1000,
        ttl_s=60,
        clock=clock,
        is_protected=lambda _, value: value == "busy",
    )
    for key in range(8):
        assert lru.put(key, "busy")
    clock.advance(61)
    lru.put(8, "idle")
    assert len(lru) == 9
    assert lru.get(0) == "busy"
    assert lru.statistics().over_capacity == 5
    assert account.overdrafts == 4
    lru.check()


def test_a_protected_entry_does_not_shield_aged_ones_behind_it() -> None:
    """Puts sweep past what is protected, to everything whose age is up."""
    clock = ManualClock()
    lru: BoundedLRU[int, str] = BoundedLRU("lru", 100, ttl_s=60, clock=clock, is_protected=lambda key, _: key == 0)
    for key in range(10):
        lru.put(key, "old")
    clock.advance(60)
    lru.put(10, "new")
    assert _keys(lru) == [0, 10]
    lru.check()


def test_protection_that_ends_lets_the_map_shrink_again() -> None:
    """Once entries are no longer protected, the next put prunes as usual."""
    busy = set(range(8))
    lru: BoundedLRU[int, str] = BoundedLRU("lru", 4, is_protected=lambda key, _: key in busy)
    for key in range(8):
        lru.put(key, "v")
    busy.clear()
    lru.put(8, "v")
    assert len(lru) == 3
    lru.check()


def test_the_entry_being_put_is_never_its_own_victim() -> None:
    """Where all others are protected, a new entry is kept nonetheless, and leaves with the next put."""
    lru: BoundedLRU[int, str] = BoundedLRU("lru", 2, is_protected=lambda key, _: key < 10)
    for key in (1, 2, 10):
        lru.put(key, "v")
    assert 10 in lru
    lru.put(11, "v")
    assert _keys(lru) == [1, 2, 11]


def test_a_map_full_of_protected_entries_is_not_scanned_again_and_again() -> None:
    """With every entry protected, puts look at SCAN_PER_PUT entries each: linear, whatever the size."""
    looks = 0

    def is_protected(_key: int, _value: str) -> bool:
        nonlocal looks
        looks += 1
        return True

    lru: BoundedLRU[int, str] = BoundedLRU("lru", 1000, is_protected=is_protected)
    for key in range(5000):
        lru.put(key, "v")
    assert len(lru) == 5000
    assert looks <= 5000 * SCAN_PER_PUT


def test_evict_passes_over_the_protected() -> None:
    """`evict` takes the oldest that may go, and tells the listener once each."""
    told: list[int] = []
    lru: BoundedLRU[int, str] = BoundedLRU(
        "lru", 10, is_protected=lambda key, _: key < 3, on_evict=lambda key, _: told.append(key)
    )
    for key in range(6):
        lru.put(key, str(key))
    assert lru.evict(2) == [(3, "3"), (4, "4")]
    assert lru.evict(9) == [(5, "5")]
    assert told == [3, 4, 5]
    assert len(lru) == 3


def test_listeners_hear_of_evictions_only() -> None:
    """`pop`, `clear` and a replacing put are the owner's own doing and are not announced."""
    told: list[int] = []
    lru: BoundedLRU[int, str] = BoundedLRU("lru", 10, on_evict=lambda key, _: told.append(key))
    lru.put(1, "a")
    lru.put(1, "b")
    lru.pop(1)
    lru.put(2, "c")
    lru.clear()
    assert told == []


def test_a_listener_finds_the_map_whole() -> None:
    """While it is told, the entry has left, the new one is there, and the listener may use the map."""
    lru: BoundedLRU[int, str]

    def on_evict(key: int, value: str) -> None:
        assert key not in lru
        assert 3 in lru or key == 3
        if value == "keep":
            lru.put(key, "kept")

    lru = BoundedLRU("lru", 2, prune_to=1.0, on_evict=on_evict)
    lru.put(1, "keep")
    lru.put(2, "b")
    lru.put(3, "c")
    assert lru.get(1) == "kept"
    lru.check()


def test_two_maps_of_one_account_stay_within_it() -> None:
    """Where another store has filled the account, a map still keeps the entry being put, and only that."""
    account = Account("hosts", 1000)
    first: BoundedLRU[int, str] = BoundedLRU("first", 100, account=account, entry_bytes=100)
    second: BoundedLRU[int, str] = BoundedLRU("second", 100, account=account, entry_bytes=100)
    for key in range(10):
        first.put(key, "v")
    for key in range(5):
        assert second.put(key, "v")
    assert (len(second), account.used) == (1, 1100)
    first.put(10, "v")
    assert account.used <= 900
    second.check()


@pytest.mark.parametrize(("capacity", "prune_to"), [(0, 0.9), (1, 0.0), (1, 1.5)])
def test_caps_that_make_no_sense_are_refused(capacity: int, prune_to: float) -> None:
    """A map has room for an entry, and prunes to a share of its cap."""
    with pytest.raises(ValueError, match="lru: expected"):
        BoundedLRU("lru", capacity, prune_to=prune_to)


def test_a_map_of_one_entry_works() -> None:
    """The smallest capacity keeps the newest entry."""
    lru: BoundedLRU[int, str] = BoundedLRU("lru", 1)
    for key in range(3):
        lru.put(key, "v")
    assert _keys(lru) == [2]


def test_no_put_prunes_more_than_its_share_and_the_prune_goes_on() -> None:
    """A large map over its cap goes down to 90 % over the next puts, PRUNE_PER_PUT entries each, and then rests."""
    left: list[int] = []
    lru: BoundedLRU[int, str] = BoundedLRU("lru", 10_000, on_evict=lambda key, _: left.append(key))
    for key in range(10_000):
        lru.put(key, "v")
    sizes = []
    for key in range(10_000, 10_100):
        before = len(left)
        lru.put(key, "v")
        sizes.append(len(left) - before)
        assert len(lru) <= lru.capacity
    assert max(sizes) == PRUNE_PER_PUT
    pruning = sizes.index(0)
    assert all(size == PRUNE_PER_PUT for size in sizes[: pruning - 1])
    assert not any(sizes[pruning:])
    assert len(lru) == 9_000 + 100 - pruning
    assert left == list(range(len(left)))
    lru.check()


def test_bytes_are_pruned_in_shares_too() -> None:
    """Over the account's limit the map goes down to 90 % of it over the next puts, and is never over it."""
    account = Account("robots", 10_000 * 100)
    lru: BoundedLRU[int, str] = BoundedLRU("lru", 10**6, account=account, entry_bytes=100)
    for key in range(10_000):
        lru.put(key, "v")
    lowest = len(lru)
    for key in range(10_000, 10_100):
        lru.put(key, "v")
        assert account.used <= account.limit
        assert len(lru) >= lowest + 1 - PRUNE_PER_PUT
        lowest = min(lowest, len(lru))
    assert lowest == 9_000
    assert account.overdrafts == 0


def test_a_large_entry_makes_all_the_room_that_it_needs_at_once() -> None:
    """What stands in the new entry's way leaves with its put, however many that are."""
    account = Account("robots", 1_000 * (10 + SIZE_BYTES))
    lru: BoundedLRU[int, int] = BoundedLRU("lru", 10**6, account=account, entry_bytes=10, bytes_of=lambda _, size: size)
    for key in range(1_000):
        lru.put(key, 0)
    assert lru.put(1_000, account.limit // 2)
    assert account.used <= account.limit
    assert len(lru) <= 500
    lru.check()


def test_a_map_shrinks_to_what_its_account_has_left() -> None:
    """Under a lower limit the oldest leave, a bounded number a call, until it fits; then nothing does."""
    account = Account("content", 100 * 20_000)
    lru: BoundedLRU[int, str] = BoundedLRU("lru", 10**6, account=account, entry_bytes=100)
    for key in range(20_000):
        lru.put(key, "v")
    assert lru.shrink() == 0
    account.limit //= 10
    assert lru.shrink() == SHRINK_PER_CALL * 100
    released = [SHRINK_PER_CALL * 100]
    while more := lru.shrink():
        released.append(more)
    assert (max(released), sum(released)) == (SHRINK_PER_CALL * 100, 18_000 * 100)
    assert (account.used, _keys(lru)) == (account.limit, list(range(18_000, 20_000)))
    assert lru.statistics().evicted == account.evicted == 18_000
    lru.check()


def test_shrinking_passes_over_the_protected() -> None:
    """What is protected stays though the account is over its limit, and the call still ends."""
    account = Account("hosts", 10_000)
    lru: BoundedLRU[int, str] = BoundedLRU(
        "lru", 100, account=account, entry_bytes=100, is_protected=lambda key, _: key < 30
    )
    for key in range(100):
        lru.put(key, "v")
    account.limit = 1_000
    assert lru.shrink() == 7_000
    assert lru.shrink() == 0
    assert sorted(_keys(lru)) == list(range(30))
