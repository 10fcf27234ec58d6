"""LinkColumns: the out-edges of some pages as plain arrays, whether they came from rows or from blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaver.codec import DecodedBlock, Degrees, Kinds, Nodes, Offsets, Row, Targets
from weaver.persistence.packing import unpack_many

Indices = NDArray[np.intp]


class LinkColumns(NamedTuple):
    """Page ids rising; the edges of `nodes[i]` are `offsets[i]:offsets[i + 1]` of `targets` and `kinds`."""

    nodes: Nodes
    offsets: Offsets
    targets: Targets
    kinds: Kinds

    @property
    def degrees(self) -> Degrees:
        """How many edges each page has."""
        return np.diff(self.offsets).astype(np.uint32)

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Each page's id and edges, as views."""
        ends = self.offsets.tolist()
        for node, (begin, end) in zip(self.nodes.tolist(), pairwise(ends), strict=True):
            yield node, (self.targets[begin:end], self.kinds[begin:end])

    def between(self, after: int, upto: int) -> LinkColumns:
        """The pages with `after` < id <= `upto`, as views where that can be."""
        first, end = np.searchsorted(self.nodes, (after, upto), side="right").tolist()
        if first == 0 and end == len(self.nodes):
            return self
        offsets = self.offsets[first : end + 1]
        edges = slice(int(offsets[0]), int(offsets[-1]))
        return LinkColumns(self.nodes[first:end], offsets - offsets[0], self.targets[edges], self.kinds[edges])

    def of(self, nodes: Nodes) -> LinkColumns:
        """Those of these pages that it has; `nodes` may be in any order."""
        return self.taken(np.flatnonzero(np.isin(self.nodes, nodes)))

    def without(self, nodes: Nodes) -> LinkColumns:
        """All but these pages."""
        return self.taken(np.flatnonzero(~np.isin(self.nodes, nodes)))

    def taken(self, rows: Indices) -> LinkColumns:
        """The pages at these places, in that order."""
        degrees = self.degrees[rows]
        offsets = _offsets_of(degrees)
        edges = np.repeat(self.offsets[rows] - offsets[:-1], degrees)
        edges += np.arange(len(edges))
        return LinkColumns(self.nodes[rows], offsets, self.targets[edges], self.kinds[edges])

    def edges_by_kind(self) -> dict[int, int]:
        """How many edges of each kind there are."""
        counts = np.bincount(self.kinds)
        return {kind: int(counts[kind]) for kind in np.flatnonzero(counts).tolist()}


def first_targets(columns: LinkColumns, kind: int) -> Iterator[tuple[int, int]]:
    """Each page that has edges of one kind, with the target of the first of these."""
    for node, (targets, kinds) in columns.rows():
        found = targets[kinds == kind]
        if len(found):
            yield node, int(found[0])


def no_links() -> LinkColumns:
    """Columns of no page at all."""
    return LinkColumns(np.zeros(0, np.uint32), np.zeros(1, np.int64), np.zeros(0, np.uint32), np.zeros(0, np.uint8))


def unsealed_columns(rows: Sequence[tuple[int, bytes]]) -> LinkColumns:
    """Rows of `links` by rising id. Raises PersistenceError for a blob that is not ours."""
    degrees, targets, kinds = unpack_many([packed for _, packed in rows])
    return LinkColumns(np.array([node for node, _ in rows], np.uint32), _offsets_of(degrees), targets, kinds)


def block_columns(decoded: DecodedBlock) -> LinkColumns:
    """A block's rows, as its own arrays."""
    return LinkColumns(decoded.nodes, decoded.offsets, decoded.targets, decoded.edge_kinds())


def joined(parts: Sequence[LinkColumns]) -> LinkColumns:
    """All pages of the parts by rising id; of a page that is in several, the edges of the last part. O(n log n)."""
    filled = [part for part in parts if len(part.nodes)]
    if len(filled) < 2:
        return filled[0] if filled else no_links()
    in_line = sorted(filled, key=lambda part: int(part.nodes[0]))
    if all(before.nodes[-1] < after.nodes[0] for before, after in pairwise(in_line)):
        return _concatenated(in_line)
    return _interleaved(filled)


def _interleaved(parts: Sequence[LinkColumns]) -> LinkColumns:
    """The same where the parts' pages lie between each other's; beside the result it takes 16 B an edge of one part."""
    nodes = np.concatenate([part.nodes for part in parts])
    order = np.argsort(nodes, kind="stable")
    rising = nodes[order]
    order = order[np.append(rising[1:] != rising[:-1], True)]
    places = np.full(len(nodes), -1, np.int64)
    places[order] = np.arange(len(order))
    offsets = _offsets_of(np.concatenate([part.degrees for part in parts])[order])
    targets, kinds = np.empty(offsets[-1], np.uint32), np.empty(offsets[-1], np.uint8)
    begin = 0
    for part in parts:
        rows = places[begin : begin + len(part.nodes)]
        begin += len(rows)
        kept = part if rows.min() >= 0 else part.taken(np.flatnonzero(rows >= 0))
        edges = np.repeat(offsets[rows[rows >= 0]] - kept.offsets[:-1], kept.degrees)
        edges += np.arange(len(edges))
        targets[edges], kinds[edges] = kept.targets, kept.kinds
    return LinkColumns(nodes[order], offsets, targets, kinds)


def _concatenated(parts: Sequence[LinkColumns]) -> LinkColumns:
    return LinkColumns(
        np.concatenate([part.nodes for part in parts]),
        _offsets_of(np.concatenate([part.degrees for part in parts])),
        np.concatenate([part.targets for part in parts]),
        np.concatenate([part.kinds for part in parts]),
    )


def _offsets_of(degrees: NDArray[np.integer]) -> Offsets:
    offsets = np.zeros(len(degrees) + 1, np.int64)
    np.cumsum(degrees, out=offsets[1:])
    return offsets
