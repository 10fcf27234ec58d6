"""Worker: one worker process as the crawl sees it: started, asked, and known for what it was doing when it ended."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from weaver.base.page import Task
from weaver.reading.messages import (
    ANSWER,
    BEGIN,
    FAULT,
    MARK,
    READY,
    RELEASE,
    STATE,
    Channel,
    Message,
    packed_task,
    unpacked_reading,
)
from weaver.reading.orders import Orders
from weaver.reading.reading import Reading

# An end that was asked for takes milliseconds; a process that is in the midst of a page gets this long.
END_S = 2.0


class WorkerLost(Exception):
    """The process ended before it answered. `is_cause` says that it was parsing this very task."""

    def __init__(self, *, is_cause: bool) -> None:
        super().__init__("the process that read the page ended")
        self.is_cause = is_cause


class WorkerFault(Exception):
    """The task met a fault of weaver's in the process that read it; the text is that fault's."""


class Worker:
    """One process. `rss_bytes` and `cpu_s` are what it told last, `busy_share` what it used of a core between its last
    two words, `base_bytes` what was resident before its first task.

    Invariant: each task that it was asked is answered, by it or by its end.
    """

    def __init__(self) -> None:
        self._channel = Channel(self._take, self._ended)
        self._numbers = itertools.count(1)
        self._asked: dict[int, tuple[str, asyncio.Future[Reading]]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._mark = -1
        self._stands = asyncio.Event()
        self._told_at: float | None = None
        self.ended = asyncio.Event()
        self.is_alive = False
        self.rss_bytes = 0
        self.base_bytes = 0
        self.cpu_s = 0.0
        self.busy_share = 0.0
        self.reads = 0
        self.unanswered = 0

    def __repr__(self) -> str:
        return f"Worker({self.pid}, {len(self._asked)} under way, {self.reads} read)"

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    @property
    def under_way(self) -> int:
        """Tasks that it has not answered."""
        return len(self._asked)

    async def start(self, orders: Orders) -> None:
        """Return when it stands, or has ended already. Raises OSError where the system has no room for a process."""
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        with there, tempfile.TemporaryFile() as mark:
            here.setblocking(False)  # noqa: FBT003
            try:
                # Written, not only made long: a disk that is full must not end the process at its first mark.
                os.pwrite(mark.fileno(), MARK.pack(0), 0)
                self._process = _started(there.fileno(), mark.fileno(), _loop_module(loop))
            except BaseException:
                here.close()
                raise
            self._mark = os.dup(mark.fileno())
        await loop.create_unix_connection(lambda: self._channel, sock=here)
        self._channel.send((BEGIN, orders.packed()))
        await self._stands.wait()

    async def read(self, task: Task, *, wants_body: bool) -> Reading:
        """Have the task read. Raises WorkerLost, at once where it has ended, and WorkerFault."""
        if not self.is_alive:
            raise WorkerLost(is_cause=False)
        number = next(self._numbers)
        answer: asyncio.Future[Reading] = asyncio.get_running_loop().create_future()
        self._asked[number] = task.url, answer
        self._channel.send(packed_task(number, task, wants_body=wants_body))
        try:
            return await answer
        finally:
            self._asked.pop(number, None)

    def release_memory(self) -> None:
        """Have it let go of what is only kept for later."""
        self._channel.send((RELEASE,))

    async def close(self) -> int:
        """End it; what it was asked and has not answered is lost. The process's return code."""
        self._channel.close()
        if self._process is None:
            return 0
        code = await asyncio.to_thread(_awaited_end, self._process)
        if self._mark >= 0:
            os.close(self._mark)
            self._mark = -1
        return code

    def _take(self, message: Message) -> None:
        kind = message[0]
        if kind == STATE:
            self._told(*message[1:])
        elif kind == READY:
            self._told(*message[1:])
            self.base_bytes = self.rss_bytes
            self.is_alive = True
            self._stands.set()
        else:
            self._answered(kind, message)

    def _told(self, rss_bytes: int, cpu_s: float) -> None:
        now = asyncio.get_running_loop().time()
        if self._told_at is not None and now > self._told_at:
            self.busy_share = min(1.0, (cpu_s - self.cpu_s) / (now - self._told_at))
        self._told_at, self.rss_bytes, self.cpu_s = now, rss_bytes, cpu_s

    def _answered(self, kind: int, message: Message) -> None:
        # Nobody waits any more for what was cancelled.
        url, answer = self._asked.get(message[1], ("", None))
        if answer is None or answer.done():
            return
        self.reads += 1
        if kind == ANSWER:
            answer.set_result(unpacked_reading(message, url))
        elif kind == FAULT:
            answer.set_exception(WorkerFault(f"{message[2]}\n{message[3]}"))

    def _ended(self) -> None:
        self.is_alive = False
        self._stands.set()
        self.ended.set()
        self.unanswered = len(self._asked)
        marked = self._marked()
        for number, (_, answer) in self._asked.items():
            if not answer.done():
                answer.set_exception(WorkerLost(is_cause=number == marked))

    def _marked(self) -> int:
        """The number of the task that it parsed last; 0 where it has parsed none."""
        with contextlib.suppress(OSError):
            mark = os.pread(self._mark, MARK.size, 0)
            return int(MARK.unpack(mark)[0]) if len(mark) == MARK.size else 0
        return 0


def _started(end: int, mark: int, loop_module: str) -> subprocess.Popen[bytes]:
    """In a session of its own: a Ctrl-C at the terminal is the crawl's, which has this one finish what it reads."""
    return subprocess.Popen(  # noqa: S603 - this very program
        [sys.executable, "-P", "-m", "weaver.reading.child", str(end), str(mark), loop_module],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(end, mark),
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(_search_path())},
    )


def _search_path() -> list[str]:
    """Where this weaver is, before all else."""
    own = str(Path(__file__).resolve().parents[2])
    return [own, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]


def _loop_module(loop: asyncio.AbstractEventLoop) -> str:
    """The package that the loop in use comes from."""
    package = type(loop).__module__.partition(".")[0]
    return package if package == "uvloop" else "asyncio"


def _awaited_end(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
