"""Soak targets: what a soak says of the collector, of growth and of time, in the units of the aims that weaver has."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.soak_watch import Figures, Sample, Spread
from weaver.pipeline import Crawl

DAY_S = 86_400.0
HOUR_S = 3_600.0
LEAST_SAMPLES = 4
FULL = 2


class PageTimes:
    """How long each page takes in the crawl, from its lease to its record: the time of a page run, all waits included.

    It stands in for the engine's page run, and passes everything on.
    """

    def __init__(self, crawl: Crawl) -> None:
        self.spread = Spread()
        self._page_run = crawl._engine._page_run
        crawl._engine._page_run = self  # type: ignore[assignment]

    async def run(self, lease: Any) -> Any:
        """Run the lease, timed."""
        began_at = time.perf_counter()
        try:
            return await self._page_run.run(lease)
        finally:
            self.spread.add(time.perf_counter() - began_at)

    def give_up(self, lease: Any) -> Any:
        """Pass it on."""
        return self._page_run.give_up(lease)


def targets(samples: Sequence[Sample], page_times: Spread, collections: Sequence[int], cpu_s: float) -> Figures:
    """The figures of the aims: memory errors 0, growth below 1 % a day, full collections below 5 an hour, and what a
    page takes at the 99th percentile and in CPU.

    Growth is extrapolated from `samples` (those after the warm-up) with its standard error: a short run can't tell.
    While accounts fill up RSS grows with them; what is untracked is what could grow for ever.
    """
    run_s, pages = (samples[-1].at_s, samples[-1].pages) if samples else (0.0, 0)
    growth, error = growth_percent_a_day(samples, [sample.rss for sample in samples])
    untracked = [sample.rss - sum(sample.accounts.values()) for sample in samples]
    untracked_growth, untracked_error = growth_percent_a_day(samples, untracked)
    return {
        "full_collections_an_hour": round(collections[FULL] * HOUR_S / run_s, 2) if run_s else 0.0,
        "rss_growth_percent_a_day": growth,
        "rss_growth_error_percent_a_day": error,
        "untracked_growth_percent_a_day": untracked_growth,
        "untracked_growth_error_percent_a_day": untracked_error,
        "page_time_ms": page_times.figures(),
        "cpu_ms_a_page": round(cpu_s / pages * 1e3, 3) if pages else 0.0,
    }


def growth_percent_a_day(samples: Sequence[Sample], sizes: Sequence[int]) -> tuple[float, float]:
    """The slope of `sizes` over time in percent of the mean RSS a day, by least squares, and its standard error."""
    if len(samples) < LEAST_SAMPLES:
        return 0.0, 0.0
    days = [sample.at_s / DAY_S for sample in samples]
    (slope, _), covariance = np.polyfit(days, [float(size) for size in sizes], 1, cov=True)
    mean = float(np.mean([sample.rss for sample in samples]))
    return round(100 * float(slope) / mean, 2), round(100 * float(covariance[0, 0]) ** 0.5 / mean, 2)
