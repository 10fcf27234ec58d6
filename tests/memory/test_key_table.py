"""KeyTable: what it finds, what it forgets, and how it grows."""

from __future__ import annotations

import numpy as np
import psutil
import pytest

from weaver.memory import Account, KeyTable
from weaver.memory.table import BATCH_KEYS, BUCKET_BYTES, FIRST_BUCKETS, FULLEST, SHRINK_BUCKETS, WAYS

BIG = 1 << 30


def _keys(*keys: int) -> np.ndarray:
    return np.array(keys, np.uint64)


def _ids(*ids: int) -> np.ndarray:
    return np.array(ids, np.uint32)


def _random(count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    keys = np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)
    return keys, np.arange(1, count + 1, dtype=np.uint32)


def _in_buckets(first: int, second: int, tail: int = 0) -> int:
    """A key that has these two buckets while the table has 256, and others of its own when it has more."""
    return (tail << 8 | second) << 32 | tail << 8 | first


def _table(capacity: int, limit: int = BIG) -> KeyTable:
    return KeyTable("seen", capacity, Account("seen", limit))


def test_ids_that_must_stay_are_never_evicted() -> None:
    """Above `newest_evictable` a key stays, whether others come or the table shrinks, or is handed over for no room."""
    keys, ids = _random(2_000)
    table = _table(1_000)
    table.newest_evictable = 1_800
    table.put_many(keys, ids)
    assert table.get_many(keys[1_800:]).tolist() == list(range(1_801, 2_001))
    assert table.take_left_over() == []
    table._account.limit = 20 * BUCKET_BYTES
    while table.shrink():
        pass
    left = dict(table.take_left_over())
    assert 0 < len(left) < 200
    found = table.get_many(keys[1_800:]).tolist()
    assert [known or left[key] for key, known in zip(keys[1_800:].tolist(), found, strict=True)] == list(
        range(1_801, 2_001)
    )
    assert all(url_id <= 1_800 for _, url_id in table.evict(2_000))
    table.newest_evictable = 2_000
    assert len(table.evict(2_000)) == 200 - len(left)
    table.check()


def test_a_key_put_is_found_by_batch_and_alone() -> None:
    """Both look-ups give the id, and 0 for a key that was never put."""
    table = _table(1000)
    assert table.put_many(_keys(5, 2**64 - 1, 7), _ids(1, 2, 3)) == 0
    assert table.get_many(_keys(7, 6, 2**64 - 1, 5)).tolist() == [3, 0, 2, 1]
    assert table.get_list([5, 6, 2**64 - 1]) == [1, 0, 2]
    assert (table.statistics().hits, table.statistics().misses) == (5, 2)
    assert 5 in table
    assert 6 not in table
    table.check()


@pytest.mark.parametrize("capacity", [1, 32, 1000, 100_000])
def test_key_zero_and_the_keys_that_mark_free_slots_are_keys_like_others(capacity: int) -> None:
    """Key 0 and key 1 are absent until they are put, and found afterwards, also beside free slots left by eviction."""
    table = _table(capacity)
    assert table.get_many(_keys(0, 1)).tolist() == [0, 0]
    table.put_many(_keys(64 * 31 * 17), _ids(1))
    table.put_many(_keys(0, 1), _ids(2, 3))
    assert table.evict(1) == [(64 * 31 * 17, 1)]
    assert table.get_many(_keys(0, 1)).tolist() == [2, 3]
    assert table.get_list([0, 1]) == [2, 3]
    table.check()
    assert table.evict(2) == [(0, 2), (1, 3)]
    assert table.get_many(_keys(0, 1)).tolist() == [0, 0]
    assert table.get_list([0, 1]) == [0, 0]
    table.check()


def test_a_key_put_again_gets_the_new_id() -> None:
    """A second put replaces the id; within a batch the last one holds."""
    table = _table(1000)
    table.put_many(_keys(5), _ids(1))
    table.put_many(_keys(5, 9, 5, 9, 9), _ids(2, 3, 4, 5, 6))
    assert table.get_many(_keys(5, 9)).tolist() == [4, 6]
    assert len(table) == 2
    table.check()


def test_of_a_key_given_twice_the_last_id_holds_however_full_the_table_is() -> None:
    """In batches that name half of their keys twice, beyond the table's cap, whoever is found has its last id."""
    table, found = _table(2_000), 0
    for seed in range(20):
        keys, _ = _random(1_000, seed)
        batch = np.random.default_rng(seed).permutation(np.concatenate([keys, keys[:500]]))
        ids = np.arange(1, len(batch) + 1, dtype=np.uint32) + 10_000 * seed
        table.put_many(batch, ids)
        last = dict(zip(batch.tolist(), ids.tolist(), strict=True))
        for known, wanted in zip(table.get_many(np.array(list(last), np.uint64)).tolist(), last.values(), strict=True):
            assert known in (0, wanted)
            found += known > 0
    assert table.has_evicted
    assert found > 10_000
    table.check()


def test_many_keys_of_one_bucket_in_one_batch_are_all_kept() -> None:
    """A batch that fills two buckets exactly loses nothing, whichever of the two its keys have first."""
    table = _table(FIRST_BUCKETS * WAYS)
    keys = _keys(*(_in_buckets(*pair, n) for n in range(WAYS) for pair in ((3, 4), (4, 3))))
    assert table.put_many(keys, np.arange(1, 2 * WAYS + 1, dtype=np.uint32)) == 0
    assert table.get_many(keys).tolist() == list(range(1, 2 * WAYS + 1))
    assert not table.has_evicted
    table.check()


def test_a_key_moves_to_its_other_bucket_to_make_room() -> None:
    """A key whose buckets are full takes the place of one that has room in its other bucket; nothing is lost."""
    table = _table(FIRST_BUCKETS * WAYS)
    keys = _keys(*(_in_buckets(3, 3, n) for n in range(2 * WAYS - 1)))
    movable = _in_buckets(3, 9)
    table.put_many(_keys(movable), _ids(1))
    assert table.put_many(keys[: WAYS - 1], np.arange(2, WAYS + 1, dtype=np.uint32)) == 0
    assert table.put_many(keys[WAYS - 1 : WAYS], _ids(WAYS + 1)) == 0
    assert table.get_many(keys[:WAYS]).tolist() == list(range(2, WAYS + 2))
    assert table.get_list([movable]) == [1]
    table.check()


def test_a_key_that_was_not_used_leaves_first() -> None:
    """At the cap a key that is looked up stays while its buckets hold one that is not; the table says what it lost."""
    table = _table(2 * WAYS)
    crowd = _keys(*(_in_buckets(0, 1, n) for n in range(2 * WAYS + 1)))
    assert table.put_many(crowd, np.arange(1, 2 * WAYS + 2, dtype=np.uint32)) == 1
    used = [key for key in crowd.tolist() if key in table][1:]
    for n in range(100, 120):
        for key in used:
            assert table.get_many(_keys(key)).all()
        assert table.put_many(_keys(_in_buckets(0, 1, n)), _ids(n)) == 1
    assert _in_buckets(0, 1, 119) in table
    assert table.may_have_evicted(_keys(_in_buckets(0, 1), _in_buckets(1, 0))).tolist() == [True, False]
    table.check()


def test_where_all_keys_were_used_each_has_its_turn() -> None:
    """A crowd that is used throughout loses a key a put, and the new key is kept."""
    table = _table(2 * WAYS)
    for n in range(1, 100):
        key = _keys(_in_buckets(0, 1, n))
        table.put_many(key, _ids(n))
        table.get_many(_keys(*(_in_buckets(0, 1, m) for m in range(100))))
        assert table.get_many(key).tolist() == [n]
    assert len(table) == 2 * WAYS
    table.check()


def test_nothing_is_lost_before_the_table_is_at_its_cap() -> None:
    """Random keys up to 0.8 of the capacity are all kept, at sizes between powers of two as at these."""
    for slots in (3000, 4096, 5000, 7000):
        table = _table(slots)
        keys, ids = _random(int(table.capacity * 0.8), seed=slots)
        assert table.put_many(keys, ids) == 0
        assert np.array_equal(table.get_many(keys), ids)
        assert not table.has_evicted
        table.check()


def test_the_load_stays_high_at_any_size() -> None:
    """From the smallest size on at least 0.8 of the slots are taken, so that a key costs less than 15.5 bytes."""
    account = Account("seen", BIG)
    table = KeyTable("seen", 10**6, account)
    keys, ids = _random(60_000)
    for start in range(0, len(keys), 200):
        table.put_many(keys[start : start + 200], ids[start : start + 200])
        if start >= 5_000:
            assert account.used / len(table) < 15.5
            assert 0.8 < len(table) / (account.used / BUCKET_BYTES * WAYS) <= FULLEST
    assert not table.has_evicted
    table.check()


def test_a_put_splits_no_more_than_its_keys_need() -> None:
    """No put waits for a doubling: a batch adds buckets for its own keys and less than a page more."""
    account = Account("seen", BIG)
    table = KeyTable("seen", 10**6, account)
    keys, ids = _random(40_000)
    for start in range(0, len(keys), 100):
        before = account.used
        table.put_many(keys[start : start + 100], ids[start : start + 100])
        assert account.used - before <= 64 * BUCKET_BYTES


def test_ram_follows_what_is_in_use() -> None:
    """A table that may grow to 256 MiB takes what its keys need, and gives it back when it shrinks."""
    process = psutil.Process()
    account = Account("seen", 256 << 20)
    keys, ids = _random(300_000)
    before = process.memory_info().rss
    table = KeyTable("seen", 10**9, account)
    for start in range(0, len(keys), BATCH_KEYS):
        table.put_many(keys[start : start + BATCH_KEYS], ids[start : start + BATCH_KEYS])
    grown = process.memory_info().rss
    assert grown - before < account.used + (1 << 20)
    account.limit = 1 << 20
    while table.shrink():
        pass
    assert grown - process.memory_info().rss > 2 << 20


def test_a_table_shrinks_to_its_account_and_grows_again() -> None:
    """Under a lower limit buckets merge, a bounded number a call; what finds no room is evicted, counted, confessed."""
    account = Account("seen", 2 << 20)
    table = KeyTable("seen", 10**9, account)
    keys, ids = _random(100_000)
    table.put_many(keys, ids)
    assert not table.has_evicted
    account.limit = 512 << 10
    released = []
    while more := table.shrink():
        released.append(more)
        table.check()
    assert max(released) <= SHRINK_BUCKETS * BUCKET_BYTES
    assert (account.used, sum(released)) == (table.statistics().bytes, account.released)
    assert 0.97 * account.limit < account.used <= account.limit
    found = table.get_many(keys)
    assert np.array_equal(found[found != 0], ids[found != 0])
    assert len(table) == np.count_nonzero(found) == 100_000 - table.statistics().evicted
    assert len(table) > 0.95 * account.used / BUCKET_BYTES * WAYS
    assert table.may_have_evicted(keys[found == 0]).all()
    account.limit = 2 << 20
    assert table.shrink() == 0
    assert table.put_many(keys, ids) == 0
    assert np.array_equal(table.get_many(keys), ids)
    table.check()


def test_puts_bring_a_table_down_to_its_limit_too() -> None:
    """Over its account's limit a table takes no room, and every put gives some back."""
    account = Account("seen", 1 << 20)
    table = KeyTable("seen", 10**9, account)
    keys, ids = _random(60_000)
    table.put_many(keys, ids)
    account.limit = 900 << 10
    for n in range(60):
        table.put_many(_keys(n), _ids(100_000 + n))
    assert account.used <= account.limit
    assert table.get_many(_keys(*range(50, 60))).all()
    table.check()


def test_a_table_grows_before_it_forgets() -> None:
    """It starts below 100 KiB, doubles as keys come in, is charged as it does, and is exact until it can't grow."""
    account = Account("seen", BIG)
    table = KeyTable("seen", 1 << 20, account)
    assert account.used < 100 << 10
    random = np.random.default_rng(1)
    keys = random.integers(0, 2**64, 60_000, dtype=np.uint64)
    table.put_many(keys, np.arange(1, len(keys) + 1, dtype=np.uint32))
    assert not table.has_evicted
    assert table.get_many(keys).tolist() == list(range(1, len(keys) + 1))
    assert account.used == table.statistics().bytes < (1 << 20) // WAYS * BUCKET_BYTES
    table.check()


def test_a_table_never_passes_its_account() -> None:
    """The account's limit caps the slots: 16 bytes an entry hold with three quarters of them taken."""
    account = Account("seen", 1 << 20)
    table = KeyTable("seen", 10**9, account)
    assert (1 << 20) * 0.99 < table.capacity // WAYS * BUCKET_BYTES <= 1 << 20
    random = np.random.default_rng(2)
    entries = table.capacity * 3 // 4
    evicted = table.put_many(
        random.integers(0, 2**64, entries, dtype=np.uint64), np.arange(1, entries + 1, dtype=np.uint32)
    )
    assert evicted < 0.03 * entries
    assert account.used <= account.limit
    assert account.used / entries < 16.2
    table.check()


def test_a_table_stops_growing_where_its_neighbours_took_the_room() -> None:
    """A refused charge ends the growth; the table evicts instead and goes on."""
    account = Account("seen", 1 << 20)
    table = KeyTable("seen", 10**9, account)
    account.charge(account.limit - account.used)
    keys = np.random.default_rng(3).integers(0, 2**64, 20_000, dtype=np.uint64)
    assert table.put_many(keys, np.arange(1, len(keys) + 1, dtype=np.uint32)) > 0
    assert account.used == account.limit
    table.check()


def test_the_smallest_table_is_had_even_in_a_full_account() -> None:
    """Two buckets are there whatever the account says, as an overdraft; without a slot there is no table."""
    account = Account("seen", 2 * BUCKET_BYTES - 1)
    table = KeyTable("seen", 100, account)
    assert (table.capacity, account.overdrafts) == (2 * WAYS, 1)
    table.put_many(*_random(100))
    assert table.shrink() == 0
    table.check()
    with pytest.raises(ValueError, match="expected a capacity >= 1"):
        _table(0)


def test_batches_of_any_length_are_taken() -> None:
    """Larger input than a batch is cut into batches; an empty one is no error."""
    table = _table(1 << 16)
    keys = np.random.default_rng(4).integers(0, 2**64, 2 * BATCH_KEYS + 1, dtype=np.uint64)
    ids = np.arange(1, len(keys) + 1, dtype=np.uint32)
    table.put_many(keys, ids)
    assert np.array_equal(table.get_many(keys), ids)
    assert table.put_many(_keys(), _ids()) == 0
    assert len(table.get_many(_keys())) == 0


def test_an_id_of_zero_is_a_bug() -> None:
    """0 marks a free slot and can't be an id."""
    with pytest.raises(AssertionError, match="an id of 0"):
        _table(100).put_many(_keys(1), _ids(0))


def test_what_was_evicted_on_demand_is_confessed_and_stays_confessed_as_the_table_grows() -> None:
    """A bucket that lost a key says so, and so do both halves that it is split into, and the whole merged again."""
    table = _table(1024 * WAYS)
    table.put_many(_keys(5, 6), _ids(1, 2))
    assert table.evict(1) == [(5, 1)]
    asked = _keys(5, 6, 5 + 256, 5 + 512)
    assert table.may_have_evicted(asked).tolist() == [True, False, True, True]
    keys, ids = _random(5000)
    table.put_many(keys, ids + np.uint32(10))
    assert table.statistics().bytes > 2 * 256 * BUCKET_BYTES
    assert table.may_have_evicted(asked).tolist() == [True, False, True, True]
    table.check()
