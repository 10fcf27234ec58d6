"""When a host's robots.txt is asked for, what its answer changes, and what follows for a page (RFC 9309 2.3, 2.4)."""

from __future__ import annotations

import random
from collections.abc import Callable

from weaver.base.clock import Clock
from weaver.base.events import Events
from weaver.base.page import Failure, Fetched, Task, TaskKind
from weaver.base.settings import PolitenessSettings
from weaver.base.url import target_of
from weaver.politeness.decision import Decision
from weaver.politeness.delay import backoff, is_local_limit
from weaver.politeness.host_state import HostState, HostTable
from weaver.politeness.opt_out import OptOut
from weaver.politeness.robots import ROBOTS_PATH
from weaver.politeness.robots_answer import RobotsStatus, is_refused_by_us, may_recover, next_hop, status_of
from weaver.politeness.robots_cache import RobotsCache, packed_body

MAX_ROBOTS_AGE_S = 86_400.0  # RFC 9309 2.4
UNREACHABLE_PATIENCE_S = 30 * 86_400.0  # RFC 9309 2.3.1.4
# Fruitless requests for robots.txt in a row before pages are turned away rather than kept waiting: with the back-off
# a minute in all, which a restart of the server fits in, and an end (some crawlers queue such hosts again for ever).
ROBOTS_TRIES = 5


class RobotsPolicy:
    """What RFC 9309 leaves to the crawler, over the hosts' states and the cache of rules."""

    def __init__(
        self,
        settings: PolitenessSettings,
        hosts: HostTable,
        rules: RobotsCache,
        clock: Clock,
        events: Events,
        opt_out: OptOut,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._ttl_s = min(settings.robots_ttl, MAX_ROBOTS_AGE_S)
        self._hosts = hosts
        self._rules = rules
        self._clock = clock
        self._events = events
        self._opt_out = opt_out
        self._jitter = jitter

    def task(self, host_id: int, origin: str) -> Task:
        """The request for a host's robots.txt."""
        return Task(url_id=0, url=origin + ROBOTS_PATH, host_id=host_id, kind=TaskKind.ROBOTS, robots_for=host_id)

    def lacks_rules(self, state: HostState) -> bool:
        """1. never asked; 2. unreachable: while pages wait for it, and again at times; 3. known, but too old.

        Age is read on both clocks: neither one that was set back nor one that stands still in sleep keeps rules for
        ever.
        """
        now = self._clock.monotonic()
        if state.robots_status is RobotsStatus.UNKNOWN:
            return True
        if state.robots_status is RobotsStatus.UNREACHABLE:
            return state.robots_failures < ROBOTS_TRIES or now >= state.robots_retry_at
        age_wall_s = self._clock.wall() - state.robots_fetched_wall
        return not (now - state.robots_known_at < self._ttl_s and 0 <= age_wall_s < self._ttl_s)

    def decision(self, task: Task, state: HostState) -> Decision:
        """What the host's rules say of a page. After 30 days unreachable the last copy counts, else all is allowed."""
        if self.lacks_rules(state):
            return Decision.ROBOTS_FIRST
        if state.robots_status is RobotsStatus.UNAVAILABLE:
            return Decision.ALLOW
        if state.robots_status is RobotsStatus.UNREACHABLE and not self._has_lost_patience(state):
            return Decision.ROBOTS_UNREACHABLE
        is_allowed = self._rules.rules(task.host_id).is_allowed(target_of(task.url))
        return Decision.ALLOW if is_allowed else Decision.ROBOTS

    def foresee_delay(self, task: Task, fetched: Fetched, state: HostState) -> None:
        """Let a Crawl-delay count from the very request that tells it, before the answer is settled."""
        if task.kind is not TaskKind.ROBOTS or task.host_id != task.robots_for or isinstance(fetched, Failure):
            return
        if status_of(fetched) is RobotsStatus.OK:
            state.crawl_delay_s = self._rules.learn(task.host_id, fetched.body).crawl_delay_s

    def answered(self, task: Task, fetched: Fetched) -> str | None:
        """Take the answer to a robots task: the URL of the next hop, or None when it is settled.

        Where this machine could not even ask, nothing is: the host is asked again before its next page.
        """
        if is_local_limit(fetched):
            return None
        hop = next_hop(task, fetched)
        if hop is not None and not self._opt_out.covers(hop):
            return hop
        state = self._hosts.state(task.robots_for)
        # A host that must not be visited can't be asked for the rules: nobody may say that there are none.
        status = status_of(fetched) if hop is None else RobotsStatus.UNREACHABLE
        if task.host_id == task.robots_for and is_refused_by_us(fetched):
            status = RobotsStatus.UNAVAILABLE
        if status is RobotsStatus.UNREACHABLE:
            self._settle_unreachable(task, fetched, state)
        else:
            self._settle_known(task, fetched, state, status)
        return None

    def _settle_known(self, task: Task, fetched: Fetched, state: HostState, status: RobotsStatus) -> None:
        body = b"" if isinstance(fetched, Failure) or status is not RobotsStatus.OK else fetched.body
        now = self._clock.monotonic()
        state.robots_status, state.crawl_delay_s = status, None
        state.robots_known_at, state.robots_fetched_wall = now, self._clock.wall()
        state.robots_unreachable_since_wall, state.robots_failures = 0.0, 0
        if status is RobotsStatus.OK:
            state.crawl_delay_s = self._rules.learn(task.robots_for, body).crawl_delay_s
        else:
            self._rules.forget(task.robots_for)
        if task.host_id != task.robots_for:
            state.deadline = max(state.deadline, now + self._hosts.delay_s(state))
        self._hosts.save(task.robots_for, state, packed_body(body))

    def _settle_unreachable(self, task: Task, fetched: Fetched, state: HostState) -> None:
        """Disallow all, try again later; where no try can help, pages need not wait for one."""
        now = self._clock.monotonic()
        state.robots_status = RobotsStatus.UNREACHABLE
        state.robots_unreachable_since_wall = state.robots_unreachable_since_wall or self._clock.wall()
        state.robots_failures = state.robots_failures + 1 if may_recover(fetched) else ROBOTS_TRIES
        state.robots_retry_at = now + self._settings.max_backoff
        if task.host_id != task.robots_for and state.robots_failures < ROBOTS_TRIES:
            # Another host failed, where a redirect had led: this one must not be asked again at once for that.
            delay_s = self._hosts.delay_s(state)
            pause_s = backoff(delay_s, state.robots_failures, self._settings.max_backoff, self._jitter())
            state.deadline = max(state.deadline, now + pause_s)
        self._hosts.save(task.robots_for, state)
        why = fetched.reason if isinstance(fetched, Failure) else str(fetched.status)
        self._events.emit("robots_unreachable", origin=state.origin, tries=state.robots_failures, why=why)

    def _has_lost_patience(self, state: HostState) -> bool:
        return self._clock.wall() - state.robots_unreachable_since_wall >= UNREACHABLE_PATIENCE_S
