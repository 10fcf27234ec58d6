"""Deadlines: one timer, and the same ends as a timeout of one's own."""

from __future__ import annotations

import asyncio

import pytest

from weaver.fetch.deadlines import Deadlines


async def _wait(deadlines: Deadlines, seconds: float) -> str:
    try:
        with deadlines.watch():
            await asyncio.sleep(seconds)
    except TimeoutError:
        return "timeout"
    return "done"


async def test_what_takes_too_long_ends() -> None:
    """Blocks beyond the time end with TimeoutError, each at its own time, shorter ones are left alone."""
    deadlines = Deadlines(0.05)
    early = [asyncio.ensure_future(_wait(deadlines, seconds)) for seconds in (30.0, 0.0, 0.01, 30.0)]
    await asyncio.sleep(0.03)
    late = asyncio.ensure_future(_wait(deadlines, 30.0))
    assert await asyncio.gather(*early) == ["timeout", "done", "done", "timeout"]
    assert not late.done()
    assert await late == "timeout"
    assert len(deadlines) == 0


async def test_the_timer_starts_anew() -> None:
    """After a time with nothing to watch the next block has its deadline again."""
    deadlines = Deadlines(0.02)
    assert await _wait(deadlines, 0.0) == "done"
    await asyncio.sleep(0.04)
    assert await _wait(deadlines, 30.0) == "timeout"
    assert await _wait(deadlines, 30.0) == "timeout"


async def test_a_cancellation_from_outside_stays_one() -> None:
    """A cancelled task is cancelled, not timed out, also when its time is over in the same moment."""
    deadlines = Deadlines(0.02)
    task = asyncio.ensure_future(_wait(deadlines, 30.0))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    both = asyncio.ensure_future(_wait(deadlines, 30.0))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(0.019, both.cancel)
    await asyncio.wait([both])
    assert both.cancelled() or both.result() == "timeout"
    assert len(deadlines) == 0


async def test_another_error_passes() -> None:
    """What a block raises by itself is its own."""
    deadlines = Deadlines(1.0)
    with pytest.raises(KeyError), deadlines.watch():
        raise KeyError
    assert len(deadlines) == 0


async def test_closing_stops_the_timer() -> None:
    """A closed one leaves no timer in the loop."""
    deadlines = Deadlines(0.01)
    waiting = asyncio.ensure_future(_wait(deadlines, 0.03))
    await asyncio.sleep(0)
    deadlines.close()
    assert await waiting == "done"
