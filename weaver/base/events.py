"""Events: what happened and why, kept in a bounded ring and handed to whoever listens."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from weaver.base.clock import Clock

RING_CAPACITY = 1024


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: `kind` in the field's words, the wall time in seconds, and its facts."""

    kind: str
    at: float
    facts: dict[str, object]


Listener = Callable[[Event], None]


class Events:
    """The crawl's event stream: counts every kind, keeps the newest in a ring, calls the listeners.

    Emitting is for what a person would want to read (a host's robots failed, the crawl paused); per page
    there are counters only.
    """

    def __init__(self, clock: Clock, capacity: int = RING_CAPACITY) -> None:
        self._clock = clock
        self._ring: deque[Event] = deque(maxlen=capacity)
        self._listeners: list[Listener] = []
        self.counts: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"Events(emitted={sum(self.counts.values())}, kept={len(self._ring)})"

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every later event, on the emitting thread."""
        self._listeners.append(listener)

    def emit(self, kind: str, **facts: object) -> None:
        """Count and publish one event."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        event = Event(kind, self._clock.wall(), facts)
        self._ring.append(event)
        for listener in self._listeners:
            listener(event)

    def newest(self, limit: int = RING_CAPACITY) -> list[Event]:
        """The newest events, oldest first, at most `limit`."""
        return list(self._ring)[max(0, len(self._ring) - limit) :]
