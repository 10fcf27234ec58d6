"""PairSorter: pairs sorted in fixed memory, whatever their number."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaver.analysis import sorted_pairs
from weaver.analysis.sorted_pairs import PairSorter

IDS = st.integers(1, 40)


def sorted_by(sorter: PairSorter) -> list[tuple[int, int]]:
    """All pairs as the sorter gives them, each row in one window."""
    seen: list[int] = []
    pairs = []
    for window in sorter.windows():
        seen += window.nodes.tolist()
        pairs += list(zip(window.sources.tolist(), window.targets.tolist(), strict=True))
    assert seen == sorted(set(seen))
    return pairs


@given(st.lists(st.lists(st.tuples(IDS, IDS), max_size=60), max_size=6), st.sampled_from([1, 7, 1 << 12]))
def test_pairs_come_sorted_each_once(batches: list[list[tuple[int, int]]], block: int) -> None:
    """Whether they fit or are merged from runs in a file, all pairs come in order, each once, rows whole."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_pairs, "LEAST_BLOCK_PAIRS", block)
        patch.setattr(sorted_pairs, "BLOCK_PAIRS", block)
        with PairSorter(0, Path(folder)) as sorter:
            for batch in batches:
                columns = np.array(batch, np.uint32).reshape(-1, 2)
                sorter.add(columns[:, 0], columns[:, 1])
            assert sorted_by(sorter) == sorted({pair for batch in batches for pair in batch})


def test_the_highest_ids_sort_like_any(tmp_path: Path) -> None:
    """Ids use all 32 bits."""
    with PairSorter(1 << 20, tmp_path) as sorter:
        sorter.add(np.array([2**32 - 1, 1], np.uint32), np.array([0, 2**32 - 1], np.uint32))
        assert sorted_by(sorter) == [(1, 2**32 - 1), (2**32 - 1, 0)]


def test_nothing_is_left_on_disk(tmp_path: Path) -> None:
    """The scratch file has no name: whatever ends the process, the directory stays as it was."""
    with PairSorter(0, tmp_path) as sorter:
        many = np.arange(20_000, dtype=np.uint32)
        sorter.add(many, many[::-1].copy())
        assert list(tmp_path.iterdir()) == []
        assert len(sorted_by(sorter)) == 20_000
