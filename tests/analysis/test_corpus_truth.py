"""Real pages in two versions each, with the exact similarity of all pairs: what is found against what is there."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.cases import conformance_root, skip_reason
from weaver.analysis.corpus import CorpusSettings, dedupe_corpus

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(skip_reason()), reason=skip_reason() or "cases are here")]

Pairs = set[tuple[int, int]]


def _cases() -> tuple[Path, dict[str, Any]]:
    folder = (conformance_root() or Path()) / "neardup"
    if not (folder / "docs.jsonl.gz").exists():
        pytest.skip("no set of near duplicates among the conformance cases")
    return folder / "docs.jsonl.gz", json.loads(gzip.decompress((folder / "truth.json.gz").read_bytes()))


def _found(path: Path) -> Pairs:
    with path.open(newline="") as stream:
        rows = [(int(row["id_a"]), int(row["id_b"])) for row in csv.DictReader(stream)]
    return {(min(row), max(row)) for row in rows}


@pytest.mark.parametrize(
    ("threshold", "verify", "least"), [(0.7, True, 0.99), (0.8, True, 0.99), (0.9, True, 0.99), (0.8, False, 0.95)]
)
def test_nearly_all_pairs_are_found_and_nearly_no_others(
    threshold: float, verify: bool, least: float, tmp_path: Path
) -> None:
    """Precision and recall of the pairs: 0.99 where shingles are compared, 0.95 where signatures are."""
    documents, truth = _cases()
    settings = CorpusSettings(threshold, id_field="n", verify=verify)
    dedupe_corpus([documents], tmp_path / "out", settings, pairs=tmp_path / "pairs.csv").close()
    found, wanted = _found(tmp_path / "pairs.csv"), {(a, b) for a, b, *_, j in truth["pairs_ge_0.5"] if j >= threshold}
    assert len(found & wanted) / len(found) >= least
    assert len(found & wanted) / len(wanted) >= least


def test_the_clusters_are_those_of_the_truth(tmp_path: Path) -> None:
    """Single-linkage clusters at 0.8: the same documents together as all-pairs comparison puts together."""
    documents, truth = _cases()
    with dedupe_corpus([documents], tmp_path / "out", CorpusSettings(0.8, id_field="n")) as corpus:
        found: dict[int, set[int]] = {}
        for member in corpus.members():
            found.setdefault(member.cluster, set()).add(int(member.id))
    parents = list(range(truth["header"]["docs"] + 1))

    def root(number: int) -> int:
        while parents[number] != number:
            number = parents[number]
        return number

    for one, other, *_, similarity in truth["pairs_ge_0.5"]:
        if similarity >= 0.8:
            parents[root(other)] = root(one)
    wanted: dict[int, set[int]] = {}
    for number in range(len(parents)):
        wanted.setdefault(root(number), set()).add(number)
    expected = {frozenset(members) for members in wanted.values() if len(members) > 1}
    same = expected & {frozenset(members) for members in found.values()}
    assert len(same) >= 0.99 * len(expected)
