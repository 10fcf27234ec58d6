"""Carriers: the pages that link to some of the nodes, counted and sampled in one pass over the edges."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.edge_stream import EdgeSource, EdgeWindow, sorted_distinct
from weaver.base.page import EdgeKind

BYTES_PER_NODE = 2
"""A flag for what is looked for, and one for who may carry it."""
_HIGH = np.uint64(32)
_MOST_KINDS = 8

Ids = NDArray[np.uint32]
Flags = NDArray[np.bool_]


class Carriers:
    """For each of the targets, by its index: how many pages link to it, the first of them, and by which kinds of edge.

    A page counts once for all its edges to a target, and never for those to itself. An edge to what a page is a
    duplicate of is no link. `examples` has a row of ids for each target, 0 where there is none. 5 B a target, and 4
    for each example.
    """

    def __init__(self, source: EdgeSource, targets: Ids, examples: int, is_carrier: Flags | None = None) -> None:
        """`targets` are rising ids; `is_carrier` says by id which pages count, None for all."""
        self.counts = np.zeros(len(targets), np.uint32)
        self.examples = np.zeros((len(targets), examples), np.uint32)
        self._kinds = np.zeros(len(targets), np.uint8)
        self._targets = targets
        self._is_carrier = is_carrier
        self._is_target = np.zeros(source.nodes + 1, np.bool_)
        self._is_target[targets] = True
        if len(targets):
            self._read(source)

    def __repr__(self) -> str:
        return f"Carriers({len(self.counts)} targets, {int(self.counts.sum())} links)"

    def kinds_of(self, index: int) -> list[EdgeKind]:
        """The kinds of edge that lead to a target."""
        return [kind for kind in EdgeKind if self._kinds[index] >> kind & 1]

    def _read(self, windows: Iterable[EdgeWindow]) -> None:
        for window in windows:
            at = np.flatnonzero(self._is_target[window.targets] & (window.kinds != EdgeKind.DUPLICATE))
            sources = window.nodes[np.searchsorted(window.offsets, at, side="right") - 1]
            is_link = sources != window.targets[at]
            if self._is_carrier is not None:
                is_link &= self._is_carrier[sources]
            at, sources = at[is_link], sources[is_link]
            if len(at):
                places = np.searchsorted(self._targets, window.targets[at])
                self._mark_kinds(places, window.kinds[at])
                self._count(places, sources)

    def _mark_kinds(self, places: NDArray[np.intp], kinds: NDArray[np.uint8]) -> None:
        for kind in range(_MOST_KINDS):
            self._kinds[places[kinds == kind]] |= np.uint8(1 << kind)

    def _count(self, places: NDArray[np.intp], sources: Ids) -> None:
        """Rows are whole, so a page that is new to a window is new to all."""
        pairs = sorted_distinct(places.astype(np.uint64) << _HIGH | sources)
        places = (pairs >> _HIGH).astype(np.intp)
        found, begins, counts = np.unique(places, return_index=True, return_counts=True)
        columns = np.arange(len(pairs)) - np.repeat(begins, counts) + self.counts[places]
        has_room = columns < self.examples.shape[1]
        self.examples[places[has_room], columns[has_room]] = pairs[has_room].astype(np.uint32)
        self.counts[found] += counts.astype(np.uint32)
