"""The figures that people watch: pages per second and the time that is left, from a row of status documents."""

from __future__ import annotations

from collections import deque
from typing import Any

from weaver.base.settings import CrawlSettings

RATE_WINDOW_S = 10.0

Status = dict[str, Any]
"""The `status --json` document."""


def pages_done(status: Status) -> int:
    """Pages fetched so far: new ones and duplicates."""
    return int(status.get("pages", {}).get("fetched", 0))


class Pace:
    """Pages per second over the last RATE_WINDOW_S; one sample a tick, so its memory is bounded by the ticks."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque(maxlen=256)

    def add(self, at_s: float, pages: int) -> None:
        """Note how many pages there were at a monotonic second."""
        self._samples.append((at_s, pages))
        while len(self._samples) > 2 and at_s - self._samples[0][0] > RATE_WINDOW_S:
            self._samples.popleft()

    @property
    def per_second(self) -> float:
        if len(self._samples) < 2:
            return 0.0
        (first_s, first), (last_s, last) = self._samples[0], self._samples[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0


def share_done(status: Status, settings: CrawlSettings) -> float | None:
    """How much of the nearest limit is used, 0 to 1; None where there is no limit."""
    shares = []
    if settings.max_pages:
        shares.append(pages_done(status) / settings.max_pages)
    if settings.max_duration:
        shares.append(float(status.get("wall_s", 0.0)) / settings.max_duration)
    return min(1.0, max(shares)) if shares else None


def left_s(status: Status, settings: CrawlSettings, per_second: float) -> float | None:
    """Seconds until the nearest limit at this pace; None where no limit is known."""
    times = []
    if settings.max_pages and per_second > 0:
        times.append(max(0, settings.max_pages - pages_done(status)) / per_second)
    if settings.max_duration:
        times.append(max(0.0, settings.max_duration - float(status.get("wall_s", 0.0))))
    return min(times) if times else None
