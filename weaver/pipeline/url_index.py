"""The index of URLs in a crawl: what RAM answers for, what the disk does, and the merging that shifts the line."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from weaver.base.settings import PersistenceSettings
from weaver.frontier import Seen
from weaver.memory.budget import Account
from weaver.memory.table import BUCKET_BYTES, WAYS, KeyTable
from weaver.persistence import (
    Archive,
    Chore,
    Chores,
    Connection,
    CrawlDirectory,
    KeyMerging,
    merge_keys,
    waiting_count,
    waiting_keys,
)

TABLE_SHARE = 15 / 16
"""Of the account; the rest is for bits and depths of URLs."""

Hop = Callable[..., None]


def build_seen(
    account: Account, archive: Archive, connection: Connection, directory: CrawlDirectory, last_id: int
) -> Seen:
    """The crawl's URL keys, those of earlier runs included: what waits to be merged in RAM, the others on disk."""
    table = KeyTable("seen", int(account.limit * TABLE_SHARE) // BUCKET_BYTES * WAYS, account)
    seen = Seen(table, archive, last_id=last_id, is_complete=not last_id, merged_to=last_id)
    if not last_id:
        return seen
    if waiting_count(connection) > 2 * seen.most_unmerged:
        # An earlier run had more memory than this one.
        with closing(directory.connect(PersistenceSettings())) as writing:
            merge_keys(writing)
    keys, ids = waiting_keys(connection)
    if len(ids):
        seen.merged(int(ids.min()) - 1)
        seen.restore(keys, ids)
    return seen


def with_key_merging(seen: Seen, hop: Hop, chore: Chore) -> Chore:
    """A chore with the merging of keys before it, for RAM must hold what is not merged; `hop` goes to the loop."""
    return Chores(KeyMerging(lambda: seen.most_unmerged, lambda last_id: hop(seen.merged, last_id)), chore)
