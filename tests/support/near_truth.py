"""Near duplicates of a corpus against its exact truth: which pairs the index finds, and what that is worth."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from math import comb
from pathlib import Path
from typing import Any

from weaver.dedupe import Clusters, NearIndex, SignatureEngine
from weaver.memory import Account

ACCOUNT_BYTES = 16 << 20

Pair = tuple[int, int]
Figures = dict[str, Any]


def read(folder: Path) -> tuple[list[str], dict[Pair, float]]:
    """The texts, and the exact similarity of each pair of half and more."""
    with gzip.open(folder / "docs.jsonl.gz") as lines:
        next(lines)
        texts = [json.loads(line)["text"] for line in lines]
    truth = json.loads(gzip.decompress((folder / "truth.json.gz").read_bytes()))
    return texts, {(one, other): share for one, other, _, _, share in truth["pairs_ge_0.5"]}


def found_pairs(texts: list[str], threshold: float, *, seed: int = 0, exact: bool = False) -> set[Pair]:
    """All pairs that the index names while the texts come in one after the other."""
    engine = SignatureEngine(seed=seed)
    sets = [engine.shingles(text) for text in texts] if exact else []
    account = Account("near", ACCOUNT_BYTES)
    index = NearIndex(account, threshold, exact=(lambda doc_id: sets[doc_id - 1]) if exact else None)
    pairs: set[Pair] = set()
    for number, text in enumerate(texts):
        signature = engine.signature(text)
        own = sets[number] if exact else None
        pairs.update((match.doc_id - 1, number) for match in index.matches(signature, own))
        index.add(number + 1, signature)
    return pairs


def accuracy(found: set[Pair], truth: dict[Pair, float], threshold: float, documents: int) -> Figures:
    """Precision and recall of pairs, and the adjusted Rand index of the clusters that they make."""
    true = {pair for pair, share in truth.items() if share >= threshold}
    right = len(found & true)
    return {
        "pairs": len(true),
        "precision": round(right / len(found), 4) if found else 1.0,
        "recall": round(right / len(true), 4) if true else 1.0,
        "clusters_ari": round(adjusted_rand(roots(found, documents), roots(true, documents)), 4),
    }


def roots(pairs: set[Pair], documents: int) -> list[int]:
    """Each document's cluster."""
    clusters = Clusters(Account("near", ACCOUNT_BYTES))
    for one, other in pairs:
        clusters.union(one + 1, other + 1)
    return [clusters.find(number + 1) for number in range(documents)]


def adjusted_rand(ones: list[int], others: list[int]) -> float:
    """The adjusted Rand index of two partitions (Hubert and Arabie 1985)."""
    both = sum(comb(size, 2) for size in Counter(zip(ones, others, strict=True)).values())
    of_ones = sum(comb(size, 2) for size in Counter(ones).values())
    of_others = sum(comb(size, 2) for size in Counter(others).values())
    expected = of_ones * of_others / comb(len(ones), 2)
    most = (of_ones + of_others) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)
