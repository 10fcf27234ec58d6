"""Corpus: does `weaver dedupe` find what was put into a large corpus, how fast, and in how much memory?

`python -m benchmarks.corpus --documents 1M --memory 256MiB` makes JSON lines of which 30 % repeat an earlier text and
10 % are an earlier text with some words changed, runs the command in a process of its own, and prints one JSON
document: documents/s, peak RSS, and precision and recall of the duplicates and of the clusters against the truth.
`--words` is the length of a text; the files go to `--directory`, and stay with `--keep`.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from weaver.base.units import parse_count

EXACT, NEAR = 0.30, 0.10
VOCABULARY = 50_000
SEED = 5
MOST_CHANGED = 0.012
"""Of a text's words: each changes five shingles, so that such a pair's similarity is at least 0.88."""
SAMPLE_S = 0.05


class MadeCorpus:
    """Documents by their number, the same ones each time; `base` is the one that a document repeats, or itself."""

    def __init__(self, documents: int, words: int) -> None:
        self.documents = documents
        self._words = words
        chance = np.random.default_rng(SEED)
        kinds = chance.random(documents)
        self.is_exact = kinds < EXACT
        self.is_near = (kinds >= EXACT) & (kinds < EXACT + NEAR)
        is_base = ~(self.is_exact | self.is_near)
        is_base[0] = True
        bases = np.flatnonzero(is_base)
        earlier = np.searchsorted(bases, np.arange(documents))
        chosen = bases[(chance.random(documents) * earlier).astype(np.int64)]
        self.base = np.where(is_base, np.arange(documents), chosen)
        self._vocabulary = np.array([_word(number) for number in range(VOCABULARY)])

    def texts(self) -> Iterator[str]:
        """All texts in order; a word's frequency falls as its rank rises (Zipf)."""
        for number in range(self.documents):
            words = self._ranks(int(self.base[number]))
            if self.is_near[number]:
                chance = np.random.default_rng((SEED, 2, number))
                changed = max(1, int(chance.random() * MOST_CHANGED * len(words)))
                words[chance.integers(0, len(words), changed)] = chance.integers(0, VOCABULARY, changed)
            yield " ".join(self._vocabulary[words])

    def _ranks(self, base: int) -> Any:
        chance = np.random.default_rng((SEED, 1, base))
        count = int(self._words * chance.uniform(0.5, 1.5))
        return (np.exp(chance.random(count) * np.log(VOCABULARY)) - 1).astype(np.int64)


def _word(number: int) -> str:
    letters = "etaoinsrhl"
    return "".join(letters[int(digit)] for digit in str(number))


def write(made: MadeCorpus, path: Path) -> int:
    """The corpus as JSON lines, a document at a time; its bytes."""
    with path.open("w") as stream:
        for number, text in enumerate(made.texts()):
            stream.write(json.dumps({"id": number, "text": text}) + "\n")
    return path.stat().st_size


class PeakRss:
    """The highest resident set of a process, looked at every SAMPLE_S."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self.highest = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        try:
            while self._process.is_running():
                self.highest = max(self.highest, self._process.memory_info().rss)
                time.sleep(SAMPLE_S)
        except psutil.Error:
            return


def baseline_bytes() -> int:
    """The resident set of an interpreter that has imported what the command needs."""
    script = "import weaver.cli.dedupe, psutil; print(psutil.Process().memory_info().rss)"
    return int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


def run(path: Path, output: Path, arguments: list[str]) -> dict[str, Any]:
    """The command in its own process: its report, seconds, CPU seconds and peak RSS."""
    command = [sys.executable, "-m", "weaver", "dedupe", str(path), "-o", str(output), "--json", "-q", *arguments]
    started, cpu_before = time.perf_counter(), _children_cpu_s()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        watch = PeakRss(psutil.Process(process.pid))
        stdout, _ = process.communicate()
    if process.returncode:
        raise SystemExit(process.returncode)
    return {
        "report": json.loads(stdout),
        "seconds": round(time.perf_counter() - started, 2),
        "cpu_s": round(_children_cpu_s() - cpu_before, 2),
        "peak_rss_bytes": watch.highest,
    }


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def score(made: MadeCorpus, output: Path) -> dict[str, float]:
    """What was called a duplicate against what is one, and whether it went into its base's cluster."""
    found, right, cluster, root = np.zeros(made.documents, np.bool_), 0, 0, 0
    sizes: Counter[str] = Counter()
    with (output / "clusters.jsonl").open() as stream:
        for line in stream:
            member = json.loads(line)
            number = int(member["id"])
            if member["cluster"] != cluster:
                cluster, root = member["cluster"], number
                continue
            found[number] = True
            right += int(made.base[number] == made.base[root])
            sizes[member["kind"]] += 1
    truth = made.base != np.arange(made.documents)
    hits = int((found & truth).sum())
    return {
        "true_duplicates": int(truth.sum()),
        "recall": round(hits / int(truth.sum()), 6),
        "recall_exact": round(float((found & made.is_exact).sum() / max(1, (truth & made.is_exact).sum())), 6),
        "recall_near": round(float((found & made.is_near).sum() / max(1, (truth & made.is_near).sum())), 6),
        "precision": round(hits / max(1, int(found.sum())), 6),
        "in_the_right_cluster": round(right / max(1, int(found.sum())), 6),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=parse_count, default=100_000)
    parser.add_argument("--words", type=int, default=300)
    parser.add_argument("--memory", default="256MiB")
    parser.add_argument("--directory", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("arguments", nargs="*", help="further ones for weaver dedupe, behind --")
    wanted = parser.parse_args()
    made = MadeCorpus(wanted.documents, wanted.words)
    folder = Path(tempfile.mkdtemp(prefix="weaver-corpus-", dir=wanted.directory))
    try:
        size_bytes = write(made, folder / "made.jsonl")
        ran = run(folder / "made.jsonl", folder / "out", ["--memory", wanted.memory, *wanted.arguments])
        report = ran.pop("report")
        facts = {
            "documents": wanted.documents,
            "corpus_bytes": size_bytes,
            "memory": wanted.memory,
            **ran,
            "documents_per_s": round(wanted.documents / ran["seconds"], 1),
            "documents_per_cpu_s": round(wanted.documents / ran["cpu_s"], 1),
            "baseline_bytes": baseline_bytes(),
            "store_bytes": (folder / "out" / "dedupe.db").stat().st_size,
            **score(made, folder / "out"),
            **{name: report[name] for name in ("duplicates", "clusters", "kept", "candidates", "cut")},
        }
        print(json.dumps(facts, indent=2))
    finally:
        if not wanted.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
