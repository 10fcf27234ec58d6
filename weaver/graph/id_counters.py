"""IdCounters: one exact count for each of the newest ids, in 4 bytes an id."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from weaver.codec import Nodes, Targets
from weaver.memory.budget import Account
from weaver.memory.reserve import reserved_zeros

COUNTER_BYTES = 4
# One step of growth: 64 KiB, or a sixteenth of a small column.
STEP_IDS = 16_384
_ONE = np.uint32(1)


class IdCounters:
    """A ring of counters over a window of ids that slides as ids are discovered; the oldest ids fall out of it.

    A counter begins at zero when its id enters the window and sees everything from then on, whatever becomes of the
    rows in RAM: exact by construction. Invariants: `first` is the smallest id counted, `last` the largest known;
    `last - first < capacity`; counters outside the window hold nothing. `add`, `subtract` and `of_all` are O(ids) in
    numpy, `advance` O(new ids).
    """

    def __init__(self, capacity: int, account: Account) -> None:
        self.capacity = capacity
        self.first = 1
        self.last = 0
        self._account = account
        self._step = min(STEP_IDS, max(1, capacity // 16))
        self._charged_ids = 0
        self._ring: NDArray[np.uint32] = reserved_zeros(capacity, np.uint32)
        # Scalars are read and written through a memoryview, at a third of numpy's cost.
        self._counts = self._ring.data

    def __repr__(self) -> str:
        return f"IdCounters({self.first}..{self.last}, {len(self)} of {self.capacity})"

    def __len__(self) -> int:
        return self.last - self.first + 1

    @property
    def bytes(self) -> int:
        """What the counters are charged at; grows with the ids, never shrinks."""
        return self._charged_ids * COUNTER_BYTES

    def needed_bytes(self, last: int) -> int:
        """What `advance(last)` would charge."""
        return max(0, self._ids_for(last) - self._charged_ids) * COUNTER_BYTES

    def advance(self, last: int) -> bool:
        """Ids up to `last` are known now, and counted from now on; the oldest ones leave a full ring.

        False, and nothing has changed, where the account refuses what the counters take.
        """
        if last <= self.last:
            return True
        growth = self.needed_bytes(last)
        if growth and not self._account.try_charge(growth):
            return False
        self._charged_ids += growth // COUNTER_BYTES
        self._clear(max(self.last + 1, last - self.capacity + 1), last)
        self.last = last
        self.first = max(self.first, last - self.capacity + 1)
        return True

    def discover(self, last: int, make_room: Callable[[], bool]) -> None:
        """Ids up to `last` are known now; where the account refuses, others make room, as long as they can."""
        while last > self.last and not self.advance(last):
            if not make_room():
                self.settle()

    def settle(self) -> None:
        """Stay at the present size: the account has no room for more, and never wrapped so far."""
        assert self.last < max(1, self._charged_ids), self
        self.capacity = self._charged_ids

    def forget(self) -> None:
        """Count only ids that are discovered from now on: of the known ones, edges are missing."""
        self.first = self.last + 1

    def add(self, targets: Targets) -> None:
        """Count one more for each target, as often as it is given."""
        slots = self._slots(targets)
        np.add.at(self._ring, slots, _ONE)

    def subtract(self, targets: Targets) -> None:
        """Count one less for each target, all of which were added."""
        slots = self._slots(targets)
        np.subtract.at(self._ring, slots, _ONE)

    def change(self, number: int, by: int) -> None:
        """Count so many more, or less, for an id; one outside the window is not counted."""
        if self.first <= number <= self.last:
            self._counts[number % self.capacity] += by

    def of(self, node: int) -> int | None:
        """What was counted for the id; None for one outside the window."""
        if not self.first <= node <= self.last:
            return None
        return self._counts[node % self.capacity]

    def of_all(self, numbers: Nodes) -> Targets:
        """What was counted for each id; 0 for one outside the window."""
        found = np.zeros(len(numbers), np.uint32)
        is_counted = (numbers >= self.first) & (numbers <= self.last)
        found[is_counted] = self._ring[self._slots(numbers[is_counted])]
        return found

    def check(self) -> None:
        """Assert the invariants; O(capacity)."""
        assert self.first >= 1, self
        assert 0 <= len(self) <= max(self.capacity, 0), self
        outside = np.ones(len(self._ring), np.bool_)
        if len(self):
            outside[np.arange(self.first, self.last + 1) % self.capacity] = False
        lost = self._ring[outside]
        assert not lost.any() or self.first > 1, f"{self!r}: counts outside the window"

    def _ids_for(self, last: int) -> int:
        return min(self.capacity, (last // self._step + 1) * self._step)

    def _slots(self, targets: Targets) -> Targets:
        """Where the counted ones among the targets are; the modulo is saved until the ring is full."""
        if self.first > 1:
            targets = targets[targets >= self.first]
        return targets if self.last < self.capacity else targets % np.uint32(self.capacity)

    def _clear(self, start: int, end: int) -> None:
        """Zero the counters of ids start..end (fewer than the ring has), which held older ids before."""
        if end < self.capacity or start > end:
            return
        low, high = start % self.capacity, end % self.capacity
        if low <= high:
            self._ring[low : high + 1] = 0
        else:
            self._ring[low:] = 0
            self._ring[: high + 1] = 0
