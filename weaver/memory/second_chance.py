"""SecondChance: which slots of a table were used lately, a bit each, and which is to be let go next."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaver.memory.reserve import discard, reserved_zeros

Indices = NDArray[np.intp]

BITS = 8
_BIT_OF = np.array([1 << way for way in range(BITS)], np.uint8)


class SecondChance:
    """A used bit for each slot of buckets of eight, and a clock's hand (Corbato 1968) within a pair of buckets.

    A byte a bucket. Of two slots of one bucket marked in one call only the last may be: the other is, the next time.
    """

    def __init__(self, buckets: int) -> None:
        self._used: NDArray[np.uint8] = reserved_zeros(buckets, np.uint8)
        self._hand = 0

    def __repr__(self) -> str:
        return f"SecondChance({len(self._used)} buckets, hand={self._hand})"

    def mark(self, slots: Indices) -> None:
        """These slots were used."""
        buckets = slots >> 3
        marks = self._used.take(buckets)
        marks |= _BIT_OF.take(slots & 7)
        self._used[buckets] = marks

    def victims(self, pairs: Indices, is_pinned: NDArray[np.bool_] | None = None) -> Indices:
        """For each pair of buckets the next slot in turn that was not used; where all were, that is over for both.

        Never one of those pinned, of 16 a pair, unless all are.
        """
        used = np.unpackbits(self._used.take(pairs), axis=1, bitorder="little")
        self._hand = (self._hand + 1) % (2 * BITS)
        turns = (np.arange(2 * BITS) - self._hand) % (2 * BITS)
        ranks = used * 2 * BITS + turns
        if is_pinned is not None:
            ranks += is_pinned * (4 * BITS)
        ways = ranks.argmin(axis=1)
        rows = np.arange(len(pairs))
        self._used[pairs[used[rows, ways] != 0]] = 0
        slots: Indices = pairs[rows, ways >> 3] * BITS + (ways & 7)
        return slots

    def forget(self, buckets: slice) -> None:
        """None of these buckets' slots was used."""
        self._used[buckets] = 0

    def discard(self, start: int) -> None:
        """The buckets from `start` on are gone: their RAM goes back."""
        discard(self._used, start)
