"""HrefCache: what a raw href means on the pages of one folder, so that a menu is resolved once a site."""

from __future__ import annotations

from collections import OrderedDict

from weaver.memory.budget import Account

# Measured in a trial: two strings' share, a small int and the dict slot.
ENTRY_BYTES = 200
REFUSED = -1


class HrefCache:
    """Raw href to URL id (or REFUSED), a dict for each base folder; whole folders leave, the oldest first.

    An id never changes its URL, so an entry is true for as long as it is kept. Invariants: `len` is the number of
    entries of all folders; it exceeds `capacity` by at most the newest folder's.
    """

    def __init__(self, capacity: int, account: Account) -> None:
        self.capacity = max(1, min(capacity, account.limit // 4 // ENTRY_BYTES))
        self._account = account
        self._folders: OrderedDict[str, dict[str, int]] = OrderedDict()
        self._count = 0
        self.evicted = 0

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"HrefCache({self._count} of {self.capacity}, folders={len(self._folders)})"

    def folder(self, directory: str) -> dict[str, int]:
        """The live map of one folder: read it freely, write to it through `remember`."""
        known = self._folders.get(directory)
        if known is None:
            known = self._folders[directory] = {}
        else:
            self._folders.move_to_end(directory)
        return known

    def remember(self, folder: dict[str, int], entries: dict[str, int]) -> None:
        """Add entries to a folder's map."""
        before = len(folder)
        folder.update(entries)
        added = len(folder) - before
        self._count += added
        self._account.hold(added * ENTRY_BYTES)
        while self._count > self.capacity and len(self._folders) > 1:
            self._evict_folder()
        if self._count > self.capacity:
            self._clear(folder)

    def evict(self, count: int) -> int:
        """Let at least `count` entries go, oldest folders first; how many went."""
        before = self._count
        while self._folders and before - self._count < count:
            self._evict_folder()
        return before - self._count

    def _evict_folder(self) -> None:
        self._clear(self._folders.popitem(last=False)[1])

    def _clear(self, folder: dict[str, int]) -> None:
        self._count -= len(folder)
        self.evicted += len(folder)
        self._account.release(len(folder) * ENTRY_BYTES)
        folder.clear()

    def check(self) -> None:
        """Assert the invariants."""
        assert self._count == sum(len(folder) for folder in self._folders.values())
        assert self._count <= self.capacity
