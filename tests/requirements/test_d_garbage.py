"""Plan D, garbage: caches in three bounds, bounded batches, a collector that is tuned and measured, calm sampling."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.soak_targets import growth_percent_a_day, targets
from benchmarks.soak_watch import Sample, Spread
from weaver.base.clock import ManualClock
from weaver.memory import Account, BoundedLRU, KeyTable
from weaver.memory.bounded import PRUNE_PER_PUT, SHRINK_PER_CALL
from weaver.memory.collector import FULL_INTERVAL_S, IDLE_INTERVAL_S, Collector
from weaver.memory.governor import GROUP, PRESSED_S, Governor, Rung
from weaver.memory.meter import Reading

MIB = 1 << 20
CALM = Reading(rss=100 * MIB, group_used=0, group_limit=1024 * MIB, available=None, stall_share=0.0)


def test_a_cache_is_bounded_by_entries_bytes_and_age() -> None:
    """Whichever of the three bounds is met first, the oldest go."""
    clock, account = ManualClock(), Account("robots", 10_000)
    by_entries: BoundedLRU[int, str] = BoundedLRU("entries", 10)
    by_bytes: BoundedLRU[int, str] = BoundedLRU("bytes", 10**6, account=account, entry_bytes=1_000)
    by_age: BoundedLRU[int, str] = BoundedLRU("age", 10**6, ttl_s=60.0, clock=clock)
    for key in range(100):
        for cache in (by_entries, by_bytes, by_age):
            cache.put(key, "value")
        clock.advance(2.0)
    for cache in (by_entries, by_bytes, by_age):
        assert cache.get(99) == "value"
        assert cache.get(0) is None
        cache.check()
    assert len(by_entries) <= 10
    assert account.used <= 10_000
    assert len(by_age) <= 31


@pytest.mark.parametrize(("prune_to", "left"), [(0.8, 80), (0.9, 90), (0.5, 50)])
def test_over_the_byte_limit_the_trim_target_is_configurable(prune_to: float, left: int) -> None:
    """Over the byte limit the oldest fifth goes where that is asked for, or any other part, the newest stay."""
    account = Account("robots", 100_000)
    cache: BoundedLRU[int, str] = BoundedLRU("lru", 10**6, account=account, entry_bytes=1_000, prune_to=prune_to)
    sizes = []
    for key in range(110):
        cache.put(key, "value")
        sizes.append(len(cache))
    assert max(sizes) == 100
    assert min(sizes[100:]) == left
    assert cache.get(109) == "value"


def test_no_put_prunes_for_long() -> None:
    """A prune is spread over puts: none lets more than a bounded number of entries go."""
    left = []
    cache: BoundedLRU[int, int] = BoundedLRU("lru", 10_000, prune_to=0.5, on_evict=lambda key, _: left.append(key))
    for key in range(12_000):
        before = len(left)
        cache.put(key, key)
        assert len(left) - before <= PRUNE_PER_PUT + 1
    assert len(left) > 5_000


@pytest.mark.slow
def test_batches_are_bounded() -> None:
    """However many keys one call is given, they are worked off in chunks: temporary arrays stay below a megabyte."""
    table = KeyTable("seen", 10**6, Account("seen", 16 * MIB))
    keys = np.random.default_rng(1).integers(0, 2**64, 200_000, np.uint64)
    ids = np.arange(1, len(keys) + 1, dtype=np.uint32)
    tracemalloc.start()
    try:
        table.put_many(keys, ids)
        _, put_peak = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        assert np.array_equal(table.get_many(keys), ids)
        _, get_peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert put_peak < MIB
    assert get_peak < MIB + 2 * ids.nbytes


def test_a_store_gives_back_in_bounded_parts() -> None:
    """When a limit falls a store lets go a bounded part a call, so that the loop goes on in between, until it fits."""
    account = Account("hosts", 10**9)
    cache: BoundedLRU[int, int] = BoundedLRU("lru", 10**6, account=account, entry_bytes=1_000)
    for key in range(3 * SHRINK_PER_CALL):
        cache.put(key, key)
    account.limit = 1_000
    parts = []
    while part := cache.shrink():
        parts.append(part)
    assert max(parts) <= SHRINK_PER_CALL * 1_000
    assert len(parts) >= 3
    assert account.used <= 1_000


def test_the_collector_is_tuned_and_its_pauses_are_measured() -> None:
    """While a crawl is open what start-up made is frozen and full collections are rare; every pause is in a histogram;
    afterwards the process is as it was."""
    thresholds, clock = gc.get_threshold(), ManualClock()
    collector = Collector(clock)
    collector.start()
    try:
        assert gc.get_freeze_count() > 1_000
        assert gc.get_threshold() > thresholds
        clock.advance(IDLE_INTERVAL_S)
        assert collector.idle()
        figures = collector.statistics()
    finally:
        collector.stop()
    assert figures.collections[1:] == (1, 0)
    assert 0 <= figures.pause_p50_ms <= figures.pause_p99_ms <= figures.pause_max_ms
    assert gc.get_threshold() == thresholds


def test_full_collections_are_for_pressure_and_rare() -> None:
    """Asked all the time for an hour, as under lasting pressure, the collector makes 6 full collections, not more."""
    clock = ManualClock()
    collector = Collector(clock)
    collector.start()
    try:
        made = 0
        for _ in range(720):
            clock.advance(5.0)
            made += collector.full()
    finally:
        collector.stop()
    assert made == 3_600 / FULL_INTERVAL_S == 6


def test_sampling_stretches_when_calm() -> None:
    """From 5 s to 60 s while memory is steady, 5 s again when it moves, four times a second under pressure."""
    governor = Governor(256 * MIB, 70 * MIB, 5.0, 60.0)
    delays = [governor.judge(CALM, 60.0 * number).delay_s for number in range(12)]
    assert (delays[0], delays[-1]) == (5.0, 60.0)
    assert delays == sorted(delays)
    assert governor.judge(replace(CALM, rss=150 * MIB), 800.0).delay_s == 5.0
    pressed = governor.judge(replace(CALM, group_used=int(GROUP[Rung.SLOW] * 1024 * MIB) + 1), 805.0)
    assert (pressed.rung, pressed.delay_s) == (Rung.SLOW, PRESSED_S)


def _sample(at_s: float, rss: int) -> Sample:
    return Sample(int(100 * at_s), at_s, 0, 0, rss, 9, 9, 0, "calm", {"seen": rss - 80 * MIB})


def test_the_soak_prints_the_targets() -> None:
    """Full collections an hour, growth a day with its error, the 99th percentile of a page's time and CPU a page."""
    # 1 MiB an hour above 100 MiB.
    samples = [_sample(60.0 * minute, 100 * MIB + MIB * minute // 60) for minute in range(61)]
    times = Spread()
    for _ in range(99):
        times.add(0.002)
    times.add(0.5)
    figures = targets(samples, times, (700, 60, 4), cpu_s=720.0)
    assert figures["full_collections_an_hour"] == 4.0
    assert figures["rss_growth_percent_a_day"] == pytest.approx(24.0, rel=0.02)
    assert figures["rss_growth_error_percent_a_day"] < 0.1
    assert figures["untracked_growth_percent_a_day"] == pytest.approx(0.0, abs=0.01)
    assert (figures["page_time_ms"]["p50"], figures["page_time_ms"]["p99"]) == (2.0, 2.0)
    assert figures["cpu_ms_a_page"] == 2.0


def test_too_few_samples_are_no_growth() -> None:
    """Three points of a short run say nothing of a day."""
    samples = [_sample(float(second), (100 + second) * MIB) for second in range(3)]
    assert growth_percent_a_day(samples, [sample.rss for sample in samples]) == (0.0, 0.0)
