"""A host store in RAM that keeps the real Protocol: what was saved is there, whatever became of the gate."""

from __future__ import annotations

from weaver.base.record import HostRecord


class MemoryHostStore:
    """Keeps records by id, and counts how often each call was made."""

    def __init__(self) -> None:
        self.records: dict[int, HostRecord] = {}
        self.loads = 0
        self.saves = 0

    def load_host(self, host_id: int) -> HostRecord | None:
        """The record saved last."""
        self.loads += 1
        return self.records.get(host_id)

    def save_host(self, record: HostRecord) -> None:
        """Keep the record."""
        self.saves += 1
        self.records[record.host_id] = record
