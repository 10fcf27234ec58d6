"""HrefCache: what a raw href means on the pages of one folder, so that a menu is resolved once a site."""

from __future__ import annotations

from collections import OrderedDict
from sys import getsizeof

from weaver.memory.bounded import StoreStatistics
from weaver.memory.budget import Account

# Measured with tracemalloc: the id of an entry, whose place is in its folder's dict; the slot of a folder.
ID_BYTES = 32
FOLDER_BYTES = 96
# Of the account; the frontier's window has the rest.
ACCOUNT_SHARE = 4
LONGEST_HREF = 1_024
REFUSED = -1


class Folder(dict[str, int]):
    """The entries of one folder, with the bytes that are charged for them."""

    __slots__ = ("bytes",)

    def __init__(self, size_bytes: int) -> None:
        super().__init__()
        self.bytes = size_bytes


class HrefCache:
    """Raw href to URL id (or REFUSED), a dict for each base folder; whole folders leave, the oldest first.

    An id never changes its URL, so an entry is true for as long as it is kept. Caps: `capacity` entries, and a quarter
    of the account's present limit in bytes. Invariants: `len` is the number of entries of all folders; what is charged
    is what the folders take; only the newest folder may be over the bytes, when it is empty. O(entries) per call,
    amortised.
    """

    def __init__(self, capacity: int, account: Account) -> None:
        self.capacity = max(1, capacity)
        self._account = account
        self._folders: OrderedDict[str, Folder] = OrderedDict()
        self._count = self._peak = 0
        self._bytes = 0
        self.evicted = 0

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"HrefCache({self._count} of {self.capacity}, folders={len(self._folders)}, {self._bytes} B)"

    def folder(self, directory: str) -> Folder:
        """The live map of one folder: read it freely, write to it through `remember`."""
        known = self._folders.get(directory)
        if known is not None:
            self._folders.move_to_end(directory)
            return known
        known = self._folders[directory] = Folder(0)
        self._charge(known, FOLDER_BYTES + getsizeof(directory) + getsizeof(known))
        self._shed()
        return known

    def remember(self, folder: Folder, entries: dict[str, int]) -> None:
        """Add entries to a folder's map; very long hrefs are not worth their room.

        What an empty, `#` or `?` href means depends on the page, not on its folder: those are left out.
        """
        new = {
            href: known
            for href, known in entries.items()
            if href[:1] not in "#?" and len(href) <= LONGEST_HREF and href not in folder
        }
        before = getsizeof(folder)
        folder.update(new)
        self._count += len(new)
        self._peak = max(self._peak, self._count)
        self._charge(folder, getsizeof(folder) - before + sum(map(getsizeof, new)) + len(new) * ID_BYTES)
        self._shed()
        if self._is_over():
            self._empty(folder)

    def evict(self, n: int) -> list[str]:
        """Let at least `n` entries go, oldest folders first; whose they were."""
        left: list[str] = []
        while self._folders and len(left) < n:
            left += self._evict_folder()
        return left

    def shrink(self) -> int:
        """Let go what is over the cache's part of the account's present limit; bytes let go."""
        before = self._bytes
        while self._folders and self._is_over():
            self._evict_folder()
        return before - self._bytes

    def statistics(self) -> StoreStatistics:
        """The cache's figures, in entries; uses are not counted, there are some hundred a page."""
        return StoreStatistics("hrefs", self._count, self.capacity, self._peak, bytes=self._bytes, evicted=self.evicted)

    def check(self) -> None:
        """Assert the invariants."""
        assert self._count == sum(len(folder) for folder in self._folders.values()) <= self.capacity, self
        assert self._bytes == sum(folder.bytes for folder in self._folders.values()) <= self._account.used, self
        for directory, folder in self._folders.items():
            texts = sum(map(getsizeof, folder)) + len(folder) * ID_BYTES
            assert folder.bytes == FOLDER_BYTES + getsizeof(directory) + getsizeof(folder) + texts, self

    def _is_over(self) -> bool:
        return self._count > self.capacity or self._bytes > self._account.limit // ACCOUNT_SHARE

    def _shed(self) -> None:
        while self._is_over() and len(self._folders) > 1:
            self._evict_folder()

    def _evict_folder(self) -> list[str]:
        folder = self._folders.popitem(last=False)[1]
        left = list(folder)
        self._empty(folder)
        self._charge(folder, -folder.bytes)
        return left

    def _empty(self, folder: Folder) -> None:
        texts = sum(map(getsizeof, folder)) + len(folder) * ID_BYTES
        before = getsizeof(folder)
        self._count -= len(folder)
        self.evicted += len(folder)
        self._account.record_evicted(len(folder))
        folder.clear()
        self._charge(folder, getsizeof(folder) - before - texts)

    def _charge(self, folder: Folder, more_bytes: int) -> None:
        folder.bytes += more_bytes
        self._bytes += more_bytes
        if more_bytes > 0:
            self._account.hold(more_bytes)
        else:
            self._account.release(-more_bytes)
