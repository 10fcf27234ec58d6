"""URL keys on disk: found whether they are merged or not, merged in batches, and never lost between the two."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.persistence.making import SETTINGS, made, url_row
from weaver.base.record import CommitRecord
from weaver.frontier import Seen
from weaver.memory import Account, KeyTable
from weaver.memory.table import WAYS
from weaver.persistence import Archive, KeyMerging, merge_keys, waiting_count, waiting_keys
from weaver.persistence.key_merging import BATCH_KEYS
from weaver.persistence.statements import write_records


def _keys(count: int, seed: int = 1) -> list[int]:
    return [int(key) for key in np.random.default_rng(seed).integers(0, 1 << 64, count, np.uint64)]


def _add(connection: sqlite3.Connection, first_id: int, keys: list[int]) -> None:
    rows = tuple(url_row(url_id, key=key) for url_id, key in enumerate(keys, first_id))
    connection.execute("BEGIN IMMEDIATE")
    write_records(connection, [CommitRecord(urls=rows)])
    connection.execute("COMMIT")


def test_keys_are_found_before_and_after_their_merging(tmp_path: Path) -> None:
    """The archive knows every committed key; its index those that were merged."""
    _, connection = made(tmp_path)
    keys = _keys(500)
    ids = {key: url_id for url_id, key in enumerate(keys, 1)}
    _add(connection, 1, keys[:300])
    archive = Archive(connection)
    assert archive.ids_of_keys(keys) == {key: ids[key] for key in keys[:300]}
    assert archive.merged_ids(keys) == {}
    merge_keys(connection)
    _add(connection, 301, keys[300:])
    assert archive.merged_ids(keys) == {key: ids[key] for key in keys[:300]}
    assert archive.ids_of_keys(keys) == ids
    assert (waiting_count(connection), len(waiting_keys(connection)[0])) == (200, 200)
    connection.close()


def test_a_pass_killed_between_two_steps_is_taken_up_again(tmp_path: Path) -> None:
    """Nothing waits less for a pass that was not finished, and the next one enters each key once."""
    directory, connection = made(tmp_path)
    keys = _keys(BATCH_KEYS + 10)
    _add(connection, 1, keys)
    merging = KeyMerging(lambda: len(keys))
    merging.start(connection)
    merging.step()
    assert len(Archive(connection).merged_ids(keys)) == BATCH_KEYS
    connection.close()
    connection = directory.connect(SETTINGS)
    assert waiting_count(connection) == len(keys)
    told: list[int] = []
    again = KeyMerging(lambda: 100, told.append)
    again.start(connection)
    while again.has_work:
        again.step()
    assert told == [len(keys)]
    assert connection.execute("SELECT count(*), count(DISTINCT id) FROM url_keys").fetchall() == [(len(keys),) * 2]
    assert connection.execute("SELECT count(*) FROM new_keys").fetchall() == [(0,)]
    connection.close()


def test_whoever_is_far_behind_merges_all_at_once(tmp_path: Path) -> None:
    """Where twice as many keys wait as may, one step is a whole pass: commits wait for it."""
    _, connection = made(tmp_path)
    merging = KeyMerging(lambda: 64)
    merging.start(connection)
    _add(connection, 1, _keys(63))
    merging.added(0)
    assert not merging.has_work
    _add(connection, 64, _keys(3 * BATCH_KEYS, seed=2))
    merging.added(0)
    merging.step()
    assert not merging.has_work
    assert waiting_count(connection) == 0
    connection.close()


class SeenOnDisk(RuleBasedStateMachine):
    """A small table over a database whose index lags: every key keeps its id, whatever is merged, evicted or killed."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.directory, self.connection = made(Path(self.folder.name))
        self.ids: dict[int, int] = {}
        self.merged_at: list[int] = []
        self.account = Account("seen", 1 << 16)
        self.fresh = iter(_keys(100_000))
        self._open(is_new=True)

    def _open(self, *, is_new: bool) -> None:
        """As a run begins."""
        self.archive = Archive(self.connection)
        table = KeyTable("seen", 32 * WAYS, Account("seen", self.account.limit))
        self.account = table._account
        self.seen = Seen(table, self.archive, last_id=len(self.ids), is_complete=is_new, merged_to=len(self.ids))
        keys, ids = waiting_keys(self.connection)
        if len(ids):
            self.seen.merged(int(ids.min()) - 1)
            self.seen.restore(keys, ids)
        self.merging = KeyMerging(lambda: 40, self.merged_at.append)
        self.merging.start(self.connection)
        self.number = 0

    def _take(self, count: int) -> Iterator[int]:
        return (next(self.fresh) for _ in range(count))

    @rule(new=st.integers(0, 90), old=st.lists(st.integers(0, 10_000), max_size=20))
    def commit(self, new: int, old: list[int]) -> None:
        """A page is found to lead to known URLs and new ones, and is committed."""
        known = list(self.ids)
        keys = list(dict.fromkeys([known[index % len(known)] for index in old if known] + list(self._take(new))))
        rows = []
        for key, found in zip(keys, self.seen.lookup(keys), strict=True):
            assert found == self.ids.get(key, 0)
            if not found:
                self.ids[key] = self.seen.add(key)
                rows.append(url_row(self.ids[key], key=key))
        self.connection.execute("BEGIN IMMEDIATE")
        write_records(self.connection, [CommitRecord(urls=tuple(rows))])
        self.connection.execute("COMMIT")
        self.number += 1
        self.seen.submitted(self.number)
        self.seen.committed(self.number)
        self.merging.added(0)

    @precondition(lambda self: self.merging.has_work)
    @rule()
    def merge(self) -> None:
        """The writer has time."""
        self.merging.step()
        if self.merged_at:
            self.seen.merged(self.merged_at.pop())

    @rule(buckets=st.integers(2, 40))
    def press(self, buckets: int) -> None:
        """Memory is short, or no longer."""
        self.account.limit = min(self.account.base_limit, 99 * buckets)
        while self.seen.shrink():
            pass

    @rule()
    def kill(self) -> None:
        """The next run begins with what the disk has."""
        self.connection.close()
        self.connection = self.directory.connect(SETTINGS)
        self.merged_at.clear()
        self._open(is_new=False)

    @invariant()
    def nothing_known_is_new(self) -> None:
        """Every key has its id."""
        keys = list(self.ids)[-200:]
        assert self.seen.lookup(keys) == [self.ids[key] for key in keys]
        self.seen._table.check()

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.connection.close()
        self.folder.cleanup()


TestSeenOnDisk = SeenOnDisk.TestCase
