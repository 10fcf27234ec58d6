"""PauseHistogram: quantiles of many stops in a fixed number of bytes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaver.memory.pauses import PauseHistogram


def test_without_stops_all_is_zero() -> None:
    """A histogram of nothing has quantiles of 0."""
    histogram = PauseHistogram()
    assert (histogram.quantile(0.5), histogram.quantile(1.0), histogram.max_s, histogram.count) == (0.0, 0.0, 0.0, 0)
    histogram.check()


@given(
    stops_s=st.lists(st.floats(2e-6, 150.0), min_size=1, max_size=200),
    share=st.sampled_from([0.0, 0.5, 0.9, 0.99, 0.999, 1.0]),
)
def test_quantiles_are_within_ten_percent(stops_s: list[float], share: float) -> None:
    """Each quantile is within 10 % of the stop of that rank; count, total and maximum are exact."""
    histogram = PauseHistogram()
    for stop_s in stops_s:
        histogram.record(stop_s)
        histogram.check()
    exact = sorted(stops_s)[max(1, math.ceil(share * len(stops_s))) - 1]
    assert histogram.quantile(share) == pytest.approx(exact, rel=0.1)
    assert histogram.max_s == max(stops_s)
    assert histogram.count == len(stops_s)
    assert histogram.total_s == pytest.approx(math.fsum(stops_s))


@pytest.mark.parametrize("stop_s", [0.0, -1e-9, 1e-9, 1e6])
def test_stops_outside_the_bins_are_counted(stop_s: float) -> None:
    """A stop of no time, of a clock's step back, and one of days go into the outermost bins."""
    histogram = PauseHistogram()
    histogram.record(stop_s)
    histogram.record(0.010)
    assert histogram.count == 2
    assert histogram.max_s == max(stop_s, 0.010)
    assert histogram.quantile(1.0) <= histogram.max_s
