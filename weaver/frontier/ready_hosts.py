"""ReadyHosts: the hosts that may be visited, ordered by when; a host stands in it at most once."""

from __future__ import annotations

import heapq
from itertools import count

from weaver.frontier.host_queue import HostQueue

# The first page of a new host goes before hosts that have waited for less than this: a new site is seen early,
# and a flood of new hosts still can't starve the old ones.
NEW_HOST_HEAD_START_S = 1.0


class ReadyHosts:
    """A heap of hosts by the time from which they may be asked; O(log n) per operation."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, HostQueue]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._heap)

    def list(self, host: HostQueue, now: float) -> None:
        """Have the host considered again from its `ready_at` on; no effect where it is listed."""
        if host.is_listed:
            return
        host.is_listed = True
        at = max(host.ready_at, now if host.visits else now - NEW_HOST_HEAD_START_S)
        heapq.heappush(self._heap, (at, next(self._order), host))

    def pop(self, now: float) -> HostQueue | None:
        """The host that has been ready the longest, delisted; None where none is ready."""
        while self._heap and self._heap[0][0] <= now:
            host = heapq.heappop(self._heap)[2]
            host.is_listed = False
            if host.ready_at <= now:
                return host
            self.list(host, now)
        return None

    def next_at(self) -> float | None:
        """When the next host becomes ready, in clock seconds; None where no host is listed."""
        return self._heap[0][0] if self._heap else None
