"""KnownEdges: a fetched page's followed out-edges, from RAM or from disk."""

from __future__ import annotations

import numpy as np

from weaver.base.errors import BlockDamaged
from weaver.base.page import EdgeKind
from weaver.graph import GraphStore
from weaver.persistence import Archive


class KnownEdges:
    """Where a page leads, and how many links nearer its targets are than it: 1 for a link, 0 for a redirect."""

    def __init__(self, graph: GraphStore, archive: Archive, *, follows_nofollow: bool) -> None:
        self._graph = graph
        self._archive = archive
        self._steps = {EdgeKind.HYPERLINK: 1, EdgeKind.CANONICAL: 1, EdgeKind.REDIRECT: 0}
        if follows_nofollow:
            self._steps[EdgeKind.NOFOLLOW] = 1

    def of(self, page_id: int) -> list[tuple[int, int]]:
        """The targets with their steps; none for a page that was not fetched yet, or whose block on disk rotted."""
        found = self._graph.neighbours(page_id)
        if found is None:
            try:
                stored = self._archive.adjacency(page_id)
            except BlockDamaged:
                return []
            if stored is None:
                return []
            found = np.frombuffer(stored.targets, np.uint32), np.frombuffer(stored.kinds, np.uint8)
        targets, kinds = found[0].tolist(), found[1].tolist()
        return [(target, self._steps[kind]) for target, kind in zip(targets, kinds, strict=True) if kind in self._steps]
