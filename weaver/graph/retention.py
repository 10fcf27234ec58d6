"""Retention: how large the resident graph may be, and which rows leave when it is larger."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from weaver.base.settings import GraphSettings

Column = NDArray[np.int64] | NDArray[np.uint32] | NDArray[np.float64] | NDArray[np.float32]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps in nodes (pages with edges in RAM), edges and bytes, and what happens around them.

    A cap may be passed by `grace`, a part of it; then one prune leaves `trim_to` of it. Bytes are the account's, and
    never passed. With `headroom` a cap of nodes or edges that is reached grows by that part, up to `grow_to` times what
    it was at first, as long as there are bytes for it.
    """

    nodes: int = sys.maxsize
    edges: int = sys.maxsize
    bytes: int = sys.maxsize
    grace: float = 0.0
    trim_to: float = 0.95
    headroom: float = 0.0
    grow_to: float = 1.0

    @classmethod
    def of(cls, settings: GraphSettings, account_bytes: int) -> Limits:
        """The limits that the settings name."""
        return cls(
            settings.max_nodes or sys.maxsize,
            settings.max_edges or sys.maxsize,
            account_bytes,
            settings.grace,
            settings.trim_to,
            settings.headroom,
            settings.grow_to,
        )

    @property
    def most_nodes(self) -> int:
        """The most nodes there ever are under these limits."""
        return _and_a_part(self.nodes, self.grace)

    @property
    def most_edges(self) -> int:
        """The most edges there ever are under these limits."""
        return _and_a_part(self.edges, self.grace)

    def excess(self, nodes: int, edges: int, more_edges: int) -> Excess:
        """What has to leave so that one more row of `more_edges` can be taken; nothing where it just fits."""
        if nodes < self.most_nodes and edges + more_edges <= self.most_edges:
            return Excess(0, 0)
        return Excess(
            _excess(nodes, 1, int(self.nodes * self.trim_to)),
            _excess(edges, more_edges, int(self.edges * self.trim_to)),
        )

    def grown(self, first: Limits) -> Limits:
        """The limits after one step of growth from those that were `first`; themselves where they may not grow."""
        return replace(
            self,
            nodes=min(_and_a_part(self.nodes, self.headroom), _times(first.nodes, first.grow_to)),
            edges=min(_and_a_part(self.edges, self.headroom), _times(first.edges, first.grow_to)),
        )


@dataclass(frozen=True, slots=True)
class Excess:
    """How many rows and edges have to leave, at least."""

    rows: int
    edges: int

    def __bool__(self) -> bool:
        return self.rows > 0 or self.edges > 0

    def first(self, edges: Column) -> int:
        """How many of the first rows, with so many edges each, have to leave; all of them where they are too few."""
        of_edges = 0
        if self.edges > 0:
            of_edges = int(np.searchsorted(np.cumsum(edges, dtype=np.int64), self.edges)) + 1
        return min(len(edges), max(of_edges, self.rows, 0))


EVERY_ROW = Excess(sys.maxsize, 0)
"""All that there is."""


@dataclass(frozen=True, slots=True)
class RowColumns:
    """The resident rows as columns: whose they are, how many edges each has, and its place in the order of arrival.

    `last_seen`, `in_degree`, `host` and `score` are there for the policies that look at them, else None.
    """

    nodes: Column
    edges: Column
    order: Column
    last_seen: Column | None = None
    in_degree: Column | None = None
    host: Column | None = None
    score: Column | None = None


Policy = Callable[[RowColumns, Excess], Places]
"""The places of the rows that leave: enough of them, and no more than the last one takes over the excess. Pure."""


def oldest(columns: RowColumns, excess: Excess) -> Places:
    """Those that were added first. O(n log n)."""
    return _first(columns.edges, np.argsort(columns.order, kind="stable"), excess)


def least_recently_seen(columns: RowColumns, excess: Excess) -> Places:
    """Those that were added or asked for the longest ago. O(n log n)."""
    return _lowest(columns, columns.last_seen, excess)


def least_linked(columns: RowColumns, excess: Excess) -> Places:
    """Those that the fewest edges lead to, the oldest of them first. O(n log n)."""
    return _lowest(columns, columns.in_degree, excess)


def by_score(columns: RowColumns, excess: Excess) -> Places:
    """Those of the lowest score, the oldest of them first; without scores, the least linked. O(n log n)."""
    return _lowest(columns, columns.in_degree if columns.score is None else columns.score, excess)


def host_share(columns: RowColumns, excess: Excess) -> Places:
    """The oldest of the hosts that have more than an equal share, until these have equal shares. O(n log n)."""
    hosts = np.zeros(len(columns.nodes), np.uint32) if columns.host is None else columns.host
    by_host = np.lexsort((columns.order, hosts))
    leaves = _over_share(hosts[by_host], columns.edges[by_host].astype(np.int64), excess.edges)
    leaves |= _over_share(hosts[by_host], np.ones(len(by_host), np.int64), excess.rows)
    return by_host[leaves]


POLICIES: Mapping[str, Policy] = MappingProxyType({
    "oldest": oldest,
    "least_recently_seen": least_recently_seen,
    "least_linked": least_linked,
    "host_share": host_share,
    "score": by_score,
})


@dataclass(frozen=True, slots=True)
class RetentionStatus:
    """Retention at one moment: the policy, the caps in force (None where the bytes alone decide), what they may still
    grow by, and what was pruned so far."""

    policy: str
    max_nodes: int | None
    max_edges: int | None
    headroom_nodes: int | None
    headroom_edges: int | None
    autogrow: bool
    grown: int
    prunes: int
    pruned_pages: int


def status_of(
    policy: str, limits: Limits, first: Limits, *, grown: int, prunes: int, pruned_pages: int
) -> RetentionStatus:
    """The status under these limits, which were `first` at the beginning."""
    has_nodes, has_edges = first.nodes < sys.maxsize, first.edges < sys.maxsize
    return RetentionStatus(
        policy,
        limits.nodes if has_nodes else None,
        limits.edges if has_edges else None,
        _times(first.nodes, first.grow_to) - limits.nodes if has_nodes and first.headroom else None,
        _times(first.edges, first.grow_to) - limits.edges if has_edges and first.headroom else None,
        first.headroom > 0,
        grown,
        prunes,
        pruned_pages,
    )


def _lowest(columns: RowColumns, key: Column | None, excess: Excess) -> Places:
    assert key is not None, "the policy's column is missing"
    return _first(columns.edges, np.lexsort((columns.order, key)), excess)


def _first(edges: Column, order: Places, excess: Excess) -> Places:
    """As many in this order as the excess takes."""
    return order[: excess.first(edges[order])]


def _over_share(hosts: Column, weights: NDArray[np.int64], excess: int) -> NDArray[np.bool_]:
    """Which rows, sorted by host and then age, are over the level to which the largest hosts are cut."""
    if excess <= 0 or not len(hosts):
        return np.zeros(len(hosts), np.bool_)
    starts = np.flatnonzero(np.append(True, hosts[1:] != hosts[:-1]))
    totals = np.add.reduceat(weights, starts)
    counts = np.diff(starts, append=len(hosts))
    sums = np.cumsum(weights)
    before = sums - weights - np.repeat(sums[starts] - weights[starts], counts)
    leaves: NDArray[np.bool_] = np.repeat(totals, counts) - before > _level(totals, excess)
    return leaves


def _level(totals: NDArray[np.int64], excess: int) -> int:
    """The highest level such that what is above it adds up to the excess at least."""
    falling = np.sort(totals)[::-1]
    # With the k largest cut to the level of the next, what has gone.
    gone = np.cumsum(falling) - np.arange(1, len(falling) + 1) * np.append(falling[1:], 0)
    count = min(int(np.searchsorted(gone, excess)), len(falling) - 1) + 1
    return max(0, int((int(falling[:count].sum()) - excess) // count))


def _excess(present: int, more: int, target: int) -> int:
    """What of the present has to leave to end at the target; all of it at most."""
    return max(0, min(present, present + more - target))


def _and_a_part(number: int, part: float) -> int:
    return number if number == sys.maxsize else number + int(number * part)


def _times(number: int, factor: float) -> int:
    return number if number == sys.maxsize else int(number * factor)
