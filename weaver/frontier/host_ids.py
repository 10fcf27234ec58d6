"""HostIds: the dense id of every origin, and the part of the scope's verdict that all its URLs share."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from weaver.base.record import HostRecord
from weaver.memory.bounded import BoundedLRU
from weaver.memory.budget import Account
from weaver.memory.uncommitted import Uncommitted

# Measured with tracemalloc: key text of 30 characters, KnownHost, and the map's own 242 bytes.
KNOWN_HOST_BYTES = 480


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
        # Half of the account: politeness keeps its states in the other.
        by_bytes = max(1, account.limit // 2 // KNOWN_HOST_BYTES)
        self._map: BoundedLRU[str, KnownHost] = BoundedLRU(
            "host_ids", min(capacity, by_bytes), account=account, entry_bytes=KNOWN_HOST_BYTES
        )
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
        while len(self._admitted) <= host_id:
            self._admitted.append(0)
        if self._admitted[host_id] >= self._pages_cap:
            return False
        self._admitted[host_id] += 1
        return True

    def restore_admitted(self, host_id: int, pages: int) -> None:
        """Set a host's count on resume."""
        while len(self._admitted) <= host_id:
            self._admitted.append(0)
        self._admitted[host_id] = pages

    def take_fresh(self) -> tuple[HostRecord, ...]:
        """The hosts that are new since the last call, for the next commit record."""
        fresh, self._fresh = tuple(self._fresh), []
        return fresh

    def submitted(self, number: int) -> None:
        """Hosts added since the last call travel with the commit record of this number."""
        self._uncommitted.submitted(number)

    def committed(self, number: int) -> None:
        """Hosts of all records up to this number may be evicted from now on."""
        for origin, known in self._uncommitted.committed(number):
            self._map.put(origin, known)
