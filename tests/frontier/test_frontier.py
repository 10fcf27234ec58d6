"""The frontier: every task comes once, in order within its host, and a slow host holds up nobody else."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from weaver.base.clock import ManualClock
from weaver.base.page import Task, TaskKind
from weaver.base.settings import FrontierSettings
from weaver.frontier import Frontier, Lease
from weaver.frontier.host_queue import HostQueue
from weaver.memory.budget import Budget


class FakeDisk:
    """The frontier's table as a sorted model; answers wait until the test delivers them."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[int, tuple[int, int, str, int, int]]] = defaultdict(dict)
        self.waiting: list[tuple[str, tuple[object, ...]]] = []
        self.frontier: Frontier | None = None

    def add(self, task: Task) -> None:
        self.rows[task.host_id][task.url_id] = (task.depth, task.url_id, task.url, task.redirects, 0)

    def remove(self, task: Task) -> None:
        del self.rows[task.host_id][task.url_id]

    def ask_entries(self, host_id: int, after: tuple[int, int], limit: int) -> None:
        rows = sorted(row for row in self.rows[host_id].values() if row[:2] > after)[:limit]
        self.waiting.append(("entries", (host_id, rows, len(rows) < limit)))

    def ask_hosts(self, after_host_id: int, limit: int) -> None:
        ids = sorted(host for host, rows in self.rows.items() if rows and host > after_host_id)[:limit]
        self.waiting.append(("hosts", (ids, len(ids) < limit)))

    def deliver(self) -> None:
        assert self.frontier is not None
        what, arguments = self.waiting.pop(0)
        if what == "entries":
            host_id, rows, is_last = arguments
            self.frontier.refilled(host_id, rows, is_last=is_last)  # type: ignore[arg-type]
        else:
            ids, is_last = arguments
            self.frontier.awakened(ids, is_last=is_last)  # type: ignore[arg-type]

    def deliver_all(self) -> None:
        while self.waiting:
            self.deliver()


def build(
    clock: ManualClock,
    disk: FakeDisk,
    per_host: int = 1,
    resumed: bool = False,
    **limits: int,
) -> Frontier:
    queued = sum(len(rows) for rows in disk.rows.values())
    frontier = Frontier(
        FrontierSettings(**limits),
        per_host,
        Budget(64 << 20).account("frontier"),
        disk,
        clock,
        lambda host_id: 0.0,
        is_resumed=resumed,
        queued=queued,
    )
    disk.frontier = frontier
    return frontier


def push(frontier: Frontier, disk: FakeDisk, *tasks: Task) -> None:
    for task in tasks:
        disk.add(task)
    frontier.push(tasks)


def page(url_id: int, host_id: int = 1, depth: int = 0) -> Task:
    return Task(url_id, f"http://h{host_id}/{url_id}", host_id, depth)


def take_all(frontier: Frontier, disk: FakeDisk, clock: ManualClock) -> list[int]:
    taken = []
    while not frontier.is_exhausted:
        lease = frontier.acquire()
        if lease is None:
            disk.deliver_all()
            clock.advance(1.0)
            continue
        taken.append(lease.task.url_id)
        disk.remove(lease.task)
        frontier.release(lease, clock.monotonic())
    return taken


def test_nearer_pages_come_first() -> None:
    """Within a host, tasks come in the order of depth, then of discovery."""
    clock, disk = ManualClock(), FakeDisk()
    frontier = build(clock, disk)
    push(frontier, disk, page(5, depth=2), page(2, depth=1), page(9, depth=0), page(1, depth=2))
    assert take_all(frontier, disk, clock) == [9, 2, 1, 5]


def test_a_host_is_not_asked_before_its_time() -> None:
    """After a release the host rests until its ready time, and another host's task comes meanwhile."""
    clock, disk = ManualClock(), FakeDisk()
    frontier = build(clock, disk)
    push(frontier, disk, page(1, 1), page(2, 1), page(3, 2))
    first = frontier.acquire()
    assert first is not None
    frontier.release(first, clock.monotonic() + 5.0)
    second = frontier.acquire()
    assert second is not None
    assert second.task.host_id != first.task.host_id
    assert frontier.acquire() is None
    clock.advance(5.0)
    third = frontier.acquire()
    assert third is not None
    assert third.task.url_id == 2


def test_a_slow_host_never_fills_the_slots() -> None:
    """With one request a host, a host that never answers keeps one lease and the others all come through."""
    clock, disk = ManualClock(), FakeDisk()
    frontier = build(clock, disk)
    push(frontier, disk, *(page(i, 1) for i in range(1, 50)), *(page(100 + i, 2) for i in range(50)))
    slow = frontier.acquire()
    assert slow is not None
    for _ in range(50):
        lease = frontier.acquire()
        assert lease is not None
        assert lease.task.host_id == 2
        frontier.release(lease, clock.monotonic())
    assert frontier.acquire() is None


def test_a_parked_host_starts_only_urgent_tasks() -> None:
    """While a host's robots.txt is awaited, its pages wait and the robots task comes."""
    clock, disk = ManualClock(), FakeDisk()
    frontier = build(clock, disk)
    push(frontier, disk, page(1))
    lease = frontier.acquire()
    assert lease is not None
    frontier.park(1)
    frontier.put_first(Task(0, "http://h1/robots.txt", 1, kind=TaskKind.ROBOTS, robots_for=1))
    frontier.put_back(lease, lease.task, clock.monotonic())
    robots = frontier.acquire()
    assert robots is not None
    assert robots.task.kind is TaskKind.ROBOTS
    assert frontier.acquire() is None
    frontier.release(robots, clock.monotonic(), is_done=False)
    assert frontier.acquire() is None
    frontier.unpark(1)
    again = frontier.acquire()
    assert again is not None
    assert again.task.url_id == 1
    assert frontier.queued == 1


def test_a_million_queued_urls_cost_ram_only_for_the_window() -> None:
    """What does not fit the window stays on disk, and comes from there in its turn."""
    clock, disk = ManualClock(), FakeDisk()
    frontier = build(clock, disk, window=100, window_per_host=100)
    push(frontier, disk, *(page(i) for i in range(1, 5_001)))
    assert frontier.in_window <= 100
    assert frontier.queued == 5_000
    assert take_all(frontier, disk, clock) == list(range(1, 5_001))


def test_more_hosts_than_may_be_active_wait_on_disk() -> None:
    """Hosts beyond the cap are dormant, and are awakened when others are done."""
    clock, disk = ManualClock(), FakeDisk()
    frontier = build(clock, disk, active_hosts=8)
    push(frontier, disk, *(page(i, host_id=i) for i in range(1, 1_001)))
    assert frontier.active_hosts == 8
    assert sorted(take_all(frontier, disk, clock)) == list(range(1, 1_001))


def test_a_resumed_frontier_finds_all_on_disk() -> None:
    """A new frontier over an old table hands out exactly what the table holds."""
    clock, disk = ManualClock(), FakeDisk()
    for i in range(1, 301):
        disk.add(page(i, host_id=i % 7 + 1, depth=i % 3))
    frontier = build(clock, disk, resumed=True)
    assert sorted(take_all(frontier, disk, clock)) == list(range(1, 301))


class FrontierMachine(RuleBasedStateMachine):
    """Random pushes, leases, retries, parks and late answers from disk against a set of what must still come."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.disk = FakeDisk()
        self.frontier = build(self.clock, self.disk, per_host=2, window=16, window_per_host=3, active_hosts=3)
        self.next_id = 1
        self.done: set[int] = set()
        self.leases: list[Lease] = []

    @rule(hosts=st.lists(st.integers(1, 6), min_size=1, max_size=12), depth=st.integers(0, 3))
    def push(self, hosts: list[int], depth: int) -> None:
        tasks = [page(self.next_id + i, host, depth) for i, host in enumerate(hosts)]
        self.next_id += len(tasks)
        push(self.frontier, self.disk, *tasks)

    @rule()
    def acquire(self) -> None:
        lease = self.frontier.acquire()
        if lease is not None:
            assert lease.task.url_id not in self.done
            assert lease.task.url_id not in {other.task.url_id for other in self.leases}
            self.leases.append(lease)
            self.frontier.started(lease, self.clock.monotonic())

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), rest_s=st.sampled_from([0.0, 1.0]), is_done=st.booleans())
    def end(self, data: st.DataObject, rest_s: float, is_done: bool) -> None:
        lease = self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))
        ready_at = self.clock.monotonic() + rest_s
        if is_done:
            self.disk.remove(lease.task)
            self.done.add(lease.task.url_id)
            self.frontier.release(lease, ready_at)
        else:
            self.frontier.put_back(lease, lease.task, ready_at)

    @precondition(lambda self: self.disk.waiting)
    @rule()
    def answer(self) -> None:
        self.disk.deliver()

    @rule()
    def wait(self) -> None:
        self.clock.advance(0.5)

    @rule(limit=st.sampled_from([0, 1_000, 3_000, 5_000, 1 << 20]))
    def press(self, limit: int) -> None:
        self.frontier._account.limit = limit
        while self.frontier.shrink():
            pass
        if self.frontier.bytes > limit:
            assert all(self.is_least(host) for host in self.frontier._hosts.values())

    @staticmethod
    def is_least(host: HostQueue) -> bool:
        """A host keeps its nearest entry, what is nearer than a leased one, and what waits for a refill's answer."""
        further = sorted(host._heap)[1:]
        return not further or bool(host._leased and further[-1][:2] <= max(host._leased))

    @invariant()
    def counts_agree(self) -> None:
        self.frontier.check()
        assert self.frontier.queued == sum(len(rows) for rows in self.disk.rows.values())

    def teardown(self) -> None:
        for lease in self.leases:
            self.frontier.put_back(lease, lease.task, self.clock.monotonic())
        for _ in range(10_000):
            if self.frontier.is_exhausted:
                break
            lease = self.frontier.acquire()
            if lease is None:
                self.disk.deliver_all()
                self.clock.advance(1.0)
                continue
            assert lease.task.url_id not in self.done
            self.done.add(lease.task.url_id)
            self.disk.remove(lease.task)
            self.frontier.release(lease, self.clock.monotonic())
        assert self.done == set(range(1, self.next_id))


TestFrontierMachine = FrontierMachine.TestCase
TestFrontierMachine.settings = hypothesis_settings(max_examples=60, stateful_step_count=60, deadline=None)


@pytest.mark.parametrize("resumed", [False, True])
def test_an_empty_frontier_is_exhausted(resumed: bool) -> None:
    """With nothing queued anywhere the frontier says so, after at most one look at the disk."""
    clock, disk = ManualClock(), FakeDisk()
    frontier = build(clock, disk, resumed=resumed)
    assert take_all(frontier, disk, clock) == []
