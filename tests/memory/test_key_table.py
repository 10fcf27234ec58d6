"""KeyTable: what it finds, what it forgets, and how it grows."""

from __future__ import annotations

import numpy as np
import pytest

from weaver.base.errors import BudgetExceeded
from weaver.memory import Account, KeyTable
from weaver.memory.table import BATCH_KEYS, BUCKET_BYTES, WAYS

BIG = 1 << 30


def _keys(*keys: int) -> np.ndarray:
    return np.array(keys, np.uint64)


def _ids(*ids: int) -> np.ndarray:
    return np.array(ids, np.uint32)


def _table(capacity: int, limit: int = BIG) -> KeyTable:
    return KeyTable("seen", capacity, Account("seen", limit))


def test_a_key_put_is_found_by_batch_and_alone() -> None:
    """Both look-ups give the id, and 0 for a key that was never put."""
    table = _table(1000)
    assert table.put_many(_keys(5, 2**64 - 1, 7), _ids(1, 2, 3)) == 0
    assert table.get_many(_keys(7, 6, 2**64 - 1, 5)).tolist() == [3, 0, 2, 1]
    assert [table.get(key) for key in (5, 6, 2**64 - 1)] == [1, 0, 2]
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
    assert (table.get(0), table.get(1)) == (2, 3)
    table.check()
    assert table.evict(2) == [(0, 2), (1, 3)]
    assert table.get_many(_keys(0, 1)).tolist() == [0, 0]
    assert (table.get(0), table.get(1)) == (0, 0)
    table.check()


def test_a_key_put_again_gets_the_new_id() -> None:
    """A second put replaces the id; within a batch the last one holds."""
    table = _table(1000)
    table.put_many(_keys(5), _ids(1))
    table.put_many(_keys(5, 9, 5, 9, 9), _ids(2, 3, 4, 5, 6))
    assert table.get_many(_keys(5, 9)).tolist() == [4, 6]
    assert len(table) == 2
    table.check()


def test_many_keys_of_one_bucket_in_one_batch_are_all_kept() -> None:
    """A batch that fills a bucket exactly loses nothing."""
    table = _table(64 * WAYS)
    keys = np.arange(WAYS, dtype=np.uint64) * 64
    assert table.put_many(keys, np.arange(1, WAYS + 1, dtype=np.uint32)) == 0
    assert table.get_many(keys).tolist() == list(range(1, WAYS + 1))
    assert not table.has_evicted
    table.check()


def test_the_smallest_id_of_a_full_bucket_leaves() -> None:
    """Ids grow with discovery, so a full bucket forgets its oldest key, and the table says that it did."""
    table = _table(64 * WAYS)
    keys = np.arange(WAYS, dtype=np.uint64) * 64
    ids = np.arange(100, 100 + WAYS, dtype=np.uint32)[::-1].copy()
    table.put_many(keys, ids)
    assert table.put_many(_keys(64 * 1000), _ids(1)) == 1
    assert table.get(int(keys[-1])) == 0
    assert table.get(64 * 1000) == 1
    assert table.has_evicted
    assert table.may_have_evicted(_keys(0, 64, 1)).tolist() == [True, True, False]
    assert table.statistics().evicted == 1
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


def test_an_account_without_room_for_two_buckets_is_refused() -> None:
    """The smallest table needs 32 slots."""
    with pytest.raises(BudgetExceeded):
        _table(100, limit=100)
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
    """A bucket that lost a key says so, and so do both halves that it is split into."""
    table = _table(1024 * WAYS)
    table.put_many(_keys(5, 6), _ids(1, 2))
    assert table.evict(1) == [(5, 1)]
    assert table.may_have_evicted(_keys(5, 6, 5 + 256, 5 + 512)).tolist() == [True, False, True, True]
    crowd = np.arange(1, 4 * WAYS, dtype=np.uint64) * 256
    table.put_many(crowd, np.arange(10, 9 + 4 * WAYS, dtype=np.uint32))
    assert len(table) == 4 * WAYS
    assert table.statistics().bytes > 256 * BUCKET_BYTES
    assert table.may_have_evicted(_keys(5, 6, 5 + 256, 5 + 512)).tolist() == [True, False, True, True]
    table.check()
