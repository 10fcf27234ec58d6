"""Journal: the one way to disk: it hands records to the writer and tells the stages what is kept."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Protocol, TypeVar

from weaver.base.record import CommitRecord, HostRecord
from weaver.frontier import Frontier
from weaver.memory.admission import ByteGate
from weaver.memory.budget import Account
from weaver.memory.uncommitted import Uncommitted
from weaver.persistence import Archive, Connection, Writer, hosts_with_queue, queued_of_host
from weaver.pipeline.captures import capture_bytes
from weaver.pipeline.record_bytes import record_bytes

# Of the database's account; SQLite's page caches have the other half.
QUEUE_SHARE = 2

T = TypeVar("T")


class Committed(Protocol):
    """A store that keeps entries in RAM until their record is on disk."""

    def submitted(self, number: int) -> None:
        """Entries since the last call travel with this record."""
        ...

    def committed(self, number: int) -> None:
        """All records up to this number are on disk."""
        ...


class Journal:
    """The one way to disk. Records are numbered in the order of submission, which is the order of commit.

    What a record takes is charged from its submission to its commit; never refused, for a page that was fetched must be
    kept: the crawl waits in `wait_for_room` before it takes the next one, so the overdraft is the pages under way.
    What the archive is to keep of it is charged to the bodies, which it mostly is.

    It is also what the frontier and the gate see of the disk: refills of host queues, and host records, those not
    yet committed included.
    """

    def __init__(self, archive: Archive, account: Account) -> None:
        self._archive = archive
        self._account = account
        self._sizes: deque[int] = deque()
        self._waiting_bytes = 0
        self._bodies: ByteGate | None = None
        self._captured: deque[tuple[int, int]] = deque()
        self._captured_bytes = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writer: Writer | None = None
        self._stores: Sequence[Committed] = ()
        self._frontier: Frontier | None = None
        self._hosts: Uncommitted[int, HostRecord] = Uncommitted()
        self._host_rows: dict[int, HostRecord] = {}
        self._room: asyncio.Event = asyncio.Event()
        self._submitted = 0
        self._committed = 0
        self._on_change: Callable[[], None] = lambda: None
        self._stop_crawl: Callable[[BaseException], None] = lambda _error: None

    def __repr__(self) -> str:
        return f"Journal(submitted={self._submitted}, waiting={self._submitted - self._committed})"

    def connect(
        self,
        writer: Writer,
        frontier: Frontier,
        stores: Sequence[Committed],
        on_change: Callable[[], None],
        stop_crawl: Callable[[BaseException], None],
        bodies: ByteGate | None = None,
    ) -> None:
        """Wire what is constructed after the journal: `on_change` is called when the disk has answered, and
        `stop_crawl` when it has failed; `bodies` is asked where an archive is kept."""
        self._loop = asyncio.get_running_loop()
        self._writer = writer
        self._frontier = frontier
        self._stores = stores
        self._on_change = on_change
        self._stop_crawl = stop_crawl
        self._bodies = bodies
        self._room.set()

    @property
    def writer(self) -> Writer:
        assert self._writer is not None, "expected connect() before use"
        return self._writer

    @property
    def waiting(self) -> int:
        """Records submitted and not yet on disk."""
        return self._submitted - self._committed

    def append(self, record: CommitRecord) -> None:
        """Submit one record; never waits. Host records saved since the last one travel with it."""
        if self._host_rows:
            record = replace(record, hosts=record.hosts + tuple(self._host_rows.values()))
            self._host_rows = {}
        self.writer.submit(record)
        self._submitted += 1
        self._charge(record_bytes(record))
        if record.captures and self._bodies is not None:
            size_bytes = capture_bytes(record.captures)
            self._bodies.hold(size_bytes)
            self._captured.append((self._submitted, size_bytes))
            self._captured_bytes += size_bytes
        self._hosts.submitted(self._submitted)
        for store in self._stores:
            store.submitted(self._submitted)

    def _charge(self, size_bytes: int) -> None:
        self._account.hold(size_bytes)
        self._sizes.append(size_bytes)
        self._waiting_bytes += size_bytes

    @property
    def has_room(self) -> bool:
        """Whether further pages may be finished, by the number of waiting records and by their bytes."""
        is_small = self._waiting_bytes < self._account.limit // QUEUE_SHARE and not self._has_many_captured
        return self.writer.has_room and (is_small or not self._sizes)

    @property
    def _has_many_captured(self) -> bool:
        return self._bodies is not None and self._captured_bytes > self._bodies.account.limit // QUEUE_SHARE

    async def wait_for_room(self) -> None:
        """Return when the writer's queue has room: the crawl waits rather than grows."""
        while not self.has_room:
            self._room.clear()
            self.writer.hurry()
            await self._room.wait()

    async def flush(self) -> None:
        """Return when all that was submitted is on disk."""
        if self._host_rows:
            self.append(CommitRecord())
        await self.ask(lambda _connection: None)

    async def ask(self, query: Callable[[Connection], T]) -> T:
        """Run a query on the writer's thread, after all that was submitted before it."""
        return await asyncio.wrap_future(self.writer.ask(query))

    def on_failure(self, error: BaseException) -> None:
        """The writer's word, on its own thread, that it has ended: the crawl must end too."""
        self.hop(self._stop_crawl, error)

    def on_commit(self, records: int) -> None:
        """The writer's word, on its own thread, that so many more records are on disk."""
        self.hop(self._was_committed, records)

    def _was_committed(self, records: int) -> None:
        self._committed += records
        freed_bytes = sum(self._sizes.popleft() for _ in range(records))
        self._waiting_bytes -= freed_bytes
        self._account.release(freed_bytes)
        if self._captured:
            self._release_captured()
        self._hosts.committed(self._committed)
        for store in self._stores:
            store.committed(self._committed)
        self._room.set()

    def _release_captured(self) -> None:
        assert self._bodies is not None
        freed_bytes = 0
        while self._captured and self._captured[0][0] <= self._committed:
            freed_bytes += self._captured.popleft()[1]
        self._captured_bytes -= freed_bytes
        self._bodies.give_back(freed_bytes)

    def hop(self, call: Callable[..., None], *arguments: object) -> None:
        """Go on in the event loop; a loop that is closed already has nobody left to tell."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *arguments)

    def load_host(self, host_id: int) -> HostRecord | None:
        """What is known of a host outside RAM."""
        return self._host_rows.get(host_id) or self._hosts.get(host_id) or self._archive.host(host_id)

    def save_host(self, record: HostRecord) -> None:
        """Have a host's state committed with the next record."""
        self._host_rows[record.host_id] = record
        self._hosts.add(record.host_id, record)

    def ask_entries(self, host_id: int, after: tuple[int, int], limit: int) -> None:
        """Refill a host's queue from disk."""

        def answer(done: Future[list[tuple[int, int, str, int, int]]]) -> None:
            if done.exception() is None:
                self.hop(self._refilled, host_id, done.result(), limit)

        self.writer.ask(lambda connection: _entries(connection, host_id, limit, after)).add_done_callback(answer)

    def _refilled(self, host_id: int, rows: list[tuple[int, int, str, int, int]], limit: int) -> None:
        assert self._frontier is not None
        self._frontier.refilled(host_id, rows, is_last=len(rows) < limit)
        self._on_change()

    def ask_hosts(self, after_host_id: int, limit: int) -> None:
        """Find hosts whose queue is on disk only."""

        def answer(done: Future[list[int]]) -> None:
            if done.exception() is None:
                self.hop(self._awakened, done.result(), limit)

        self.writer.ask(lambda connection: hosts_with_queue(connection, after_host_id, limit)).add_done_callback(answer)

    def _awakened(self, host_ids: list[int], limit: int) -> None:
        assert self._frontier is not None
        self._frontier.awakened(host_ids, is_last=len(host_ids) < limit)
        self._on_change()


def _entries(
    connection: Connection, host_id: int, limit: int, after: tuple[int, int]
) -> list[tuple[int, int, str, int, int]]:
    rows = queued_of_host(connection, host_id, limit, after)
    return [(priority, url_id, url, redirects, 0) for priority, url_id, url, _depth, redirects in rows]
