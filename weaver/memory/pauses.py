"""PauseHistogram: how long many short stops took, in a fixed number of bytes."""

from __future__ import annotations

import math
from array import array

_LEAST_S = 1e-6
_GROWTH = 1.1
# 1 us to 190 s.
_BINS = 200


class PauseHistogram:
    """Durations counted in bins that each are 10 % wider than the one before; quantiles are within 5 %.

    Invariants: the bins together hold `count`; `max_s` and `total_s` are exact. `record` is O(1); 1.6 kB in all.
    Durations below 1 us count as 1 us, those above 190 s as the longest seen.
    """

    __slots__ = ("_bins", "count", "max_s", "total_s")

    def __init__(self) -> None:
        self._bins = array("Q", bytes(8 * _BINS))
        self.count = 0
        self.max_s = 0.0
        self.total_s = 0.0

    def __repr__(self) -> str:
        return f"PauseHistogram({self.count} in {self.total_s:.3f} s, p99 {self.quantile(0.99):.6f} s)"

    def record(self, duration_s: float) -> None:
        """Count one stop."""
        self._bins[_bin(duration_s)] += 1
        self.count += 1
        self.total_s += duration_s
        self.max_s = max(self.max_s, duration_s)

    def quantile(self, share: float) -> float:
        """The duration in seconds that this share of the stops (0 to 1) did not pass; 0 before the first stop."""
        rank = max(1, math.ceil(share * self.count))
        passed = 0
        for index, held in enumerate(self._bins):
            passed += held
            if passed >= rank:
                return min(self.max_s, _LEAST_S * math.pow(_GROWTH, index + 0.5))
        return self.max_s

    def check(self) -> None:
        """Assert the invariants."""
        assert sum(self._bins) == self.count, self
        assert 0.0 <= self.max_s <= self.total_s or self.count <= 1, self


def _bin(duration_s: float) -> int:
    if duration_s <= _LEAST_S:
        return 0
    return min(_BINS - 1, int(math.log(duration_s / _LEAST_S, _GROWTH)))
