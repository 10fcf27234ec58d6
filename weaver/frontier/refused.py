"""Refused: which known URLs may still be queued when they are found again on a better path."""

from __future__ import annotations

from collections.abc import Iterable

from weaver.memory.budget import Account

GROWTH_BYTES = 4096
# So few are in a set besides, which tells them from a page's links in a fifth of the time; with it, each takes so much.
FEW = 1024
FEW_BYTES = 100


class Refused:
    """A set of dense ids as one bit each (a million known URLs take 122 KiB); O(1) per call.

    Invariant: `_few` holds the same ids, or is None because there were once too many.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._bits = bytearray()
        self._few: set[int] | None = set()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, url_id: int) -> bool:
        index = url_id >> 3
        return index < len(self._bits) and bool(self._bits[index] >> (url_id & 7) & 1)

    def among(self, url_ids: Iterable[int]) -> set[int]:
        """Those of the ids that are held; what is no id (below 1) is not."""
        if self._few is not None:
            return self._few.intersection(url_ids)
        bits, end = self._bits, 8 * len(self._bits)
        return {url_id for url_id in url_ids if 0 < url_id < end and bits[url_id >> 3] >> (url_id & 7) & 1}

    def add(self, url_id: int) -> None:
        """Remember that the URL was refused for a reason that may pass."""
        if url_id in self:
            return
        index = url_id >> 3
        if index >= len(self._bits):
            growth = max(GROWTH_BYTES, index + 1 - len(self._bits), len(self._bits) // 8)
            self._account.hold(growth)
            self._bits.extend(bytes(growth))
        self._bits[index] |= 1 << (url_id & 7)
        self._count += 1
        if self._few is not None:
            self._add_to_few(self._few, url_id)

    def _add_to_few(self, few: set[int], url_id: int) -> None:
        if len(few) < FEW:
            few.add(url_id)
            self._account.hold(FEW_BYTES)
            return
        self._account.release(FEW_BYTES * len(few))
        self._few = None

    def discard(self, url_id: int) -> None:
        """Forget the URL; no effect where it was not held."""
        if url_id in self:
            self._bits[url_id >> 3] &= ~(1 << (url_id & 7))
            self._count -= 1
            if self._few is not None:
                self._few.discard(url_id)
                self._account.release(FEW_BYTES)
