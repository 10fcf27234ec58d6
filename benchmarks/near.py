"""How well and how fast near-duplicates are found, beside datasketch and rensa where they are installed, in one run.

`python -m benchmarks.near DIR` (the folder with docs.jsonl.gz and truth.json.gz) prints JSON: pairs and clusters
against the exact truth, documents a second from 5 kB texts, bytes a document, and how long hostile texts take.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from tests.support.near_truth import Pair, accuracy, found_pairs, read
from weaver.dedupe import NearIndex, SignatureEngine, jaccard
from weaver.dedupe.near import UNIT_BYTES
from weaver.dedupe.near_rows import BLOCK_ROWS
from weaver.memory import Account
from weaver.memory.meter import rss_bytes

THRESHOLDS = (0.7, 0.8, 0.9)
TEXT_CHARS = 5_000
RSS_DOCUMENTS = 200_000
ROUNDS = 3
PEER_PERMUTATIONS = 128
# Random documents as an account of this size holds them.
ACCOUNT_BYTES = 64 << 20

Figures = dict[str, Any]


def cpu_s(task: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The least CPU time of some runs."""
    spent = []
    for _ in range(rounds):
        started = time.process_time()
        task()
        spent.append(time.process_time() - started)
    return min(spent)


def five_kilobytes(texts: list[str]) -> list[str]:
    """Different texts of 5 kB, as the corpus has them in its longer documents."""
    pieces = [text[at : at + TEXT_CHARS] for text in texts for at in range(0, len(text) - TEXT_CHARS + 1, TEXT_CHARS)]
    return list(dict.fromkeys(pieces))[:1_500]


def speed(texts: list[str]) -> Figures:
    """Signature and index together, and the signature alone."""
    engine = SignatureEngine()

    def observe_all() -> None:
        index = NearIndex(Account("near", ACCOUNT_BYTES))
        for number, text in enumerate(texts, start=1):
            index.observe(number, engine.signature(text))

    both = cpu_s(observe_all)
    alone = cpu_s(lambda: [engine.signature(text) for text in texts])
    return {
        "texts": len(texts),
        "documents_a_second": round(len(texts) / both),
        "signature_us": round(alone / len(texts) * 1e6, 1),
        "index_us": round((both - alone) / len(texts) * 1e6, 1),
    }


def memory() -> Figures:
    """What a full index of random documents takes, by its account and by RSS."""
    random = np.random.default_rng(1)
    head = SignatureEngine().signature(" ".join(map(str, range(900))))[:1].copy()
    signature = np.zeros(15, np.uint64)

    def fill(index: NearIndex, documents: int) -> float:
        started = time.process_time()
        for number in range(1, documents):
            signature[:] = random.integers(0, 2**64, 15, dtype=np.uint64)
            signature[0] = head[0]
            index.observe(number, signature)
        return time.process_time() - started

    # What is made once in a process is no index's.
    fill(NearIndex(Account("near", 1 << 20)), 5_000)
    before = rss_bytes()
    index = NearIndex(Account("near", UNIT_BYTES * (RSS_DOCUMENTS // BLOCK_ROWS)))
    spent = fill(index, 2 * RSS_DOCUMENTS)
    grown = rss_bytes() - before
    index.check()
    return {
        "documents": len(index),
        "charged_bytes_a_document": round(index.statistics().bytes / len(index), 1),
        "rss_bytes_a_document": round(grown / len(index), 1),
        "full_index_us": round(spent / (2 * RSS_DOCUMENTS) * 1e6, 1),
    }


def hostile() -> Figures:
    """Documents made to do harm: seconds, or microseconds a document, and how many were merged that are not alike."""
    random = Random(1)
    words = [f"word{number}" for number in range(20_000)]
    engine = SignatureEngine()
    index = NearIndex(Account("near", ACCOUNT_BYTES))
    common = random.choices(words, k=300)
    half = [" ".join(common + random.choices(words, k=300)) for _ in range(2_000)]
    one_band = engine.signature(half[0]).copy()
    figures: Figures = {}

    def collide(documents: int) -> float:
        into = NearIndex(Account("near", ACCOUNT_BYTES))
        rows = np.random.default_rng(1).integers(0, 2**64, (documents, len(one_band)), dtype=np.uint64)
        rows[:, 0], rows[:, 7:] = one_band[0], one_band[7:]
        started = time.process_time()
        merged = sum(into.observe(number, row) is not None for number, row in enumerate(rows, start=1))
        figures["one_band_merged"] = figures.get("one_band_merged", 0) + merged
        return (time.process_time() - started) / documents * 1e6

    figures["one_band_us"] = {str(count): round(collide(count), 1) for count in (2_000, 8_000, 32_000)}
    merged = sum(index.observe(n, engine.signature(text)) is not None for n, text in enumerate(half, start=1))
    figures["half_boilerplate_merged"] = merged
    repeated = NearIndex(Account("near", ACCOUNT_BYTES))
    figures["one_word_repeated_merged"] = sum(
        repeated.observe(number, engine.signature(f"{word} " * 1_000)) is not None
        for number, word in enumerate(words[:2_000], start=1)
    )
    figures["empty_merged"] = sum(index.observe(n, engine.signature("")) is not None for n in range(10_000, 10_100))
    for megabytes in (5, 50):
        text = " ".join(random.choices(words, k=megabytes * 100_000))
        text += " " * max(0, (megabytes << 20) - len(text))
        figures[f"text_{megabytes}_mb_s"] = round(cpu_s(lambda text=text: engine.signature(text), 1), 3)
    figures["one_word_of_50_mb_s"] = round(cpu_s(lambda: engine.signature("x" * (50 << 20)), 1), 3)
    return figures


def _shingle_strings(text: str) -> list[str]:
    words = re.findall(r"\w+", text.lower())
    return list({" ".join(words[at : at + 5]) for at in range(max(1, len(words) - 4))})


def datasketch_pairs(texts: list[str], threshold: float) -> tuple[set[Pair], object]:
    """datasketch's MinHashLSH, candidates verified by its own estimate."""
    library = importlib.import_module("datasketch")
    index = library.MinHashLSH(threshold=threshold, num_perm=PEER_PERMUTATIONS)
    kept, found = [], set[Pair]()
    for number, text in enumerate(texts):
        minhash = library.MinHash(num_perm=PEER_PERMUTATIONS)
        minhash.update_batch([shingle.encode() for shingle in _shingle_strings(text)])
        found |= {(one, number) for one in index.query(minhash) if minhash.jaccard(kept[one]) >= threshold}
        index.insert(number, minhash)
        kept.append(minhash)
    return found, (index, kept)


def rensa_pairs(texts: list[str], threshold: float) -> tuple[set[Pair], object]:
    """rensa's RMinHash and its LSH, candidates verified by its own estimate."""
    library = importlib.import_module("rensa")
    index = library.RMinHashLSH(threshold=threshold, num_perm=PEER_PERMUTATIONS, num_bands=16)
    kept, found = [], set[Pair]()
    for number, text in enumerate(texts):
        minhash = library.RMinHash(num_perm=PEER_PERMUTATIONS, seed=1)
        minhash.update(_shingle_strings(text))
        found |= {(one, number) for one in index.query(minhash) if minhash.jaccard(kept[one]) >= threshold}
        index.insert(number, minhash)
        kept.append(minhash)
    return found, (index, kept)


PEERS: dict[str, Callable[[list[str], float], tuple[set[Pair], object]]] = {
    "datasketch": datasketch_pairs,
    "rensa": rensa_pairs,
}


def peers(texts: list[str], short: list[str], truth: dict[Pair, float]) -> Figures:
    """The same texts through the other libraries: accuracy at 0.8, documents a second and RSS with 5 kB texts."""
    figures: Figures = {}
    for name, pairs_of in PEERS.items():
        if importlib.util.find_spec(name) is None:
            figures[name] = "not installed"
            continue
        before, started = rss_bytes(), time.process_time()
        _, held = pairs_of(short, 0.85)
        spent, grown = time.process_time() - started, rss_bytes() - before
        del held
        found, _ = pairs_of(texts, 0.8)
        figures[name] = accuracy(found, truth, 0.8, len(texts)) | {
            "documents_a_second": round(len(short) / spent),
            "rss_bytes_a_document": round(grown / len(short)),
        }
    return figures


def of_corpus(texts: list[str], truth: dict[Pair, float], seeds: int) -> Figures:
    """Estimated and exact, at each threshold; the worst of the seeds."""
    figures: Figures = {}
    for exact in (False, True):
        for threshold in THRESHOLDS:
            runs = [
                accuracy(found_pairs(texts, threshold, seed=seed, exact=exact), truth, threshold, len(texts))
                for seed in range(seeds)
            ]
            worst = {key: min(run[key] for run in runs) for key in runs[0]}
            figures[f"{'exact' if exact else 'estimated'} {threshold}"] = worst
    return figures


def estimate_error(texts: list[str]) -> Figures:
    """Root mean square error of the estimate on pairs made by changing a part of 5 kB texts."""
    random, engine = Random(1), SignatureEngine()
    errors = []
    for text in texts[:300]:
        words = text.split()
        changed = [word if random.random() > 0.03 else "changed" + word for word in words]
        one, other = engine.signature(text).copy(), engine.signature(" ".join(changed)).copy()
        index = NearIndex(Account("near", 1 << 20), 0.5)
        index.add(1, one)
        matches = index.matches(other)
        exact = jaccard(engine.shingles(text), engine.shingles(" ".join(changed)))
        if matches:
            errors.append(matches[0].similarity - exact)
    return {"pairs": len(errors), "rmse": round(float(np.sqrt(np.mean(np.square(errors)))), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    texts, truth = read(arguments.folder)
    short = five_kilobytes(texts)
    figures = {
        "peers": peers(texts, short, truth),
        "memory": memory(),
        "speed": speed(short),
        "estimate": estimate_error(short),
        "corpus": of_corpus(texts, truth, arguments.seeds),
        "hostile": hostile(),
    }
    json.dump(figures, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
