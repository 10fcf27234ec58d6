"""Time as an injected value: one protocol, the machine's clock, and one that tests turn by hand."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings of now, both in seconds."""

    def monotonic(self) -> float:
        """Seconds that never step back; deadlines inside one process are kept in it."""
        ...

    def wall(self) -> float:
        """Seconds since 1970 UTC; what is written to disk is kept in it."""
        ...


class SystemClock:
    """The machine's clock."""

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)


class ManualClock:
    """A clock that moves only when told to; ships with the package so that users can test with it."""

    def __init__(self, start_s: float = 1_000.0, wall_s: float = 1_700_000_000.0) -> None:
        self._now_s = start_s
        self._wall_s = wall_s

    def monotonic(self) -> float:
        return self._now_s

    def wall(self) -> float:
        return self._wall_s

    def advance(self, seconds: float) -> None:
        """Move both readings forward by `seconds` (>= 0)."""
        if seconds < 0:
            raise ValueError(f"expected seconds >= 0, got {seconds}")
        self._now_s += seconds
        self._wall_s += seconds

    def step_wall(self, seconds: float) -> None:
        """Step the wall clock alone, either way, as an administrator or NTP does."""
        self._wall_s += seconds
