"""Politeness under pressure on memory: its stores give back, and no deadline is forgotten."""

from __future__ import annotations

from tests.support.host_store import MemoryHostStore
from weaver.base.clock import ManualClock
from weaver.base.events import Events
from weaver.base.page import Response, Task
from weaver.base.settings import PolitenessSettings
from weaver.memory import Account
from weaver.politeness import Gate

HOSTS = 100
BUSY = Response("", 503, {"retry-after": "300"}, b"", 0, 0.1)


def test_no_deadline_is_lost_when_hosts_are_let_go() -> None:
    """When the account's limit falls, hosts leave even with a deadline ahead, which holds from the store then."""
    clock, store = ManualClock(), MemoryHostStore()
    hosts, robots = Account("hosts", 200_000), Account("robots", 50_000)
    gate = Gate(
        PolitenessSettings(), retries=2, store=store, clock=clock, events=Events(clock),
        hosts_account=hosts, robots_account=robots, jitter=float,
    )  # fmt: skip
    deadlines = {}
    for host_id in range(1, HOSTS + 1):
        origin = f"http://h{host_id}.test"
        gate.started(host_id, origin)
        deadlines[host_id] = gate.ready_at(Task(host_id, f"{origin}/", host_id), BUSY)
        gate._rules.learn(host_id, b"User-agent: *\nDisallow: /private/")
    gate.started(1, "http://h1.test")
    hosts.limit, robots.limit = 20_000, 5_000
    while gate.shrink():
        gate.check()
    assert hosts.used <= hosts.limit // 2
    assert robots.used <= robots.limit
    assert gate.statistics().hosts.current < HOSTS
    assert all(gate.deadline(host_id) >= deadline for host_id, deadline in deadlines.items())
    gate.check()
