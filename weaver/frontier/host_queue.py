"""HostQueue: what waits for one host, the nearest part in RAM and the rest on disk behind a boundary."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable

from weaver.base.page import Task, TaskKind

Key = tuple[int, int]
Entry = tuple[int, int, str, int, int]

BEFORE_ALL: Key = (-1, -1)

# Measured with tracemalloc on CPython 3.11, over 50,000 entries and 20,000 hosts: an entry without its URL's characters
# (tuple, string header, id, slot in the heap), and a host with its lists, its times and its places among hosts.
ENTRY_BYTES = 172
HOST_BYTES = 760


def _key_of(entry: Entry) -> Key:
    return entry[:2]


def entry_bytes(entry: Entry) -> int:
    """What an entry takes in RAM; a canonical URL is ASCII, a byte a character."""
    return ENTRY_BYTES + len(entry[2])


class HostQueue:
    """A host's waiting tasks in the order (priority, url id), held as a window over the frontier on disk.

    Invariants: every entry of the host whose key is at most `boundary` is in RAM or leased; where `is_spilled`,
    all others are on disk only; where not, there are no others. So a refill asks the disk for keys beyond the
    boundary and never meets an entry that it has already handed out, however far the writer is behind. `bytes` is what
    the host takes in RAM with its entries; its owner notes in `counted_bytes` and `counted_entries` what it counted.
    """

    __slots__ = (
        "_arrived",
        "_dropped",
        "_heap",
        "_highest",
        "_leased",
        "boundary",
        "bytes",
        "counted_bytes",
        "counted_entries",
        "host_id",
        "in_flight",
        "is_listed",
        "is_parked",
        "is_refilling",
        "is_spilled",
        "ready_at",
        "urgent",
        "visits",
    )

    def __init__(self, host_id: int, ready_at: float, *, is_on_disk: bool) -> None:
        self.host_id = host_id
        self.ready_at = ready_at
        # A list, though it is taken from the front: it has an entry at most times, and a deque takes 600 bytes.
        self.urgent: list[Task] = []
        self.bytes = HOST_BYTES
        self.counted_bytes = self.counted_entries = 0
        self.in_flight = 0
        self.visits = 0
        self.is_listed = False
        self.is_parked = False
        self.is_refilling = False
        self.is_spilled = is_on_disk
        self.boundary: Key = BEFORE_ALL
        self._highest: Key = BEFORE_ALL
        self._heap: list[Entry] = []
        self._arrived: list[Entry] = []
        self._dropped: Key | None = None
        self._leased: list[Key] = []

    def __len__(self) -> int:
        return len(self._heap) + len(self._arrived)

    def __repr__(self) -> str:
        disk = " + disk" if self.is_spilled else ""
        return f"HostQueue(host={self.host_id}, waiting={len(self)}{disk}, in_flight={self.in_flight})"

    @property
    def has_startable(self) -> bool:
        """A task could be started now, the host's deadline aside."""
        return bool(self.urgent) or (bool(self._heap) and not self.is_parked)

    @property
    def needs_refill(self) -> bool:
        return self.is_spilled and not self._heap and not self.is_refilling

    @property
    def is_idle(self) -> bool:
        """Nothing waits anywhere and nothing is under way."""
        return not (self._heap or self._arrived or self.urgent or self.in_flight or self.is_spilled)

    def push(self, entry: Entry, room: int) -> bool:
        """Take an entry into the window; False where it stays on disk only. O(log n); O(n) at a spill."""
        if not self.is_spilled and len(self._heap) >= room:
            # The highest key ever held, not the heap's: a leased task that is put back must lie within.
            self.is_spilled = True
            self.boundary = self._highest
        if not self.is_spilled or entry[:2] <= self.boundary:
            self._hold(entry)
            if len(self._heap) > 2 * room:
                self.trim(room)
            return True
        if not self.is_refilling:
            return False
        if len(self) >= room:
            self._leave_to_disk(entry[:2])
            return False
        self._arrived.append(entry)
        self.bytes += entry_bytes(entry)
        return True

    def _hold(self, entry: Entry) -> None:
        heapq.heappush(self._heap, entry)
        self.bytes += entry_bytes(entry)
        self._highest = max(self._highest, entry[:2])

    def trim(self, room: int) -> None:
        """Leave to the disk what lies beyond the `room` (>= 1) nearest entries, and beyond every leased one."""
        if len(self._heap) <= room:
            return
        self._heap.sort()
        cut = max(self._heap[room - 1][:2], *self._leased) if self._leased else self._heap[room - 1][:2]
        kept = bisect_right(self._heap, cut, key=_key_of)
        if kept == len(self._heap):
            return
        self._leave_to_disk(self._heap[kept][:2])
        self.bytes -= sum(map(entry_bytes, self._heap[kept:]))
        del self._heap[kept:]
        self.is_spilled = True
        self.boundary = cut

    def _leave_to_disk(self, key: Key) -> None:
        """A refill that is on its way must not pass over an entry that finds no room now."""
        if self.is_refilling:
            self._dropped = min(self._dropped or key, key)

    def pop(self) -> Task:
        """The next task; `has_startable` must hold."""
        if self.urgent:
            return self.urgent.pop(0)
        entry = heapq.heappop(self._heap)
        self.bytes -= entry_bytes(entry)
        priority, url_id, url, redirects, attempts = entry
        self._leased.append((priority, url_id))
        return Task(url_id, url, self.host_id, priority, redirects, attempts)

    def ended(self, task: Task) -> None:
        """A task that was popped is no longer under way."""
        self.in_flight -= 1
        if task.kind is TaskKind.PAGE:
            self._leased.remove((task.depth, task.url_id))

    def put_back(self, task: Task) -> None:
        """A leased task waits again, at its old place."""
        self._hold((task.depth, task.url_id, task.url, task.redirects, task.attempts))

    def refill(self, rows: Iterable[Entry], *, is_last: bool) -> None:
        """Take what the disk held beyond the boundary, in order; `is_last` when it held no more.

        What arrived meanwhile may be among the rows, lie within the new boundary (then it is kept), or beyond it
        (then it is on disk, for the next refill). From the least key that found no room on, all is left to the disk.
        """
        self.is_refilling = False
        end, self._dropped = self._dropped, None
        loaded = set()
        for entry in rows:
            if end is not None and entry[:2] >= end:
                break
            self._hold(entry)
            self.boundary = entry[:2]
            loaded.add(entry[1])
        arrived, self._arrived = self._arrived, []
        self.bytes -= sum(map(entry_bytes, arrived))
        kept = [entry for entry in arrived if entry[1] not in loaded and (end is None or entry[:2] < end)]
        if not is_last:
            kept = [entry for entry in kept if entry[:2] <= self.boundary]
        for entry in kept:
            self._hold(entry)
            self.boundary = max(self.boundary, entry[:2])
        self.is_spilled = not is_last or end is not None

    def check(self) -> None:
        """Assert the invariants that can be seen from RAM."""
        assert self.in_flight >= 0
        assert not self._arrived or self.is_refilling
        assert self.bytes == HOST_BYTES + sum(map(entry_bytes, (*self._heap, *self._arrived)))
        if self.is_spilled:
            assert all(entry[:2] <= self.boundary for entry in self._heap)
