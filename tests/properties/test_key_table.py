"""KeyTable against a plain dict, over any sequence of batches."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from weaver.memory import Account, KeyTable
from weaver.memory.table import BUCKET_BYTES, WAYS

FIRST_BUCKETS = 256
# Keys that crowd a few buckets, so that a table of 4096 slots doubles and overflows within a few batches.
CROWDED = st.builds(lambda bucket, n: bucket + FIRST_BUCKETS * n, st.sampled_from([0, 1, 2, 255]), st.integers(0, 90))
KEYS = st.lists(st.one_of(CROWDED, st.integers(0, 2**64 - 1)), max_size=80)


class KeyTableMachine(RuleBasedStateMachine):
    """Over any batches the table answers as a dict would, less what it says it may have lost."""

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[int, int] = {}
        self.next_id = 1

    @initialize(doublings=st.integers(0, 2), spare=st.integers(0, 3))
    def build(self, doublings: int, spare: int) -> None:
        """A table that may double up to twice, stopped by its capacity or by its account."""
        buckets = FIRST_BUCKETS << doublings
        self.account = Account("seen", buckets * BUCKET_BYTES)
        self.table = KeyTable("seen", 10**6 if spare else buckets * WAYS, self.account)
        assert self.table.capacity == buckets * WAYS

    def _bucket(self, key: int) -> int:
        return key % (self.table.capacity // WAYS)

    def _settle(self, kept: set[int]) -> set[int]:
        """Keys that the table no longer has: each was confessed, and older than all that its bucket kept."""
        keys = list(self.model)
        ids = self.table.get_many(np.array(keys, np.uint64)).tolist()
        maybe = self.table.may_have_evicted(np.array(keys, np.uint64)).tolist()
        lost = {key for key, found in zip(keys, ids, strict=True) if not found}
        for key, found, confessed in zip(keys, ids, maybe, strict=True):
            assert found == (0 if key in lost else self.model[key])
            assert found == self.table.get(key)
            assert found or confessed
        for key in lost:
            assert all(
                self.model[other] > self.model[key]
                for other in keys
                if other not in lost and other not in kept and self._bucket(other) == self._bucket(key)
            )
        return lost

    @rule(keys=KEYS)
    def put(self, keys: list[int]) -> None:
        """A batch loses no more than it says."""
        ids = list(range(self.next_id, self.next_id + len(keys)))
        self.next_id += len(keys)
        evicted = self.table.put_many(np.array(keys, np.uint64), np.array(ids, np.uint32))
        self.model.update(zip(keys, ids, strict=True))
        lost = self._settle(set(keys))
        assert evicted >= len(lost)
        # A key of the batch may have left and come again, or been put and left within it.
        assert evicted == len(lost) or set(keys) & set(self.model)
        for key in lost:
            del self.model[key]

    @rule(n=st.integers(-1, 200))
    def evict(self, n: int) -> None:
        """`evict` takes the smallest ids of the whole table."""
        oldest = sorted(self.model.items(), key=lambda entry: entry[1])[: max(0, n)]
        assert self.table.evict(n) == oldest
        for key, _ in oldest:
            del self.model[key]

    @rule(keys=KEYS)
    def look_up(self, keys: list[int]) -> None:
        """Known keys give their id, all others 0."""
        found = self.table.get_many(np.array(keys, np.uint64)).tolist()
        assert found == [self.model.get(key, 0) for key in keys]

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        """The count and the bytes are those of the model."""
        if hasattr(self, "table"):
            self.table.check()
            assert len(self.table) == len(self.model)
            assert self.account.used == self.table.statistics().bytes


TestKeyTable = KeyTableMachine.TestCase
