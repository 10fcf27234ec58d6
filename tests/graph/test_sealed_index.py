"""SealedIndex against a dict, over any sequence of blocks that come and rows that go."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from weaver.graph.sealed_index import CHUNK_OVERHEAD_BYTES, LEAST_ROW_BYTES, SealedIndex
from weaver.memory import Account

NODES = st.sets(st.one_of(st.integers(1, 300), st.integers(65_500, 65_600), st.integers(1, 2**32 - 1)), max_size=40)


def rising(nodes: set[int]) -> np.ndarray:
    return np.array(sorted(nodes), np.uint32)


class IndexMachine(RuleBasedStateMachine):
    """The model is a dict from node to block."""

    def __init__(self) -> None:
        super().__init__()
        self.account = Account("graph", 1 << 30)
        self.index = SealedIndex(self.account)
        self.model: dict[int, int] = {}

    @rule(nodes=NODES, block=st.one_of(st.integers(0, 5), st.integers(0, 2**32 - 1)))
    def enter(self, nodes: set[int], block: int) -> None:
        """New nodes are entered under their block, for no more than was announced."""
        new = rising(nodes - self.model.keys())
        used, needed = self.account.used, self.index.needed_bytes(new)
        self.index.enter(new, block)
        assert self.account.used - used <= needed
        self.model |= dict.fromkeys(new.tolist(), block)

    @rule(share=st.integers(1, 5))
    def remove(self, share: int) -> None:
        """Some of the nodes leave, and their bytes with them."""
        leaving = rising({node for node in self.model if node % share == 0})
        self.index.remove(leaving)
        for node in leaving.tolist():
            del self.model[node]

    @rule(nodes=NODES)
    def look_up(self, nodes: set[int]) -> None:
        """One by one or all at once, each node has its block, or none."""
        expected = [self.model.get(node, -1) for node in sorted(nodes)]
        assert self.index.get_all(rising(nodes)).tolist() == expected
        assert [self.index.get(node) for node in sorted(nodes)] == [None if each < 0 else each for each in expected]

    @invariant()
    def holds(self) -> None:
        """The invariants hold, and what is charged follows the rows."""
        self.index.check()
        assert len(self.index) == len(self.model)
        assert self.account.used == self.index.bytes >= len(self.model) * LEAST_ROW_BYTES
        assert self.account.used <= (CHUNK_OVERHEAD_BYTES + 6) * len(self.model)


class TestSealedIndex(IndexMachine.TestCase):
    """The index agrees with the dict."""

    settings = settings(deadline=None, max_examples=50, stateful_step_count=20)


def test_a_row_takes_four_bytes_until_blocks_have_high_numbers() -> None:
    """Numbers below 65,536 take two bytes, as does an id; a chunk with a higher one takes four for each."""
    account = Account("graph", 1 << 20)
    index = SealedIndex(account)
    index.enter(np.arange(1, 1_001, dtype=np.uint32), 7)
    assert account.used == 4_000 + CHUNK_OVERHEAD_BYTES
    index.enter(np.arange(2_000, 2_010, dtype=np.uint32), 70_000)
    assert account.used == 6_060 + CHUNK_OVERHEAD_BYTES
    assert (index.get(1_000), index.get(2_009)) == (7, 70_000)
