"""GraphStore against plain dicts, over any sequence of pages, recrawls, removals, prunes and evictions."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from weaver.base.page import EdgeKind
from weaver.base.settings import GraphSettings
from weaver.codec import BlockCodec, Row
from weaver.graph import GraphStore
from weaver.graph.retention import POLICIES
from weaver.memory import Account

Edge = tuple[int, int]
NODES = st.one_of(st.integers(1, 40), st.integers(1, 5_000))
EDGES = st.sets(st.tuples(NODES, st.integers(0, 4)), max_size=60)
HOSTS = 6


def host_of(node: int) -> int:
    return node % HOSTS + 1


def columns(row: list[Edge]) -> Row:
    return np.array([target for target, _ in row], np.uint32), np.array([kind for _, kind in row], np.uint8)


def edges_of(row: Row) -> list[Edge]:
    return sorted(zip(row[0].tolist(), row[1].tolist(), strict=True))


class GraphMachine(RuleBasedStateMachine):
    """The model keeps every page's edges for ever; the store must agree wherever it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[int, list[Edge]] = {}
        self.in_degrees: Counter[int] = Counter()
        self.kinds: Counter[int] = Counter()
        self.host_pages: Counter[int] = Counter()
        self.host_edges: Counter[int] = Counter()
        self.highest = 0

    @initialize(
        limit=st.sampled_from([3_000, 20_000, 50_000, 300_000]),
        max_edges=st.sampled_from([None, None, 1, 40, 500, 3_000]),
        max_nodes=st.sampled_from([None, None, 1, 7, 100]),
        retention=st.sampled_from(sorted(POLICIES)),
        grace=st.sampled_from([0.0, 0.2]),
        headroom=st.sampled_from([0.0, 0.5]),
        sealed=st.sampled_from([True, True, True, False]),
    )
    def build(self, limit: int, **chosen: object) -> None:
        """A store with any of its bounds and policies."""
        self.account = Account("graph", limit)
        self.settings = GraphSettings.model_validate({"trim_to": 0.8, "grow_to": 2.0} | chosen)
        self.store = GraphStore(self.settings, self.account)

    @rule(node=NODES, edges=EDGES, as_bytes=st.booleans(), hands_in=st.booleans())
    def add(self, node: int, edges: set[Edge], as_bytes: bool, hands_in: bool) -> None:
        """A page is added, or replaces its earlier self, resident or handed in."""
        row = sorted(edges)
        known = node in self.pages and (node in self.store or hands_in)
        replaced = columns(self.pages[node]) if known and hands_in else None
        if known:
            self._count(self.pages[node], host_of(node), -1)
        targets, kinds = columns(row)
        version = self.store.version
        self.store.add_page(node, targets.tobytes() if as_bytes else targets, kinds.tobytes(), host_of(node), replaced)
        assert self.store.version > version
        self.pages[node] = row
        self._count(row, host_of(node), 1)
        self.host_pages[host_of(node)] += not known
        self.highest = max(self.highest, node, *(target for target, _ in row))

    @rule(first=st.integers(1, 5_000), pages=st.integers(1, 60), links=st.integers(0, 30), step=st.integers(1, 3))
    def add_run(self, first: int, pages: int, links: int, step: int) -> None:
        """A site's pages come one after the other."""
        for node in range(first, first + pages * step, step):
            self.add(node, {(1 + (node * 7 + link * 3) % 5_000, 0) for link in range(links)}, True, False)

    @rule(first=NODES, pages=st.integers(1, 300), links=st.integers(0, 20), step=st.integers(1, 3))
    def restore(self, first: int, pages: int, links: int, step: int) -> None:
        """Blocks of pages that have no row come as they are on disk, and after them the totals of the disk."""
        rows = {
            node: sorted({(1 + (node * 7 + link * 3) % 5_000, link % 2) for link in range(links)})
            for node in range(first, first + pages * step, step)
            if node not in self.pages
        }
        targets, kinds = columns([edge for row in rows.values() for edge in row])
        degrees = np.array([len(row) for row in rows.values()], np.uint32)
        codec, version = BlockCodec(), self.store.version
        for block in codec.encode_all(np.array(list(rows), np.uint32), degrees, targets, kinds) if rows else ():
            decoded = codec.decode(block)
            self.store.restore_block(block, decoded, {node: host_of(node) for node in decoded.nodes.tolist()})
            self.store.check()
        for node, row in rows.items():
            self.pages[node] = row
            self._count(row, host_of(node), 1)
            self.host_pages[host_of(node)] += 1
            self.highest = max(self.highest, node, *(target for target, _ in row))
        self.store.restore_totals(edges=dict(self.kinds), nodes=self.highest, hosts=HOSTS)
        assert self.store.version > version

    def _count(self, row: list[Edge], host: int, sign: int) -> None:
        for target, kind in row:
            self.in_degrees[target] += sign
            self.kinds[kind] += sign
        self.host_edges[host] += sign * len(row)

    @rule(node=NODES)
    def remove(self, node: int) -> None:
        """A resident page is gone with its edges, hot or sealed; another is not touched."""
        is_here = node in self.store
        assert self.store.remove(node, host_of(node)) == is_here
        if is_here:
            self._count(self.pages.pop(node), host_of(node), -1)
            self.host_pages[host_of(node)] -= 1
        assert node not in self.store

    @rule(share=st.integers(2, 9))
    def remove_many(self, share: int) -> None:
        """Most pages go one by one, so that slabs and blocks are written anew."""
        for node in list(self.pages):
            if node % share:
                self.remove(node)

    @rule(n=st.integers(-1, 30))
    def evict(self, n: int) -> None:
        """`evict` takes the oldest pages, in their order."""
        before = [page for page, _, _ in self.store.rows()]
        left = self.store.evict(n)
        assert left == before[: max(0, n)]
        assert [page for page, _, _ in self.store.rows()] == before[max(0, n) :]

    @rule(share=st.sampled_from([0.0, 0.3, 0.8, 1.0]))
    def press(self, share: float) -> None:
        """With a fallen limit rows are sealed, then the oldest leave, until the store is within it; counters stay."""
        before = {page for page, _, _ in self.store.rows()}
        self.account.limit = int(self.account.base_limit * share)
        used = self.account.used
        while released := self.store.shrink():
            assert self.account.used == used - released
            used = self.account.used
        resident = {page for page, _, _ in self.store.rows()}
        assert resident <= before
        assert self.account.used <= self.account.limit or not resident
        self.store.check()
        self.account.limit = self.account.base_limit

    @rule(node=NODES, times=st.integers(1, 5))
    def ask(self, node: int, times: int) -> None:
        """Neighbours, predecessors and degrees are the model's, of the pages in RAM."""
        for _ in range(times):
            found = self.store.neighbours(node)
            assert (found is not None) == (node in self.store)
            assert found is None or edges_of(found) == self.pages[node]
        assert self.store.out_degree(node) == (len(self.pages[node]) if node in self.store else None)
        degree = self.store.in_degree(node)
        assert degree is None or degree == self.in_degrees[node]
        expected = [
            (page, kind) for page in self.pages if page in self.store for to, kind in self.pages[page] if to == node
        ]
        assert edges_of(self.store.predecessors(node)) == sorted(expected)

    @rule()
    def read_all(self) -> None:
        """All rows in RAM come once, as they are in the model."""
        rows = [(node, edges_of((targets, kinds))) for node, targets, kinds in self.store.rows()]
        assert len({node for node, _ in rows}) == len(rows) == len(self.store)
        assert all(row == self.pages[node] for node, row in rows)

    @rule()
    def change_while_reading(self) -> None:
        """A change of the graph ends an iteration over its rows with an error."""
        rows = self.store.rows()
        if next(rows, None) is not None and len(self.store) > 1:
            self.store.evict(1)
            with pytest.raises(RuntimeError, match="expected the graph to stay"):
                next(rows)

    @invariant()
    def agrees_with_the_model(self) -> None:
        """Totals are exact whatever was evicted, and in-degrees for a window of the newest nodes."""
        if not hasattr(self, "store"):
            return
        store = self.store
        assert store.nodes == self.highest
        newest = range(max(1, self.highest - store.resident_nodes + 1), self.highest + 1)
        assert all(store.in_degree(node) == self.in_degrees[node] for node in newest)
        assert store.in_degree(newest.start - 1) is None
        store.check()
        assert store.edges == sum(self.kinds.values())
        assert store.edges_by_kind == {kind: self.kinds[kind] for kind in EdgeKind}
        assert self.account.used == store.resident_bytes <= self.account.limit
        assert self.account.overdrafts == 0
        assert store.resident_edges == sum(len(self.pages[node]) for node in self.pages if node in store)
        for host in range(1, HOSTS + 1):
            totals = store.host_totals(host)
            assert totals is None or (totals.pages, totals.edges) == (self.host_pages[host], self.host_edges[host])

    @invariant()
    def is_within_its_caps(self) -> None:
        """No cap is passed by more than its grace, grown ones included."""
        if hasattr(self, "store"):
            status = self.store.retention_status()
            assert self.store.resident_edges <= (status.max_edges or 10**9) * (1 + self.settings.grace)
            assert len(self.store) <= (status.max_nodes or 10**9) * (1 + self.settings.grace)


class TestGraphStore(GraphMachine.TestCase):
    """The store agrees with the model, whatever happens to it."""

    settings = settings(deadline=None, max_examples=60, stateful_step_count=25)
