"""Uncommitted: entries that are not on disk yet, and so must not leave RAM."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Uncommitted(Generic[K, V]):
    """A map whose entries leave when the commit record that carries them is on disk.

    Bounded by the writer's queue: the crawl waits when that is full. `add` then `submitted(number)`, and
    `committed(number)` gives back what may now live in a store that evicts. All O(1) per entry.
    """

    def __init__(self) -> None:
        self._entries: dict[K, tuple[int, V]] = {}
        self._fresh: list[K] = []
        self._batches: deque[tuple[int, int, list[K]]] = deque()
        self._batch = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"Uncommitted({len(self._entries)} entries, {len(self._batches)} records)"

    def get(self, key: K) -> V | None:
        """The newest entry, where it is not on disk yet."""
        entry = self._entries.get(key)
        return None if entry is None else entry[1]

    def add(self, key: K, value: V) -> None:
        """Hold an entry that the next submitted record carries."""
        self._entries[key] = self._batch, value
        self._fresh.append(key)

    def submitted(self, number: int) -> None:
        """All entries added since the last call travel with the record of this number (rising)."""
        if self._fresh:
            self._batches.append((number, self._batch, self._fresh))
            self._fresh = []
            self._batch += 1

    def committed(self, number: int) -> list[tuple[K, V]]:
        """All records up to this number are on disk: their entries, which are held no longer.

        An entry that a later record carries anew stays, with its newest value, until that one is on disk.
        """
        freed: list[tuple[K, V]] = []
        while self._batches and self._batches[0][0] <= number:
            _, batch, keys = self._batches.popleft()
            for key in keys:
                entry = self._entries.get(key)
                if entry is not None and entry[0] == batch:
                    del self._entries[key]
                    freed.append((key, entry[1]))
        return freed
