"""Workers spread tasks, and answer for those of a process that ended."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from weaver.base.clock import ManualClock
from weaver.base.events import Events
from weaver.base.page import Failure, Response, Task
from weaver.base.settings import DedupeSettings, FetchSettings, ParseSettings
from weaver.memory.admission import Admission, ByteGate
from weaver.memory.budget import Account
from weaver.reading import Orders, Reading, Workers, worker, workers
from weaver.reading.worker import WorkerFault, WorkerLost

ORDERS = Orders(
    FetchSettings(), ParseSettings(), DedupeSettings(), "agent", 8, frozenset(), keeps_exchange=False,
    is_collector_tuned=False,
)  # fmt: skip


class Fake:
    """A worker without a process: answers, or ends when it is told to."""

    made: list[Fake] = []
    orders: Orders

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.is_alive = False
        self.pid = len(Fake.made)
        self.rss_bytes, self.base_bytes, self.cpu_s, self.busy_share, self.reads = 150, 100, 1.0, 0.5, 0
        self.unanswered = self.under_way = 0
        self.loss: WorkerLost | None = None
        self.urls: list[str] = []
        Fake.made.append(self)

    async def start(self, orders: Orders) -> None:
        self.orders, self.is_alive = orders, True

    async def read(self, task: Task, *, wants_body: bool) -> Reading:
        self.urls.append(task.url)
        if self.loss is not None:
            raise self.loss
        return Reading(Response(task.url, 200, {}, b"", 10, 0.1), None, 1_000)

    async def close(self) -> int:
        self.is_alive = False
        return -9


class Here:
    """The reader of this process, as a count."""

    def __init__(self, gate: ByteGate) -> None:
        self._gate = gate
        self.reads = 0

    async def room_for(self, task: Task) -> Admission:
        return self._gate.admit_at_once(1)

    async def read(self, task: Task, room: Admission) -> Reading:
        self.reads += 1
        return Reading(Failure(task.url, "dns"))


class Bench:
    """Workers over fakes."""

    def __init__(self, count: int | None, *, is_bound: bool = False, may_start: bool = True) -> None:
        clock = ManualClock()
        self.gate = ByteGate(Account("bodies", 1 << 24))
        self.here = Here(self.gate)
        self.events = Events(clock)
        self.workers = Workers(
            count, self.here, self.gate, ORDERS, clock, self.events, wants_body=lambda: False,
            may_start=lambda _count: may_start, is_bound=is_bound,
        )  # fmt: skip

    async def read(self, url: str = "http://a.test/", host_id: int = 1, url_id: int = 1) -> Reading:
        task = Task(url_id, url, host_id)
        with await self.workers.room_for(task) as room:
            return await self.workers.read(task, room)


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    Fake.made = []
    monkeypatch.setattr(workers, "Worker", Fake)
    monkeypatch.setattr(workers, "RESTART_S", 0.0)


async def test_one_worker_is_this_process() -> None:
    """With one, or until the others stand, all is read here."""
    alone, two = Bench(1), Bench(3)
    alone.workers.begin()
    two.workers.begin()
    assert (await alone.read()).fetched == (await two.read()).fetched == Failure("http://a.test/", "dns")
    await _turns()
    assert len(Fake.made) == 2
    await two.read()
    assert (alone.here.reads, two.here.reads) == (1, 1)
    await alone.workers.close()
    await two.workers.close()


async def test_a_host_stays_with_its_worker_unless_that_one_is_far_ahead() -> None:
    """Connections are kept alive where they are; a worker with more to do than the others leaves them some."""
    bench = Bench(4)
    bench.workers.begin()
    await _turns()
    for _ in range(6):
        await bench.read(host_id=4)
    assert [len(fake.urls) for fake in Fake.made] == [0, 6, 0]
    Fake.made[1].under_way, Fake.made[0].under_way = workers.LEAN + 1, 1
    await bench.read(host_id=4)
    assert [len(fake.urls) for fake in Fake.made] == [0, 6, 1]
    await bench.workers.close()


async def test_cookies_bind_a_site_to_one_worker() -> None:
    """All hosts that may share a cookie are read by one worker, never here, however busy it is."""
    bench = Bench(4, is_bound=True)
    bench.workers.begin()
    early = (await bench.read("http://www.a.test/")).fetched
    assert isinstance(early, Failure)
    assert early.reason == "local_limit"
    await _turns()
    Fake.made[0].under_way = Fake.made[1].under_way = Fake.made[2].under_way = 9
    for host_id, host in enumerate(("www.a.test", "a.test", "x.y.a.test")):
        await bench.read(f"http://{host}/", host_id=host_id)
    assert Counter(len(fake.urls) for fake in Fake.made) == {0: 2, 3: 1}
    assert bench.here.reads == 0
    await bench.workers.close()


async def test_a_lost_task_waits_and_counts_as_never_tried() -> None:
    """The host has no part in a worker's end: its task is answered as by a machine without room."""
    bench = Bench(3)
    bench.workers.begin()
    await _turns()
    Fake.made[1].loss = WorkerLost(is_cause=False)
    for _ in range(5):
        fetched = (await bench.read()).fetched
        assert isinstance(fetched, Failure)
        assert (fetched.reason, fetched.is_retryable) == ("local_limit", True)
    await bench.workers.close()


async def test_a_page_that_ends_its_process_twice_is_given_up() -> None:
    """One death may be chance; after the second the page is a fault, and it never comes near this process."""
    bench = Bench(3)
    bench.workers.begin()
    await _turns()
    Fake.made[0].loss = Fake.made[1].loss = WorkerLost(is_cause=True)
    assert isinstance((await bench.read()).fetched, Failure)
    with pytest.raises(WorkerFault):
        await bench.read()
    await bench.workers.close()


async def test_a_worker_that_ends_is_replaced() -> None:
    """Another one takes its place, and the loss is told."""
    bench = Bench(3)
    bench.workers.begin()
    await _turns()
    Fake.made[0].ended.set()
    await _turns()
    await _turns()
    assert len(Fake.made) == 3
    assert bench.events.counts["worker_lost"] == 1
    assert bench.workers.figures()["running"] == 2
    await bench.workers.close()


async def test_a_worker_that_has_just_ended_is_asked_no_more() -> None:
    """Between a process's end and the next in its place, its tasks are the others', or this process's."""
    bench = Bench(3)
    bench.workers.begin()
    await _turns()
    for fake in Fake.made:
        fake.is_alive = False
        await bench.read(host_id=0)
        await bench.read(host_id=1)
    assert [len(fake.urls) for fake in Fake.made] == [0, 2]
    assert bench.here.reads == 2
    await bench.workers.close()


async def test_a_process_that_ended_answers_at_once() -> None:
    """A task is never given to who can't answer it."""
    with pytest.raises(WorkerLost):
        await worker.Worker().read(Task(1, "http://a.test/", 1), wants_body=False)


async def test_figures_stay_after_the_end() -> None:
    """What each process did is told when none is left."""
    bench = Bench(3)
    bench.workers.begin()
    await _turns()
    before = bench.workers.figures()
    await bench.workers.close()
    assert bench.workers.figures() == before
    assert before["running"] == 2


async def test_workers_share_what_the_account_has_for_them() -> None:
    """Their parts are held while they run, add up to a half, and go back at the end; what they take is told."""
    bench = Bench(5)
    bench.workers.begin()
    await _turns()
    given = sum(fake.orders.bodies_bytes + fake.orders.names_bytes for fake in Fake.made)
    assert given <= bench.gate.account.used == (1 << 24) // workers.BODIES_SHARE
    assert bench.workers.beyond_base_bytes == 4 * 50
    assert bench.workers.cpu_s == 4.0
    await bench.workers.close()
    assert bench.gate.account.used == 0
    assert bench.workers.cpu_s == 4.0


async def test_workers_come_by_themselves_when_the_loop_is_the_brake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are started after some busy seconds; never while the loop has time to wait, or without room."""
    monkeypatch.setattr(workers, "cores", lambda: 3)
    monkeypatch.setattr(workers, "TICK_S", 0.0)
    calm, busy = Bench(None), Bench(None)
    monkeypatch.setattr(workers, "BUSY_SHARE", 2.0)
    calm.workers.begin()
    await _turns()
    assert calm.workers.figures() == {"wanted": "auto", "running": 0, "lost": 0, "processes": []}
    await calm.workers.close()
    monkeypatch.setattr(workers, "BUSY_SHARE", -1.0)
    tight = Bench(None, may_start=False)
    busy.workers.begin()
    tight.workers.begin()
    await _turns()
    await _turns()
    assert busy.workers.figures()["running"] == 2
    assert tight.workers.figures()["running"] == 0
    await busy.workers.close()
    await tight.workers.close()


async def test_a_system_without_processes_is_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no process can be started that is told, and this one reads on."""

    async def fail(*_: object) -> None:
        raise OSError(11, "no more processes")

    monkeypatch.setattr(Fake, "start", fail)
    bench = Bench(3)
    bench.workers.begin()
    await _turns()
    await bench.read()
    assert bench.here.reads == 1
    assert bench.events.counts["worker_failed"] >= 2
    await bench.workers.close()


async def test_a_real_worker_answers_and_ends() -> None:
    """A process stands, answers for a URL that may not be visited, and ends when it is told to."""
    real = worker.Worker()
    await real.start(ORDERS)
    assert real.base_bytes > 1 << 20
    reading = await real.read(Task(1, "http://127.0.0.1:9/", 1), wants_body=False)
    assert isinstance(reading.fetched, Failure)
    assert reading.fetched.reason == "blocked_private"
    assert await real.close() == 0
