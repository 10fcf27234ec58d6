"""No deadline is ever forgotten: a state machine of visits, evictions and kills against a plain dict."""

from __future__ import annotations

from dataclasses import dataclass

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.support.host_store import MemoryHostStore
from weaver.base.clock import ManualClock
from weaver.base.events import Events
from weaver.base.page import Failure, Fetched, Response, Task
from weaver.base.settings import PolitenessSettings
from weaver.politeness import Decision, Gate

HOSTS = range(1, 25)
CAPACITY = 8
TTL_S = 500.0
SETTINGS = PolitenessSettings(
    delay=2.0, max_hosts=CAPACITY, robots_ttl=TTL_S, max_crawl_delay=30.0, max_retry_after=1000.0, max_backoff=100.0
)
OUTCOMES: dict[str, tuple[Fetched, float | None]] = {
    "fine": (Response("", 200, {}, b"", 0, 0.1), None),
    "missing": (Response("", 404, {}, b"", 0, 0.1), None),
    "busy": (Response("", 503, {"retry-after": "300"}, b"", 0, 0.1), 300.0),
    "never": (Response("", 429, {"retry-after": "99999999"}, b"", 0, 0.1), 1000.0),
    "broken": (Response("", 500, {}, b"", 0, 0.1), 0.0),
    "timeout": (Failure("", "timeout", is_retryable=True), 0.0),
}


@dataclass
class Known:
    """What the model knows of a host: plain numbers, nothing ever forgotten."""

    ready_at: float = float("-inf")
    delay_s: float = 2.0
    failures: int = 0
    was_asked: bool = False
    is_under_way: bool = False
    rules_at: float | None = None
    has_rules: bool = False


class Deadlines(RuleBasedStateMachine):
    """Every host's deadline, delay and verdict equal the model's after every step, with a cap of 8 hosts."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.store = MemoryHostStore()
        self.model = {host_id: Known() for host_id in HOSTS}
        self.most_under_way = 0
        self.begin()

    def begin(self) -> None:
        self.gate = Gate(
            SETTINGS, retries=2, store=self.store, clock=self.clock, events=Events(self.clock), jitter=float
        )

    def startable(self) -> list[int]:
        now = self.clock.monotonic()
        return [host_id for host_id, known in self.model.items() if not known.is_under_way and known.ready_at <= now]

    @rule(host_id=st.sampled_from(HOSTS))
    def start(self, host_id: int) -> None:
        if host_id not in self.startable():
            return
        self.gate.started(host_id, origin(host_id))
        self.model[host_id].is_under_way = self.model[host_id].was_asked = True

    @rule(host_id=st.sampled_from(HOSTS), outcome=st.sampled_from(sorted(OUTCOMES)))
    def end(self, host_id: int, outcome: str) -> None:
        known = self.model[host_id]
        if not known.is_under_way:
            return
        fetched, named_s = OUTCOMES[outcome]
        known.is_under_way = False
        known.failures = 0 if named_s is None else known.failures + 1
        pause_s = named_s or (0.0 if named_s is None else min(2.0**known.failures * known.delay_s, 100.0))
        known.ready_at = self.clock.monotonic() + max(known.delay_s, pause_s)
        assert self.gate.ready_at(page(host_id), fetched) == pytest.approx(known.ready_at)

    @rule(host_id=st.sampled_from(HOSTS))
    def give_up(self, host_id: int) -> None:
        known = self.model[host_id]
        if known.is_under_way:
            known.is_under_way = False
            known.ready_at = max(known.ready_at, self.clock.monotonic() + known.delay_s)
            self.gate.release(host_id)

    @rule(host_id=st.sampled_from(HOSTS), crawl_delay_s=st.sampled_from([0, 1, 7, 999]), has_rules=st.booleans())
    def learn_rules(self, host_id: int, crawl_delay_s: int, has_rules: bool) -> None:
        """A request for robots.txt: its Crawl-delay counts from its own end on."""
        if host_id not in self.startable():
            return
        known = self.model[host_id]
        body = f"User-agent: *\nCrawl-delay: {crawl_delay_s}\nDisallow: /p\n".encode() if has_rules else b""
        fetched = Response("", 200 if has_rules else 404, {}, body, 0, 0.1)
        task = self.gate.robots_task(host_id, origin(host_id))
        self.gate.started(host_id, origin(host_id))
        self.gate.ready_at(task, fetched)
        assert self.gate.robots_answered(task, fetched) is None
        known.failures, known.was_asked = 0, True
        known.delay_s = max(2.0, min(30.0, crawl_delay_s)) if has_rules else known.delay_s
        known.ready_at = self.clock.monotonic() + known.delay_s
        known.delay_s = known.delay_s if has_rules else 2.0
        known.rules_at, known.has_rules = self.clock.monotonic(), has_rules

    @rule(seconds=st.sampled_from([0.5, 2.0, 31.0, 120.0, 600.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def kill(self) -> None:
        """A new process: requests under way are lost, and each host that was ever asked gets its delay anew."""
        self.begin()
        for known in self.model.values():
            known.is_under_way = False
            if known.was_asked:
                known.ready_at = max(known.ready_at, self.clock.monotonic() + known.delay_s)

    @precondition(lambda self: self.startable())
    @rule(data=st.data())
    def start_many(self, data: st.DataObject) -> None:
        for host_id in data.draw(st.lists(st.sampled_from(self.startable()), unique=True)):
            self.start(host_id)

    @rule(host_id=st.sampled_from(HOSTS))
    def judge(self, host_id: int) -> None:
        known, now = self.model[host_id], self.clock.monotonic()
        expected = Decision.ROBOTS if known.has_rules else Decision.ALLOW
        if known.rules_at is None or now - known.rules_at >= TTL_S:
            expected = Decision.ROBOTS_FIRST
        assert self.gate.judge(page(host_id), origin(host_id)) is expected

    @invariant()
    def deadlines_are_kept(self) -> None:
        now = self.clock.monotonic()
        for host_id, known in self.model.items():
            expected = known.ready_at if known.ready_at > now else 0.0
            assert self.gate.deadline(host_id) == pytest.approx(expected, abs=1e-3), host_id

    @invariant()
    def the_table_is_bounded(self) -> None:
        self.gate.check()
        self.most_under_way = max(self.most_under_way, sum(known.is_under_way for known in self.model.values()))
        assert self.gate.statistics().hosts.current <= max(CAPACITY, self.most_under_way + 1) + CAPACITY // 8


def origin(host_id: int) -> str:
    return f"http://h{host_id}.org"


def page(host_id: int) -> Task:
    return Task(1, f"{origin(host_id)}/p", host_id)


TestDeadlines = Deadlines.TestCase
