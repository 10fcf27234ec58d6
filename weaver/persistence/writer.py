"""The writer: one thread that commits what the crawl hands over, in order, in groups, or dies loudly."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, Protocol, TypeVar

from weaver.base.errors import PersistenceError
from weaver.base.record import CommitRecord
from weaver.base.settings import PersistenceSettings
from weaver.persistence.chores import Chore
from weaver.persistence.statements import write_records

T = TypeVar("T")


class Companion(Protocol):
    """What is written along with the database, on the writer's thread."""

    def write(self, connection: sqlite3.Connection, group: Sequence[CommitRecord]) -> None:
        """Write what belongs to a group, within its transaction and before it ends."""
        ...

    def committed(self) -> None:
        """The group that was written last is committed."""
        ...


class _Ask(Generic[T]):
    """A question to the database, in its place among the records."""

    __slots__ = ("answer", "query")

    def __init__(self, query: Callable[[sqlite3.Connection], T]) -> None:
        self.query = query
        self.answer: Future[T] = Future()


class Writer:
    """Group commit on a thread of its own.

    What is handed over (`submit`, `ask`, `flush`) takes effect in that order. A group is committed when it
    has `commit_pages` records, `commit_interval` after its first one, or as soon as an ask waits behind it;
    all of a record is in one transaction. `on_commit(n)` and `on_failure(error)` are called on the thread.

    `start` opens the connection, on the thread. Any error ends it: the group is rolled back, every waiting
    future fails, `on_failure` is told, and all later calls raise PersistenceError.
    A `chore` takes a step after each group, and as long as nothing is due.
    Invariant: `waiting` = records submitted - records committed.
    """

    def __init__(
        self,
        connection_factory: Callable[[PersistenceSettings], sqlite3.Connection],
        settings: PersistenceSettings,
        on_commit: Callable[[int], None],
        on_failure: Callable[[BaseException], None],
        companion: Companion | None = None,
        chore: Chore | None = None,
    ) -> None:
        self._connect = connection_factory
        self._settings = settings
        self._on_commit = on_commit
        self._on_failure = on_failure
        self._companion = companion
        self._chore = chore
        self._queue: deque[CommitRecord | _Ask[Any]] = deque()
        self._wake = threading.Condition()
        self._asks = 0
        self._first_at = 0.0
        self._closing = False
        self._failure: PersistenceError | None = None
        self.waiting = 0
        self.committed = 0
        self._thread = threading.Thread(target=self._run, name="weaver-writer", daemon=True)

    def __repr__(self) -> str:
        phase = "failed" if self._failure else "closed" if self._closing else "open"
        return f"Writer(waiting={self.waiting}, committed={self.committed}, {phase})"

    def start(self) -> None:
        """Begin to commit, also what was handed over before."""
        self._thread.start()

    @property
    def has_room(self) -> bool:
        """Whether the crawl may finish further pages before the disk has caught up."""
        return self.waiting < self._settings.queue_pages

    @property
    def failure(self) -> PersistenceError | None:
        """What ended the writer, or None."""
        return self._failure

    def submit(self, record: CommitRecord) -> None:
        """Hand over a record; never waits for the disk. Raises PersistenceError once the writer has ended."""
        with self._wake:
            self._check_open()
            if not self._queue:
                self._first_at = time.monotonic()
            self._queue.append(record)
            self.waiting += 1
            # The thread is woken for the first record and for a full group; in between it has a deadline.
            if len(self._queue) in (1, self._settings.commit_pages):
                self._wake.notify()

    def hurry(self) -> None:
        """Commit what waits without waiting for more to join it."""
        with self._wake:
            self._first_at = 0.0
            self._wake.notify()

    def ask(self, query: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Run `query` on the thread after all that was submitted before is committed.

        It may write, in transactions that it ends itself. An error in it ends the writer: nobody can say
        what it leaves behind.
        """
        ask = _Ask(query)
        with self._wake:
            self._check_open()
            self._queue.append(ask)
            self._asks += 1
            self._wake.notify()
        return ask.answer

    def flush(self) -> Future[None]:
        """A future that is done when all that was submitted before is committed."""
        return self.ask(_nothing)

    def close(self) -> None:
        """Commit what waits and end the thread; may be called again. Raises PersistenceError if the writer failed."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.ident is not None:
            self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _check_open(self) -> None:
        if self._failure is not None:
            raise PersistenceError(f"the writer has ended: {self._failure}") from self._failure
        if self._closing:
            raise PersistenceError("the writer is closed")

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        try:
            connection = self._connect(self._settings)
            if self._chore is not None:
                self._chore.start(connection)
            while self._step(connection):
                pass
            connection.close()
        # The task's root: whatever it was, the crawl must not go on without a writer.
        except BaseException as error:  # noqa: BLE001
            self._fail(connection, error)

    def _step(self, connection: sqlite3.Connection) -> bool:
        """Commit one group, answer the ask that ended it, and do a step of the chore; False when closed and done."""
        group, ask = self._take()
        if group:
            self._commit(connection, group)
        if ask is not None:
            self._answer(connection, ask)
        if self._closing and not self._queue:
            return False
        if self._chore is not None:
            self._chore.step()
        return True

    def _take(self) -> tuple[list[CommitRecord], _Ask[Any] | None]:
        """The next group as soon as it is due, and the ask behind it.

        Neither once closed and empty, and where the chore has work before anything is due.
        """
        group: list[CommitRecord] = []
        with self._wake:
            while not self._is_due():
                if self._chore is not None and self._chore.has_work:
                    return group, None
                self._wake.wait(
                    self._first_at + self._settings.commit_interval - time.monotonic() if self._queue else None
                )
            while self._queue and len(group) < self._settings.commit_pages:
                item = self._queue[0]
                if isinstance(item, _Ask) and group:
                    # If the group can't be committed, whoever asks is still there to be told.
                    break
                self._queue.popleft()
                if isinstance(item, _Ask):
                    self._asks -= 1
                    return group, item
                group.append(item)
        return group, None

    def _is_due(self) -> bool:
        if self._asks or self._closing or len(self._queue) >= self._settings.commit_pages:
            return True
        return bool(self._queue) and time.monotonic() >= self._first_at + self._settings.commit_interval

    def _commit(self, connection: sqlite3.Connection, group: list[CommitRecord]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        write_records(connection, group)
        if self._companion is not None:
            self._companion.write(connection, group)
        connection.execute("COMMIT")
        if self._companion is not None:
            self._companion.committed()
        with self._wake:
            self.waiting -= len(group)
            self.committed += len(group)
        if self._chore is not None:
            self._chore.added(sum(record.adjacency is not None for record in group))
        self._on_commit(len(group))

    def _answer(self, connection: sqlite3.Connection, ask: _Ask[Any]) -> None:
        if not ask.answer.set_running_or_notify_cancel():
            return
        try:
            found = ask.query(connection)
            if connection.in_transaction:
                raise PersistenceError("a query left its transaction open")
        except BaseException as error:
            ask.answer.set_exception(_in_our_words(error))
            raise
        ask.answer.set_result(found)

    def _fail(self, connection: sqlite3.Connection | None, error: BaseException) -> None:
        failure = _in_our_words(error)
        with self._wake:
            self._failure = failure
            asks = [item for item in self._queue if isinstance(item, _Ask)]
            self._queue.clear()
        for ask in asks:
            if ask.answer.set_running_or_notify_cancel():
                ask.answer.set_exception(failure)
        try:
            _abandon(connection)
        finally:
            self._on_failure(failure)


def _nothing(_: sqlite3.Connection) -> None:
    """The query of a flush: its place in the queue is all it is for."""


def _abandon(connection: sqlite3.Connection | None) -> None:
    """Roll back and close; what a broken disk says to that adds nothing to the error that is on its way."""
    if connection is None:
        return
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except sqlite3.Error:
        return
    finally:
        connection.close()


def _in_our_words(error: BaseException) -> PersistenceError:
    if isinstance(error, PersistenceError):
        return error
    failure = PersistenceError(f"writing the crawl failed: {type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure
