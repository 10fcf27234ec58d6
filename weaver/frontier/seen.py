"""Seen: the dense id of every URL key ever met: the newest in RAM, all others on disk."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from weaver.base.errors import WeaverError
from weaver.base.record import MAX_NODE_ID
from weaver.memory.bounded import StoreStatistics
from weaver.memory.table import KeyTable
from weaver.memory.uncommitted import Uncommitted

# Keys whose rows are on disk but which are not found there yet stay in RAM: at most thrice such a share of the table.
# The more wait, the fewer passes of merging there are; each of many writes the whole index anew.
PINNED_SHARE = 16
MOST_UNMERGED = 1 << 18
LEAST_UNMERGED = 1 << 10


class ColdKeys(Protocol):
    """The map on disk, as far as its index was merged."""

    def merged_ids(self, keys: Sequence[int]) -> dict[int, int]:
        """The ids of those keys that are known."""
        ...


class Seen:
    """Key to id, in three tiers: not yet committed (a dict), the bounded table, the disk.

    A key is put into the table once its row was committed, and stays there until it is merged into the disk's index
    (`merged_to` None: there is nothing to wait for), so whatever the table evicts is found on disk; the disk is asked
    only when something was evicted, or was there before this run. Batch calls cost one look-up a tier. `reseen` counts
    keys that were asked for again when RAM had let them go: exact, but for keys of an earlier run that were never in
    RAM in this one and share a bucket with one that was evicted.
    """

    def __init__(
        self,
        table: KeyTable,
        cold: ColdKeys,
        *,
        last_id: int = 0,
        is_complete: bool = True,
        merged_to: int | None = None,
    ) -> None:
        self._table = table
        self._cold = cold
        self._is_complete = is_complete
        self._uncommitted: Uncommitted[int, int] = Uncommitted()
        self._left_over: dict[int, int] = {}
        if merged_to is not None:
            table.newest_evictable = merged_to
        self.last_id = last_id
        self.cold_lookups = 0
        self.cold_hits = 0
        self.reseen = 0

    def __len__(self) -> int:
        return self.last_id

    def __repr__(self) -> str:
        return f"Seen(known={self.last_id}, in_ram={len(self._table)}, uncommitted={len(self._uncommitted)})"

    @property
    def most_unmerged(self) -> int:
        """How many committed keys may wait to be merged; may be asked on any thread."""
        return max(LEAST_UNMERGED, min(MOST_UNMERGED, self._table.capacity // PINNED_SHARE))

    def statistics(self) -> StoreStatistics:
        """The table's figures, with `reseen`."""
        return replace(self._table.statistics(), reseen=self.reseen)

    def shrink(self) -> int:
        """Have the table give back what is over its account's limit, a part a call; the bytes released."""
        released_bytes = self._table.shrink()
        self._keep_left_over()
        return released_bytes

    def lookup(self, keys: list[int]) -> list[int]:
        """The ids of `keys`, 0 for a key never met."""
        ids = self._table.get_list(keys)
        absent = [place for place, known in enumerate(ids) if not known]
        for place, known in zip(absent, self._beyond_table([keys[place] for place in absent]), strict=True):
            ids[place] = known
        return ids

    def lookup_words(self, keys: bytes) -> tuple[array[int], list[int]]:
        """The ids of keys in native words, 0 for a key never met, and the places of these."""
        found, absent = self._table.get_words(keys)
        ids, unknown = array("I", found), []
        words = memoryview(keys).cast("Q")
        for place, known in zip(absent, self._beyond_table([words[place] for place in absent]), strict=True):
            ids[place] = known
            if not known:
                unknown.append(place)
        return ids, unknown

    def _beyond_table(self, keys: list[int]) -> list[int]:
        """The ids of keys that the table does not hold."""
        uncommitted, left_over = self._uncommitted.get, self._left_over.get
        ids = [uncommitted(key) or left_over(key, 0) for key in keys]
        if 0 in ids and not (self._is_complete and not self._table.has_evicted):
            missing = [place for place, known in enumerate(ids) if not known]
            self._lookup_cold(keys, ids, self._perhaps_on_disk(keys, missing))
        return ids

    def _perhaps_on_disk(self, keys: list[int], missing: list[int]) -> list[int]:
        """The table knows which of its buckets have let a key go; the others' keys need no look at the disk."""
        if not self._is_complete:
            return missing
        may = self._table.may_have_evicted(np.array([keys[position] for position in missing], dtype=np.uint64))
        return [position for position, is_possible in zip(missing, may.tolist(), strict=True) if is_possible]

    def _lookup_cold(self, keys: list[int], ids: list[int], missing: list[int]) -> None:
        if not missing:
            return
        found = self._cold.merged_ids([keys[position] for position in missing])
        self.cold_lookups += len(missing)
        self.cold_hits += len(found)
        if not found:
            return
        for position in missing:
            ids[position] = found.get(keys[position], 0)
        found_keys = np.fromiter(found.keys(), dtype=np.uint64, count=len(found))
        self.reseen += int(np.count_nonzero(self._table.may_have_evicted(found_keys)))
        self._put(found_keys, np.fromiter(found.values(), dtype=np.uint32, count=len(found)))

    def add(self, key: int) -> int:
        """The next id, for a key that `lookup` did not know."""
        if self.last_id >= MAX_NODE_ID:
            raise WeaverError(f"expected at most {MAX_NODE_ID} URLs in one crawl, got one more")
        self.last_id += 1
        self._uncommitted.add(key, self.last_id)
        return self.last_id

    def submitted(self, number: int) -> None:
        """All keys added since the last call go to disk with the commit record of this number."""
        self._uncommitted.submitted(number)

    def committed(self, number: int) -> None:
        """All records up to this number are on disk."""
        freed = self._uncommitted.committed(number)
        if freed:
            keys, ids = zip(*freed, strict=True)
            self._put(np.array(keys, dtype=np.uint64), np.array(ids, dtype=np.uint32))

    def restore(self, keys: NDArray[np.uint64], ids: NDArray[np.uint32]) -> None:
        """Take keys of an earlier run that are committed and not merged."""
        self._put(keys, ids)

    def merged(self, last_id: int) -> None:
        """All keys up to this id are found on disk: they may be evicted from now on."""
        self._table.newest_evictable = last_id
        self._left_over = {key: url_id for key, url_id in self._left_over.items() if url_id > last_id}

    def _put(self, keys: NDArray[np.uint64], ids: NDArray[np.uint32]) -> None:
        self._table.put_many(keys, ids)
        self._keep_left_over()

    def _keep_left_over(self) -> None:
        self._left_over.update(self._table.take_left_over())
