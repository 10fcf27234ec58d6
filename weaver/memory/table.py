"""KeyTable: 64-bit keys to dense 32-bit ids in a fixed number of bytes, for keys by the million."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaver.memory.bounded import StoreStatistics
from weaver.memory.budget import Account
from weaver.memory.reserve import reserved_zeros

Keys = NDArray[np.uint64]
Ids = NDArray[np.uint32]
Flags = NDArray[np.bool_]

WAYS = 16
SLOT_BYTES = 8 + 4
BUCKET_BYTES = WAYS * SLOT_BYTES + 1
# The smallest table of a large capacity has 256 to 511 buckets (at most 96 KiB), so that doubling ends within
# 1/256 of the capacity asked for.
FIRST_BUCKETS_BITS = 9
# Keys looked at in one go: 0.6 MiB of temporary arrays, however long the caller's array is.
BATCH_KEYS = 4096
SPLIT_BUCKETS = 4096


class KeyTable:
    """A 16-way set-associative table: key to id, the smallest id of a full bucket leaves for a new key.

    Ids grow with discovery, so the smallest is the oldest and recency needs no bits: 12 B a slot. The table starts
    small and doubles, in place, when a bucket overflows, until its capacity or the account ends that; only then
    does it evict. `capacity` is in slots, rounded down to whole buckets (at least two).

    Invariants: an id is >= 1 and 0 marks a free slot; a key is in bucket `key % buckets` and nowhere else, once; a
    free slot holds a key of another bucket, so that no look-up can hit it. Each batch call is O(keys) numpy work, a
    few more rounds where keys share a bucket; `evict` is O(capacity). Temporary arrays stay below 1 MiB, those of
    `evict` below a third of the table.
    """

    def __init__(self, name: str, capacity: int, account: Account) -> None:
        if capacity < 1:
            raise ValueError(f"{name}: expected a capacity >= 1, got {capacity}")
        affordable = (account.limit - account.used) // BUCKET_BYTES
        buckets = max(2, min(capacity // WAYS, affordable))
        doublings = max(0, buckets.bit_length() - FIRST_BUCKETS_BITS)
        self.name = name
        self._account = account
        self._buckets = buckets >> doublings
        self._most_buckets = self._buckets << doublings
        account.charge(self._buckets * BUCKET_BYTES)
        slots = self._most_buckets * WAYS
        self._keys: Keys = reserved_zeros(slots, np.uint64)
        self._ids: Ids = reserved_zeros(slots, np.uint32)
        self._lost: Flags = reserved_zeros(self._most_buckets, np.bool_)
        self._key_rows = self._keys.reshape(-1, WAYS)
        self._id_rows = self._ids.reshape(-1, WAYS)
        # Scalar look-ups: `data`, a memoryview, gives Python ints at a third of what a numpy scalar costs.
        self._key_view = self._keys.data
        self._id_view = self._ids.data
        # Key 0, the content of a fresh slot, belongs to bucket 0 alone: free slots there hold a key of bucket 1.
        self._key_rows[0] = 1
        self._count = self._peak = self._hits = self._misses = self._evicted = 0
        self.has_evicted = False

    def __repr__(self) -> str:
        return f"KeyTable({self.name}: {self._count} of {self.capacity}, slots={self._buckets * WAYS})"

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: int) -> bool:
        return self._id_of(key) != 0

    @property
    def capacity(self) -> int:
        """Slots that the table may grow to."""
        return self._most_buckets * WAYS

    def get(self, key: int) -> int:
        """The id of one key; 0 where it is absent. For a few keys: from about ten on, `get_many` is cheaper."""
        found = self._id_of(key)
        if found:
            self._hits += 1
        else:
            self._misses += 1
        return found

    def get_many(self, keys: Keys) -> Ids:
        """The id of each key, 0 for an absent one."""
        keys = np.asarray(keys, dtype=np.uint64)
        if len(keys) <= BATCH_KEYS:
            ids = self._look_up(keys)
        else:
            ids = np.concatenate([self._look_up(keys[at : at + BATCH_KEYS]) for at in range(0, len(keys), BATCH_KEYS)])
        hits = int(np.count_nonzero(ids))
        self._hits += hits
        self._misses += len(ids) - hits
        return ids

    def put_many(self, keys: Keys, ids: Ids) -> int:
        """Keep each key with its id (>= 1); of a key given twice the last id holds. How many others had to leave."""
        keys, ids = np.asarray(keys, dtype=np.uint64), np.asarray(ids, dtype=np.uint32)
        assert len(keys) == len(ids), f"{self.name}: {len(keys)} keys with {len(ids)} ids"
        assert ids.all(), f"{self.name}: an id of 0"
        evicted = 0
        for at in range(0, len(keys), BATCH_KEYS):
            evicted += self._put(keys[at : at + BATCH_KEYS], ids[at : at + BATCH_KEYS])
        self._peak = max(self._peak, self._count)
        self._record_evicted(evicted)
        return evicted

    def may_have_evicted(self, keys: Keys) -> Flags:
        """For each key, whether its bucket ever lost one: an absent key of another bucket was never put."""
        return self._lost[self._buckets_of(np.asarray(keys, dtype=np.uint64))]

    def evict(self, n: int) -> list[tuple[int, int]]:
        """Let the `n` keys with the smallest ids go: (key, id), the oldest first. Frees slots, not bytes."""
        count = min(max(0, n), self._count)
        if not count:
            return []
        taken = np.flatnonzero(self._ids[: self._buckets * WAYS])
        oldest = np.argpartition(self._ids[taken], count - 1)[:count]
        slots = taken[oldest]
        slots = slots[np.argsort(self._ids[slots], kind="stable")]
        left = list(zip(self._keys[slots].tolist(), self._ids[slots].tolist(), strict=True))
        self._free(slots)
        self._lost[slots // WAYS] = True
        self._count -= count
        self._record_evicted(count)
        return left

    def statistics(self) -> StoreStatistics:
        """The figures now; `bytes` is what the slots of the present size take."""
        return StoreStatistics(
            self.name,
            self._count,
            self.capacity,
            self._peak,
            bytes=self._buckets * BUCKET_BYTES,
            hits=self._hits,
            misses=self._misses,
            evicted=self._evicted,
        )

    def check(self) -> None:
        """Assert the invariants; O(capacity)."""
        slots = self._buckets * WAYS
        keys, ids = self._keys[:slots], self._ids[:slots]
        home = self._buckets_of(keys) == np.arange(slots) // WAYS
        taken = ids != 0
        assert np.array_equal(home, taken), f"{self!r}: a taken slot in the wrong bucket, or a free one in its own"
        assert int(taken.sum()) == self._count <= self._peak <= self.capacity, self
        assert len(np.unique(keys[taken])) == self._count, f"{self!r}: a key twice"
        assert not self._ids[slots:].any(), f"{self!r}: an id beyond the slots in use"
        assert self.has_evicted == bool(self._evicted), self
        assert self.has_evicted or not self._lost.any(), self
        assert self._account.used >= self._buckets * BUCKET_BYTES, self
        self._account.check()

    def _buckets_of(self, keys: Keys) -> NDArray[np.intp]:
        return (keys % np.uint64(self._buckets)).astype(np.intp)

    def _locate(self, keys: Keys) -> tuple[NDArray[np.intp], NDArray[np.intp], Flags]:
        """The bucket of each key, the slot that holds it, and whether one does."""
        buckets = self._buckets_of(keys)
        slots = (self._key_rows.take(buckets, axis=0) == keys[:, None]).argmax(axis=1)
        slots += buckets * WAYS
        return buckets, slots, self._keys.take(slots) == keys

    def _look_up(self, keys: Keys) -> Ids:
        _, slots, found = self._locate(keys)
        ids: Ids = self._ids.take(slots)
        ids *= found
        return ids

    def _id_of(self, key: int) -> int:
        slot = key % self._buckets * WAYS
        row = self._key_view[slot : slot + WAYS].tolist()
        return self._id_view[slot + row.index(key)] if key in row else 0

    def _put(self, keys: Keys, ids: Ids) -> int:
        """Rounds: known keys get their ids, then each bucket takes its first new key; the rest tries again."""
        evicted = 0
        while len(keys):
            buckets, slots, found = self._locate(keys)
            if found.any():
                self._ids[slots[found]] = ids[found]
                absent = ~found
                keys, ids, buckets = keys[absent], ids[absent], buckets[absent]
            firsts = np.unique(buckets, return_index=True)[1]
            lost = self._insert(keys[firsts], ids[firsts], buckets[firsts])
            if lost is None:
                continue
            evicted += lost
            keys, ids = np.delete(keys, firsts), np.delete(ids, firsts)
        return evicted

    def _insert(self, keys: Keys, ids: Ids, buckets: NDArray[np.intp]) -> int | None:
        """New keys, one a bucket: how many others left; None where the table grew instead, and nothing was put."""
        # The smallest id is 0 where a slot is free, else the oldest.
        slots = self._id_rows.take(buckets, axis=0).argmin(axis=1) + buckets * WAYS
        is_full = self._ids.take(slots) != 0
        evicted = int(np.count_nonzero(is_full))
        if evicted:
            if self._grow():
                return None
            self._lost[buckets[is_full]] = True
        self._keys[slots] = keys
        self._ids[slots] = ids
        self._count += len(keys) - evicted
        return evicted

    def _grow(self) -> bool:
        """Double the buckets if capacity and account allow it: bucket b splits into b and b + buckets, in place."""
        old = self._buckets
        if old * 2 > self._most_buckets or not self._account.try_charge(old * BUCKET_BYTES):
            return False
        self._buckets = old * 2
        for start in range(0, old, SPLIT_BUCKETS):
            lower = slice(start, min(start + SPLIT_BUCKETS, old))
            upper = slice(lower.start + old, lower.stop + old)
            slots = slice(lower.start * WAYS, lower.stop * WAYS)
            moves = np.flatnonzero((self._buckets_of(self._keys[slots]) >= old) & (self._ids[slots] != 0))
            moves += slots.start
            self._keys[moves + old * WAYS] = self._keys[moves]
            self._ids[moves + old * WAYS] = self._ids[moves]
            self._lost[upper] = self._lost[lower]
            self._free(moves)
        return True

    def _free(self, slots: NDArray[np.intp]) -> None:
        self._ids[slots] = 0
        self._keys[slots] = slots < WAYS

    def _record_evicted(self, count: int) -> None:
        self._evicted += count
        self.has_evicted = self.has_evicted or count > 0
        self._account.record_evicted(count)
