"""Hops: which nodes are within so many links of one, as far as the resident graph knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from weaver.codec import Nodes, Targets
from weaver.graph.store import GraphStore

MOST_NODES = 100_000


@dataclass(frozen=True, slots=True)
class Hops:
    """The nodes first reached after 0, 1, 2, ... links, ids rising in each level.

    `is_complete` is False where an edge may be missing: a page on the way is not resident, or nodes were too many.
    """

    levels: tuple[Nodes, ...]
    is_complete: bool


def k_hop(
    store: GraphStore, node: int, k: int, *, direction: Literal["out", "in"] = "out", most_nodes: int = MOST_NODES
) -> Hops:
    """What `node` reaches in up to `k` links (`out`), or what reaches it (`in`), by the edges in RAM.

    Outwards O(edges of the nodes reached), and a block's decoding for some of them; inwards O(k x resident edges), one
    scan of all of them a level. Stops once `most_nodes` were reached.
    """
    levels = [np.array([node], np.uint32)]
    reached = levels[0]
    step = _targets_of if direction == "out" else _sources_of
    is_complete = direction == "out" or store.resident_edges == store.edges
    while len(levels) <= k and len(levels[-1]):
        found, all_known = step(store, levels[-1])
        is_complete &= all_known and len(reached) + len(found) <= most_nodes
        new = np.setdiff1d(found, reached)[: max(0, most_nodes - len(reached))]
        levels.append(new)
        reached = np.union1d(reached, new)
    return Hops(tuple(level for level in levels if len(level)), is_complete)


def _targets_of(store: GraphStore, nodes: Nodes) -> tuple[Targets, bool]:
    rows = [store.neighbours(node) for node in nodes.tolist()]
    return _joined(row[0] for row in rows if row is not None), None not in rows


def _sources_of(store: GraphStore, nodes: Nodes) -> tuple[Nodes, bool]:
    return _joined(sources for sources, _, _ in store.links_to(nodes)), True


def _joined(columns: Iterator[Targets]) -> Targets:
    return np.unique(np.concatenate([np.empty(0, np.uint32), *columns]))
