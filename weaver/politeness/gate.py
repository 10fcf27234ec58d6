"""The gate: whether a task may be fetched, and from when its host may be asked again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from weaver.base.clock import Clock
from weaver.base.events import Events
from weaver.base.page import Failure, Fetched, Task, TaskKind
from weaver.base.settings import PolitenessSettings
from weaver.base.url import origin_of
from weaver.memory.bounded import StoreStatistics
from weaver.memory.budget import Account
from weaver.politeness.decision import Decision
from weaver.politeness.delay import is_overload, is_trouble, pause_after_trouble
from weaver.politeness.host_state import HostState, HostStore, HostTable
from weaver.politeness.opt_out import OptOut
from weaver.politeness.robots_answer import may_recover
from weaver.politeness.robots_cache import RobotsCache
from weaver.politeness.robots_policy import RobotsPolicy


@dataclass(frozen=True, slots=True)
class GateStatistics:
    """What the gate has decided so far, by decision, and what its two stores hold."""

    decisions: dict[str, int]
    hosts: StoreStatistics
    robots: StoreStatistics


class Gate:
    """Politeness towards every host, decided without waiting: call, then act.

    For each page: `judge`; if allowed `started`, the request, then one of `ready_at` and `release`. A robots task is
    not judged; its answer goes to `ready_at`, then to `robots_answered`. Times are the clock's monotonic seconds.
    """

    def __init__(
        self,
        settings: PolitenessSettings,
        *,
        retries: int,
        store: HostStore,
        clock: Clock,
        events: Events,
        hosts_account: Account | None = None,
        robots_account: Account | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._retries = retries
        self._clock = clock
        self._events = events
        self._jitter = jitter
        self._opt_out = OptOut(settings.opt_out)
        self._hosts = HostTable(settings, store, clock, hosts_account)
        self._rules = RobotsCache(settings.robots_token, settings.max_hosts, store, robots_account)
        self._robots = RobotsPolicy(settings, self._hosts, self._rules, clock, events, self._opt_out, jitter)
        self._decisions: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"Gate({self._hosts!r}, {self._rules!r})"

    def judge(self, task: Task, origin: str) -> Decision:
        """Whether the task may be fetched now, as far as its host's owner is concerned."""
        decision = self._decision(task, origin)
        self._decisions[decision] += 1
        return decision

    def robots_task(self, host_id: int, origin: str) -> Task:
        """The task that fetches the host's rules; it belongs at the head of the host's queue."""
        return self._robots.task(host_id, origin)

    def robots_answered(self, task: Task, fetched: Fetched) -> str | None:
        """Take the answer to a robots task. None: settled for `task.robots_for`; else the URL of the next hop.

        The next hop's task is this one with that URL, its host, and `redirects` one higher.
        """
        return self._robots.answered(task, fetched)

    def started(self, host_id: int, origin: str = "") -> None:
        """A request to the host begins; `origin` helps where the host was not judged before."""
        state = self._hosts.state(host_id, origin)
        state.in_flight += 1
        state.last_start = self._clock.monotonic()
        self._note_first_request(host_id, state)

    def ready_at(self, task: Task, fetched: Fetched) -> float:
        """A request has ended so: from when the task's host may be asked again."""
        state = self._hosts.state(task.host_id, origin_of(task.url))
        self._robots.foresee_delay(task, fetched, state)
        had_failures, delay_s = state.failures, self._hosts.delay_s(state)
        is_failure = is_trouble(fetched) or (task.kind is TaskKind.ROBOTS and may_recover(fetched))
        self._count(state, is_failure=is_failure)
        pause_s = self._pause(state, fetched, delay_s) if is_failure else delay_s
        self._end(state, pause_s)
        self._note_first_request(task.host_id, state)
        if state.failures != had_failures or pause_s > delay_s:
            self._hosts.save(task.host_id, state)
        if is_overload(fetched):
            self._events.emit("host_overloaded", origin=state.origin, pause_s=pause_s, failures=state.failures)
        return state.deadline

    def release(self, host_id: int) -> None:
        """A request was given up without an outcome; the host may have seen it, so its delay counts."""
        state = self._hosts.state(host_id)
        self._end(state, self._hosts.delay_s(state))

    def next_start(self, host_id: int) -> float:
        """The earliest next request while others to this host are under way."""
        state = self._hosts.find(host_id)
        return 0.0 if state is None else max(0.0, state.deadline, state.last_start + self._hosts.delay_s(state))

    def deadline(self, host_id: int) -> float:
        """From when the host may be asked; 0.0 if at once."""
        state = self._hosts.find(host_id)
        return state.deadline if state is not None and state.deadline > self._clock.monotonic() else 0.0

    def should_retry(self, task: Task, fetched: Fetched) -> bool:
        """Whether the same page deserves another try; robots.txt is asked for again by way of `judge` instead."""
        if task.kind is TaskKind.ROBOTS or task.attempts >= self._retries:
            return False
        return fetched.is_retryable if isinstance(fetched, Failure) else is_overload(fetched)

    def shrink(self) -> int:
        """Let go what both stores hold beyond their accounts' present limits; bytes let go."""
        return self._hosts.shrink() + self._rules.shrink()

    def statistics(self) -> GateStatistics:
        """Counts of the decisions, and the state of both stores."""
        decisions = {str(decision): count for decision, count in self._decisions.items()}
        return GateStatistics(decisions, self._hosts.statistics(), self._rules.statistics())

    def check(self) -> None:
        """Assert the invariants of both stores."""
        self._hosts.check()
        self._rules.check()

    def _decision(self, task: Task, origin: str) -> Decision:
        if self._opt_out.covers(origin):
            return Decision.OPT_OUT
        state = self._hosts.state(task.host_id, origin)
        if task.kind is TaskKind.ROBOTS or self._settings.robots == "ignore":
            return Decision.ALLOW
        return self._robots.decision(task, state)

    def _count(self, state: HostState, *, is_failure: bool) -> None:
        if not is_failure:
            state.failures = 0
        elif not state.failures or state.deadline <= self._clock.monotonic():
            # Requests that were already under way when one failed fail for the same cause: they count once.
            state.failures += 1

    def _pause(self, state: HostState, fetched: Fetched, delay_s: float) -> float:
        return pause_after_trouble(
            fetched,
            settings=self._settings,
            delay_s=delay_s,
            failures=state.failures,
            wall_s=self._clock.wall(),
            jitter=self._jitter(),
        )

    def _end(self, state: HostState, pause_s: float) -> None:
        # A run that broke down may end a request that it never began; the pause counts all the same.
        state.in_flight = max(0, state.in_flight - 1)
        state.deadline = max(state.deadline, self._clock.monotonic() + pause_s)

    def _note_first_request(self, host_id: int, state: HostState) -> None:
        if not state.has_been_asked and state.origin:
            state.has_been_asked = True
            self._hosts.save(host_id, state)
