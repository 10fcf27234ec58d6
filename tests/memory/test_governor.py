"""The governor's ladder: climbs at once, comes down slowly, never flutters, and looks as seldom as it can."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaver.memory.governor import (
    DESCENT_S,
    GROUP,
    HYSTERESIS,
    MAX_DESCENT_S,
    OWN,
    OWN_PAUSE_S,
    PRESSED_S,
    STALL_SHARE,
    THRASH_S,
    Governor,
    Rung,
    Verdict,
)
from weaver.memory.meter import Reading
from weaver.memory.trend import Trend
from weaver.memory.trimming import (
    INTERVAL_S,
    MAX_INTERVAL_S,
    MIB,
    UNTRACKED_BYTES,
    UNTRACKED_SHARE,
    WORTHWHILE_BYTES,
    Trimming,
)

BUDGET = 256 * MIB
BASELINE = 70 * MIB
LIMIT = 1024 * MIB
CALM = Reading(rss=BASELINE, group_used=0, group_limit=LIMIT, available=None, stall_share=0.0)

shares = st.floats(0.0, 1.5)


def governor(budget: int = BUDGET, sample_min_s: float = 5.0, sample_max_s: float = 60.0) -> Governor:
    return Governor(budget, BASELINE, sample_min_s, sample_max_s)


def own(share: float) -> Reading:
    """Our own memory at this share of the budget."""
    return replace(CALM, rss=BASELINE + ceil(share * BUDGET))


def group(share: float) -> Reading:
    """The group at this share of its limit, our own memory at rest."""
    return replace(CALM, group_used=ceil(share * LIMIT))


class Driver:
    """Feeds a governor as the crawl does: each reading when the last verdict asked for it."""

    def __init__(self, governed: Governor) -> None:
        self.governor = governed
        self.now_s = 1_000.0
        self.verdicts: list[Verdict] = []

    def feed(self, reading: Reading) -> Verdict:
        verdict = self.governor.judge(reading, self.now_s)
        self.now_s += verdict.delay_s
        self.verdicts.append(verdict)
        return verdict

    def feed_for(self, reading: Reading, seconds: float) -> Verdict:
        ends_at = self.now_s + seconds
        verdict = self.feed(reading)
        while self.now_s < ends_at:
            verdict = self.feed(reading)
        return verdict


@pytest.mark.parametrize(("source", "thresholds"), [(own, OWN), (group, GROUP)])
@pytest.mark.parametrize("rung", list(Rung)[1:])
def test_a_share_asks_for_its_rung_at_once(source, thresholds, rung: Rung) -> None:
    """Whatever the share has reached when it is read is where the ladder stands after that one reading."""
    verdict = governor().judge(source(thresholds[rung] + 0.001), 0.0)
    assert (verdict.before, verdict.rung) == (Rung.CALM, rung)
    assert ("own memory" if source is own else "the group") in verdict.reason


def test_full_accounts_are_calm() -> None:
    """A process that holds its baseline and its whole budget, less a little, is where a long crawl normally is."""
    assert governor().judge(own(0.99), 0.0).rung is Rung.CALM


def test_a_tiny_budget_leaves_room_for_the_interpreter() -> None:
    """With 1 MiB asked for, the working memory of Python and SQLite does not count as pressure."""
    small = governor(budget=1 * MIB)
    assert small.judge(replace(CALM, rss=BASELINE + 40 * MIB), 0.0).rung is Rung.CALM


def test_the_worst_source_decides() -> None:
    """Our own memory and the group's are two pressures: the higher rung of both holds."""
    reading = replace(own(OWN[Rung.SHRINK] + 0.001), group_used=round(LIMIT * (GROUP[Rung.RELEASE] + 0.001)))
    assert governor().judge(reading, 0.0).rung is Rung.RELEASE


@pytest.mark.parametrize(("share", "rung"), [(0.5, Rung.SLOW), (1.03, Rung.EVICT), (1.07, Rung.RELEASE)])
def test_stalls_add_one_rung_and_never_pause(share: float, rung: Rung) -> None:
    """Waiting for memory, as PSI tells it, is worth one rung; a pause needs a measured limit."""
    assert governor().judge(replace(own(share), stall_share=STALL_SHARE + 0.01), 0.0).rung is rung


def test_without_a_group_only_our_own_memory_counts() -> None:
    """Where no control group has a limit the ladder still stands on the budget."""
    reading = replace(own(OWN[Rung.SLOW]), group_used=None, group_limit=None)
    verdict = governor().judge(reading, 0.0)
    assert (verdict.rung, verdict.group_share) == (Rung.SLOW, 0.0)


def test_file_cache_is_no_pressure() -> None:
    """A group full of the file cache of a large database is calm; the same bytes held by processes are not."""
    full = group(0.99)
    assert governor().judge(replace(full, group_active_file=round(0.6 * LIMIT)), 0.0).rung is Rung.CALM
    assert governor().judge(full, 0.0).rung is Rung.PAUSE


def test_the_way_down_is_one_rung_at_a_time() -> None:
    """After the pressure has gone each rung is left after its wait, and none is skipped."""
    driver = Driver(governor())
    driver.feed(group(0.99))
    driver.feed_for(group(0.10), 5 * DESCENT_S + 8 * PRESSED_S)
    rungs = [verdict.rung for verdict in driver.verdicts]
    assert rungs[0] is Rung.PAUSE
    assert rungs[-1] is Rung.CALM
    assert all(before - after in (0, 1) for before, after in pairwise(rungs))
    assert rungs.count(Rung.RELEASE) >= DESCENT_S / PRESSED_S


@given(st.lists(st.floats(-HYSTERESIS + 0.002, 0.0), min_size=1, max_size=200), st.sampled_from(list(Rung)[1:]))
def test_noise_within_the_hysteresis_moves_nothing(noise: list[float], rung: Rung) -> None:
    """A share that wavers below its threshold by less than the hysteresis keeps the rung that it once reached."""
    driver = Driver(governor())
    driver.feed(group(GROUP[rung] + 0.001))
    for wobble in noise:
        assert driver.feed(group(GROUP[rung] + wobble)).rung is rung
    assert driver.governor.climbs == 1


@given(st.lists(st.tuples(shares, shares, st.floats(0.0, 1.0)), max_size=120))
def test_the_ladder_holds_its_promises_for_any_pressure(readings: list[tuple[float, float, float]]) -> None:
    """Up never stops short of what a source asks for, down is one rung at a time, and the next look is in bounds."""
    driver = Driver(governor())
    for own_share, group_share, stall in readings:
        reading = replace(own(own_share), group_used=round(group_share * LIMIT), stall_share=stall)
        verdict = driver.feed(reading)
        asked = max((rung for rung, threshold in GROUP.items() if verdict.group_share >= threshold), default=Rung.CALM)
        assert verdict.rung >= max(asked, verdict.before - 1)
        assert PRESSED_S <= verdict.delay_s <= 60.0
        assert verdict.rung is Rung.CALM or verdict.delay_s == PRESSED_S
        assert verdict.time_to_limit_s is None or verdict.time_to_limit_s >= 0.0
        assert DESCENT_S <= driver.governor.descent_s <= MAX_DESCENT_S


@given(st.sampled_from(list(Rung)[1:]), st.integers(0, 40))
def test_a_step_is_answered_by_the_next_reading(rung: Rung, calm_samples: int) -> None:
    """However long it was calm, one reading under pressure is enough to climb."""
    driver = Driver(governor())
    for _ in range(calm_samples):
        driver.feed(own(0.5))
    assert driver.feed(group(GROUP[rung])).rung is rung


def test_calm_is_looked_at_less_and_less_often() -> None:
    """Steady memory stretches the wait from 5 s to 60 s, and no further."""
    driver = Driver(governor())
    delays = [driver.feed(own(0.5)).delay_s for _ in range(12)]
    assert delays[0] == 5.0
    assert delays == sorted(delays)
    assert delays[1] == pytest.approx(7.5)
    assert delays[-1] == 60.0


def test_a_change_brings_the_short_wait_back() -> None:
    """Memory that moved by more than a little is looked at every 5 s again."""
    driver = Driver(governor())
    driver.feed_for(own(0.2), 600.0)
    assert driver.feed(own(0.6)).delay_s == 5.0


def test_near_the_groups_limit_the_wait_does_not_stretch() -> None:
    """Where a neighbour could fill the rest, steady memory of our own is no reason to look away."""
    driver = Driver(governor())
    assert {driver.feed(group(0.7)).delay_s for _ in range(12)} == {5.0}


def test_growth_is_looked_at_before_it_can_matter() -> None:
    """The next look comes within a quarter of the time that is left at today's slope."""
    driver = Driver(governor())
    for step in range(8):
        driver.feed(own(0.1 + 0.1 * step))
    last = driver.verdicts[-1]
    assert last.time_to_limit_s is not None
    assert last.delay_s <= max(PRESSED_S, last.time_to_limit_s / 4)


def test_time_to_limit_is_what_the_slope_says() -> None:
    """1 MiB a second with 100 MiB to go is 100 s; flat and falling memory never meets a limit."""
    driver = Driver(governor())
    for second in range(10):
        driver.now_s = second
        verdict = driver.feed(replace(CALM, group_used=LIMIT - (109 - second) * MIB))
    assert verdict.time_to_limit_s == pytest.approx(100.0)
    assert Driver(governor()).feed_for(own(0.5), 300.0).time_to_limit_s is None


def test_a_burst_between_two_readings_is_noticed() -> None:
    """A glance at RSS alone says when memory has grown so far that the whole must be judged before its time."""
    watched = governor()
    watched.judge(own(0.5), 0.0)
    assert not watched.is_due(own(0.5).rss + MIB)
    assert not watched.is_due(own(0.3).rss)
    assert watched.is_due(own(0.7).rss)


def test_thrashing_waits_longer_and_longer() -> None:
    """A rung that is left and climbed again within a minute is left more slowly each time, up to 5 minutes."""
    driver, waits = Driver(governor()), []
    for _ in range(12):
        driver.feed(group(GROUP[Rung.SLOW]))
        left_at = driver.now_s
        while driver.feed(group(0.5)).rung is Rung.SLOW:
            pass
        waits.append(driver.now_s - left_at)
    assert waits == sorted(waits)
    assert waits[0] < DESCENT_S + 3 * PRESSED_S + 5.0
    assert waits[-1] == pytest.approx(MAX_DESCENT_S, abs=6.0)


def test_a_quiet_time_forgives_the_thrashing() -> None:
    """After more than a minute without a relapse the next descent takes its ordinary wait again."""
    driver = Driver(governor())
    for _ in range(2):
        driver.feed(group(GROUP[Rung.SLOW]))
        driver.feed_for(group(0.5), DESCENT_S + PRESSED_S)
    driver.feed_for(group(0.5), 2 * THRASH_S)
    driver.feed(group(GROUP[Rung.SLOW]))
    driver.feed_for(group(0.5), 3 * DESCENT_S)
    assert driver.governor.rung is Rung.CALM
    driver.feed(group(GROUP[Rung.SLOW]))
    driver.feed_for(group(0.5), DESCENT_S + 2 * PRESSED_S)
    assert driver.governor.rung is Rung.CALM


def test_a_pause_for_our_own_sake_ends_when_it_is_futile() -> None:
    """What a pause of half a minute does not bring back is not ours to give: the crawl goes on at its slowest."""
    driver = Driver(governor())
    driver.feed(own(1.3))
    assert driver.governor.rung is Rung.PAUSE
    verdict = driver.feed_for(own(1.3), OWN_PAUSE_S + 2 * DESCENT_S)
    assert verdict.rung is Rung.RELEASE
    assert "waiting does not bring it down" in verdict.reason
    assert driver.feed_for(own(1.3), 600.0).rung is Rung.RELEASE
    driver.feed_for(own(0.9), 60.0)
    assert driver.feed(own(1.3)).rung is Rung.PAUSE


def test_a_pause_for_the_groups_sake_lasts() -> None:
    """Where the group is about to be killed the crawl waits, however long."""
    driver = Driver(governor())
    assert driver.feed_for(group(0.97), 3_600.0).rung is Rung.PAUSE


@given(st.floats(-1e6, 1e6), st.floats(0.0, 1e9), st.integers(3, 30))
def test_a_trend_finds_the_slope_of_a_line(slope: float, start: float, readings: int) -> None:
    """Readings on a line have that line's slope, however many have left the ring."""
    trend = Trend()
    for second in range(readings):
        trend.add(second, start + slope * second)
    assert trend.slope() == pytest.approx(slope, rel=1e-6, abs=1e-3)


def test_a_trend_of_nothing_is_flat() -> None:
    """Too few readings, and readings at one instant, have no slope."""
    trend = Trend()
    assert (trend.slope(), trend.deviation()) == (0.0, 0.0)
    for value in (1.0, 2.0, 3.0):
        trend.add(5.0, value)
    assert trend.slope() == 0.0
    assert trend.deviation() == pytest.approx((2 / 3) ** 0.5)


def test_a_trim_is_due_only_where_much_is_untracked() -> None:
    """What accounts don't see must pass both 32 MiB and 12 % of the budget before the allocator is asked; under
    pressure 8 MiB are enough."""
    for budget in (64 * MIB, 1024 * MIB):
        edge = max(UNTRACKED_BYTES, int(UNTRACKED_SHARE * budget))
        assert not Trimming().is_due(edge, budget, 0.0)
        assert Trimming().is_due(edge + 1 + MIB, budget, 0.0)
        assert Trimming().is_due(9 * MIB, budget, 0.0, is_pressed=True)
        assert not Trimming().is_due(8 * MIB, budget, 0.0, is_pressed=True)


def test_trims_that_help_come_every_half_minute() -> None:
    """While trims give memory back they are due again after 30 s."""
    trimming = Trimming()
    trimming.trimmed(WORTHWHILE_BYTES, 0.0)
    assert not trimming.is_due(BUDGET, BUDGET, INTERVAL_S - 1)
    assert trimming.is_due(BUDGET, BUDGET, INTERVAL_S)


def test_under_pressure_trims_that_help_come_every_other_second() -> None:
    """A crawl that is slowed or paused for freed memory does not wait half a minute for the allocator; one whose trims
    give little asks ever less often, as without pressure."""
    trimming = Trimming()
    trimming.trimmed(WORTHWHILE_BYTES, 0.0)
    assert not trimming.is_due(9 * MIB, BUDGET, 1.9, is_pressed=True)
    assert trimming.is_due(9 * MIB, BUDGET, 2.0, is_pressed=True)
    for _ in range(20):
        trimming.trimmed(0, 0.0)
    assert not trimming.is_due(9 * MIB, BUDGET, 39.0, is_pressed=True)
    assert trimming.is_due(9 * MIB, BUDGET, 40.0, is_pressed=True)


def test_trims_that_do_not_help_become_rare() -> None:
    """Each trim that gave back little doubles the wait, up to ten minutes; one that helps restores it."""
    trimming, intervals = Trimming(), []
    for now_s in range(0, 12_000, 1_000):
        trimming.trimmed(0, now_s)
        intervals.append(trimming.interval_s)
    assert intervals[:3] == [2 * INTERVAL_S, 4 * INTERVAL_S, 8 * INTERVAL_S]
    assert intervals[-1] == MAX_INTERVAL_S
    trimming.trimmed(WORTHWHILE_BYTES, 99_999.0)
    assert trimming.interval_s == INTERVAL_S
