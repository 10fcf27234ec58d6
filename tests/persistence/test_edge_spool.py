"""EdgeSpool: what is put aside comes back, range by range, in its order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.persistence.making import in_memory, made
from weaver.persistence.edge_spool import KIND_SHIFT, RANGE_BITS, EdgeSpool

IDS = st.one_of(st.integers(1, 9), st.integers((1 << RANGE_BITS) - 2, (1 << RANGE_BITS) + 2), st.integers(1, 2**32 - 1))
EDGES = st.lists(st.lists(st.tuples(IDS, IDS, st.integers(0, 255)), max_size=30), max_size=4)

Edge = tuple[int, int, int]


def _add(spool: EdgeSpool, edges: list[Edge]) -> None:
    columns = np.array(edges, np.uint32).reshape(-1, 3)
    spool.add(columns[:, 0], columns[:, 1], columns[:, 2].astype(np.uint8))


def _edges(spool: EdgeSpool, place: int) -> list[Edge]:
    words = np.concatenate(list(spool.edges(place))).tolist()
    first, mask = place << RANGE_BITS, (1 << RANGE_BITS) - 1
    return [(word >> 32, first + (word & mask), word >> KIND_SHIFT & 0xFF) for word in words]


@given(EDGES)
def test_edges_come_back_by_the_range_of_their_target(runs: list[list[Edge]]) -> None:
    """Each range that has edges is named once, with all of its edges in the order in which they came."""
    connection = in_memory()
    edges = [edge for run in runs for edge in run]
    with EdgeSpool(connection) as spool:
        for run in runs:
            _add(spool, run)
        ranges = sorted({target >> RANGE_BITS for _, target, _ in edges})
        assert spool.ranges() == ranges
        for place in ranges:
            assert _edges(spool, place) == [edge for edge in edges if edge[1] >> RANGE_BITS == place]
    connection.close()


def test_many_edges_are_in_a_file_without_a_name(tmp_path: Path) -> None:
    """Many edges come back as they were put aside, some at a time, and nothing is left to be seen in the directory."""
    directory, connection = made(tmp_path)
    before = {path.name for path in directory.path.iterdir()}
    targets = np.random.default_rng(7).integers(1, 1 << 17, 200_000, dtype=np.uint32)
    sources = np.arange(len(targets), dtype=np.uint32)
    with EdgeSpool(connection) as spool:
        for start in range(0, len(targets), 50_000):
            part = slice(start, start + 50_000)
            spool.add(sources[part], targets[part], np.zeros(50_000, np.uint8))
        assert {path.name for path in directory.path.iterdir()} == before
        for place in spool.ranges():
            parts = list(spool.edges(place))
            assert max(map(len, parts)) < 1 << 15
            expected = sources[targets >> RANGE_BITS == place]
            np.testing.assert_array_equal(np.concatenate(parts) >> np.uint64(32), expected)
    connection.close()
