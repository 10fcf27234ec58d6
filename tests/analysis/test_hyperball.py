"""HyperBall: harmonic centrality estimated within the error that it states."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from tests.analysis.listed_edges import Pairs, made_rows, networkx_of
from weaver.analysis import hyperball
from weaver.analysis.hyperball import fitting_log2_registers, harmonic_centrality
from weaver.base.errors import SettingsError


def made_graph(nodes: int, edges: int) -> Pairs:
    """Pages that link to others at random, and to a few favourites."""
    made = np.random.default_rng(3)
    sources = made.integers(1, nodes + 1, edges)
    targets = np.where(made.random(edges) < 0.5, made.integers(1, 20, edges), made.integers(1, nodes + 1, edges))
    return list(zip(sources.tolist(), targets.tolist(), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("is_resident", [True, False])
def test_estimates_stay_within_their_standard_error(monkeypatch: pytest.MonkeyPatch, is_resident: bool) -> None:
    """On 600 pages the mean error is below the standard error of one count, and few values are off by three."""
    monkeypatch.setattr(hyperball, "MOST_POSITIONS", 8)
    pairs = made_graph(600, 2_400)
    with made_rows(600, pairs, is_resident) as (_, transposed):
        found = harmonic_centrality(transposed, log2_registers=7, piece_bytes=1 << 14)
    exact = nx.harmonic_centrality(networkx_of(600, pairs))
    errors = np.array([found.harmonic[node] / exact[node] - 1 for node in range(600) if exact[node] > 10])
    assert found.has_converged
    assert np.abs(errors).mean() < found.relative_error
    assert (np.abs(errors) > 3 * found.relative_error).mean() < 0.02


def test_rounds_end_when_nothing_changes() -> None:
    """A chain of five is settled after four rounds; its ends are reached by five and by one."""
    with made_rows(5, [(1, 2), (2, 3), (3, 4), (4, 5)]) as (_, transposed):
        found = harmonic_centrality(transposed, log2_registers=8)
    assert (found.rounds, found.has_converged) == (4, True)
    assert found.reaching[4] == pytest.approx(5, rel=0.1)
    assert found.harmonic[4] == pytest.approx(1 + 1 / 2 + 1 / 3 + 1 / 4, rel=0.1)
    assert found.harmonic[0] == 0.0


def test_registers_are_as_many_as_fit() -> None:
    """Half of the spare memory goes to registers, 16 to 256 a node; where 16 are too many it is refused."""
    assert fitting_log2_registers(1_000, 1 << 30) == 8
    assert fitting_log2_registers(1_000, 2 * 1_000 * 2 * 64) == 6
    assert fitting_log2_registers(1_000, 33_000) == 4
    with pytest.raises(SettingsError, match=r"counters of 1\.00k nodes need 31\.2 KiB"):
        fitting_log2_registers(1_000, 31_000)
