"""What weaver keeps in RAM of each host that it visits, in a capped table that can forget no deadline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from weaver.base.clock import Clock
from weaver.base.record import HostRecord
from weaver.base.settings import PolitenessSettings
from weaver.memory.bounded import SHRINK_PER_CALL, BoundedLRU, StoreStatistics
from weaver.memory.budget import Account
from weaver.memory.ghost import GhostFilter
from weaver.politeness.delay import longest_pause, polite_delay
from weaver.politeness.robots_answer import RobotsStatus

# A state with its origin, its floats and the table's entry: 386-411 B by tracemalloc, as the table's load goes.
STATE_BYTES = 410
_NEVER = float("-inf")
_STATUSES = {str(status): status for status in RobotsStatus}


class HostStore(Protocol):
    """Where host records live beyond RAM."""

    def load_host(self, host_id: int) -> HostRecord | None:
        """The newest record that was saved, committed or not; None if there is none."""
        ...

    def save_host(self, record: HostRecord) -> None:
        """Take the record, durable soon."""
        ...


@dataclass(slots=True)
class HostState:
    """One host, while it is being visited; times are monotonic seconds unless they say wall.

    `deadline` is when it may be asked again, `last_start` when a request last began, `failures` those in a row.
    `has_been_asked` says that a record on disk knows of a first request. `robots_failures` counts fruitless requests
    for robots.txt in a row, `robots_retry_at` is when to try it again.
    """

    origin: str = ""
    deadline: float = _NEVER
    last_start: float = _NEVER
    in_flight: int = 0
    failures: int = 0
    has_been_asked: bool = False
    crawl_delay_s: float | None = None
    robots_status: RobotsStatus = RobotsStatus.UNKNOWN
    robots_known_at: float = _NEVER
    robots_fetched_wall: float = 0.0
    robots_unreachable_since_wall: float = 0.0
    robots_failures: int = 0
    robots_retry_at: float = _NEVER


class HostTable:
    """The hosts' states: an LRU over the store.

    A host with a request under way never leaves. One with a deadline ahead leaves only when every host has one and
    the table is over its cap; it is saved then, so that its deadline holds from the store. What must survive `kill -9`
    is saved when it happens: the first request to a host, and every pause longer than its delay. The plain
    delay need not be: a host that an earlier process has asked is left alone for its delay from this one's start.
    """

    def __init__(self, settings: PolitenessSettings, store: HostStore, clock: Clock, account: Account | None) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._started_at = clock.monotonic()
        self._account = account
        self.capacity = self._affordable()
        self._entering: int | None = None
        self._may_evict_deadlines = False
        self._relief_at = self.capacity + 1
        self._states: BoundedLRU[int, HostState] = BoundedLRU(
            "hosts",
            self.capacity,
            account=account,
            entry_bytes=STATE_BYTES,
            prune_to=settings.prune_to,
            is_protected=self._is_protected,
            on_evict=self._save_deadline,
            ghost=GhostFilter.within(account),
        )

    def __len__(self) -> int:
        return len(self._states)

    def __repr__(self) -> str:
        return f"HostTable({len(self._states)} of {self.capacity} hosts)"

    def find(self, host_id: int) -> HostState | None:
        """The host's state, from RAM or from the store; None for a host that nothing is known of."""
        state = self._states.get(host_id)
        if state is None:
            record = self._store.load_host(host_id)
            if record is None:
                return None
            state = self._restored(record)
            self._keep(host_id, state)
        return state

    def state(self, host_id: int, origin: str = "") -> HostState:
        """The host's state, a new one if nothing is known of it."""
        state = self.find(host_id)
        if state is None:
            state = HostState(origin)
            self._keep(host_id, state)
        state.origin = state.origin or origin
        return state

    def delay_s(self, state: HostState) -> float:
        """The pause that this host gets between two requests when all is well."""
        return polite_delay(self._settings, state.crawl_delay_s)

    def save(self, host_id: int, state: HostState, robots_body: bytes | None = None) -> None:
        """Hand the state to the store, with a new robots body or the one that is there.

        A host that nobody has named yet has no row to go to; it is saved at the first occasion when it has.
        """
        if not state.origin:
            return
        if robots_body is None:
            known = self._store.load_host(host_id)
            robots_body = known.robots_body if known else b""
        ahead_s = max(0.0, state.deadline - self._clock.monotonic())
        self._store.save_host(
            HostRecord(
                host_id=host_id,
                origin=state.origin,
                ready_at=self._clock.wall() + ahead_s if state.has_been_asked else 0.0,
                crawl_delay_s=state.crawl_delay_s,
                failures=state.failures,
                robots_status=str(state.robots_status),
                robots_body=robots_body,
                robots_fetched_at=state.robots_fetched_wall,
                robots_unreachable_since=state.robots_unreachable_since_wall,
            )
        )

    def shrink(self) -> int:
        """Let go what is over the table's half of the account's present limit, deadlines saved.

        The bytes let go; call again until it is 0.
        """
        before = self._states.statistics().bytes
        self._fit()
        excess = min(SHRINK_PER_CALL, max(0, len(self._states) - self.capacity))
        if len(self._states.evict(excess)) < excess:
            self._relieve()
        return before - self._states.statistics().bytes

    def _fit(self) -> None:
        """Follow the account's limit, which falls and rises with the pressure on memory."""
        affordable = self._affordable()
        if affordable != self.capacity:
            self.capacity = self._states.capacity = affordable
            self._relief_at = max(affordable, len(self._states)) + 1

    def _affordable(self) -> int:
        if self._account is None:
            return self._settings.max_hosts
        return min(self._settings.max_hosts, max(1, self._account.limit // 2 // STATE_BYTES))

    def statistics(self) -> StoreStatistics:
        """The table's counts, capacity and peak."""
        return self._states.statistics()

    def check(self) -> None:
        """Assert the invariants: no count below zero, and over the cap only hosts with a request under way."""
        self._states.check()
        for host_id, state in self._states.items():
            assert state.in_flight >= 0, (host_id, state)
            assert state.failures >= 0, (host_id, state)

    def _keep(self, host_id: int, state: HostState) -> None:
        self._fit()
        self._entering = host_id  # the caller is about to use it; where all others stay, it would be the victim
        self._states.put(host_id, state)
        if len(self._states) >= self._relief_at:
            self._relieve()
        self._entering = None

    def _relieve(self) -> None:
        """Let hosts with a deadline go too; where even that is not enough, try again an eighth later."""
        self._may_evict_deadlines = True
        self._states.evict(len(self._states) - int(self.capacity * self._settings.prune_to))
        self._may_evict_deadlines = False
        overflow = self.capacity // 8 if len(self._states) > self.capacity else 0
        self._relief_at = max(self.capacity, len(self._states) + overflow) + 1

    def _is_protected(self, host_id: int, state: HostState) -> bool:
        if state.in_flight or host_id == self._entering:
            return True
        return state.deadline > self._clock.monotonic() and not self._may_evict_deadlines

    def _save_deadline(self, host_id: int, state: HostState) -> None:
        if state.deadline > self._clock.monotonic():
            self.save(host_id, state)

    def _restored(self, record: HostRecord) -> HostState:
        """The state that a record leads to; a wall clock that was set back can't hold a host longer than any pause."""
        now, wall = self._clock.monotonic(), self._clock.wall()
        state = HostState(
            origin=record.origin,
            failures=record.failures,
            has_been_asked=record.ready_at > 0,
            crawl_delay_s=record.crawl_delay_s,
            robots_status=_STATUSES.get(record.robots_status, RobotsStatus.UNKNOWN),
            robots_known_at=now - (wall - record.robots_fetched_at),
            robots_fetched_wall=record.robots_fetched_at,
            robots_unreachable_since_wall=record.robots_unreachable_since,
        )
        if state.has_been_asked:
            ahead_s = min(record.ready_at - wall, longest_pause(self._settings))
            state.deadline = max(now + ahead_s, self._started_at + self.delay_s(state))
        return state
