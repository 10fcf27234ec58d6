"""Frontier: which task is next, host by host, so that a slow host holds up nobody but itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from weaver.base.clock import Clock
from weaver.base.page import Task
from weaver.base.settings import FrontierSettings
from weaver.base.value import value
from weaver.frontier.host_queue import HOST_BYTES, Entry, HostQueue, Key
from weaver.frontier.ready_hosts import ReadyHosts
from weaver.memory.budget import Account

# An entry with a URL of 60 characters: what room is reckoned in; charged is what each one takes.
TYPICAL_ENTRY_BYTES = 232
REFILL_FLOOR = 64
# What a host may hold when the account is full: fewer would make each refill, which ends a commit's group, too dear.
MIN_ROOM = 16
# Long URLs can make the floors of all hosts together too much; past this much of the account there is no floor.
MOST_OVERDRAFT = 1.1
AWAKEN_BATCH = 256


class ColdQueue(Protocol):
    """The frontier's part on disk. Both calls return at once; the answer comes by `refilled` and `awakened`."""

    def ask_entries(self, host_id: int, after: Key, limit: int) -> None:
        """Want a host's next entries beyond a key, in order."""
        ...

    def ask_hosts(self, after_host_id: int, limit: int) -> None:
        """Want the ids of hosts with entries on disk, beyond an id, in order."""
        ...


@value
class Lease:
    """A task with the right to visit its host; ended by `release` or `put_back`, once."""

    task: Task
    host: HostQueue


class Frontier:
    """The queue of all that waits: a window in RAM over the complete one on disk.

    A host is active (has a HostQueue) or dormant (its entries are on disk only). Active hosts are at most
    `active_hosts`, entries in RAM about `window` (each host may keep a floor of 64, robots tasks are extra).
    `push`, `acquire`, `release` cost O(log n), `shrink` O(n). Invariant: what is charged is what the hosts' queues
    take.
    """

    def __init__(
        self,
        settings: FrontierSettings,
        per_host: int,
        account: Account,
        cold: ColdQueue,
        clock: Clock,
        deadline_of: Callable[[int], float],
        *,
        is_resumed: bool = False,
        queued: int = 0,
    ) -> None:
        self._settings = settings
        self._per_host = per_host
        self._account = account
        self._cold = cold
        self._clock = clock
        self._deadline_of = deadline_of
        self._hosts: dict[int, HostQueue] = {}
        self._ready = ReadyHosts()
        self._window = 0
        self._bytes = 0
        self._has_dormant = is_resumed
        self._is_awakening = False
        self._cursor = 0
        self._found_in_round = False
        self._work_after_ask = False
        self.queued = queued
        self.in_flight = 0

    def __repr__(self) -> str:
        held = f"in_ram={self._window}, hosts={len(self._hosts)}"
        return f"Frontier(queued={self.queued}, {held}, in_flight={self.in_flight})"

    @property
    def in_window(self) -> int:
        """Entries in RAM."""
        return self._window

    @property
    def active_hosts(self) -> int:
        return len(self._hosts)

    @property
    def most_active_hosts(self) -> int:
        """Half of the account is for as many hosts as it can hold at their least room."""
        by_bytes = self._account.limit // 2 // (HOST_BYTES + MIN_ROOM * TYPICAL_ENTRY_BYTES)
        return min(self._settings.active_hosts, max(1, by_bytes))

    @property
    def bytes(self) -> int:
        """What the queues in RAM have charged."""
        return self._bytes

    @property
    def is_exhausted(self) -> bool:
        """Nothing waits, in RAM or on disk, and nothing is under way."""
        return self.in_flight == 0 and not self._hosts and not self._has_dormant

    def next_ready_at(self) -> float | None:
        """When a host next becomes ready; None where only an answer from disk or a release can bring one."""
        return self._ready.next_at()

    def push(self, tasks: Iterable[Task]) -> None:
        """Queue tasks whose rows were handed to the writer: a refill asked for from now on will see them."""
        for task in tasks:
            self.queued += 1
            host = self._hosts.get(task.host_id)
            if host is None:
                host = self._activate(task.host_id)
            if host is None:
                self._has_dormant = self._work_after_ask = True
                continue
            host.push((task.depth, task.url_id, task.url, task.redirects, task.attempts), self._room(host))
            self._recount(host)
            self._list(host)

    def put_first(self, task: Task) -> None:
        """A task that goes before all others of its host: robots.txt; its host is activated whatever the cap."""
        host = self._hosts.get(task.host_id)
        if host is None:
            host = self._new_host(task.host_id)
        host.urgent.append(task)
        self._list(host)

    def acquire(self) -> Lease | None:
        """The next task of the host that has been ready the longest; None where no host is ready."""
        now = self._clock.monotonic()
        while (host := self._ready.pop(now)) is not None:
            if not host.has_startable or host.in_flight >= self._per_host:
                continue
            task = host.pop()
            self._recount(host)
            host.in_flight += 1
            host.visits += 1
            self.in_flight += 1
            if host.needs_refill:
                self._ask_refill(host)
            return Lease(task, host)
        if self._has_dormant:
            self._awaken()
        return None

    def started(self, lease: Lease, next_start: float) -> None:
        """The lease's request is on its way; the host may be asked again, beside it, from `next_start`."""
        lease.host.ready_at = next_start
        self._list(lease.host)

    def release(self, lease: Lease, ready_at: float, *, is_done: bool = True) -> None:
        """End a lease; its host may be asked again from `ready_at` (clock seconds)."""
        host = lease.host
        host.ended(lease.task)
        self.in_flight -= 1
        host.ready_at = max(host.ready_at, ready_at)
        if is_done:
            self.queued -= 1
        self._settle(host)

    def put_back(self, lease: Lease, task: Task, ready_at: float) -> None:
        """End a lease undone: the task waits again at its place."""
        lease.host.put_back(task)
        self._recount(lease.host)
        self.release(lease, ready_at, is_done=False)

    def park(self, host_id: int) -> None:
        """Start nothing but urgent tasks at this host until `unpark`."""
        host = self._hosts.get(host_id)
        if host is not None:
            host.is_parked = True

    def unpark(self, host_id: int, ready_at: float = 0.0) -> None:
        """The host's tasks may start again, from `ready_at` on (clock seconds)."""
        host = self._hosts.get(host_id)
        if host is not None:
            host.ready_at = max(host.ready_at, ready_at)
            host.is_parked = False
            self._settle(host)

    def refilled(self, host_id: int, rows: list[Entry], *, is_last: bool) -> None:
        """The disk's answer to `ask_entries`."""
        host = self._hosts[host_id]
        host.refill(rows, is_last=is_last)
        self._recount(host)
        self._settle(host)

    def awakened(self, host_ids: list[int], *, is_last: bool) -> None:
        """The disk's answer to `ask_hosts`; after a whole round without a new host none is dormant."""
        self._is_awakening = False
        for host_id in host_ids:
            if host_id in self._hosts:
                continue
            self._found_in_round = True
            if self._activate(host_id) is None:
                return
            self._cursor = host_id
            self._list(self._hosts[host_id])
        self._cursor = host_ids[-1] if host_ids and not is_last else 0
        if is_last:
            self._has_dormant = self._found_in_round or self._work_after_ask
            self._found_in_round = False

    def shrink(self) -> int:
        """Where the account is over its present limit, halve the longest queues, and leave the rest to the disk.

        The bytes let go; call again until it is 0. Each host keeps its nearest entry: no refill is owed for this.
        """
        before = self._bytes
        room = max(map(len, self._hosts.values()), default=0)
        # The longest queues may be held by what is leased: then the shorter ones are asked too.
        while room > 1 and self._bytes == before and self._account.used > self._account.limit:
            room //= 2
            for host in self._hosts.values():
                host.trim(room)
                self._recount(host)
        return before - self._bytes

    def check(self) -> None:
        """Assert that the counts agree with the queues."""
        assert self._window == sum(len(host) for host in self._hosts.values())
        assert self.in_flight == sum(host.in_flight for host in self._hosts.values())
        assert self._bytes == sum(host.bytes for host in self._hosts.values()) <= self._account.used
        for host in self._hosts.values():
            host.check()

    def _activate(self, host_id: int) -> HostQueue | None:
        return self._new_host(host_id) if self._has_place() else None

    def _has_place(self) -> bool:
        """For one more active host; the first one always has, so that a crawl goes on however full the account is."""
        if not self._hosts:
            return True
        fits = self._account.would_fit(HOST_BYTES + TYPICAL_ENTRY_BYTES)
        return fits and len(self._hosts) < self.most_active_hosts

    def _new_host(self, host_id: int) -> HostQueue:
        host = HostQueue(host_id, self._deadline_of(host_id), is_on_disk=self._has_dormant)
        self._hosts[host_id] = host
        self._recount(host)
        return host

    def _room(self, host: HostQueue) -> int:
        """How many entries the host may hold in RAM: its share, or its floor when the window is full."""
        by_count = self._settings.window - self._window
        by_bytes = (self._account.limit - self._account.used) // TYPICAL_ENTRY_BYTES
        floor = REFILL_FLOOR if by_bytes > REFILL_FLOOR else MIN_ROOM
        if self._account.used > MOST_OVERDRAFT * self._account.limit:
            floor = 1
        return min(self._settings.window_per_host, max(floor, len(host) + min(by_count, by_bytes)))

    def _list(self, host: HostQueue) -> None:
        if host.has_startable and host.in_flight < self._per_host:
            self._ready.list(host, self._clock.monotonic())
        elif host.needs_refill and not host.is_parked:
            self._ask_refill(host)

    def _settle(self, host: HostQueue) -> None:
        """After a change: list the host, refill it, or let it go when it is idle.

        Its deadline is politeness's to remember: a host that comes back asks for it.
        """
        if host.is_idle and not host.is_parked:
            if self._hosts.pop(host.host_id, None) is not None:
                self._charge(-host.counted_bytes)
            return
        self._list(host)

    def _ask_refill(self, host: HostQueue) -> None:
        host.is_refilling = True
        self._cold.ask_entries(host.host_id, host.boundary, self._room(host))

    def _awaken(self) -> None:
        if self._is_awakening or len(self._hosts) >= self.most_active_hosts:
            return
        self._is_awakening = True
        if self._cursor == 0:
            self._work_after_ask = False
        self._cold.ask_hosts(self._cursor, AWAKEN_BATCH)

    def _recount(self, host: HostQueue) -> None:
        """Bring the window's counts, and the charge, up to what the host's queue has become."""
        self._window += len(host) - host.counted_entries
        host.counted_entries = len(host)
        self._charge(host.bytes - host.counted_bytes)
        host.counted_bytes = host.bytes

    def _charge(self, more_bytes: int) -> None:
        self._bytes += more_bytes
        if more_bytes > 0:
            self._account.hold(more_bytes)
        else:
            self._account.release(-more_bytes)
