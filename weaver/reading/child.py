"""The worker process: reads the tasks that come over its one socket, and ends when that does.

`python -m weaver.reading.child SOCKET MARK LOOP`: two descriptors, and the module that has the event loop. Into MARK
goes the number of the task that is parsed, so that a page that ends the process is known.
"""

from __future__ import annotations

import asyncio
import importlib
import mmap
import signal
import socket
import sys
import time
import traceback
from typing import Any

from weaver.base.clock import SystemClock
from weaver.base.page import Response, Task
from weaver.fetch import Fetcher, build_fetcher
from weaver.fetch.transport import REQUEST_BYTES
from weaver.memory import allocator
from weaver.memory.budget import Account
from weaver.memory.collector import Collector
from weaver.memory.meter import Meter
from weaver.reading.messages import (
    BEGIN,
    FAULT,
    MARK,
    READ,
    READY,
    STATE,
    Channel,
    Message,
    packed_reading,
    unpacked_task,
)
from weaver.reading.orders import Orders, unpacked_orders
from weaver.reading.reading import LocalReader, Reading

STATE_INTERVAL_S = 0.5


class _MarkingReader(LocalReader):
    """A LocalReader that leaves a mark while it parses."""

    def __init__(self, mark: mmap.mmap, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._mark = mark

    def _read(self, task: Task, response: Response) -> Reading:
        MARK.pack_into(self._mark, 0, task.url_id)
        return super()._read(task, response)


class Child:
    """One worker process, from its first message to the end of its socket."""

    def __init__(self, mark: mmap.mmap) -> None:
        self._mark = mark
        self._channel = Channel(self._take, self._end)
        self._ended = asyncio.Event()
        self._meter = Meter()
        self._running: set[asyncio.Task[None]] = set()
        self._fetcher: Fetcher | None = None
        self._reader: _MarkingReader | None = None
        self._collector: Collector | None = None

    async def serve(self, end: socket.socket) -> None:
        """Read what comes until the other side closes, or is no more."""
        await asyncio.get_running_loop().create_unix_connection(lambda: self._channel, sock=end)
        while not self._ended.is_set():
            self._tell_state()
            try:
                async with asyncio.timeout(STATE_INTERVAL_S):
                    await self._ended.wait()
            except TimeoutError:
                continue
        for running in self._running:
            running.cancel()
        if self._fetcher is not None:
            await self._fetcher.close()

    def _end(self) -> None:
        self._ended.set()

    def _take(self, message: Message) -> None:
        if message[0] == READ:
            running = asyncio.get_running_loop().create_task(self._run(message))
            self._running.add(running)
            running.add_done_callback(self._running.discard)
        elif message[0] == BEGIN:
            self._begin(unpacked_orders(message[1]))
        elif self._fetcher is not None:
            self._fetcher.release_memory()
            allocator.trim()

    def _begin(self, orders: Orders) -> None:
        clock = SystemClock()
        self._fetcher = build_fetcher(
            orders.fetch, orders.user_agent, orders.concurrency, orders.private_headers_for, clock,
            bodies=Account("bodies", orders.bodies_bytes), names=Account("names", orders.names_bytes),
            keeps_exchange=orders.keeps_exchange,
        )  # fmt: skip
        self._reader = _MarkingReader(
            self._mark, self._fetcher, orders.parse, orders.dedupe, orders.fetch.retries, orders.seed
        )
        allocator.keep_large_blocks_apart()
        if orders.is_collector_tuned:
            self._collector = Collector(clock, "tuned")
            self._collector.start()
        self._channel.send((READY, self._meter.rss(), time.process_time()))

    async def _run(self, message: Message) -> None:
        assert self._fetcher is not None
        assert self._reader is not None
        _, number, *_, wants_body = message
        try:
            # The crawl has let it in; it waits here only to grow, when its request is under way.
            with self._fetcher.bodies.admit_at_once(REQUEST_BYTES) as room:
                reading = await self._reader.read(unpacked_task(message), room)
                self._channel.send(packed_reading(number, reading, wants_body=wants_body))
        except Exception as error:  # noqa: BLE001 - the task's root: the crawl tells it, and goes on
            self._channel.send((FAULT, number, repr(error), traceback.format_exc()))

    def _tell_state(self) -> None:
        if self._collector is not None:
            self._collector.idle()
        if self._fetcher is not None:
            self._channel.send((STATE, self._meter.rss(), time.process_time()))


def main() -> None:
    """Serve on the descriptors that the command line names."""
    # Ctrl-C goes to the whole group: the crawl drains, and closes the socket when it has no more to ask.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end, mark = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    factory = importlib.import_module(sys.argv[3]).new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_serve(end, mark))


async def _serve(end: socket.socket, mark: int) -> None:
    # Mapped, for to write a file takes 6 us a page; the kernel keeps what was written when the process ends.
    await Child(mmap.mmap(mark, MARK.size)).serve(end)


if __name__ == "__main__":
    main()
