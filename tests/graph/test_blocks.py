"""SealedBlocks against plain dicts, over any sequence of blocks, look-ups, evictions and changing limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from weaver.base.errors import BlockDamaged
from weaver.codec.block_codec import BlockCodec
from weaver.graph.blocks import BLOCK_OVERHEAD_BYTES, ROWS_BEFORE_DECODING, SealedBlocks
from weaver.memory import Account, Bounded

Rows = dict[int, list[int]]
CODEC = BlockCodec(level=1)
NODES = st.one_of(st.integers(1, 60), st.integers(1, 5_000))
ROWS: st.SearchStrategy[Rows] = st.dictionaries(NODES, st.sets(NODES, max_size=30).map(sorted), min_size=1, max_size=30)


def sealed(rows: Rows) -> bytes:
    nodes = sorted(rows)
    targets = [target for node in nodes for target in rows[node]]
    columns = (np.array(column, np.uint32) for column in (nodes, [len(rows[node]) for node in nodes], targets))
    return CODEC.encode(*columns)


def run_of(first: int, rows: int = 50) -> Rows:
    return {node: [1, 2, node + 1] for node in range(first, first + rows)}


class BlocksMachine(RuleBasedStateMachine):
    """The model keeps the rows of each block that is still here and count, in the order the blocks came."""

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[int, Rows] = {}
        self.elsewhere = 0

    @initialize(limit=st.sampled_from([4_000, 10_000, 60_000, 10**6]), most=st.sampled_from([1, 3, 1_000]))
    def build(self, limit: int, most: int) -> None:
        """A store with either of its bounds."""
        self.limit, self.most = limit, most
        self.account = Account("graph", limit)
        self.store = SealedBlocks(self.account, CODEC, most_blocks=most)

    @rule(number=st.integers(1, 40), rows=ROWS)
    def put(self, number: int, rows: Rows) -> None:
        """A block replaces its older self and all rows of its nodes; those put first leave, too large ones stay out."""
        kept = self.store.put(number, sealed(rows))
        self.model.pop(number, None)
        if kept:
            self._replace(rows)
            self.model[number] = rows
        assert (number in self.store) == kept
        self._settle()

    @rule(rows=ROWS)
    def put_numbered(self, rows: Rows) -> None:
        """A number that the store gives is no other block's."""
        number = self.store.free_number()
        while number in self.model:
            number += 1
        self.put(number, rows)

    def _replace(self, rows: Rows) -> None:
        for number, others in list(self.model.items()):
            self.model[number] = {node: row for node, row in others.items() if node not in rows}
            if not self.model[number]:
                del self.model[number]

    @rule(node=NODES, times=st.integers(1, 2 * ROWS_BEFORE_DECODING))
    def look_up(self, node: int, times: int) -> None:
        """A node's row is found, cold or decoded, and one that is not here gives None."""
        expected = next((rows[node] for rows in self.model.values() if node in rows), None)
        before = self.store.statistics()
        assert self.store.has_row(node) == (expected is not None)
        for _ in range(times):
            row = self.store.row(node)
            assert (row and row[0].tolist()) == expected
            assert row is None or row[1].tolist() == [0] * len(row[0])
        after = self.store.statistics()
        assert after.hits - before.hits == times * (expected is not None)
        assert after.misses - before.misses == times * (expected is None)

    @rule(node=NODES)
    def remove(self, node: int) -> None:
        """A row that is removed is given for the last time, and its block goes with the last of its rows."""
        expected = next((rows[node] for rows in self.model.values() if node in rows), None)
        row = self.store.remove(node)
        assert (row and row[0].tolist()) == expected
        self._replace({node: []})

    @rule(n=st.integers(0, 39), share=st.integers(1, 4))
    def take(self, n: int, share: int) -> None:
        """Rows of a block are taken by their places; compaction then changes nothing but the bytes."""
        for number, rows in list(self.model.items())[n : n + 1]:
            places, nodes, degrees = self.store.live_rows(number)
            assert (nodes.tolist(), degrees.tolist()) == (sorted(rows), [len(rows[node]) for node in sorted(rows)])
            self.store.take(number, places[::share])
            self._replace({node: [] for node in nodes[::share].tolist()})

    @rule()
    def compact(self) -> None:
        """Blocks of which a half is gone are written anew until there are none, and never take more than before."""
        while self.store.is_wasteful:
            used = self.account.used
            assert self.store.compact()
            assert self.account.used <= used
        assert not self.store.compact()

    @rule(n=st.integers(-1, 5))
    def evict(self, n: int) -> None:
        """`evict` gives the oldest blocks, in their order, with whose rows they still had."""
        left = self.store.evict(n)
        assert [number for number, _ in left] == list(self.model)[: max(0, n)]
        for number, nodes in left:
            assert nodes.tolist() == sorted(self.model.pop(number))

    @rule(share=st.sampled_from([0.05, 0.3, 1.0]))
    def scale(self, share: float) -> None:
        """With a smaller limit, `shrink` gives back what is over it, and says how much that was."""
        self.account.limit = int(self.limit * share)
        used = self.account.used
        assert self.store.shrink() == used - self.account.used
        assert self.account.used <= max(self.account.limit, self.elsewhere)
        self._settle()

    @rule(size_bytes=st.integers(0, 1_500))
    def charge_elsewhere(self, size_bytes: int) -> None:
        """Another store of the account takes some of it."""
        if self.account.try_charge(size_bytes):
            self.elsewhere += size_bytes

    @rule(window_bytes=st.integers(1, 5_000))
    def read_all(self, window_bytes: int) -> None:
        """Windows hold every block's live rows once, oldest first, within their bytes or one block."""
        windows = list(self.store.windows(window_bytes))
        assert all(len(window) == 1 or sum(each.bytes for each in window) <= window_bytes for window in windows)
        decoded = [each for window in windows for each in window]
        assert [{node: targets.tolist() for node, targets, _ in each.rows()} for each in decoded] == [
            dict(sorted(rows.items())) for rows in self.model.values()
        ]
        for each in decoded:
            assert all(each.row(node)[0].tolist() == targets.tolist() for node, targets, _ in each.rows())

    def _settle(self) -> None:
        """Those that left are the oldest."""
        here = [number for number in self.model if number in self.store]
        assert here == list(self.model)[len(self.model) - len(here) :]
        self.model = {number: self.model[number] for number in here}

    @invariant()
    def holds(self) -> None:
        """The invariants hold, and the figures are the model's."""
        if not hasattr(self, "store"):
            return
        self.store.check()
        assert len(self.store) == len(self.model) <= self.most
        assert self.store.rows == sum(len(rows) for rows in self.model.values())
        assert self.store.edges == sum(len(row) for rows in self.model.values() for row in rows.values())
        assert self.account.used == self.store.resident_bytes + self.elsewhere


class TestSealedBlocks(BlocksMachine.TestCase):
    """Sealed blocks agree with the model, whatever happens to them."""

    settings = settings(deadline=None, max_examples=60, stateful_step_count=30)


def test_it_is_bounded():
    """It keeps the protocol of every bounded store."""
    assert isinstance(SealedBlocks(Account("graph", 10_000), CODEC), Bounded)


def test_a_block_asked_for_often_is_kept_decoded():
    """Single rows are read cold at first; from the fourth on, the block is there decoded, charged, and hit."""
    account = Account("graph", 1 << 20)
    store = SealedBlocks(account, CODEC)
    store.put(1, sealed(run_of(1)))
    cold = account.used
    for node in range(1, ROWS_BEFORE_DECODING):
        store.row(node)
    assert account.used == cold
    store.row(10)
    assert account.used > cold
    store.row(11)
    assert store.cache_statistics().hits == 1


def test_decoded_blocks_leave_before_sealed_ones():
    """A block that needs room takes it from what is kept decoded, as long as there is some."""
    account = Account("graph", 1 << 20)
    store = SealedBlocks(account, CODEC)
    store.put(1, sealed(run_of(1)))
    for _ in range(ROWS_BEFORE_DECODING):
        store.row(1)
    assert len(list(store.windows(1))) == store.cache_statistics().current == 1
    block = sealed(run_of(1_000))
    account.limit = account.used + BLOCK_OVERHEAD_BYTES
    store.put(2, block)
    assert (len(store), store.cache_statistics().current) == (2, 0)


def test_of_overlapping_blocks_the_newest_row_counts():
    """A node sealed again has its new row only: the old one is marked as gone in its block."""
    store = SealedBlocks(Account("graph", 1 << 20), CODEC)
    store.put(1, sealed({5: [50], 9: [1]}))
    store.put(2, sealed({1: [1], 5: [51], 100: [2]}))
    store.put(3, sealed({6: [60]}))
    found = {node: store.row(node) for node in (1, 5, 6, 9, 100, 7)}
    assert {node: row[0].tolist() for node, row in found.items() if row} == {1: [1], 5: [51], 6: [60], 9: [1], 100: [2]}
    assert (store.rows, store.edges, store.gone_edges) == (5, 5, 1)


def test_a_block_of_which_most_is_gone_is_written_anew_in_its_place():
    """Compaction gives the bytes back, and the block still leaves before those that came later."""
    account = Account("graph", 1 << 20)
    store = SealedBlocks(account, CODEC)
    random = np.random.default_rng(1)
    for number in (1, 2):
        rows = {
            node: sorted(random.integers(1, 10**6, 20).tolist()) for node in range(500 * number, 500 * number + 400)
        }
        store.put(number, sealed(rows))
    before = account.used
    for node in range(500, 701):
        store.remove(node)
    assert store.is_wasteful
    store.compact()
    assert account.used < before * 0.8
    assert (store.rows, store.gone_edges) == (599, 0)
    assert [number for number, _ in store.evict(1)] == [1]
    store.check()


def test_what_is_read_last_survives_what_leaves():
    """A row in hand stays what it was after its block is gone."""
    store = SealedBlocks(Account("graph", 1 << 20), CODEC)
    store.put(1, sealed(run_of(1)))
    for _ in range(ROWS_BEFORE_DECODING):
        row = store.row(7)
    store.evict(1)
    assert row is not None
    assert row[0].tolist() == [1, 2, 8]
    assert store.row(7) is None


def test_a_damaged_block_is_not_taken():
    """A block that fails its checksum is refused at the door."""
    account = Account("graph", 1 << 20)
    store = SealedBlocks(account, CODEC)
    block = sealed(run_of(1))
    with pytest.raises(BlockDamaged):
        store.put(1, block[:-1] + bytes([block[-1] ^ 1]))
    assert (len(store), account.used) == (0, 0)
    store.check()


def test_repr_is_the_state_line():
    """`repr` says how many blocks, rows and edges there are, in how many bytes."""
    store = SealedBlocks(Account("graph", 1 << 20), CODEC)
    store.put(1, sealed(run_of(1)))
    assert repr(store) == f"SealedBlocks(1 blocks, 50 rows, 150 edges, {store.resident_bytes} B, 0 decoded)"
