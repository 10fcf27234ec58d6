"""The collector: set for a crawl, and left as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from weaver.base.clock import ManualClock
from weaver.memory.collector import FROZEN_BY_PYTHON, FULL_INTERVAL_S, IDLE_INTERVAL_S, THRESHOLDS, Collector


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    before, callbacks = gc.get_threshold(), list(gc.callbacks)
    yield
    assert gc.get_threshold() == before
    assert gc.callbacks == callbacks
    assert gc.get_freeze_count() <= FROZEN_BY_PYTHON


def test_start_up_is_left_out_and_collections_go_on() -> None:
    """Once started, what there was is frozen, the thresholds are raised, and the collector is on; stop undoes it."""
    before = gc.get_threshold()
    collector = Collector(ManualClock())
    collector.start()
    assert gc.isenabled()
    assert gc.get_freeze_count() > FROZEN_BY_PYTHON
    assert gc.get_threshold() == THRESHOLDS
    collector.stop()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() <= FROZEN_BY_PYTHON


def test_a_burst_is_never_looked_at_all_at_once() -> None:
    """However many objects are made and kept, none looks at more than twice the young ones, and none is full."""
    seen: list[tuple[int, int]] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            young = sum(len(gc.get_objects(generation)) for generation in range(info["generation"] + 1))
            seen.append((info["generation"], young))

    collector = Collector(ManualClock())
    collector.start()
    gc.callbacks.append(note)
    kept = [[number] for number in range(20 * THRESHOLDS[0])]
    gc.callbacks.remove(note)
    collector.stop()
    assert len(kept) == 20 * THRESHOLDS[0]
    assert len(seen) >= 19
    assert all(generation < 2 and young < 2.5 * THRESHOLDS[0] for generation, young in seen)


def test_two_crawls_of_one_process_share_its_collector() -> None:
    """The first to start tunes the process, the last to stop restores it, in whatever order they end."""
    before = gc.get_threshold()
    first, second = Collector(ManualClock()), Collector(ManualClock())
    first.start()
    second.start()
    first.stop()
    assert gc.get_threshold() == THRESHOLDS
    assert gc.get_freeze_count() > FROZEN_BY_PYTHON
    second.stop()
    assert gc.get_threshold() == before


def test_start_and_stop_may_be_repeated() -> None:
    """A second start or stop changes nothing, and one without the other does no harm."""
    collector = Collector(ManualClock())
    collector.stop()
    collector.start()
    collector.start()
    collector.stop()
    collector.stop()
    collector.start()
    assert gc.get_threshold() == THRESHOLDS
    collector.stop()


def test_thresholds_that_someone_else_set_stay_theirs() -> None:
    """Where the program that crawls sets thresholds of its own meanwhile, stop leaves them."""
    before = gc.get_threshold()
    collector = Collector(ManualClock())
    collector.start()
    gc.set_threshold(900, 9, 9)
    collector.stop()
    assert gc.get_threshold()[:2] == (900, 9)
    gc.set_threshold(*before)


def test_objects_that_were_frozen_before_stay_frozen() -> None:
    """Where the program that crawls froze its objects, stop does not thaw them."""
    gc.freeze()
    collector = Collector(ManualClock())
    collector.start()
    collector.stop()
    assert gc.get_freeze_count() > FROZEN_BY_PYTHON
    gc.unfreeze()


def test_an_opt_out_leaves_the_collector_to_python() -> None:
    """In the mode `default` nothing is set and nothing is collected, but collections are measured."""
    before = gc.get_threshold()
    clock = ManualClock()
    collector = Collector(clock, "default")
    collector.start()
    clock.advance(10 * FULL_INTERVAL_S)
    assert not collector.idle()
    assert not collector.full()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() <= FROZEN_BY_PYTHON
    gc.collect()
    assert collector.statistics().collections[2] == 1
    collector.stop()


def test_idle_moments_collect_the_young_every_second() -> None:
    """Idle collects the young generations, not sooner than a second after the start or after the last time."""
    clock = ManualClock()
    collector = Collector(clock)
    collector.start()
    assert not collector.idle()
    clock.advance(IDLE_INTERVAL_S)
    assert collector.idle()
    assert not collector.idle()
    clock.advance(IDLE_INTERVAL_S / 2)
    assert not collector.idle()
    assert collector.statistics().collections == (0, 1, 0)
    collector.stop()


def test_full_collections_are_ten_minutes_apart() -> None:
    """A full collection is made when first asked for, then not for 10 min; it is an idle collection too."""
    clock = ManualClock()
    collector = Collector(clock)
    collector.start()
    clock.advance(IDLE_INTERVAL_S)
    assert collector.full()
    assert not collector.idle()
    clock.advance(FULL_INTERVAL_S - 0.1)
    assert not collector.full()
    clock.advance(0.1)
    assert collector.full()
    assert collector.statistics().collections == (0, 0, 2)
    collector.stop()


def test_nothing_is_collected_before_the_start_or_after_the_stop() -> None:
    """A collector that is not started collects nothing and counts nothing."""
    clock = ManualClock()
    collector = Collector(clock)
    clock.advance(FULL_INTERVAL_S)
    assert not collector.idle()
    collector.start()
    collector.stop()
    clock.advance(FULL_INTERVAL_S)
    assert not collector.full()
    gc.collect()
    assert sum(collector.statistics().collections) == 0


def test_cycles_are_collected_while_a_crawl_runs() -> None:
    """A cycle made after the start is freed by an idle collection."""
    clock = ManualClock()
    collector = Collector(clock)
    collector.start()
    freed: list[str] = []

    class Cycle:
        def __del__(self) -> None:
            freed.append("cycle")

    cycle = Cycle()
    cycle.itself = cycle  # type: ignore[attr-defined]
    del cycle
    clock.advance(IDLE_INTERVAL_S)
    assert collector.idle()
    assert freed == ["cycle"]
    collector.stop()


def test_pauses_are_measured() -> None:
    """The time of each collection counts, by the clock: median, 99th percentile and maximum within 10 %."""
    clock = ManualClock()
    lasts_s = iter([0.001] * 90 + [0.010] * 9 + [0.100])

    def take_time(phase: str, info: dict[str, int]) -> None:
        if phase == "stop":
            clock.advance(next(lasts_s))

    collector = Collector(clock)
    collector.start()
    gc.callbacks.insert(0, take_time)
    for _ in range(100):
        gc.collect(0)
    gc.callbacks.remove(take_time)
    collector.stop()
    statistics = collector.statistics()
    assert statistics.mode == "tuned"
    assert statistics.collections == (100, 0, 0)
    assert statistics.pause_p50_ms == pytest.approx(1.0, rel=0.1)
    assert statistics.pause_p99_ms == pytest.approx(10.0, rel=0.1)
    assert statistics.pause_max_ms == pytest.approx(100.0, rel=0.01)
    assert statistics.total_ms == pytest.approx(280.0, rel=0.01)
