"""Governor: the pure ladder: from readings of real memory to what a crawl must do about it, and when to look again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from weaver.memory.meter import Reading
from weaver.memory.trend import Trend


class Rung(IntEnum):
    """How hard memory is pressed; each rung does what those below it do, and more."""

    CALM = 0
    SLOW = 1
    SHRINK = 2
    EVICT = 3
    RELEASE = 4
    PAUSE = 5

    @property
    def label(self) -> str:
        """The rung's name in events, status and history."""
        return self.name.lower()


# The share of its own limit at which each source asks for a rung. Our own memory: accounts that are full are the
# normal state and end below 1.0; the promise is a peak of at most 1.10. The group's: aim under `memory.high`, at which
# the kernel throttles, and far under `memory.max`, at which it kills.
OWN: Mapping[Rung, float] = MappingProxyType({
    Rung.SLOW: 1.00, Rung.SHRINK: 1.02, Rung.EVICT: 1.04, Rung.RELEASE: 1.06, Rung.PAUSE: 1.08,
})  # fmt: skip
GROUP: Mapping[Rung, float] = MappingProxyType({
    Rung.SLOW: 0.80, Rung.SHRINK: 0.85, Rung.EVICT: 0.88, Rung.RELEASE: 0.91, Rung.PAUSE: 0.94,
})  # fmt: skip
PROMISED_SHARE = 1.10
HYSTERESIS = 0.03
# The share of time in which some task of the group waits for memory (PSI, `some avg10`).
STALL_SHARE = 0.20
STALL_HOLD_SHARE = 0.10

# A smaller budget is judged as this one: the working memory of the interpreter and of SQLite would fill it alone.
LEAST_JUDGED_BYTES = 64 << 20
PRESSED_S = 0.25
DESCENT_S = 2.0
MAX_DESCENT_S = 300.0
# A rung that is left again so soon after the wait for it was over is thrashing.
THRASH_S = 60.0
# What a pause has not brought back by now is not ours to give: another part of the process holds it.
OWN_PAUSE_S = 30.0
CALM_GROWTH = 1.5
STEADY_SHARE = 0.01
# So near to its limit the group is watched at the shortest calm interval: a neighbour gives no notice.
WATCHED_GROUP_SHARE = 0.60
GLANCE_SHARE = 0.25
GLANCE_BYTES = 1 << 20
# Slower growth, in bytes a second, is called flat: a day of it is 80 MiB.
FLAT_BYTES_S = 1_000.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one reading came to: the rung before and after, why, and when to read again, all times in seconds.

    `own_share` is of the budget, `group_share` of the group's limit (0 where there is none); `time_to_limit_s` is None
    where memory is flat or falls.
    """

    rung: Rung
    before: Rung
    reason: str
    delay_s: float
    time_to_limit_s: float | None
    own_share: float
    group_share: float


class Governor:
    """Fed with readings and the time, says the rung. No clock, no I/O.

    Up goes at once, as far as the pressure says; down one rung at a time, after the pressure was below the rung by the
    hysteresis for `descent_s`, which doubles while the rung is left and climbed again within a minute.
    A pause for our own memory's sake ends after OWN_PAUSE_S: what is left then is not the crawl's, and waiting would
    not bring it back; the crawl goes on at its slowest. A pause for the group's sake lasts as long as the pressure.
    """

    def __init__(self, budget_bytes: int, baseline_bytes: int, sample_min_s: float, sample_max_s: float) -> None:
        self._budget_bytes = max(budget_bytes, LEAST_JUDGED_BYTES)
        self._baseline_bytes = baseline_bytes
        self._sample_min_s = sample_min_s
        self._sample_max_s = max(sample_min_s, sample_max_s)
        self._pressed_s = min(PRESSED_S, sample_min_s)
        self._calm_s = sample_min_s
        self._rss = Trend()
        self._group = Trend()
        self._last_rss = baseline_bytes
        self._below_since: float | None = None
        self._own_paused_since: float | None = None
        self._is_own_pause_spent = False
        self._left_at: dict[Rung, float] = {}
        self._waits_s: dict[Rung, float] = {}
        self.rung = Rung.CALM
        self.samples = 0
        self.climbs = 0

    def __repr__(self) -> str:
        return f"Governor({self.rung.label}, {self.samples} samples, {self.climbs} climbs)"

    @property
    def descent_s(self) -> float:
        """How long the pressure must be below the present rung before it is left."""
        return self._waits_s.get(self.rung, DESCENT_S)

    def judge(self, reading: Reading, now_s: float) -> Verdict:
        """Take one reading at clock time `now_s`, which never steps back."""
        self.samples += 1
        self._note(reading, now_s)
        own, group = self.own_share(reading.rss), group_share(reading)
        self._judge_own_pause(own, group, now_s)
        before = self.rung
        self._move(self._asked(own, group, reading.stall_share), self._held(own, group, reading.stall_share), now_s)
        left_s = self._time_to_limit(reading)
        delay_s = self._next_delay(group, left_s)
        return Verdict(self.rung, before, self._reason(own, group, reading), delay_s, left_s, own, group)

    def is_due(self, rss_bytes: int) -> bool:
        """Between two readings: whether memory has grown so far towards the first rung that it must be judged now."""
        room = self._baseline_bytes + OWN[Rung.SLOW] * self._budget_bytes - self._last_rss
        return rss_bytes - self._last_rss > max(GLANCE_SHARE * room, GLANCE_BYTES)

    def own_share(self, rss_bytes: int) -> float:
        """What the process holds beyond its baseline, as a share of the budget."""
        return max(0.0, (rss_bytes - self._baseline_bytes) / self._budget_bytes)

    def _note(self, reading: Reading, now_s: float) -> None:
        self._last_rss = reading.rss
        self._rss.add(now_s, reading.rss)
        if reading.group_used is not None:
            self._group.add(now_s, _needed(reading))

    def _asked(self, own: float, group: float, stall: float) -> Rung:
        return self._combined(_rung_at(OWN, own), _rung_at(GROUP, group), is_stalled=stall > STALL_SHARE)

    def _held(self, own: float, group: float, stall: float) -> Rung:
        """The rung that may not be left yet."""
        return self._combined(
            _rung_at(OWN, own + HYSTERESIS), _rung_at(GROUP, group + HYSTERESIS), is_stalled=stall > STALL_HOLD_SHARE
        )

    def _combined(self, own: Rung, group: Rung, *, is_stalled: bool) -> Rung:
        """The highest of all; stalls add one rung, but never pause a crawl by themselves."""
        if self._is_own_pause_spent:
            own = min(own, Rung.RELEASE)
        rung = max(own, group)
        return Rung(min(rung + 1, Rung.RELEASE)) if is_stalled and rung < Rung.RELEASE else rung

    def _judge_own_pause(self, own: float, group: float, now_s: float) -> None:
        if _rung_at(OWN, own + HYSTERESIS) < Rung.PAUSE:
            self._is_own_pause_spent = False
        if self.rung is not Rung.PAUSE or _rung_at(GROUP, group + HYSTERESIS) is Rung.PAUSE:
            self._own_paused_since = None
        elif self._own_paused_since is None:
            self._own_paused_since = now_s
        elif now_s - self._own_paused_since >= OWN_PAUSE_S:
            self._is_own_pause_spent = True

    def _move(self, asked: Rung, held: Rung, now_s: float) -> None:
        if asked > self.rung:
            self.rung = asked
            self.climbs += 1
            self._below_since = None
        elif held >= self.rung:
            self._below_since = None
        elif self._below_since is None:
            self._below_since = now_s
        elif now_s - self._below_since >= self.descent_s:
            self._descend(now_s)

    def _descend(self, now_s: float) -> None:
        wait_s = self.descent_s
        is_thrashing = now_s - self._left_at.get(self.rung, float("-inf")) <= THRASH_S + wait_s
        self._waits_s[self.rung] = min(2 * wait_s, MAX_DESCENT_S) if is_thrashing else DESCENT_S
        self._left_at[self.rung] = now_s
        self.rung = Rung(self.rung - 1)
        self._below_since = now_s

    def _next_delay(self, group: float, left_s: float | None) -> float:
        """Calm readings come less and less often while memory is steady, and never later than growth could matter."""
        if self.rung > Rung.CALM:
            self._calm_s = self._sample_min_s
            return self._pressed_s
        is_steady = self._rss.deviation() <= STEADY_SHARE * self._budget_bytes and group < WATCHED_GROUP_SHARE
        delay_s = self._calm_s if is_steady else self._sample_min_s
        self._calm_s = min(CALM_GROWTH * delay_s, self._sample_max_s)
        return delay_s if left_s is None else max(self._pressed_s, min(delay_s, left_s / 4))

    def _time_to_limit(self, reading: Reading) -> float | None:
        """Seconds until the promised peak or the group's limit at today's slope, whichever comes first."""
        own_limit = self._baseline_bytes + PROMISED_SHARE * self._budget_bytes
        times = [_time_to(own_limit - reading.rss, self._rss)]
        if reading.group_limit is not None and reading.group_used is not None:
            times.append(_time_to(reading.group_limit - _needed(reading), self._group))
        return min((time for time in times if time is not None), default=None)

    def _reason(self, own: float, group: float, reading: Reading) -> str:
        """The pressures that count, strongest first in words that a log's reader understands."""
        reasons = []
        if _rung_at(OWN, own + HYSTERESIS):
            spent = ", and waiting does not bring it down" if self._is_own_pause_spent else ""
            reasons.append(f"own memory at {own:.2f} of the budget{spent}")
        if _rung_at(GROUP, group + HYSTERESIS):
            reasons.append(f"the group at {group:.2f} of its limit")
        if reading.stall_share > STALL_HOLD_SHARE:
            reasons.append(f"tasks stall {reading.stall_share:.0%} of the time")
        return "; ".join(reasons) or "pressure has gone"


def group_share(reading: Reading) -> float:
    """What the whole control group needs, as a share of its limit; 0 where there is none."""
    return _needed(reading) / reading.group_limit if reading.group_limit else 0.0


def _needed(reading: Reading) -> int:
    """What the group can't give back, in bytes.

    File cache is none of it, in active use or not: a database larger than RAM fills any group with it, and nobody is
    killed for that. Where taking it back hurts, tasks stall, and that counts by itself.
    """
    return max(0, (reading.group_used or 0) - reading.group_active_file)


def _rung_at(thresholds: Mapping[Rung, float], share: float) -> Rung:
    """The highest rung whose threshold the share has reached."""
    return max((rung for rung, threshold in thresholds.items() if share >= threshold), default=Rung.CALM)


def _time_to(room_bytes: float, trend: Trend) -> float | None:
    slope = trend.slope()
    return max(0.0, room_bytes) / slope if slope > FLAT_BYTES_S else None
