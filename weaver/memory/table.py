"""KeyTable: 64-bit keys to 32-bit ids at a constant number of bytes a key, for keys by the million."""

from __future__ import annotations

import numpy as np

from weaver.memory.bounded import StoreStatistics
from weaver.memory.budget import Account
from weaver.memory.key_slots import (
    BUCKET_BYTES,
    CHOICES,
    SLOT_BYTES,
    WAYS,
    Counts,
    Flags,
    Ids,
    Indices,
    Keys,
    KeySlots,
)
from weaver.memory.reserve import discard
from weaver.native import compiled

__all__ = ["BUCKET_BYTES", "SLOT_BYTES", "WAYS", "KeyTable"]

FIRST_BUCKETS = 256
# A page of keys; a split of so many takes 0.1 ms.
GROW_BUCKETS = 64
# What `shrink` takes back in one call at most: 0.2 MiB, whose 16,000 keys look for another place.
SHRINK_BUCKETS = 2048
# The table grows past this load: 14.6 B a key. Up to it every key finds a place in a few moves (docs/decisions/0010).
FULLEST = 0.85
# From here on a table at its cap evicts where two buckets are full, and no longer looks for a place further on.
CROWDED = 0.93
ANY_ID = (1 << 32) - 1
# Pushes of one key by another, from place to place, before the table grows or evicts for it.
MOST_MOVES = 12
# Keys put or looked up in one go: 0.3 MiB of temporary arrays, however long the caller's array is.
BATCH_KEYS = 1024
_WAYS = np.arange(WAYS)
_TURNS = np.arange(CHOICES * WAYS)


class KeyTable(KeySlots):
    """Key to id, a key in one of two buckets of 8 slots; at the cap one that was not used lately leaves for a new one.

    Linear hashing (Litwin 1980): buckets split one after the other, in place, as keys come in, so that the load stays
    near 0.85 at any size and no put waits for a doubling. A key may live in either of two buckets, named by its two
    halves, and moves to the other when room is needed (cuckoo hashing: Pagh and Rodler 2001, with buckets:
    Dietzfelbinger and Weidlich 2007). Keys are hashes: both halves must be as good as random. Once the table is at its
    cap, which the account's limit sets at any moment, it evicts by second chance: of a new key's 16 slots the next one
    that was not looked up since all of them had been. Look-ups are marked from the first eviction on. A key whose id is
    above `newest_evictable` stays; where it finds no room among others that stay it is left over to the caller
    (`take_left_over`), which must keep it: rare as long as these are less than a quarter of the slots.

    Invariants: an id is >= 1 and 0 marks a free slot; a key is in one of its buckets, once; a free slot holds a key of
    other buckets, so that no look-up can hit it; `used` bytes are those of the present buckets. Each batch call is
    O(keys) numpy work; `evict` and `check` are O(capacity). Temporary arrays stay below 1 MiB, those of `evict` below a
    third of the table.
    """

    def __init__(self, name: str, capacity: int, account: Account) -> None:
        if capacity < 1:
            raise ValueError(f"{name}: expected a capacity >= 1, got {capacity}")
        affordable = (account.limit - account.used) // BUCKET_BYTES
        self.name = name
        self._account = account
        super().__init__(max(2, min(capacity // WAYS, affordable)), FIRST_BUCKETS)
        account.hold(self._buckets * BUCKET_BYTES)  # the least that a table is, be the account full or not
        self._peak = self._hits = self._misses = self._evicted = 0
        self._left_over: list[tuple[int, int]] = []
        self.has_evicted = False
        self.newest_evictable = ANY_ID

    def __repr__(self) -> str:
        return f"KeyTable({self.name}: {self._count} of {self.capacity}, slots={self._buckets * WAYS})"

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: int) -> bool:
        return len(self._find(np.array([key], np.uint64))[1]) > 0

    @property
    def capacity(self) -> int:
        """Slots that the table may grow to, as the account stands."""
        return max(self._buckets, self._affordable_buckets()) * WAYS

    def get_many(self, keys: Keys) -> Ids:
        """The id of each key, 0 for an absent one."""
        keys = np.ascontiguousarray(keys, dtype=np.uint64)
        if len(keys) <= BATCH_KEYS:
            ids = self._look_up(keys)
        else:
            ids = np.concatenate([self._look_up(keys[at : at + BATCH_KEYS]) for at in range(0, len(keys), BATCH_KEYS)])
        hits = int(np.count_nonzero(ids))
        self._hits += hits
        self._misses += len(ids) - hits
        return ids

    def get_list(self, keys: list[int]) -> list[int]:
        """As `get_many`, of and for plain ints: compiled, a tenth of its time for the dozen keys of a page."""
        if compiled is None:
            return list(map(int, self.get_many(np.array(keys, dtype=np.uint64))))
        mask, half = int(self._mask), int(self._half)
        ids, slots = compiled.found_in_table(keys, self._key_view, self._id_view, mask, half, self._buckets)
        if self.has_evicted:
            self._second_chance.mark(np.array(slots, dtype=np.intp))
        self._hits += len(slots)
        self._misses += len(keys) - len(slots)
        return ids

    def get_words(self, keys: bytes) -> tuple[bytes, list[int]]:
        """As `get_many`, of and for native words; and the places of absent keys."""
        if compiled is None:
            ids = self.get_many(np.frombuffer(keys, np.uint64))
            return ids.tobytes(), np.flatnonzero(ids == 0).tolist()
        mask, half = int(self._mask), int(self._half)
        found, slots, absent = compiled.found_words(keys, self._key_view, self._id_view, mask, half, self._buckets)
        if self.has_evicted:
            self._second_chance.mark(np.frombuffer(slots, dtype=np.intp))
        self._hits += len(found) // 4 - len(absent)
        self._misses += len(absent)
        return found, absent

    def put_many(self, keys: Keys, ids: Ids) -> int:
        """Keep each key with its id (>= 1); of a key given twice the last id holds. How many others had to leave."""
        keys, ids = np.ascontiguousarray(keys, dtype=np.uint64), np.asarray(ids, dtype=np.uint32)
        assert len(keys) == len(ids), f"{self.name}: {len(keys)} keys with {len(ids)} ids"
        assert ids.all(), f"{self.name}: an id of 0"
        before = self._evicted
        for at in range(0, len(keys), BATCH_KEYS):
            batch = keys[at : at + BATCH_KEYS]
            self._fit(len(batch))
            self._put(batch, ids[at : at + BATCH_KEYS])
        self._peak = max(self._peak, self._count)
        return self._evicted - before

    def may_have_evicted(self, keys: Keys) -> Flags:
        """For each key, whether its first bucket ever lost one: an absent key of another bucket was never put."""
        keys = np.ascontiguousarray(keys, dtype=np.uint64)
        return self._lost.take(self._buckets_of(keys)[:, 0])

    def take_left_over(self) -> list[tuple[int, int]]:
        """The (key, id) that must stay and found no room since the last call: they are no longer here."""
        left_over, self._left_over = self._left_over, []
        return left_over

    def evict(self, n: int) -> list[tuple[int, int]]:
        """Let the `n` keys with the smallest ids go: (key, id), the oldest first. Frees slots, not bytes."""
        ids = self._ids[: self._buckets * WAYS]
        taken = np.flatnonzero((ids != 0) & (ids <= self.newest_evictable))
        count = min(max(0, n), len(taken))
        if not count:
            return []
        oldest = np.argpartition(self._ids[taken], count - 1)[:count]
        slots = taken[oldest]
        slots = slots[np.argsort(self._ids[slots], kind="stable")]
        keys = self._keys[slots]
        left = list(zip(keys.tolist(), self._ids[slots].tolist(), strict=True))
        self._taken[: self._buckets] -= np.bincount(slots // WAYS, minlength=self._buckets).astype(np.uint8)
        self._free(slots)
        self._count -= count
        self._record_evicted(keys)
        return left

    def shrink(self) -> int:
        """Give back what is over the account's limit, at most 0.2 MiB a call (10 ms); the bytes released, 0 at the end.

        Keys of the buckets that go move to the others while these have room, and are evicted where they have none.
        """
        before = self._buckets
        excess = min(before - max(2, self._affordable_buckets()), SHRINK_BUCKETS)
        while before - self._buckets < excess:
            self._merge(min(GROW_BUCKETS * CHOICES, excess - before + self._buckets))
        if self._buckets < before:
            for column, width in ((self._keys, WAYS), (self._ids, WAYS), (self._taken, 1), (self._lost, 1)):
                discard(column, self._buckets * width)
            self._second_chance.discard(self._buckets)
        return (before - self._buckets) * BUCKET_BYTES

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
        at_home = (self._buckets_of(keys) == np.arange(slots)[:, None] // WAYS).any(axis=1)
        taken = ids != 0
        assert np.array_equal(at_home, taken), f"{self!r}: a taken slot in a wrong bucket, or a free one in its own"
        assert np.array_equal(taken.reshape(-1, WAYS).sum(axis=1), self._taken[: self._buckets]), self
        assert int(taken.sum()) == self._count <= self._peak, self
        assert len(np.unique(keys[taken])) == self._count, f"{self!r}: a key twice"
        assert not self._ids[slots:].any(), f"{self!r}: an id beyond the slots in use"
        assert not self._keys[slots:].any(), f"{self!r}: a key beyond the slots in use"
        assert self.has_evicted == bool(self._evicted), self
        assert self.has_evicted or not self._lost.any(), self
        assert self._buckets <= self._most_buckets, self
        assert self._account.used >= self._buckets * BUCKET_BYTES, self
        self._account.check()

    def _look_up(self, keys: Keys) -> Ids:
        _, found, slots = self._find(keys)
        ids: Ids = np.zeros(len(keys), np.uint32)
        ids[found] = self._ids.take(slots)
        if self.has_evicted:
            self._second_chance.mark(slots)
        return ids

    def _put(self, keys: Keys, ids: Ids) -> None:
        """Rounds: known keys get their ids, then each bucket takes one new key; the rest tries again."""
        rounds = 0
        keys, ids = self._put_plainly(keys, ids)
        while len(keys):
            buckets, found, slots = self._find(keys)
            self._ids[slots] = ids[found]
            is_absent = np.ones(len(keys), np.bool_)
            is_absent[found] = False
            keys, ids, buckets = keys[is_absent], ids[is_absent], buckets[is_absent]
            taken = self._taken.take(buckets)
            is_full = taken.min(axis=1, initial=WAYS) == WAYS
            has_room = ~is_full
            left = self._insert(keys[has_room], ids[has_room], buckets[has_room], taken[has_room])
            if is_full.any():
                rounds += 1
                stuck = self._force(keys[is_full], ids[is_full], buckets[is_full], rounds)
                # In front: of a key that is there twice, because its older self had to move, the newer id must hold.
                left = np.concatenate((stuck[0], left[0])), np.concatenate((stuck[1], left[1]))
            keys, ids = left

    def _put_plainly(self, keys: Keys, ids: Ids) -> tuple[Keys, Ids]:
        """Compiled: put what needs but a free slot or one move, which nearly all do; what is left."""
        if compiled is None:
            return keys, ids
        mask, half, columns = int(self._mask), int(self._half), (self._key_view, self._id_view, self._taken)
        may_move = not self._is_crowded()
        added, left = compiled.put_in_table(keys, ids, *columns, mask, half, self._buckets, may_move)
        self._count += added
        places = np.frombuffer(left, np.intp)
        return keys[places], ids[places]

    def _insert(self, keys: Keys, ids: Ids, buckets: Indices, taken: Counts) -> tuple[Keys, Ids]:
        """Put new keys into the emptier of their buckets, one into each; what is left."""
        chosen = np.where(taken[:, 1] < taken[:, 0], buckets[:, 1], buckets[:, 0])
        firsts = np.unique(chosen, return_index=True)[1]
        self._fill(self._claim(chosen[firsts]), keys[firsts], ids[firsts])
        return _without(firsts, keys, ids)

    def _force(self, keys: Keys, ids: Ids, buckets: Indices, rounds: int) -> tuple[Keys, Ids]:
        """Put new keys whose buckets are full in the place of others, which move or leave; what is left."""
        is_crowded = self._is_crowded()
        if not is_crowded and rounds <= MOST_MOVES:
            return self._displace(keys, ids, buckets, rounds)
        if not is_crowded and self._grow_for_a_crowd():
            # Buckets have split: the keys must be told theirs anew.
            return keys, ids
        return self._replace(keys, ids, buckets)

    def _is_crowded(self) -> bool:
        return self._buckets >= self._affordable_buckets() and self._count > CROWDED * WAYS * self._buckets

    def _displace(self, keys: Keys, ids: Ids, buckets: Indices, turn: int) -> tuple[Keys, Ids]:
        """Each key takes the slot of one of 16, which moves to its other bucket or, where that is full, waits too."""
        slots = (buckets[:, :, None] * WAYS + _WAYS).reshape(len(buckets), -1)
        homes = self._buckets_of(self._keys.take(slots).reshape(-1))
        others = (homes.sum(axis=1) - (slots.reshape(-1) >> 3)).reshape(slots.shape)
        taken = self._taken.take(others)
        # Turns, so that two keys do not push each other out for ever.
        emptiest = (np.arange(len(slots)), (taken * np.intp(2 * WAYS) + np.roll(_TURNS, turn)).argmin(axis=1))
        sources, targets, can_move = slots[emptiest], others[emptiest], taken[emptiest] < WAYS
        firsts = np.unique(np.where(can_move, targets, self._buckets + sources), return_index=True)[1]
        moves, pushes = sources[firsts[can_move[firsts]]], sources[firsts[~can_move[firsts]]]
        self._fill(self._claim(targets[firsts[can_move[firsts]]]), self._keys[moves], self._ids[moves])
        pushed = self._keys[pushes], self._ids[pushes]
        self._fill(sources[firsts], keys[firsts], ids[firsts])
        keys, ids = _without(firsts, keys, ids)
        return np.concatenate((pushed[0], keys)), np.concatenate((pushed[1], ids))

    def _replace(self, keys: Keys, ids: Ids, buckets: Indices) -> tuple[Keys, Ids]:
        """Each key takes the slot of one of 16 that was not used lately, which leaves; what is left."""
        stays = (self._id_rows.take(buckets, axis=0) > self.newest_evictable).reshape(-1, CHOICES * WAYS)
        is_hopeless = stays.all(axis=1)
        if is_hopeless.any():
            self._leave_over(keys[is_hopeless], ids[is_hopeless])
            has_room = ~is_hopeless
            keys, ids, buckets, stays = keys[has_room], ids[has_room], buckets[has_room], stays[has_room]
        victims, firsts = np.unique(self._second_chance.victims(buckets, stays), return_index=True)
        self._record_evicted(self._keys[victims])
        self._fill(victims, keys[firsts], ids[firsts])
        return _without(firsts, keys, ids)

    def _affordable_buckets(self) -> int:
        """Buckets that capacity and account allow now."""
        spare = (self._account.limit - self._account.used) // BUCKET_BYTES
        return min(self._most_buckets, self._buckets + spare)

    def _fit(self, new_keys: int) -> None:
        """Grow for so many more keys as the account allows, or shrink a little where it is over its limit."""
        if self._account.used > self._account.limit and self._buckets > 2:
            self._merge(min(GROW_BUCKETS, self._buckets - 2))
        while self._count + new_keys > FULLEST * WAYS * self._buckets and self._grow():
            pass

    def _grow_for_a_crowd(self) -> bool:
        """Room for keys that find none; not in a table half empty, where it is the keys that are no good."""
        return self._count > WAYS * self._buckets // 2 and self._grow()

    def _grow(self) -> bool:
        """Split the next buckets, if capacity and account allow it."""
        old, half = self._buckets, int(self._half)
        more = min(GROW_BUCKETS, self._affordable_buckets() - old, 2 * half - old)
        if more < 1 or not self._account.try_charge(more * BUCKET_BYTES):
            return False
        self._resize(old + more)
        lower, upper = slice(old - half, old - half + more), slice(old, old + more)
        slots = np.arange(lower.start * WAYS, lower.stop * WAYS)
        stays = (self._buckets_of(self._keys[slots]) == (slots >> 3)[:, None]).any(axis=1)
        moves = slots[(self._ids[slots] != 0) & ~stays]
        self._keys[moves + half * WAYS] = self._keys[moves]
        self._ids[moves + half * WAYS] = self._ids[moves]
        moved = np.bincount((moves >> 3) - lower.start, minlength=more).astype(np.uint8)
        self._taken[upper] = moved
        self._taken[lower] -= moved
        self._second_chance.forget(lower)
        self._lost[upper] = self._lost[lower]
        self._free(moves)
        return True

    def _merge(self, fewer: int) -> None:
        """Take the last buckets back, at most to the next power of two, and find their keys another place."""
        half = int(self._half) if self._buckets > self._half else int(self._half) // 2
        start = max(half, self._buckets - fewer)
        upper, lower = slice(start, self._buckets), slice(start - half, self._buckets - half)
        slots = slice(upper.start * WAYS, upper.stop * WAYS)
        taken = self._ids[slots] != 0
        keys, ids = self._keys[slots][taken], self._ids[slots][taken]
        self._lost[lower] |= self._lost[upper]
        for column, span in ((self._keys, slots), (self._ids, slots), (self._taken, upper), (self._lost, upper)):
            column[span] = 0
        self._second_chance.forget(upper)
        self._account.release((upper.stop - start) * BUCKET_BYTES)
        self._resize(start)
        self._count -= len(keys)
        self._put_where_room(keys, ids)

    def _put_where_room(self, keys: Keys, ids: Ids) -> None:
        """Put keys that are absent while one of their buckets has a free slot; the others are evicted."""
        while len(keys):
            buckets = self._buckets_of(keys)
            taken = self._taken.take(buckets)
            chosen = np.where(taken[:, 1] < taken[:, 0], buckets[:, 1], buckets[:, 0])
            is_full = taken.min(axis=1) == WAYS
            stays = is_full & (ids > self.newest_evictable)
            self._record_evicted(keys[is_full & ~stays])
            if stays.any():
                self._force_in(keys[stays], ids[stays], buckets[stays])
            firsts = np.unique(chosen, return_index=True)[1]
            firsts = firsts[~is_full[firsts]]
            self._fill(self._claim(chosen[firsts]), keys[firsts], ids[firsts])
            is_full[firsts] = True
            keys, ids = keys[~is_full], ids[~is_full]

    def _force_in(self, keys: Keys, ids: Ids, buckets: Indices) -> None:
        """Put keys that must stay in the place of others that need not."""
        while len(keys):
            keys, ids = self._replace(keys, ids, buckets)
            buckets = self._buckets_of(keys)

    def _leave_over(self, keys: Keys, ids: Ids) -> None:
        """Have done with keys for which there is no slot that may be taken."""
        self._record_evicted(keys)
        stays = ids > self.newest_evictable
        self._left_over += zip(keys[stays].tolist(), ids[stays].tolist(), strict=True)

    def _record_evicted(self, keys: Keys) -> None:
        """Count keys that left because of a cap, and remember of each which bucket it is looked for in first."""
        self._lost[self._buckets_of(keys)[:, 0]] = True
        self._evicted += len(keys)
        self.has_evicted = self._evicted > 0
        self._account.record_evicted(len(keys))


def _without(put: Indices, keys: Keys, ids: Ids) -> tuple[Keys, Ids]:
    """The keys that were not put, with their ids."""
    is_left = np.ones(len(keys), np.bool_)
    is_left[put] = False
    return keys[is_left], ids[is_left]
