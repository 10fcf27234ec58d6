"""Counts and degrees of a graph on disk, taken in one pass over its edges, and the nodes with the highest values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.edge_stream import EdgeSource, EdgeWindow, distinct_pairs, of_kinds
from weaver.base.page import EdgeKind

BYTES_PER_NODE = 24
"""Both degrees at 4 B, and for a moment what counts or orders them."""
MOST_KINDS = 256

Degrees = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class GraphStats:
    """`edges` counts each (source, target, kind); degrees, `pairs` and `loops` count a pair once for all its kinds."""

    nodes: int
    edges: int
    pairs: int
    loops: int
    by_kind: dict[str, int]
    out_degrees: Degrees
    in_degrees: Degrees


@dataclass(frozen=True, slots=True)
class DegreeSummary:
    """A column of degrees in a few numbers; `none` is how many nodes have degree 0."""

    highest: int
    mean: float
    median: float
    p99: float
    none: int


def graph_stats(source: EdgeSource, kinds: frozenset[EdgeKind] | None = None) -> GraphStats:
    """Count the edges of these kinds, or of all; node i + 1 is at index i of the degrees. One pass."""
    out_degrees = np.zeros(source.nodes, np.uint32)
    in_degrees = np.zeros(source.nodes, np.uint32)
    by_kind = np.zeros(MOST_KINDS, np.int64)
    loops = 0
    for window in source:
        chosen = window if kinds is None else of_kinds(window, kinds)
        by_kind += np.bincount(chosen.kinds, minlength=MOST_KINDS)
        chosen = distinct_pairs(chosen)
        out_degrees[chosen.nodes - 1] = chosen.degrees
        np.add.at(in_degrees, chosen.targets.astype(np.intp) - 1, np.uint32(1))
        loops += _loops(chosen)
    return GraphStats(
        nodes=source.nodes,
        edges=int(by_kind.sum()),
        pairs=int(out_degrees.sum(dtype=np.int64)),
        loops=loops,
        by_kind=_named(by_kind),
        out_degrees=out_degrees,
        in_degrees=in_degrees,
    )


def summarised(degrees: Degrees) -> DegreeSummary:
    """The column in a few numbers."""
    if not len(degrees):
        return DegreeSummary(0, 0.0, 0.0, 0.0, 0)
    median, p99 = np.percentile(degrees, (50, 99))
    none = len(degrees) - int(np.count_nonzero(degrees))
    return DegreeSummary(int(degrees.max()), float(degrees.mean()), float(median), float(p99), none)


def degree_counts(degrees: Degrees) -> list[tuple[int, int]]:
    """(degree, nodes that have it), rising; for pictures."""
    counts = np.bincount(degrees) if len(degrees) else np.zeros(0, np.int64)
    present = np.flatnonzero(counts)
    return list(zip(present.tolist(), counts[present].tolist(), strict=True))


def highest(values: NDArray[Any], limit: int) -> list[tuple[int, float]]:
    """The `limit` nodes with the highest values as (id, value); of equal ones the lower id first. O(nodes)."""
    limit = min(limit, len(values))
    if limit < 1:
        return []
    threshold = np.partition(values, len(values) - limit)[len(values) - limit]
    above = np.flatnonzero(values > threshold)
    equal = np.flatnonzero(values == threshold)[: limit - len(above)]
    chosen = np.concatenate((above, equal))
    chosen = chosen[np.lexsort((chosen, -values[chosen].astype(np.float64)))]
    return [(int(index) + 1, values[index].item()) for index in chosen]


def kind_names(kinds: Iterable[EdgeKind]) -> list[str]:
    """What the kinds are called outside weaver, in the order of their numbers."""
    return [kind.name.lower() for kind in sorted(kinds)]


def _named(by_kind: NDArray[np.int64]) -> dict[str, int]:
    """All kinds that there are, and a kind of a later version by its number."""
    names = {int(kind): kind.name.lower() for kind in EdgeKind}
    present = sorted({*names, *np.flatnonzero(by_kind).tolist()})
    return {names.get(kind, str(kind)): int(by_kind[kind]) for kind in present}


def _loops(window: EdgeWindow) -> int:
    return int(np.count_nonzero(window.sources == window.targets))
