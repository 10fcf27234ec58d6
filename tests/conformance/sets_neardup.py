"""Judges neardup/truth: pairs and clusters of real documents against exact Jaccard indices of all pairs.

At 0.8 the estimates must reach 0.95 in precision, recall and clusters, and what is verified by shingles 0.97 of pairs.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.conformance.cases import Case, conformance_root
from tests.support.near_truth import Figures, accuracy, found_pairs, read

_LEAST = {
    False: {"precision": 0.95, "recall": 0.95, "clusters_ari": 0.95},
    True: {"precision": 0.97, "recall": 0.97, "clusters_ari": 0.95},
}
_NAMES = {False: "estimated", True: "verified"}
_THRESHOLD = 0.8


def cases(_name: str) -> list[Case]:
    """One case for each figure that is asked for; none where the corpus is not here."""
    root = conformance_root()
    if root is None or not (root / "neardup" / "truth.json.gz").is_file():
        return []
    return [
        {"id": f"{_NAMES[is_exact]} {measure} at {_THRESHOLD}", "exact": is_exact, "measure": measure, "least": least}
        for is_exact, figures in _LEAST.items()
        for measure, least in figures.items()
    ]


@cache
def figures_of(root: Path, is_exact: bool) -> Figures:
    """Precision, recall and clusters over the corpus in a folder."""
    texts, truth = read(root / "neardup")
    return accuracy(found_pairs(texts, _THRESHOLD, exact=is_exact), truth, _THRESHOLD, len(texts))


def judge_figure(case: Case) -> bool:
    """Whether the figure is as good as is asked."""
    root = conformance_root()
    assert root is not None
    figures = figures_of(root, case["exact"])
    return bool(figures[case["measure"]] >= case["least"])


SETS = {"truth": judge_figure}
