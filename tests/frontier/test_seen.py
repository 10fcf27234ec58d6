"""Seen: nothing known is taken for new, whatever the table let go, and what that cost is counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from weaver.frontier.seen import Seen
from weaver.memory import Account, KeyTable
from weaver.memory.table import BUCKET_BYTES, WAYS


class FakeDisk:
    """The committed keys, and how many were asked for."""

    def __init__(self) -> None:
        self.ids: dict[int, int] = {}
        self.asked = 0

    def merged_ids(self, keys: Sequence[int]) -> dict[int, int]:
        """Those of the keys that were committed."""
        self.asked += len(keys)
        return {key: self.ids[key] for key in keys if key in self.ids}


def _crawl(seen: Seen, disk: FakeDisk, keys: list[int]) -> None:
    """Meet keys 50 at a time, and commit each batch."""
    for number, start in enumerate(range(0, len(keys), 50), seen.last_id + 1):
        batch = keys[start : start + 50]
        for key, known in zip(batch, seen.lookup(batch), strict=True):
            if not known:
                disk.ids[key] = seen.add(key)
        seen.submitted(number)
        seen.committed(number)


def _keys(count: int) -> list[int]:
    return np.random.default_rng(7).integers(0, 2**64, count, dtype=np.uint64).tolist()


def test_reseen_is_exactly_what_the_disk_knew_and_ram_did_not() -> None:
    """Each key that the table let go is counted once for each time it is asked for and only the disk has it."""
    disk, table = FakeDisk(), KeyTable("seen", 128 * WAYS, Account("seen", 1 << 20))
    seen, keys = Seen(table, disk), _keys(3_000)
    _crawl(seen, disk, keys)
    assert seen.last_id == 3_000
    assert seen.statistics().reseen == 0
    absent = [key for key in keys if key not in table][:40]
    assert seen.lookup(absent) == [disk.ids[key] for key in absent]
    assert seen.reseen == seen.statistics().reseen == 40
    assert seen.lookup(absent[-1:]) == [disk.ids[absent[-1]]]
    assert seen.reseen == 40
    table.check()


def test_a_table_that_lost_nothing_never_asks_the_disk() -> None:
    """While all keys are in RAM a new key is known to be new, and nothing is reseen."""
    disk = FakeDisk()
    seen = Seen(KeyTable("seen", 10**6, Account("seen", 1 << 20)), disk)
    _crawl(seen, disk, _keys(3_000))
    assert (disk.asked, seen.reseen, seen.statistics().evicted) == (0, 0, 0)


def test_ids_survive_a_table_that_shrinks_and_grows() -> None:
    """Under a falling and a rising limit every key keeps its id, from RAM or from the disk."""
    disk, account = FakeDisk(), Account("seen", 600 * BUCKET_BYTES)
    seen, keys = Seen(KeyTable("seen", 10**6, account), disk), _keys(3_500)
    _crawl(seen, disk, keys)
    for buckets in (400, 40, 500):
        account.limit = buckets * BUCKET_BYTES
        while seen.shrink():
            pass
        assert account.used <= account.limit
        _crawl(seen, disk, keys)
        assert seen.last_id == 3_500
        assert seen.lookup(keys[::7]) == [disk.ids[key] for key in keys[::7]]


def test_what_only_an_earlier_run_knew_is_not_reseen() -> None:
    """A key that this run finds on disk for the first time was looked up, but never let go by RAM."""
    disk, keys = FakeDisk(), _keys(50)
    disk.ids = {key: number for number, key in enumerate(keys, 1)}
    seen = Seen(KeyTable("seen", 10**6, Account("seen", 1 << 20)), disk, last_id=50, is_complete=False)
    assert seen.lookup(keys) == list(range(1, 51))
    assert (seen.cold_hits, seen.reseen) == (50, 0)
