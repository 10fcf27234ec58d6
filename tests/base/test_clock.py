"""What an injected clock promises."""

from __future__ import annotations

import pytest

from weaver.base.clock import Clock, ManualClock, SystemClock


def test_a_manual_clock_moves_only_when_told() -> None:
    """Both readings stand still until the test advances them together."""
    clock = ManualClock(start_s=10, wall_s=100)
    assert (clock.monotonic(), clock.wall()) == (10, 100)
    clock.advance(2.5)
    assert (clock.monotonic(), clock.wall()) == (12.5, 102.5)


def test_time_never_steps_back_on_the_monotonic_clock() -> None:
    """A negative step is refused, and the clock stays where it was."""
    clock = ManualClock(start_s=10)
    with pytest.raises(ValueError, match="expected seconds >= 0, got -1"):
        clock.advance(-1)
    assert clock.monotonic() == 10


def test_the_wall_clock_can_be_stepped_alone() -> None:
    """An administrator's step of the wall clock, either way, leaves deadlines alone."""
    clock = ManualClock(start_s=10, wall_s=100)
    clock.step_wall(-50)
    assert (clock.monotonic(), clock.wall()) == (10, 50)


def test_the_machines_clock_is_a_clock() -> None:
    """The system clock never steps back, and knows the century."""
    clock: Clock = SystemClock()
    first = clock.monotonic()
    assert clock.monotonic() >= first
    assert clock.wall() > 1_600_000_000
