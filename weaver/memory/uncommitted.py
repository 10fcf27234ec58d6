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
        self._entries: dict[K, V] = {}
        self._fresh: list[K] = []
        self._batches: deque[tuple[int, list[K]]] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"Uncommitted({len(self._entries)} entries, {len(self._batches)} records)"

    def get(self, key: K) -> V | None:
        """The entry, where it is not on disk yet."""
        return self._entries.get(key)

    def add(self, key: K, value: V) -> None:
        """Hold an entry that the next submitted record carries."""
        self._entries[key] = value
        self._fresh.append(key)

    def submitted(self, number: int) -> None:
        """All entries added since the last call travel with the record of this number (rising)."""
        if self._fresh:
            self._batches.append((number, self._fresh))
            self._fresh = []

    def committed(self, number: int) -> list[tuple[K, V]]:
        """All records up to this number are on disk: their entries, which are held no longer."""
        freed: list[tuple[K, V]] = []
        while self._batches and self._batches[0][0] <= number:
            # A key added again by a later record is freed once, with its newest value.
            freed += [(key, self._entries.pop(key)) for key in self._batches.popleft()[1] if key in self._entries]
        return freed
