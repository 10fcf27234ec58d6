"""BoundedLRU against a plain dict, over any sequence of operations."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from weaver.base.clock import ManualClock
from weaver.memory import Account, BoundedLRU
from weaver.memory.bounded import PUT_TIME_BYTES, SIZE_BYTES

TTL_S = 60.0
ENTRY_BYTES = 20
BASE_BYTES = ENTRY_BYTES + PUT_TIME_BYTES + SIZE_BYTES
# Few enough that a put looks at every entry (SCAN_PER_PUT), so that the model need not know of scan credit.
KEYS = st.integers(0, 11)


class LRUMachine(RuleBasedStateMachine):
    """Over any sequence of operations the map holds what a dict would, less what it announced."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.protected: set[int] = set()
        self.model: dict[int, tuple[int, int, float]] = {}
        self.told: list[tuple[int, Any]] = []
        self.serial = 0

    @initialize(capacity=st.integers(1, 8), limit=st.integers(BASE_BYTES, 6 * BASE_BYTES), prune=st.floats(0.2, 1.0))
    def build(self, capacity: int, limit: int, prune: float) -> None:
        """A map of any caps, in an account of its own."""
        self.account = Account("lru", limit)
        self.prune = prune
        self.lru: BoundedLRU[int, tuple[int, int]] = BoundedLRU(
            "lru",
            capacity,
            account=self.account,
            entry_bytes=ENTRY_BYTES,
            bytes_of=lambda _, value: value[1],
            ttl_s=TTL_S,
            clock=self.clock,
            prune_to=prune,
            is_protected=lambda key, _: key in self.protected,
            on_evict=lambda key, value: self.told.append((key, value)),
        )

    def _is_aged(self, key: int) -> bool:
        return self.clock.monotonic() - self.model[key][2] >= TTL_S and key not in self.protected

    def _settle(self, before: list[int]) -> list[int]:
        """Take what was announced out of the model: each once, none protected, by age or the oldest first."""
        by_cap = []
        for key, value in self.told:
            serial, size, _ = self.model[key]
            assert value == (serial, size)
            assert key not in self.protected
            if not self._is_aged(key):
                by_cap.append(key)
            del self.model[key]
        self.told.clear()
        survivors = [key for key in before if key in self.model and key not in self.protected]
        if by_cap:
            younger = before[before.index(by_cap[-1]) :]
            assert all(key in younger for key in survivors)
            assert by_cap == [key for key in before if key in by_cap]
        return by_cap

    def _order(self) -> list[int]:
        return list(dict(self.lru.items()))

    @rule(key=KEYS, size=st.integers(0, 2 * BASE_BYTES))
    def put(self, key: int, size: int) -> None:
        """A put keeps its entry unless it could never fit, and ends within the caps unless all else is protected."""
        before = [known for known in self._order() if known != key]
        self.model.pop(key, None)
        self.serial += 1
        accepted = self.lru.put(key, (self.serial, size))
        assert accepted == (BASE_BYTES + size <= self.account.limit)
        by_cap = self._settle(before)
        if not accepted:
            return
        self.model[key] = (self.serial, size, self.clock.monotonic())
        assert self._order()[-1] == key
        others_are_protected = self.protected >= set(self.model) - {key}
        assert others_are_protected or (len(self.lru) <= self.lru.capacity and self.account.used <= self.account.limit)
        if by_cap and not others_are_protected:
            is_pruned_by_count = len(self.lru) <= max(1, int(self.lru.capacity * self.prune))
            is_pruned_by_bytes = self.account.used <= max(int(self.account.limit * self.prune), BASE_BYTES + size)
            assert is_pruned_by_count or is_pruned_by_bytes

    @rule(key=KEYS)
    def get(self, key: int) -> None:
        """`get` and `peek` give what was put last and has not aged; only `get` is a use."""
        before = self._order()
        expected = self.model[key][:2] if key in self.model and not self._is_aged(key) else None
        assert self.lru.peek(key) == expected
        assert (key in self.lru) == (expected is not None)
        assert self._order() == before
        assert self.lru.get(key) == expected
        if expected is not None:
            assert self._order()[-1] == key
        assert not self._settle(before)

    @rule(key=KEYS)
    def pop(self, key: int) -> None:
        """`pop` gives what `peek` would, and is not announced."""
        expected = self.model[key][:2] if key in self.model and not self._is_aged(key) else None
        assert self.lru.pop(key) == expected
        self.model.pop(key, None)
        assert not self.told

    @rule()
    def clear(self) -> None:
        """`clear` gives every byte back."""
        self.lru.clear()
        self.model.clear()
        assert self.account.used == 0

    @rule(n=st.integers(-1, 12))
    def evict(self, n: int) -> None:
        """`evict` takes the oldest unprotected entries, and announces each."""
        before = self._order()
        movable = [key for key in before if key not in self.protected]
        left = self.lru.evict(n)
        assert [key for key, _ in left] == movable[: max(0, n)]
        assert self.told == left
        self.told.clear()
        for key, _ in left:
            del self.model[key]

    @rule(key=KEYS)
    def protect(self, key: int) -> None:
        """An entry becomes protected, or is so no longer."""
        self.protected ^= {key}

    @rule(seconds=st.sampled_from([1.0, 29.0, 60.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        """Entries and bytes are those of the model."""
        if hasattr(self, "lru"):
            self.lru.check()
            assert dict(self.lru.items()) == {key: value[:2] for key, value in self.model.items()}
            assert self.account.used == sum(BASE_BYTES + size for _, size, _ in self.model.values())


TestBoundedLRU = LRUMachine.TestCase
