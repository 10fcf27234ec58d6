"""HostQueue: what waits for one host, the nearest part in RAM and the rest on disk behind a boundary."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable

from weaver.base.page import Task, TaskKind

Key = tuple[int, int]
Entry = tuple[int, int, str, int, int]

BEFORE_ALL: Key = (-1, -1)


class HostQueue:
    """A host's waiting tasks in the order (priority, url id), held as a window over the frontier on disk.

    Invariants: every entry of the host whose key is at most `boundary` is in RAM or leased; where `is_spilled`,
    all others are on disk only; where not, there are no others. So a refill asks the disk for keys beyond the
    boundary and never meets an entry that it has already handed out, however far the writer is behind.
    """

    __slots__ = (
        "_arrived",
        "_depths",
        "_heap",
        "_highest",
        "boundary",
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

    def __init__(self, host_id: int, ready_at: float, *, is_on_disk: bool, is_by_level: bool = False) -> None:
        self.host_id = host_id
        self.ready_at = ready_at
        self.urgent: deque[Task] = deque()
        self.in_flight = 0
        self.visits = 0
        self.is_listed = False
        self.is_parked = False
        self.is_refilling = False
        self.is_spilled = is_on_disk
        self.boundary: Key = BEFORE_ALL
        self._highest: Key = BEFORE_ALL
        # Depths under way, kept where a level must be done before the next begins.
        self._depths: list[int] | None = [] if is_by_level else None
        self._heap: list[Entry] = []
        self._arrived: list[Entry] = []

    def __len__(self) -> int:
        return len(self._heap) + len(self._arrived)

    def __repr__(self) -> str:
        disk = " + disk" if self.is_spilled else ""
        return f"HostQueue(host={self.host_id}, waiting={len(self)}{disk}, in_flight={self.in_flight})"

    @property
    def has_startable(self) -> bool:
        """A task could be started now, the host's deadline aside."""
        if self.urgent:
            return True
        if not self._heap or self.is_parked:
            return False
        return not self._depths or self._heap[0][0] <= min(self._depths)

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
            return True
        if self.is_refilling:
            self._arrived.append(entry)
            return True
        return False

    def _hold(self, entry: Entry) -> None:
        heapq.heappush(self._heap, entry)
        self._highest = max(self._highest, entry[:2])

    def pop(self) -> Task:
        """The next task; `has_startable` must hold."""
        if self.urgent:
            return self.urgent.popleft()
        priority, url_id, url, redirects, attempts = heapq.heappop(self._heap)
        if self._depths is not None:
            self._depths.append(priority)
        return Task(url_id, url, self.host_id, priority, redirects, attempts)

    def ended(self, task: Task) -> None:
        """A task that was popped is no longer under way."""
        self.in_flight -= 1
        if self._depths is not None and task.kind is TaskKind.PAGE:
            self._depths.remove(task.depth)

    def put_back(self, task: Task) -> None:
        """A leased task waits again, at its old place."""
        heapq.heappush(self._heap, (task.depth, task.url_id, task.url, task.redirects, task.attempts))

    def refill(self, rows: Iterable[Entry], *, is_last: bool) -> int:
        """Take what the disk held beyond the boundary, in order; `is_last` when it holds no more. Entries added.

        What arrived meanwhile may be among the rows, lie within the new boundary (then it is kept), or beyond it
        (then it is on disk, for the next refill).
        """
        before = len(self)
        self.is_refilling = False
        loaded = set()
        for entry in rows:
            self._hold(entry)
            self.boundary = entry[:2]
            loaded.add(entry[1])
        arrived, self._arrived = self._arrived, []
        self.is_spilled = not is_last
        for entry in arrived:
            if entry[1] not in loaded and (is_last or entry[:2] <= self.boundary):
                self._hold(entry)
        return len(self) - before

    def check(self) -> None:
        """Assert the invariants that can be seen from RAM."""
        assert self.in_flight >= 0
        assert not self._arrived or self.is_refilling
        if self.is_spilled:
            assert all(entry[:2] <= self.boundary for entry in self._heap)
