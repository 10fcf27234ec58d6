"""Pruning: the resident rows, hot and sealed, as one table of columns, and the chosen ones of them taken out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from weaver.codec import Degrees, Nodes
from weaver.graph.blocks import SealedBlocks
from weaver.graph.hot_rows import HotRows
from weaver.graph.retention import Places


@dataclass(frozen=True, slots=True)
class _Run:
    """The live rows of one block or slab."""

    kept_in: Literal["block", "slab"]
    number: int
    places: Places
    nodes: Nodes
    degrees: Degrees


class ResidentTable:
    """Every resident row at one moment, oldest first: 20 B a row, and some 50 us a block to make."""

    def __init__(self, hot: HotRows, sealed: SealedBlocks) -> None:
        self._hot = hot
        self._sealed = sealed
        self._runs = list(_runs(hot, sealed))
        self.nodes = np.concatenate([np.empty(0, np.uint32), *(run.nodes for run in self._runs)])
        self.edges = np.concatenate([np.empty(0, np.uint32), *(run.degrees for run in self._runs)])

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        return f"ResidentTable({len(self)} rows in {len(self._runs)} runs)"

    def take(self, places: Places) -> Nodes:
        """Take these rows of the table out of the graph; whose they were. O(rows of the blocks they are in)."""
        leaves = np.zeros(len(self), np.bool_)
        leaves[places] = True
        begin = 0
        for run in self._runs:
            of_run = run.places[leaves[begin : begin + len(run.places)]]
            begin += len(run.places)
            if len(of_run) and run.kept_in == "block":
                self._sealed.take(run.number, of_run)
            elif len(of_run):
                self._hot.wear(run.number, of_run)
        return self.nodes[leaves]


def _runs(hot: HotRows, sealed: SealedBlocks) -> Iterator[_Run]:
    for number in sealed.numbers():
        yield _Run("block", number, *sealed.live_rows(number))
    for slab_id, slab in hot.slabs:
        yield _Run("slab", slab_id, *slab.live())


def scores_of(nodes: Nodes, scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each node's score, 0 for one that came after they were made."""
    found = np.zeros(len(nodes), np.float32)
    is_scored = nodes < len(scores)
    found[is_scored] = scores[nodes[is_scored]]
    return found
