"""GraphStore: the part of the link graph that is in RAM, and what is counted of all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from weaver.base.page import EdgeKind
from weaver.base.settings import GraphSettings
from weaver.codec import DecodedBlock, Kinds, Nodes, Row, Targets
from weaver.graph.blocks import WASTED_SHARE
from weaver.graph.pruning import ResidentTable, scores_of
from weaver.graph.resident import ResidentRows
from weaver.graph.retention import POLICIES, Excess, Limits, RetentionStatus, RowColumns, status_of
from weaver.graph.room import Room, room_of
from weaver.graph.row_index import RowIndex
from weaver.graph.sealed_index import LEAST_ROW_BYTES
from weaver.graph.totals import GraphTotals, HostTotals
from weaver.memory.bounded import StoreStatistics
from weaver.memory.budget import Account

# Where a policy chooses rows anywhere, it does so before the account is full, by this part of the edges, and blocks of
# which half as much is gone are written anew.
FULL_SHARE = 15 / 16
PRUNED_SHARE = 1 / 8
# What a policy needs to know of a row beside what the row itself says, and in whose words.
_NOTED = frozenset({"least_recently_seen", "host_share"})


class GraphStore:
    """Pages' edges in RAM, one row a page, within caps of pages, edges and bytes; the whole graph is on disk. Here are

    - for each resident page its edges, hence its out-degree, exact;
    - for each of the newest nodes its in-degree, for each of the newest hosts its pages and edges, exact over all edges
      ever added, in RAM or not;
    - the number of all edges ever added, by kind, exact, as long as a page that is added again is still resident, or
      its old row is handed in: else the old edges count twice.

    Rows are hot or sealed (`ResidentRows`); a sealed row's edges are sorted by target. Which rows leave is retention's
    choice: `oldest` lets whole blocks and slabs go; the other policies look at all rows, some 30 ms for 100,000
    pages, each time one in eight of the edges is to leave or a cap is passed. `version` moves with every change of
    structure: sealing is none, and leaves what was built from the graph valid. Invariants: those of the parts; what is
    resident is within the caps; what is charged is the rows, the counters, and a column of 4 B a page where the policy
    notes something.
    """

    def __init__(self, settings: GraphSettings, account: Account) -> None:
        self._account = account
        self._policy = settings.retention
        self._first_limits = self._limits = Limits.of(settings, account.limit)
        # So many more rows and edges are within the caps for sure: no row needs more than that looked at.
        self._sure_rows = self._sure_edges = 0
        wasted_share = WASTED_SHARE if self._policy == "oldest" else PRUNED_SHARE / 2
        self._rows = ResidentRows(account, self._have_left, seals=settings.sealed, wasted_share=wasted_share)
        self._totals = GraphTotals(account, self._limits.nodes, self._make_room)
        self._noted = RowIndex(account) if self._policy in _NOTED else None
        self._scores: NDArray[np.float32] | None = None
        self._ticks = 0
        self.version = 0
        self._peak = self._hits = self._misses = self._evicted = self._refused = 0
        self._grown = self._prunes = self._pruned = 0

    def __repr__(self) -> str:
        return (
            f"GraphStore(edges={self.resident_edges} of {self.edges}, pages={len(self)}, "
            f"nodes={self.resident_nodes} of {self.nodes}, {self.resident_bytes} B)"
        )

    def __len__(self) -> int:
        """Pages whose edges are in RAM."""
        return len(self._rows)

    def __contains__(self, node: int) -> bool:
        return node in self._rows

    @property
    def capacity(self) -> int:
        """The most pages it could hold, each with few edges."""
        return min(self._limits.most_nodes, self._account.limit // LEAST_ROW_BYTES)

    @property
    def room(self) -> Room:
        """What a resume may load."""
        return room_of(self._limits, self._rows.hot_share_bytes, self._policy)

    @property
    def nodes(self) -> int:
        """Nodes ever seen: ids are dense, so the highest one."""
        return self._totals.in_degrees.last

    @property
    def resident_nodes(self) -> int:
        """Nodes whose in-degree is in RAM."""
        return len(self._totals.in_degrees)

    @property
    def resident_edges(self) -> int:
        """Edges in RAM."""
        return self._rows.edges

    @property
    def sealed_edges(self) -> int:
        """Those of the edges in RAM that are sealed."""
        return self._rows.sealed.edges

    @property
    def resident_bytes(self) -> int:
        """What the store has charged to its account."""
        noted_bytes = 0 if self._noted is None else self._noted.bytes
        return self._rows.size_bytes + self._totals.size_bytes + noted_bytes

    @property
    def edges(self) -> int:
        """Edges ever added; those of a page that was added again, as it is now."""
        return self._totals.edges

    @property
    def edges_by_kind(self) -> Mapping[EdgeKind, int]:
        """Edges ever added, by kind."""
        return self._totals.by_kind

    def add_page(
        self, node: int, targets: Targets | bytes, kinds: bytes, host: int = 0, replaced: Row | None = None
    ) -> None:
        """Add a page with its out-edges, each (target, kind) once; a page added again gets these edges instead.

        `targets` are ids >= 1 (an array, or native 32-bit integers as bytes), `kinds` a byte an edge, `host` the page's
        host where totals of hosts are wanted, `replaced` its row before, where it was added before and may no longer be
        resident. Never raises for want of room: other pages leave, and a page that could never fit is counted, but not
        kept. O(edges) amortised, and at most one block is sealed or written anew, 1-3 ms.
        """
        ids = targets if isinstance(targets, bytes) else targets.astype(np.uint32, copy=False)
        assert node > 0, f"expected a node id >= 1, got {node}"
        assert len(ids) == len(kinds) * (4 if isinstance(ids, bytes) else 1), f"node {node}: {len(kinds)} kinds"
        self.version += 1
        known = self._rows.remove(node) if node in self._rows else replaced
        if known is not None:
            self._totals.take_back(known, host, is_gone=False)
        self._totals.add(node, ids, kinds, host, is_new=known is None)
        self._keep(node, ids, kinds)
        self._note(node, host)
        self._rows.settle()

    def remove(self, node: int, host: int = 0) -> bool:
        """Forget a resident page and its out-edges, everywhere; False where it is not in RAM. O(rows of a block)."""
        if node not in self._rows:
            return False
        self.version += 1
        removed = self._rows.remove(node)
        assert removed is not None, f"node {node} is resident, and has no row"
        self._totals.take_back(removed, host, is_gone=True)
        self._forget_notes(np.array([node], np.uint32))
        self._rows.settle()
        return True

    def restore_block(self, block: bytes, decoded: DecodedBlock, hosts: Mapping[int, int] | None = None) -> None:
        """On a resume, add a block's rows, of pages that have none, with hosts where `room` needs them. 1 ms; where the
        block doesn't fit, row by row."""
        host_of = (hosts or {}).get
        is_within = len(self) + len(decoded) <= self._limits.most_nodes
        is_within &= self.resident_edges + len(decoded.targets) <= self._limits.most_edges
        if not is_within or not self._rows.restore(block, decoded.nodes):
            for node, targets, kinds in decoded.rows():
                self.add_page(node, targets, kinds.tobytes(), host_of(node, 0))
            return
        self.version += 1
        self._sure_rows = 0
        self._totals.add_block(decoded)
        self._peak = max(self._peak, len(self))
        for node in decoded.nodes.tolist() if self._noted is not None else ():
            self._note(node, host_of(node, 0))

    def restore_totals(self, *, edges: Mapping[int, int], nodes: int = 0, hosts: int = 0) -> None:
        """After a resume has added what it loaded: the edges by kind, nodes and hosts that the graph has on disk.

        Where not all edges were loaded, in-degrees are known only for nodes discovered from now on; totals of hosts are
        known for new hosts only.
        """
        self.version += 1
        self._totals.restore(edges=edges, nodes=nodes, hosts=hosts)

    def set_scores(self, scores: NDArray[np.float32] | None) -> None:
        """What the policy `score` goes by: a score a node, by id, kept as it is (the caller's bytes); higher stays."""
        self._scores = scores

    def neighbours(self, node: int) -> Row | None:
        """The page's edges as (targets, kinds), copied out; None where they are not in RAM.

        O(edges), and where they are sealed and not in the cache of decoded blocks, some 70 us.
        """
        found = self._rows.row(node)
        if found is None:
            self._misses += 1
            return None
        self._hits += 1
        if self._policy == "least_recently_seen":
            self._note(node, 0)
        return found

    def predecessors(self, node: int) -> Row:
        """Who links to the node, as (sources, kinds), of the edges in RAM.

        Scans all of them block by block, O(resident edges) at some 10 ns each: a reverse index would double every edge.
        """
        found = list(self._rows.links_to(np.array([node], np.uint32)))
        sources = [np.empty(0, np.uint32), *(sources for sources, _, _ in found)]
        kinds = [np.empty(0, np.uint8), *(kinds for _, _, kinds in found)]
        return np.concatenate(sources), np.concatenate(kinds)

    def links_to(self, targets: Targets | None) -> Iterator[tuple[Targets, Targets, Kinds]]:
        """The resident edges to any of these nodes, to all where None, as (sources, targets, kinds), block by block.

        O(resident edges), however many nodes are asked for.
        """
        return self._rows.links_to(targets)

    def rows(self) -> Iterator[tuple[int, Targets, Kinds]]:
        """Every resident page with its edges, sealed ones first. RuntimeError if the graph changes meanwhile.

        O(resident edges); one block at a time is decoded.
        """
        self._totals.settle()
        return self._rows.rows()

    def out_degree(self, node: int) -> int | None:
        """How many edges leave the page; None where they are not in RAM. O(1); where sealed as `neighbours`."""
        return self._rows.length(node)

    def in_degree(self, node: int) -> int | None:
        """How many edges ever added lead to the node; None where it is no longer counted, or not yet known. O(1)."""
        return self._totals.in_degrees.of(node)

    def host_totals(self, host: int) -> HostTotals | None:
        """The host's pages and edges ever added, resident or not; None for a host that is not counted. O(1)."""
        return self._totals.of_host(host)

    def evict(self, n: int) -> list[int]:
        """Let the edges of the `n` oldest pages go; whose they were. O(rows of the blocks that they are in)."""
        self.version += 1
        left: list[int] = []
        while len(self._rows) and len(left) < n:
            left += self._rows.evict_oldest(Excess(n - len(left), 0)).tolist()
        return left

    def shrink(self) -> int:
        """Go back to the account's present limit: decoded blocks go, hot rows are sealed, then the oldest leave.

        The bytes given back; some 20 ms a call: call again until it is 0. Counters stay: they could not be made again.
        """
        before = self.resident_bytes
        if self._account.used > self._account.limit:
            self.version += 1
            self._rows.relieve()
        return max(0, before - self.resident_bytes)

    def statistics(self) -> StoreStatistics:
        """The figures now, in pages; `hits` and `misses` are those of `neighbours`."""
        return StoreStatistics(
            "graph",
            len(self),
            self.capacity,
            self._peak,
            bytes=self.resident_bytes,
            hits=self._hits,
            misses=self._misses,
            evicted=self._evicted,
            refused=self._refused,
        )

    def cache_statistics(self) -> StoreStatistics:
        """The figures of the decoded blocks."""
        return self._rows.sealed.cache_statistics()

    def retention_status(self) -> RetentionStatus:
        """The caps in force, what they may still grow by, and what was pruned."""
        return status_of(
            self._policy,
            self._limits,
            self._first_limits,
            grown=self._grown,
            prunes=self._prunes,
            pruned_pages=self._pruned,
        )

    def check(self) -> None:
        """Assert the invariants; O(everything)."""
        self._rows.check()
        self._totals.check()
        assert len(self) <= min(self._peak, self._limits.most_nodes), self
        assert self.resident_edges <= self._limits.most_edges, self
        assert self.resident_nodes <= self._first_limits.nodes, self
        assert self.resident_bytes <= self._account.used, self
        if self._noted is not None:
            self._noted.check()
            assert len(self._noted) <= len(self), self
        self._account.check()

    def _keep(self, node: int, targets: Targets | bytes, kinds: bytes) -> None:
        """Add a row for a page that has none, if it can fit at all."""
        edges = len(kinds)
        self._sure_rows -= 1
        self._sure_edges -= edges
        if (self._sure_rows < 0 or self._sure_edges < 0) and not self._stay_within(edges):
            self._refused += 1
            return
        if self._policy != "oldest":
            self._stay_below_the_account()
        if not self._rows.add(node, targets, kinds):
            self._refused += 1
        self._peak = max(self._peak, len(self._rows))

    def _stay_within(self, more_edges: int) -> bool:
        """Let the caps grow, or else let rows go, so that one more row is within them; False where it never is."""
        if more_edges > self._limits.most_edges:
            return False
        excess = self._limits.excess(len(self), self.resident_edges, more_edges)
        while excess and self._grow():
            excess = self._limits.excess(len(self), self.resident_edges, more_edges)
        if excess:
            self._prune(excess)
        self._sure_rows = self._limits.most_nodes - len(self) - 1
        self._sure_edges = self._limits.most_edges - self.resident_edges - more_edges
        return True

    def _grow(self) -> bool:
        """Let the caps grow by a step, if they may and the account has as much room as the step can take."""
        grown = self._limits.grown(self._first_limits)
        share = max(grown.nodes / self._limits.nodes, grown.edges / self._limits.edges) - 1
        if share <= 0 or not self._account.would_fit(int(self.resident_bytes * share)):
            return False
        self._limits = grown
        self._grown += 1
        return True

    def _stay_below_the_account(self) -> None:
        """Choose who leaves before the account is full; not again before what is gone was written over."""
        sealed = self._rows.sealed
        is_full = self._account.used > self._account.limit * FULL_SHARE
        if is_full and sealed.gone_edges < self.resident_edges * PRUNED_SHARE / 2:
            self._prune(Excess(0, int(self.resident_edges * PRUNED_SHARE)))

    def _prune(self, excess: Excess) -> None:
        """Let rows go, those that the policy chooses, until nothing is in excess."""
        self._prunes += 1
        before = len(self)
        if self._policy == "oldest":
            self._prune_oldest(excess)
        else:
            self._totals.settle()
            table = ResidentTable(self._rows.hot, self._rows.sealed)
            left = table.take(POLICIES[self._policy](self._columns(table), excess))
            self._rows.moves += 1
            self._have_left(left)
        self._pruned += before - len(self)

    def _prune_oldest(self, excess: Excess) -> None:
        most_rows, most_edges = max(0, len(self) - excess.rows), max(0, self.resident_edges - excess.edges)
        while len(self) > most_rows or self.resident_edges > most_edges:
            self._rows.evict_oldest(Excess(len(self) - most_rows, self.resident_edges - most_edges))

    def _columns(self, table: ResidentTable) -> RowColumns:
        """The table with the columns that the policy looks at."""
        noted = None if self._noted is None else self._noted.get_all(table.nodes)
        needs_links = self._policy == "least_linked" or (self._policy == "score" and self._scores is None)
        return RowColumns(
            table.nodes,
            table.edges,
            np.arange(len(table)),
            last_seen=noted if self._policy == "least_recently_seen" else None,
            in_degree=self._totals.in_degrees_of(table.nodes) if needs_links else None,
            host=noted if self._policy == "host_share" else None,
            score=scores_of(table.nodes, self._scores) if self._scores is not None else None,
        )

    def _note(self, node: int, host: int) -> None:
        """Note what the policy will want to know of the row, if the account has room for that."""
        if self._noted is None:
            return
        self._ticks = self._ticks % 0xFFFF_FFFF + 1
        value = self._ticks if self._policy == "least_recently_seen" else host
        if node not in self._rows:
            self._noted.remove_all(np.array([node], np.uint32))
        elif value:
            self._noted.set(node, value)

    def _forget_notes(self, nodes: Nodes) -> None:
        if self._noted is not None:
            self._noted.remove_all(nodes)

    def _make_room(self) -> bool:
        self.version += 1
        return self._rows.make_room()

    def _have_left(self, nodes: Nodes) -> None:
        """Count whose rows had to leave."""
        self._evicted += len(nodes)
        self._account.record_evicted(len(nodes))
        self._forget_notes(nodes)
