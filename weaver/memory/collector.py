"""The collector: Python's garbage collection set for a process that keeps much and makes few cycles."""

from __future__ import annotations

import gc
import math
import threading
from dataclasses import dataclass
from typing import Literal

from weaver.base.clock import Clock
from weaver.memory.pauses import PauseHistogram

Mode = Literal["tuned", "default"]

# Young objects before a collection, young collections before an older one, and these before a full one. Measured in a
# trial: the default spends up to half of the time on scanning what a crawl keeps; a crawl's pages themselves leave next
# to no cycles. Of what a burst makes, a queue read from disk, some 10,000 objects are looked at in one pause, at
# 1 to 2 us each: each second collection takes what the one before it left, so that no later one has it all at once.
# Idle collections count as older ones: a full one comes after hours, or when memory is short.
THRESHOLDS = (5_000, 0, 40_000)

# Python 3.12 freezes 375 objects of its own at start-up; a program that freezes what it has freezes thousands.
FROZEN_BY_PYTHON = 1_000

# A pause grows with the young objects, and automatic collections count what is made less what goes: where a queue is as
# long as before, they never come. A second's took 2.1 ms, 17 at the 99th percentile, this one's 1.2 and 13 (120,000
# pages at 256 MiB).
IDLE_INTERVAL_S = 0.25
FULL_INTERVAL_S = 600.0

_YOUNG = 1
_GENERATIONS = 3


@dataclass(frozen=True, slots=True)
class CollectorStatistics:
    """The collections since the start, by generation (youngest first), and how long they stopped the process."""

    mode: Mode
    collections: tuple[int, ...]
    pause_p50_ms: float
    pause_p99_ms: float
    pause_max_ms: float
    total_ms: float


class _Tuning:
    """What all collectors of a process share: its thresholds and its frozen objects, held while any of them runs.

    Invariant: the process is tuned exactly while there are holders. It takes no part in what is not its own: objects
    that were frozen before stay frozen, thresholds that someone else sets meanwhile stay theirs.
    """

    def __init__(self) -> None:
        # Reentrant: a collection runs finalizers, and one of them may close another crawl.
        self._lock = threading.RLock()
        self._holders = 0
        self._before: tuple[int, ...] = ()
        self._ours: tuple[int, ...] = ()
        self._had_frozen = False

    def acquire(self) -> None:
        with self._lock:
            self._holders += 1
            if self._holders == 1:
                self._tune()

    def release(self) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                self._restore()

    def _tune(self) -> None:
        self._before = gc.get_threshold()
        self._had_frozen = gc.get_freeze_count() > FROZEN_BY_PYTHON
        # Not the oldest generation: that takes 40 ms of every start, and finds nothing after the imports.
        gc.collect(1)
        gc.freeze()
        gc.set_threshold(*THRESHOLDS)
        # Read back: a Python may keep another value than the one it was given.
        self._ours = gc.get_threshold()

    def _restore(self) -> None:
        if gc.get_threshold() == self._ours:
            gc.set_threshold(*self._before)
        if not self._had_frozen:
            gc.unfreeze()


_PROCESS = _Tuning()


class Collector:
    """Python's collector for one crawl, from `start` to `stop`, and how long it stopped the process meanwhile.

    `tuned` leaves what start-up made out of every later collection, collects seldom by itself, and young objects in
    idle moments. `default` leaves all to Python, and only measures. Crawls of one process share its collector: it is
    tuned while one of them wants that, and each measures all collections. Owned and called by the crawl's thread.
    """

    def __init__(self, clock: Clock, mode: Mode = "tuned") -> None:
        self._clock = clock
        self._mode: Mode = mode
        self._is_started = False
        self._began_at: float | None = None
        self._idle_due_at = -math.inf
        self._full_due_at = -math.inf
        self._collections = [0] * _GENERATIONS
        self._pauses = PauseHistogram()

    def __repr__(self) -> str:
        state = "started" if self._is_started else "stopped"
        return f"Collector({self._mode}, {state}: {sum(self._collections)} collections, {self._pauses!r})"

    def start(self) -> None:
        """Begin to measure, and tune the process if that is the mode; call it once the long-lived objects exist."""
        if self._is_started:
            return
        self._is_started = True
        if self._mode == "tuned":
            _PROCESS.acquire()
        self._idle_due_at = self._clock.monotonic() + IDLE_INTERVAL_S
        gc.callbacks.append(self._observe)

    def stop(self) -> None:
        """Stop measuring; the last one to stop leaves the process as the first one found it. Harmless if repeated."""
        if not self._is_started:
            return
        self._is_started = False
        gc.callbacks.remove(self._observe)
        if self._mode == "tuned":
            _PROCESS.release()

    def idle(self) -> bool:
        """Collect young objects, at most four times a second: for a moment when nothing waits. Whether it did."""
        now = self._clock.monotonic()
        if not self._may_collect() or now < self._idle_due_at:
            return False
        self._idle_due_at = now + IDLE_INTERVAL_S
        gc.collect(_YOUNG)
        return True

    def full(self) -> bool:
        """Collect everything that is not frozen, at most every 10 min: for when memory is short. Whether it did."""
        now = self._clock.monotonic()
        if not self._may_collect() or now < self._full_due_at:
            return False
        self._idle_due_at, self._full_due_at = now + IDLE_INTERVAL_S, now + FULL_INTERVAL_S
        gc.collect()
        return True

    def statistics(self) -> CollectorStatistics:
        """The figures since the first start."""
        pauses = self._pauses
        return CollectorStatistics(
            mode=self._mode,
            collections=tuple(self._collections),
            pause_p50_ms=pauses.quantile(0.5) * 1000,
            pause_p99_ms=pauses.quantile(0.99) * 1000,
            pause_max_ms=pauses.max_s * 1000,
            total_ms=pauses.total_s * 1000,
        )

    def _may_collect(self) -> bool:
        return self._is_started and self._mode == "tuned"

    def _observe(self, phase: str, info: dict[str, int]) -> None:
        """Python's call at the start and at the stop of each collection, in whatever thread it runs."""
        if phase == "start":
            self._began_at = self._clock.monotonic()
        elif self._began_at is not None:
            self._pauses.record(self._clock.monotonic() - self._began_at)
            self._collections[info["generation"]] += 1
            self._began_at = None
