"""Bounded: the protocol that every store of weaver keeps, and the LRU map that most of them are."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from weaver.base.clock import Clock, SystemClock
from weaver.memory.budget import Account
from weaver.memory.ghost import GhostFilter
from weaver.memory.recency import RecencyCache

K = TypeVar("K")
V = TypeVar("V")

# An int as key and one as value, both counted, on CPython 3.11: 172-200 B in RSS (benchmarks/memory.py) as the dict's
# load goes, and what the allocator keeps; other keys and values weigh more.
ENTRY_BYTES = 242
# What a size (a dict slot and an int: 74 B measured) and a put time (an OrderedDict entry and a float: 129 B) add.
SIZE_BYTES = 100
PUT_TIME_BYTES = 180
# Protected entries met at the old end of the map: a put looks at this many on average, so a map full of them
# costs O(1) a put and is gone through once in len/16 puts.
SCAN_PER_PUT = 16
# Entries that one put lets go at most, beyond those in its own way: 30 us. A tenth of a large map in one go is 70 ms.
PRUNE_PER_PUT = 32
# Entries that one `shrink` looks at: 15 ms.
SHRINK_PER_CALL = 8_192


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """A bounded store at one moment.

    `current`, `capacity` and `peak` are entries, `bytes` what the store charged to its account. `evicted` entries
    left because of a cap, `expired` ones because of their age; `refused` puts were not taken; `over_capacity`
    counts the puts that left the store over a cap, because all that it looked at was protected. `reseen` entries were
    asked for or put again after their eviction: what the cap costs.
    """

    name: str
    current: int
    capacity: int
    peak: int
    bytes: int = 0
    hits: int = 0
    misses: int = 0
    evicted: int = 0
    expired: int = 0
    refused: int = 0
    over_capacity: int = 0
    reseen: int = 0


@runtime_checkable
class Bounded(Protocol):
    """What every structure keeps that lives longer than a page."""

    @property
    def capacity(self) -> int:
        """The most entries it holds."""
        ...

    def __len__(self) -> int: ...

    def statistics(self) -> StoreStatistics:
        """Its figures now."""
        ...

    def evict(self, n: int) -> Sequence[Any]:
        """Let the `n` oldest entries go, fewer if there are fewer; what left, so that it can be counted or kept."""
        ...

    def shrink(self) -> int:
        """Let go what is over the account's present limit, a part a call; the bytes released, 0 when it is done."""
        ...

    def check(self) -> None:
        """Assert the invariants."""
        ...


class BoundedLRU(Generic[K, V]):
    """A map that keeps the most recently used entries within three caps: number, bytes and age.

    - *Number*: `capacity`. *Bytes*: the account's limit, where there is an account; an entry costs `entry_bytes`
      and what `bytes_of` says of it when it is put. *Age*: `ttl_s` seconds after its put.
    - Over the number or the bytes, the oldest used leave down to `prune_to` of the cap: what is in the new entry's
      way and up to PRUNE_PER_PUT more at once, the rest with the next puts, so that no put takes long. The entry being
      put is never a victim of its own put; only one that could never fit is refused.
    - What `is_protected` stays, even past all three caps (`over_capacity` counts the puts that end so); one that
      stands in the way counts as just used.
    - `on_evict` is called once for each entry that left because of a cap, its age or `evict`, when it has left;
      not for `pop`, `clear` and a put that replaces.
    - With a `ghost`, statistics say how many entries were put again after a cap had taken them (`reseen`).

    Values are not None. Invariants: every byte charged is released when its entry leaves, by whichever way; over a
    cap there is a protected entry, or the account is shared. `get`, `peek`, `in`, `pop` are O(1), `put` amortised.
    """

    def __init__(
        self,
        name: str,
        capacity: int,
        *,
        account: Account | None = None,
        entry_bytes: int = ENTRY_BYTES,
        bytes_of: Callable[[K, V], int] | None = None,
        ttl_s: float | None = None,
        clock: Clock | None = None,
        prune_to: float = 0.9,
        is_protected: Callable[[K, V], bool] | None = None,
        on_evict: Callable[[K, V], None] | None = None,
        ghost: GhostFilter | None = None,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"{name}: expected a capacity >= 1, got {capacity}")
        if not 0 < prune_to <= 1:
            raise ValueError(f"{name}: expected prune_to above 0 and at most 1, got {prune_to}")
        self.name = name
        self.capacity = capacity
        self._account = account or Account(name, sys.maxsize)
        self._base_bytes = entry_bytes + SIZE_BYTES * (bytes_of is not None) + PUT_TIME_BYTES * (ttl_s is not None)
        self._bytes_of = bytes_of
        self._ttl_s = ttl_s
        self._clock = clock or SystemClock()
        self._prune_to = prune_to
        self._is_protected = is_protected
        self._on_evict = on_evict
        self._ghost = ghost
        self._cache: RecencyCache[K, V] = RecencyCache()
        self._order = self._cache.order
        self._sizes: dict[K, int] = {}
        # By put time; a protected entry past its age goes round, so only the reads judge by the time itself.
        self._put_at: OrderedDict[K, float] = OrderedDict()
        self._scan_credit = 0
        # Which caps a prune that is not over yet has to bring down.
        self._prunes_number = self._prunes_bytes = False
        self._bytes = self._peak = 0
        self._hits = self._misses = self._evicted = self._expired = self._refused = self._over_capacity = 0

    def __repr__(self) -> str:
        return f"BoundedLRU({self.name}: {len(self._order)} of {self.capacity}, {self._bytes} B)"

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, key: K) -> bool:
        """Whether `get` would find it; no use, not counted."""
        return key in self._order if self._ttl_s is None else self.peek(key) is not None

    def get(self, key: K) -> V | None:
        """The value, which counts as used now; None where there is none (any more)."""
        if key not in self._order or (self._ttl_s is not None and self._expire(key)):
            self._misses += 1
            return None
        self._hits += 1
        return self._cache[key]

    def peek(self, key: K) -> V | None:
        """The value without counting as a use."""
        value = self._order.get(key)
        if value is None or (self._ttl_s is not None and self._has_expired(key, value, self._now())):
            return None
        return value

    def put(self, key: K, value: V) -> bool:
        """Keep the value as the most recently used; False where it alone would pass the byte limit.

        A refused value leaves no older one behind.
        """
        size_bytes = self._base_bytes + (self._bytes_of(key, value) if self._bytes_of is not None else 0)
        now = self._now()
        if key in self._order:
            self._remove(key)
        elif self._ghost is not None:
            self._ghost.take(key)
        if size_bytes > self._account.limit:
            self._refused += 1
            return False
        self._scan_credit = min(self._scan_credit + SCAN_PER_PUT, len(self._order))
        aged = self._take_aged(now) if self._ttl_s is not None else []
        victims: list[tuple[K, V]] = []
        self._prunes_number |= len(self._order) >= self.capacity
        self._prunes_bytes |= not self._account.would_fit(size_bytes)
        if self._prunes_number or self._prunes_bytes:
            victims = self._prune(size_bytes)
        self._insert(key, value, size_bytes, now)
        if aged or victims:
            self._tell(victims, aged)
        return True

    def pop(self, key: K) -> V | None:
        """Take the value out; None where there is none. Not an eviction."""
        value = self.peek(key)
        if key in self._order:
            self._remove(key)
        return value

    def clear(self) -> None:
        """Take everything out; O(1) but for freeing. Not an eviction."""
        self._account.release(self._bytes)
        self._bytes = 0
        self._cache.clear()
        self._sizes.clear()
        self._put_at.clear()

    def items(self) -> Iterator[tuple[K, V]]:
        """All entries, oldest use first, aged ones included until they are swept; no use, and no changes meanwhile."""
        return iter(self._order.items())

    def evict(self, n: int) -> list[tuple[K, V]]:
        """Let the `n` oldest go, but for protected ones; what left. O(n + protected ones on the way)."""
        floor = len(self._order) - n
        victims, _ = self._take_oldest(len(self._order), lambda: len(self._order) <= floor)
        self._tell(victims, [])
        return victims

    def shrink(self) -> int:
        """Let the oldest go until the account is within its limit; the bytes released.

        Looks at SHRINK_PER_CALL entries at most: call again until it is 0.
        """
        before, account = self._bytes, self._account
        victims, _ = self._take_oldest(SHRINK_PER_CALL, lambda: account.used <= account.limit)
        self._tell(victims, [])
        return before - self._bytes

    @property
    def evicted(self) -> int:
        """How many entries left because of a cap."""
        return self._evicted

    def statistics(self) -> StoreStatistics:
        """The figures now."""
        return StoreStatistics(
            self.name,
            len(self._order),
            self.capacity,
            self._peak,
            self._bytes,
            self._hits,
            self._misses,
            self._evicted,
            self._expired,
            self._refused,
            self._over_capacity,
            self._ghost.reseen if self._ghost is not None else 0,
        )

    def check(self) -> None:
        """Assert the invariants; O(n)."""
        order = self._order
        sizes = [self._sizes.get(key, self._base_bytes) for key in order]
        assert self._bytes == sum(sizes), self
        assert set(self._sizes) <= set(order), self
        assert set(self._put_at) == (set(order) if self._ttl_s is not None else set()), self
        assert len(order) <= self._peak, self
        assert self._bytes <= self._account.used, self
        assert len(order) <= self.capacity or self._over_capacity, self
        self._account.check()

    def _now(self) -> float:
        return self._clock.monotonic() if self._ttl_s is not None else 0.0

    def _insert(self, key: K, value: V, size_bytes: int, now: float) -> None:
        self._cache[key] = value
        self._bytes += size_bytes
        if size_bytes != self._base_bytes:
            self._sizes[key] = size_bytes
        if self._ttl_s is not None:
            self._put_at[key] = now
        self._account.hold(size_bytes)
        if len(self._order) > self.capacity or self._account.used > self._account.limit:
            self._over_capacity += 1
        if len(self._order) > self._peak:
            self._peak = len(self._order)

    def _remove(self, key: K) -> V:
        value = self._order.pop(key)
        size_bytes = self._sizes.pop(key, self._base_bytes) if self._sizes else self._base_bytes
        self._bytes -= size_bytes
        self._account.release(size_bytes)
        if self._ttl_s is not None:
            del self._put_at[key]
        return value

    def _prune(self, size_bytes: int) -> list[tuple[K, V]]:
        """Make room for one entry of this size, and go on with a prune: each cap that was met, to `prune_to` of it."""
        order, account = self._order, self._account
        keep, keep_bytes = self.capacity - 1, account.limit - size_bytes
        mark, mark_bytes = keep, keep_bytes
        if self._prunes_number:
            mark = max(1, int(self.capacity * self._prune_to)) - 1
        if self._prunes_bytes:
            mark_bytes = max(0, int(account.limit * self._prune_to) - size_bytes)
        floor = len(order) - PRUNE_PER_PUT

        def is_enough() -> bool:
            if len(order) > floor:
                return len(order) <= mark and account.used <= mark_bytes
            return len(order) <= keep and account.used <= keep_bytes

        victims, scanned = self._take_oldest(self._scan_credit, is_enough)
        self._scan_credit -= scanned
        self._prunes_number &= mark < len(order) <= floor
        self._prunes_bytes &= account.used > mark_bytes and len(order) <= floor
        return victims

    def _take_oldest(self, scan: int, is_enough: Callable[[], bool]) -> tuple[list[tuple[K, V]], int]:
        """Remove the oldest unprotected until it is enough, looking at `scan` entries at most; and how many it saw."""
        order, is_protected = self._order, self._is_protected
        victims: list[tuple[K, V]] = []
        scanned = 0
        while scanned < scan and order and not is_enough():
            scanned += 1
            key = next(iter(order))
            if is_protected is not None and is_protected(key, order[key]):
                order.move_to_end(key)
            else:
                victims.append((key, self._remove(key)))
        return victims, scanned

    def _has_expired(self, key: K, value: V, now: float) -> bool:
        if self._ttl_s is None or now - self._put_at[key] < self._ttl_s:
            return False
        return self._is_protected is None or not self._is_protected(key, value)

    def _expire(self, key: K) -> bool:
        """Let the entry go if its age is up."""
        value = self._order[key]
        if not self._has_expired(key, value, self._now()):
            return False
        self._remove(key)
        self._tell([], [(key, value)])
        return True

    def _take_aged(self, now: float) -> list[tuple[K, V]]:
        """Remove those whose age is up: at most SCAN_PER_PUT a put, so faster than they come in."""
        aged: list[tuple[K, V]] = []
        ttl_s = self._ttl_s or 0.0
        for _ in range(min(SCAN_PER_PUT, len(self._put_at))):
            key, put_at = next(iter(self._put_at.items()))
            if now - put_at < ttl_s:
                break
            if self._has_expired(key, self._order[key], now):
                aged.append((key, self._remove(key)))
            else:
                self._put_at.move_to_end(key)
        return aged

    def _tell(self, victims: list[tuple[K, V]], aged: list[tuple[K, V]]) -> None:
        """Count and announce what left; last, so that a listener finds the store whole."""
        self._evicted += len(victims)
        self._expired += len(aged)
        if victims:
            self._account.record_evicted(len(victims))
            if self._ghost is not None:
                for key, _ in victims:
                    self._ghost.add(key)
        if self._on_evict is not None:
            for key, value in (*aged, *victims):
                self._on_evict(key, value)
