"""HITS over a graph on disk: hubs and authorities that name each other (Kleinberg 1999)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.csr import Csr

TOLERANCE = 1e-6
MOST_ITERATIONS = 1_000
BYTES_PER_NODE = 40
"""Offsets, three vectors of 8 B and one that is there while two are compared."""

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HubsAndAuthorities:
    """Both scores of each node, each with the sum 1; `residual` is the last change of the hubs (L1)."""

    hubs: Vector
    authorities: Vector
    iterations: int
    residual: float
    has_converged: bool


def hits(rows: Csr, tolerance: float = TOLERANCE, most_iterations: int = MOST_ITERATIONS) -> HubsAndAuthorities:
    """A page's authority is the sum of the hubs that name it, its hub score the sum of the authorities it names.

    Ends when the hubs change by less than `tolerance` together. O(edges + nodes) an iteration. A graph without edges
    has no authorities: all scores are 0.
    """
    hubs = np.full(rows.nodes, 1.0 / max(1, rows.nodes))
    authorities = np.zeros(rows.nodes)
    residual, iterations = np.inf, 0
    while rows.edges and residual >= tolerance and iterations < most_iterations:
        authorities = _normalised(_given(rows, hubs))
        updated = _normalised(_received(rows, authorities))
        residual = float(np.abs(updated - hubs).sum())
        hubs = updated
        iterations += 1
    if not rows.edges:
        hubs, residual = np.zeros(rows.nodes), 0.0
    return HubsAndAuthorities(hubs, authorities, iterations, residual, residual < tolerance)


def _given(rows: Csr, scores: Vector) -> Vector:
    """What each node gets from those that name it."""
    sums = np.zeros(rows.nodes)
    for window in rows.windows():
        given = np.repeat(scores[window.nodes[0] : window.nodes[-1] + 1], window.degrees)
        np.add.at(sums, window.targets.astype(np.intp), given)
    return sums


def _received(rows: Csr, scores: Vector) -> Vector:
    """What each node gets from those that it names."""
    sums = np.zeros(rows.nodes)
    for window in rows.windows():
        is_occupied = window.degrees > 0
        if len(window.targets):
            # reduceat gives an empty row its neighbour's first value: only rows with targets are asked.
            begins = (np.cumsum(window.degrees) - window.degrees)[is_occupied]
            sums[window.nodes[is_occupied]] = np.add.reduceat(scores[window.targets], begins)
    return sums


def _normalised(scores: Vector) -> Vector:
    total = scores.sum()
    return scores / total if total else scores
