"""GhostFilter: the fingerprints of keys that a store let go, so that it can tell how often one of them comes back."""

from __future__ import annotations

from array import array
from collections.abc import Hashable

from weaver.memory.budget import Account

WAYS = 8
MARK_BYTES = 2
# Room for 32,768 marks; of a small account a ghost takes no more than this share.
MOST_BYTES = 64 << 10
ACCOUNT_SHARE = 256
# 2^64 over the golden ratio (Knuth 6.4): spreads the hashes of small ints, which are the ints themselves.
_GOLDEN = 0x9E3779B97F4A7C15
_MASK64 = (1 << 64) - 1


class GhostFilter:
    """The newest evicted keys, 2 bytes each: a set-associative table of 16-bit fingerprints in a ring a bucket.

    A key that was never evicted is taken for one with a probability of at most 8 / 65,535 (0.012 %), when all marks are
    set. A key is forgotten when 8 newer ones fell into its bucket, so the count is a lower bound, near the truth for as
    many of the last evictions as half the marks. The bytes are taken with the first eviction. Invariants: 0 is a free
    mark; `len` is the number of the others. All calls are O(1).
    """

    def __init__(self, size_bytes: int = MOST_BYTES) -> None:
        if size_bytes < WAYS * MARK_BYTES:
            raise ValueError(f"expected a ghost of at least {WAYS * MARK_BYTES} bytes, got {size_bytes}")
        self._buckets = size_bytes // (WAYS * MARK_BYTES)
        self.size_bytes = self._buckets * WAYS * MARK_BYTES
        self._marks = array("H")
        self._count = 0
        self.reseen = 0

    @classmethod
    def within(cls, account: Account | None) -> GhostFilter | None:
        """A ghost of a size that suits the account, charged to it; None where there is no account, or no room in it."""
        if account is None:
            return None
        size_bytes = min(MOST_BYTES, account.limit // ACCOUNT_SHARE) // (WAYS * MARK_BYTES) * WAYS * MARK_BYTES
        return cls(size_bytes) if size_bytes and account.try_charge(size_bytes) else None

    def __repr__(self) -> str:
        return f"GhostFilter({self._count} of {self.capacity}, reseen={self.reseen})"

    def __len__(self) -> int:
        return self._count

    @property
    def capacity(self) -> int:
        """The most fingerprints it holds."""
        return self._buckets * WAYS

    def add(self, key: Hashable) -> None:
        """Remember a key that was let go."""
        if not self._marks:
            self._marks = array("H", bytes(self.size_bytes))
        first, mark = self._place_of(key)
        row = self._marks[first : first + WAYS]
        self._count += not row[-1]
        row.insert(0, mark)
        self._marks[first : first + WAYS] = row[:WAYS]

    def take(self, key: Hashable) -> bool:
        """Whether the key was let go not long ago; counted once, and forgotten."""
        if not self._count:
            return False
        first, mark = self._place_of(key)
        row = self._marks[first : first + WAYS]
        if mark not in row:
            return False
        row.remove(mark)
        row.append(0)
        self._marks[first : first + WAYS] = row
        self._count -= 1
        self.reseen += 1
        return True

    def check(self) -> None:
        """Assert the invariants; O(capacity)."""
        assert len(self._marks) in (0, self.capacity), self
        assert self._count == sum(1 for mark in self._marks if mark), self

    def _place_of(self, key: Hashable) -> tuple[int, int]:
        """The first slot of a key's bucket, and its fingerprint from 1 to 65,535, of other bits of the hash."""
        mixed = (hash(key) * _GOLDEN) & _MASK64
        return (mixed >> 32) * self._buckets >> 32 << 3, (mixed & 0xFFFFFFFF) % 0xFFFF + 1
