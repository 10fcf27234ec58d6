"""Events: what happened and why, kept in a bounded ring and handed to whoever listens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from sys import getsizeof
from typing import Protocol

from weaver.base.clock import Clock

RING_CAPACITY = 1024
# Measured with tracemalloc: an event with its time, its dict and its place in the ring, facts apart.
EVENT_BYTES = 295
# Longer facts are cut: an event is for a person to read, and a stranger may have a say in it.
LONGEST_TEXT = 4_096
LONGEST_LIST = 100


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: `kind` in the field's words, the wall time in seconds, and its facts."""

    kind: str
    at: float
    facts: dict[str, object]


Listener = Callable[[Event], None]


class Allowance(Protocol):
    """The bytes that the ring may take: an account of the memory budget."""

    @property
    def limit(self) -> int:
        """The most that may be in use, now."""
        ...

    def hold(self, size_bytes: int) -> None:
        """Charge the bytes."""
        ...

    def release(self, size_bytes: int) -> None:
        """Give them back."""
        ...


class Events:
    """The crawl's event stream: counts every kind, keeps the newest in a ring, calls the listeners.

    The ring has two caps, `capacity` events and, where there is one, the allowance's bytes; the newest event always
    stays. Emitting is for what a person would want to read (a host's robots failed, the crawl paused); per page
    there are counters only.
    """

    def __init__(self, clock: Clock, capacity: int = RING_CAPACITY) -> None:
        self._clock = clock
        self._capacity = capacity
        self._ring: deque[Event] = deque()
        self._sizes: deque[int] = deque()
        self._bytes = 0
        self._allowance: Allowance | None = None
        self._listeners: list[Listener] = []
        self.counts: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"Events(emitted={sum(self.counts.values())}, kept={len(self._ring)})"

    @property
    def bytes(self) -> int:
        """What the ring takes."""
        return self._bytes

    def keep_within(self, allowance: Allowance) -> None:
        """Charge the ring to an account from now on."""
        self._allowance = allowance
        allowance.hold(self._bytes)

    def shrink(self) -> int:
        """Drop the oldest events until the ring is within its allowance; bytes let go."""
        before = self._bytes
        while len(self._ring) > 1 and self._is_over():
            self._drop_oldest()
        return before - self._bytes

    def _keep(self, event: Event) -> None:
        size_bytes = EVENT_BYTES + sum(map(_fact_bytes, event.facts.values()))
        self._ring.append(event)
        self._sizes.append(size_bytes)
        self._bytes += size_bytes
        if self._allowance is not None:
            self._allowance.hold(size_bytes)
        self.shrink()

    def _is_over(self) -> bool:
        is_too_much = self._allowance is not None and self._bytes > self._allowance.limit
        return is_too_much or len(self._ring) > self._capacity

    def _drop_oldest(self) -> None:
        self._ring.popleft()
        size_bytes = self._sizes.popleft()
        self._bytes -= size_bytes
        if self._allowance is not None:
            self._allowance.release(size_bytes)

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every later event, on the emitting thread."""
        self._listeners.append(listener)

    def emit(self, kind: str, **facts: object) -> None:
        """Count and publish one event."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        event = Event(kind, self._clock.wall(), {name: _cut(fact) for name, fact in facts.items()})
        self._keep(event)
        for listener in self._listeners:
            listener(event)

    def newest(self, limit: int = RING_CAPACITY) -> list[Event]:
        """The newest events, oldest first, at most `limit`."""
        return list(self._ring)[max(0, len(self._ring) - limit) :]


def _cut(fact: object) -> object:
    """The fact, or as much of it as a person would read."""
    if isinstance(fact, str) and len(fact) > LONGEST_TEXT:
        return f"{fact[:LONGEST_TEXT]}... ({len(fact)} characters)"
    if isinstance(fact, list | tuple):
        more = [f"... ({len(fact)} in all)"] if len(fact) > LONGEST_LIST else []
        return [*map(_cut, fact[:LONGEST_LIST]), *more]
    return fact


def _fact_bytes(fact: object) -> int:
    return getsizeof(fact) + (sum(map(getsizeof, fact)) if isinstance(fact, list) else 0)
