"""HostIds: the dense id of every origin, and the part of the scope's verdict that all its URLs share."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from weaver.base.record import HostRecord
from weaver.memory.bounded import SHRINK_PER_CALL, BoundedLRU, StoreStatistics
from weaver.memory.budget import Account
from weaver.memory.ghost import GhostFilter
from weaver.memory.uncommitted import Uncommitted

# Measured with tracemalloc: an origin of 35 characters, KnownHost, and the map's entry: 245-263 B as its load goes.
KNOWN_HOST_BYTES = 260
ADMITTED_GROWTH = 1_024


class ColdHosts(Protocol):
    """Hosts on disk, as far as they were committed."""

    def host_by_origin(self, origin: str) -> HostRecord | None:
        """The host of an origin."""
        ...


@dataclass(frozen=True, slots=True)
class KnownHost:
    """An origin's id, and why its URLs are refused (empty: they are not)."""

    id: int
    origin: str
    refusal: str


class HostIds:
    """Origin to id: the recent ones in a bounded map, all of them on disk."""

    def __init__(
        self,
        capacity: int,
        account: Account,
        cold: ColdHosts,
        refusal_of: Callable[[str], str],
        *,
        last_id: int = 0,
        pages_cap: int | None = None,
    ) -> None:
        self._account = account
        self._most_hosts = capacity
        self._map: BoundedLRU[str, KnownHost] = BoundedLRU(
            "host_ids", self._affordable(), account=account, entry_bytes=KNOWN_HOST_BYTES,
            ghost=GhostFilter.within(account),
        )  # fmt: skip
        self._cold = cold
        self._refusal_of = refusal_of
        self._uncommitted: Uncommitted[str, KnownHost] = Uncommitted()
        self._fresh: list[HostRecord] = []
        self._pages_cap = pages_cap
        # Pages admitted of each host, by host id; 4 bytes a host, kept only where the user set a cap.
        self._admitted = array("I")
        self.last_id = last_id

    def __len__(self) -> int:
        return self.last_id

    def __repr__(self) -> str:
        return f"HostIds(known={self.last_id}, in_ram={len(self._map)})"

    def _affordable(self) -> int:
        """Half of the account's present limit: politeness keeps its states in the other."""
        return min(self._most_hosts, max(1, self._account.limit // 2 // KNOWN_HOST_BYTES))

    def of_origin(self, origin: str) -> KnownHost:
        """The origin's entry; a new origin gets the next id. One look-up on disk where RAM does not know it."""
        known = self._map.get(origin) or self._uncommitted.get(origin)
        return known or self._from_disk(origin) or self._new(origin)

    def _from_disk(self, origin: str) -> KnownHost | None:
        if self.last_id == 0:
            return None
        record = self._cold.host_by_origin(origin)
        if record is None:
            return None
        known = KnownHost(record.host_id, origin, self._refusal_of(origin + "/"))
        self._map.put(origin, known)
        return known

    def _new(self, origin: str) -> KnownHost:
        self.last_id += 1
        known = KnownHost(self.last_id, origin, self._refusal_of(origin + "/"))
        self._uncommitted.add(origin, known)
        self._fresh.append(HostRecord(self.last_id, origin))
        return known

    def admit(self, host_id: int) -> bool:
        """Count one more page of the host; False where its cap is reached."""
        if self._pages_cap is None:
            return True
        self._count_up_to(host_id)
        if self._admitted[host_id] >= self._pages_cap:
            return False
        self._admitted[host_id] += 1
        return True

    def restore_admitted(self, host_id: int, pages: int) -> None:
        """Set a host's count on resume."""
        self._count_up_to(host_id)
        self._admitted[host_id] = pages

    def _count_up_to(self, host_id: int) -> None:
        missing = host_id + 1 - len(self._admitted)
        if missing > 0:
            growth = max(missing, ADMITTED_GROWTH, len(self._admitted) // 8)
            self._account.hold(growth * self._admitted.itemsize)
            self._admitted.extend(array("I", bytes(growth * self._admitted.itemsize)))

    def take_fresh(self) -> tuple[HostRecord, ...]:
        """The hosts that are new since the last call, for the next commit record."""
        fresh, self._fresh = tuple(self._fresh), []
        return fresh

    def submitted(self, number: int) -> None:
        """Hosts added since the last call travel with the commit record of this number."""
        self._uncommitted.submitted(number)

    def committed(self, number: int) -> None:
        """Hosts of all records up to this number may be evicted from now on."""
        self._map.capacity = self._affordable()
        for origin, known in self._uncommitted.committed(number):
            self._map.put(origin, known)

    def shrink(self) -> int:
        """Let go what is over the map's half of the account's present limit; bytes let go, call again until it is 0."""
        before = self.statistics().bytes
        self._map.capacity = self._affordable()
        self._map.evict(min(SHRINK_PER_CALL, max(0, len(self._map) - self._map.capacity)))
        return before - self.statistics().bytes

    def statistics(self) -> StoreStatistics:
        """The map's figures."""
        return self._map.statistics()
