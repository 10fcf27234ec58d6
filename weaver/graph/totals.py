"""GraphTotals: what is counted of the graph and stays exact when edges leave RAM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from weaver.base.page import EdgeKind
from weaver.codec import DecodedBlock, Nodes, Row, Targets
from weaver.graph.id_counters import COUNTER_BYTES, IdCounters
from weaver.memory.budget import Account

# In-degrees may take a quarter of the account: they outlive the edges that they count.
IN_DEGREE_SHARE = 4
# Both counters of the hosts together: 100,000 hosts in 56 MiB.
HOST_SHARE = 64
# Edges whose targets are not counted yet: numpy counts so many in one call at 2 ns each, 20 at 60 ns each. They take 8
# KiB, and as bytes of some pages a little more.
MOST_UNCOUNTED = 2048


@dataclass(frozen=True, slots=True)
class HostTotals:
    """Pages of a host that were added, and all their edges."""

    pages: int
    edges: int


class GraphTotals:
    """All edges, by kind; each of the newest nodes' in-degree; each of the newest hosts' pages and edges.

    Of what was added `uncounted` edges wait to be counted together; whatever asks for an in-degree counts them first,
    and may need room for that. Invariants: the kinds add up to all edges; what is charged is the counters.
    """

    def __init__(self, account: Account, most_nodes: int, make_room: Callable[[], bool]) -> None:
        self._make_room = make_room
        counters = account.limit // IN_DEGREE_SHARE // COUNTER_BYTES
        hosts = account.limit // HOST_SHARE // (2 * COUNTER_BYTES)
        self._in_degrees = IdCounters(min(most_nodes, counters), account)
        self._host_pages = IdCounters(hosts, account)
        self._host_edges = IdCounters(hosts, account)
        self._by_kind = [0] * len(EdgeKind)
        self._uncounted: list[bytes] = []
        self._uncounted_edges = 0
        self._last_node = 0
        self.edges = 0

    def __repr__(self) -> str:
        return f"GraphTotals({self.edges} edges, in-degrees {self._in_degrees!r}, hosts {self._host_pages!r})"

    @property
    def size_bytes(self) -> int:
        """What is charged."""
        return self._in_degrees.bytes + self._host_pages.bytes + self._host_edges.bytes

    @property
    def by_kind(self) -> Mapping[EdgeKind, int]:
        """Edges by kind."""
        return {kind: self._by_kind[kind] for kind in EdgeKind}

    @property
    def in_degrees(self) -> IdCounters:
        """The in-degrees, all edges counted."""
        self.settle()
        return self._in_degrees

    def settle(self) -> None:
        """Count what waits to be counted; what reads rows does so first, since it may need room."""
        if self._last_node or self._uncounted:
            self._count()

    def add(self, node: int, targets: Targets | bytes, kinds: bytes, host: int, *, is_new: bool) -> None:
        """Count a page's edges, and the page where it is new. O(edges), amortised."""
        self.edges += len(kinds)
        self._add_kinds(kinds, 1)
        self._last_node = max(self._last_node, node)
        self._uncounted.append(targets if isinstance(targets, bytes) else targets.tobytes())
        self._uncounted_edges += len(kinds)
        is_first = not self._in_degrees.last
        if is_first or self._uncounted_edges >= MOST_UNCOUNTED or len(self._uncounted) >= MOST_UNCOUNTED:
            self._count()
        if host:
            self._add_to_host(host, int(is_new), len(kinds))

    def add_block(self, block: DecodedBlock) -> None:
        """Count the edges of a block whose pages were not added before. O(edges) in numpy."""
        self.edges += len(block.targets)
        self._add_kinds(block.edge_kinds().tobytes(), 1)
        self._last_node = max(self._last_node, block.header.last_node)
        self._uncounted.append(block.targets.tobytes())
        self._count()

    def take_back(self, row: Row, host: int, *, is_gone: bool) -> None:
        """Undo what `add` counted of the edges; of the page too where it is gone."""
        targets, kinds = row
        self.in_degrees.subtract(targets)
        self.edges -= len(targets)
        self._add_kinds(kinds.tobytes(), -1)
        if host:
            self._add_to_host(host, -int(is_gone), -len(targets))

    def restore(self, *, edges: Mapping[int, int], nodes: int, hosts: int) -> None:
        """After a resume: what the disk has, of which what is not known here is forgotten, never guessed."""
        self._last_node = max(self._last_node, nodes)
        in_degrees = self.in_degrees
        if sum(edges.values()) != self.edges:
            in_degrees.forget()
        self._by_kind = [edges.get(kind, 0) for kind in EdgeKind]
        self.edges = sum(self._by_kind)
        for counters in (self._host_pages, self._host_edges):
            counters.discover(hosts, self._make_room)
            counters.forget()

    def of_host(self, host: int) -> HostTotals | None:
        """The host's pages and edges ever added; None for one that is no longer counted, or not from its beginning."""
        pages, edges = self._host_pages.of(host), self._host_edges.of(host)
        return None if pages is None or edges is None else HostTotals(pages, edges)

    def in_degrees_of(self, nodes: Nodes) -> Targets:
        """The in-degree of each node, 0 where it is not known."""
        return self.in_degrees.of_all(nodes)

    def check(self) -> None:
        """Assert the invariants; O(all counters)."""
        for counters in (self._in_degrees, self._host_pages, self._host_edges):
            counters.check()
        assert self.edges == sum(self._by_kind), self
        assert self._uncounted_edges == sum(map(len, self._uncounted)) // 4 < MOST_UNCOUNTED, self
        assert self._host_pages.last == self._host_edges.last, self

    def _count(self) -> None:
        """Count the edges that wait."""
        targets = np.frombuffer(b"".join(self._uncounted), np.uint32)
        last = max(self._last_node, int(targets.max())) if len(targets) else self._last_node
        # Emptied first: whoever makes room for the counters may ask for them.
        self._uncounted, self._uncounted_edges, self._last_node = [], 0, 0
        self._in_degrees.discover(last, self._make_room)
        self._in_degrees.add(targets)

    def _add_kinds(self, kinds: bytes, sign: int) -> None:
        hyperlinks = kinds.count(EdgeKind.HYPERLINK)
        self._by_kind[EdgeKind.HYPERLINK] += sign * hyperlinks
        if hyperlinks < len(kinds):
            for kind in list(EdgeKind)[1:]:
                self._by_kind[kind] += sign * kinds.count(kind)

    def _add_to_host(self, host: int, pages: int, edges: int) -> None:
        if host > self._host_edges.last:
            self._host_pages.discover(host, self._make_room)
            self._host_edges.discover(host, self._make_room)
        self._host_pages.change(host, pages)
        self._host_edges.change(host, edges)
