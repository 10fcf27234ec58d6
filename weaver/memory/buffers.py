"""Buffers: a bounded pool of byte buffers of one size, for large bytes that come and go."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass

from weaver.memory.budget import Account

BUFFER_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """A pool at one moment: `size_bytes` of one buffer; `capacity`, `in_use`, `idle` and `peak` in buffers; the rest
    in calls since the start."""

    name: str
    size_bytes: int
    capacity: int
    in_use: int
    idle: int
    peak: int
    acquired: int
    reused: int
    refused: int

    @property
    def reuse_rate(self) -> float:
        """The share of the buffers handed out that had been there before; 0.0 before the first."""
        return self.reused / self.acquired if self.acquired else 0.0


class Pool:
    """Buffers of one size, at most `capacity` of them, each charged to the account for as long as it exists.

    Exhausted, or refused by the account, it refuses: the caller allocates its own, and nobody waits (waiting for room
    is admission's business). A buffer holds what its last user left in it: whoever takes one reads only what he wrote.

    `acquire`, `settle` and `statistics` belong to the account's thread, `give_back` and `release` to any. Invariants:
    `in_use + idle` is at most `capacity`; the account holds what exists, and what was freed since the last call on
    its own thread. Every call is O(1) but `release`, which is O(idle).
    """

    def __init__(
        self, name: str, capacity: int, *, buffer_bytes: int = BUFFER_BYTES, account: Account | None = None
    ) -> None:
        if capacity < 0 or buffer_bytes < 1:
            raise ValueError(f"{name}: expected buffers >= 0 of bytes >= 1, got {capacity} of {buffer_bytes}")
        self.name = name
        self.capacity = capacity
        self.buffer_bytes = buffer_bytes
        self._account = account or Account(name, sys.maxsize)
        self._lock = threading.Lock()
        self._idle: list[bytearray] = []
        self._made = 0
        self._owed = 0
        self._peak = self._acquired = self._reused = self._refused = 0

    def __repr__(self) -> str:
        return f"Pool({self.name}: {self._made - len(self._idle)} in use, {len(self._idle)} idle of {self.capacity})"

    def acquire(self) -> bytearray | None:
        """A buffer with whatever is in it; None where all are in use or the account has no room for one more."""
        with self._lock:
            self._settle()
            if self._idle:
                self._reused += 1
                self._acquired += 1
                return self._idle.pop()
            if self._made >= self.capacity or not self._account.try_charge(self.buffer_bytes):
                self._refused += 1
                return None
            self._made += 1
            self._acquired += 1
            self._peak = max(self._peak, self._made)
        return bytearray(self.buffer_bytes)

    def give_back(self, buffer: bytearray) -> None:
        """Take a buffer of this pool back; no view of it may be read any more."""
        assert len(buffer) == self.buffer_bytes, f"{self.name}: a foreign buffer of {len(buffer)} bytes"
        with self._lock:
            self._idle.append(buffer)
            # The account's limit may have fallen since the buffer was made.
            if self._account.used > self._account.limit:
                self._free_idle()

    def release(self) -> int:
        """Free all idle buffers; the bytes that went. From any thread."""
        with self._lock:
            return self._free_idle()

    def settle(self) -> None:
        """Tell the account what was freed; on its own thread."""
        with self._lock:
            self._settle()

    def statistics(self) -> PoolStatistics:
        """The figures now."""
        with self._lock:
            self._settle()
            idle = len(self._idle)
            return PoolStatistics(
                self.name, self.buffer_bytes, self.capacity, self._made - idle, idle, self._peak,
                self._acquired, self._reused, self._refused,
            )  # fmt: skip

    def check(self) -> None:
        """Assert the invariants."""
        with self._lock:
            self._settle()
            assert 0 <= len(self._idle) <= self._made <= self.capacity, self
            assert len({id(buffer) for buffer in self._idle}) == len(self._idle), f"{self}: a buffer came back twice"
            assert self._account.used >= self._made * self.buffer_bytes, self
        self._account.check()

    def _free_idle(self) -> int:
        freed = len(self._idle)
        self._idle.clear()
        self._made -= freed
        self._owed += freed
        return freed * self.buffer_bytes

    def _settle(self) -> None:
        if self._owed:
            self._account.release(self._owed * self.buffer_bytes)
            self._owed = 0
