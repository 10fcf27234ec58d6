"""GraphStore against plain dicts, over any sequence of pages, recrawls and evictions."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from weaver.base.page import EdgeKind
from weaver.base.settings import GraphSettings
from weaver.graph import GraphStore
from weaver.memory import Account

Edge = tuple[int, int]
NODES = st.one_of(st.integers(1, 40), st.integers(1, 5_000))
EDGES = st.sets(st.tuples(NODES, st.integers(0, 4)), max_size=60)


class GraphMachine(RuleBasedStateMachine):
    """The model keeps every page's edges for ever; the store must agree wherever it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[int, list[Edge]] = {}
        self.in_degrees: Counter[int] = Counter()
        self.kinds: Counter[int] = Counter()
        self.highest = 0
        self.evicted = 0
        self.order: list[int] | None = []

    @initialize(
        limit=st.sampled_from([3_000, 8_000, 20_000, 200_000]),
        max_edges=st.sampled_from([None, 1, 40, 500]),
        max_nodes=st.sampled_from([None, 1, 7, 1_000]),
    )
    def build(self, limit: int, max_edges: int | None, max_nodes: int | None) -> None:
        """A store with any of its four bounds."""
        self.account = Account("graph", limit)
        settings = GraphSettings(max_edges=max_edges, max_nodes=max_nodes)
        self.store = GraphStore(settings, self.account)

    @rule(node=NODES, edges=EDGES, as_bytes=st.booleans())
    def add(self, node: int, edges: set[Edge], as_bytes: bool) -> None:
        """A page is added, or replaces its earlier self."""
        row = sorted(edges)
        if node in self.store:
            for target, kind in self.pages[node]:
                self.in_degrees[target] -= 1
                self.kinds[kind] -= 1
            self.order = None
        targets = np.array([target for target, _ in row], np.uint32)
        version = self.store.version
        self.store.add_page(node, targets.tobytes() if as_bytes else targets, bytes(kind for _, kind in row))
        assert self.store.version > version
        self.pages[node] = row
        for target, kind in row:
            self.in_degrees[target] += 1
            self.kinds[kind] += 1
        self.highest = max(self.highest, node, *(target for target, _ in row))
        self._settle_order(node)

    def _settle_order(self, node: int) -> None:
        """While no page was replaced, those that left are the oldest, and the rest keep their order."""
        resident = [page for page, _, _ in self.store.rows()]
        if self.order is not None:
            arrived = [page for page in self.order if page != node] + [node]
            assert resident == (arrived[-len(resident) :] if resident else []) or node not in self.store
            self.order = resident

    @rule(n=st.integers(-1, 30))
    def evict(self, n: int) -> None:
        """`evict` takes the oldest pages, in their order."""
        before = [page for page, _, _ in self.store.rows()]
        left = self.store.evict(n)
        assert left == before[: max(0, n)]
        assert [page for page, _, _ in self.store.rows()] == before[max(0, n) :]
        if self.order is not None:
            self.order = before[max(0, n) :]

    @rule(share=st.sampled_from([0.0, 0.3, 0.8, 1.0]))
    def press(self, share: float) -> None:
        """With a fallen limit the oldest pages leave until the store is within it; only in-degrees stay."""
        before = [page for page, _, _ in self.store.rows()]
        self.account.limit = int(self.account.base_limit * share)
        while self.store.shrink():
            pass
        resident = [page for page, _, _ in self.store.rows()]
        assert resident == before[len(before) - len(resident) :]
        assert self.account.used <= self.account.limit or not resident
        self.store.check()
        self.account.limit = self.account.base_limit
        if self.order is not None:
            self.order = resident

    @rule(node=NODES)
    def ask(self, node: int) -> None:
        """Neighbours, predecessors and degrees are the model's, of the pages in RAM."""
        found = self.store.neighbours(node)
        assert (found is not None) == (node in self.store)
        if found is not None:
            assert list(zip(found[0].tolist(), found[1].tolist(), strict=True)) == self.pages[node]
        assert self.store.out_degree(node) == (len(self.pages[node]) if node in self.store else None)
        degree = self.store.in_degree(node)
        assert degree is None or degree == self.in_degrees[node]
        sources, kinds = self.store.predecessors(node)
        expected = [
            (page, kind) for page in self.pages if page in self.store for to, kind in self.pages[page] if to == node
        ]
        assert sorted(zip(sources.tolist(), kinds.tolist(), strict=True)) == sorted(expected)

    @invariant()
    def agrees_with_the_model(self) -> None:
        """Totals are exact whatever was evicted, and in-degrees for a window of the newest nodes."""
        if not hasattr(self, "store"):
            return
        store = self.store
        store.check()
        assert store.nodes == self.highest
        assert store.edges == sum(self.kinds.values())
        assert store.edges_by_kind == {kind: self.kinds[kind] for kind in EdgeKind}
        assert self.account.used == store.resident_bytes <= self.account.limit
        assert self.account.overdrafts == 0
        newest = range(max(1, self.highest - store.resident_nodes + 1), self.highest + 1)
        assert all(store.in_degree(node) == self.in_degrees[node] for node in newest)
        assert store.in_degree(newest.start - 1) is None
        assert store.resident_edges == sum(len(targets) for _, targets, _ in store.rows())

    @rule()
    def change_while_reading(self) -> None:
        """A change of the graph ends an iteration over its rows with an error."""
        rows = self.store.rows()
        if next(rows, None) is not None and len(self.store) > 1:
            self.store.evict(0)
            with pytest.raises(RuntimeError, match="expected the graph to keep version"):
                next(rows)


TestGraphStore = GraphMachine.TestCase
