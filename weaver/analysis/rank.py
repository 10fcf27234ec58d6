"""PageRank over a graph on disk: node vectors and one window of edges in RAM (Page, Motwani and others 1999)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.csr import Csr
from weaver.analysis.edge_stream import EDGES_PER_WINDOW

DAMPING = 0.85
TOLERANCE = 1e-6
MOST_ITERATIONS = 200
FINEST_FLOAT32 = 1e-6
"""A change that float32 vectors surely show: their rounding alone makes one of up to 1.2e-7 (L1) in each step."""
BYTES_PER_NODE = 40
"""Offsets and sums of 8 B, rank, share and inverse degree of 4 or 8."""

Vector = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A rank for each node, the sum 1; `residual` is the last step's change (L1), times in seconds an iteration."""

    rank: Vector
    iterations: int
    residual: float
    has_converged: bool
    wall_s: float
    cpu_s: float


def pagerank(
    rows: Csr,
    damping: float = DAMPING,
    tolerance: float = TOLERANCE,
    most_iterations: int = MOST_ITERATIONS,
    dtype: type[np.floating[Any]] | None = None,
) -> Ranked:
    """The stationary distribution of a walk that follows a link with `damping`, and else goes anywhere.

    A node without links goes anywhere too: its rank is spread evenly. Ends when the ranks change by less than
    `tolerance` together. O(edges + nodes) an iteration. Vectors are float32 where that tells such a change, else
    float64. What each node receives is summed in float64, so that float32 costs no more than its own rounding: below
    1e-6 of a rank (tested).
    """
    dtype = dtype or (np.float32 if tolerance >= FINEST_FLOAT32 else np.float64)
    nodes = rows.nodes
    rank = np.full(nodes, 1.0 / max(1, nodes), dtype)
    inverse_degrees = _inverse_degrees(rows, dtype)
    residual, iterations = np.inf, 0
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    while nodes and residual >= tolerance and iterations < most_iterations:
        updated = _stepped(rows, rank, inverse_degrees, damping)
        residual = _moved(rank, updated)
        iterations += 1
    each = max(1, iterations)
    wall_s, cpu_s = (time.perf_counter() - wall_s) / each, (time.process_time() - cpu_s) / each
    has_converged = residual < tolerance or not nodes
    return Ranked(rank, iterations, residual if nodes else 0.0, has_converged, wall_s, cpu_s)


def _stepped(rows: Csr, rank: Vector, inverse_degrees: Vector, damping: float) -> NDArray[np.float64]:
    """The ranks after one step."""
    shares = rank * inverse_degrees
    sums = np.zeros(rows.nodes, np.float64)
    for window in rows.windows():
        # add.at is quick for an index of the platform's own width and values of the sums' type only.
        given = np.repeat(shares[window.nodes[0] : window.nodes[-1] + 1].astype(np.float64), window.degrees)
        np.add.at(sums, window.targets.astype(np.intp), given)
    sums *= damping
    sums += (1.0 - float(sums.sum())) / rows.nodes
    return sums


def _moved(rank: Vector, updated: NDArray[np.float64]) -> float:
    """Take the new ranks over; how much they differ from the old ones together (L1)."""
    residual = 0.0
    for at in range(0, len(rank), EDGES_PER_WINDOW):
        part = slice(at, at + EDGES_PER_WINDOW)
        residual += float(np.abs(updated[part] - rank[part]).sum())
    rank[:] = updated
    return residual


def _inverse_degrees(rows: Csr, dtype: type[np.floating[Any]]) -> Vector:
    """1 / out-degree; 0 for a node without links."""
    degrees = rows.degrees
    inverse = np.zeros(rows.nodes, dtype)
    np.divide(1.0, degrees, out=inverse, where=degrees > 0, casting="same_kind")
    return inverse
