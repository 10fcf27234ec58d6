"""KeyTable against a plain dict, over any sequence of batches."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from weaver.memory import Account, KeyTable
from weaver.memory.table import BUCKET_BYTES, FIRST_BUCKETS, WAYS

# Keys whose two halves crowd a few buckets, and few enough of these that keys come again; and keys as they should be.
HALVES = st.builds(lambda bucket, n: bucket + FIRST_BUCKETS * n, st.sampled_from([0, 1, 2, 255]), st.integers(0, 6))
CROWDED = st.builds(lambda first, second: second << 32 | first, HALVES, HALVES)
KEYS = st.lists(st.one_of(CROWDED, st.integers(0, 2**64 - 1)), max_size=80)


class KeyTableMachine(RuleBasedStateMachine):
    """Over any batches and any limits the table answers as a dict would, less what it says it may have lost."""

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[int, int] = {}
        self.next_id = 1

    @initialize(slots=st.integers(1, 3 * FIRST_BUCKETS * WAYS), buckets=st.integers(2, 3 * FIRST_BUCKETS))
    def build(self, slots: int, buckets: int) -> None:
        """A table of any size, stopped by its capacity or by its account."""
        self.account = Account("seen", buckets * BUCKET_BYTES)
        self.table = KeyTable("seen", slots, self.account)
        assert self.table.capacity == max(2, min(slots // WAYS, buckets)) * WAYS

    def _settle(self) -> int:
        """Take out of the model what the table no longer has: each confessed; and how many."""
        keys = np.array(list(self.model), np.uint64)
        ids = self.table.get_many(keys).tolist()
        maybe = self.table.may_have_evicted(keys).tolist()
        lost = 0
        for key, found, is_confessed in zip(list(self.model), ids, maybe, strict=True):
            assert [found] == self.table.get_list([key])
            assert found in (0, self.model[key])
            assert found or is_confessed
            if not found:
                del self.model[key]
                lost += 1
        return lost

    @rule(keys=KEYS)
    def put(self, keys: list[int]) -> None:
        """A batch loses exactly as many keys as it says, but for those that came and went within it."""
        ids = list(range(self.next_id, self.next_id + len(keys)))
        self.next_id += len(keys)
        evicted = self.table.put_many(np.array(keys, np.uint64), np.array(ids, np.uint32))
        self.model.update(zip(keys, ids, strict=True))
        lost = self._settle()
        assert evicted == lost or (evicted > lost and len(set(keys)) < len(keys))

    @rule(n=st.integers(0, 400), seed=st.integers(0, 2**32))
    def put_random(self, n: int, seed: int) -> None:
        """A large batch of keys as they should be."""
        self.put(np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64).tolist())

    @rule(n=st.integers(-1, 200))
    def evict(self, n: int) -> None:
        """`evict` takes the smallest ids of the whole table."""
        oldest = sorted(self.model.items(), key=lambda entry: entry[1])[: max(0, n)]
        assert self.table.evict(n) == oldest
        for key, _ in oldest:
            del self.model[key]

    @rule(buckets=st.integers(0, 3 * FIRST_BUCKETS))
    def limit(self, buckets: int) -> None:
        """The account's limit falls or rises, and the table follows it down to two buckets."""
        self.account.limit = min(buckets * BUCKET_BYTES, self.account.base_limit)
        before, evicted = self.account.used, self.table.statistics().evicted
        assert self.table.shrink() == before - self.account.used
        assert self.account.used <= max(2 * BUCKET_BYTES, self.account.limit)
        assert self._settle() == self.table.statistics().evicted - evicted

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
