"""Trend: the newest readings of one quantity, how fast it grows and how much it wavers."""

from __future__ import annotations

from collections import deque

READINGS = 12
# Two points always lie on a line: only a third one says whether it is one.
LEAST_READINGS = 3


class Trend:
    """A fixed ring of readings; every call costs O(READINGS)."""

    __slots__ = ("_readings",)

    def __init__(self, capacity: int = READINGS) -> None:
        self._readings: deque[tuple[float, float]] = deque(maxlen=capacity)

    def __len__(self) -> int:
        return len(self._readings)

    def __repr__(self) -> str:
        return f"Trend({len(self)} readings, {self.slope():.0f} a second)"

    def add(self, at_s: float, value: float) -> None:
        """Take a reading; the oldest leaves when the ring is full."""
        self._readings.append((at_s, value))

    def slope(self) -> float:
        """Units a second, by least squares; 0 where there are too few readings, or no time between them."""
        if len(self) < LEAST_READINGS:
            return 0.0
        mean_at = sum(at for at, _ in self._readings) / len(self)
        mean = self._mean()
        spread = sum((at - mean_at) ** 2 for at, _ in self._readings)
        if spread <= 0:
            return 0.0
        return sum((at - mean_at) * (value - mean) for at, value in self._readings) / spread

    def deviation(self) -> float:
        """The standard deviation of the readings; 0 for none."""
        if not self._readings:
            return 0.0
        mean = self._mean()
        return float((sum((value - mean) ** 2 for _, value in self._readings) / len(self)) ** 0.5)

    def _mean(self) -> float:
        return sum(value for _, value in self._readings) / len(self)
