"""Corpus: exact and near duplicates of any files, compared with what a few lines of Python say."""

from __future__ import annotations

import csv
import gzip
import json
import random
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from weaver.analysis.corpus import Corpus, CorpusSettings, dedupe_corpus
from weaver.base.errors import DirectoryError, DirectoryLocked, SettingsError
from weaver.persistence.corpus_store import STORE_NAME, CorpusStore

WORDS = [f"word{number}" for number in range(400)]


def made_text(seed: int, words: int = 60) -> str:
    """A text that is like no other."""
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def changed(text: str, at: int = 30) -> str:
    """The text with one word replaced."""
    words = text.split()
    words[at] = "other"
    return " ".join(words)


def write_lines(path: Path, texts: list[Any]) -> Path:
    """JSON lines with ids from 0 on."""
    path.write_text("".join(json.dumps({"id": number, "text": text}) + "\n" for number, text in enumerate(texts)))
    return path


def pairs_of(path: Path) -> dict[tuple[str, str], float]:
    """A pairs file as it is read by programs; no pair may be named twice."""
    with path.open(newline="") as stream:
        rows = [((row["id_a"], row["id_b"]), float(row["similarity"])) for row in csv.DictReader(stream)]
    assert len({frozenset(pair) for pair, _ in rows}) == len(rows)
    return dict(rows)


def shingles(text: str, words: int) -> set[tuple[str, ...]]:
    """The set that a text is by definition."""
    found = text.lower().split()
    return {tuple(found[at : at + words]) for at in range(max(1, len(found) - words + 1))} if found else set()


def true_pairs(texts: list[str], threshold: float, words: int) -> dict[tuple[str, str], float]:
    """All pairs, compared one by one."""
    sets = [shingles(text, words) for text in texts]
    found = {}
    for one, other in combinations(range(len(texts)), 2):
        union = sets[one] | sets[other]
        if texts[one] and union and len(sets[one] & sets[other]) / len(union) >= threshold:
            found[str(one), str(other)] = round(len(sets[one] & sets[other]) / len(union), 6)
    return found


def test_exact_and_near_duplicates_are_found(tmp_path: Path) -> None:
    """Of each cluster the first document is kept, the others say what they are and how similar."""
    original = made_text(1)
    path = write_lines(tmp_path / "a.jsonl", [original, made_text(2), original, changed(original), "", ""])
    with dedupe_corpus([path], tmp_path / "out", CorpusSettings(threshold=0.8), pairs=tmp_path / "pairs.csv") as corpus:
        members = [(member.cluster, member.id, member.kind) for member in corpus.members()]
        report = corpus.report()
    assert members == [(1, "0", "kept"), (1, "2", "exact"), (1, "3", "near")]
    assert (tmp_path / "out" / "keep.txt").read_text().split() == ["0", "1", "4", "5"], "the empty ones are not alike"
    assert report["duplicates"] == {"exact": 1, "near": 1}
    pairs = pairs_of(tmp_path / "pairs.csv")
    assert pairs == {
        ("0", "2"): 1.0, ("0", "3"): pytest.approx(51 / 61, abs=1e-6), ("2", "3"): pytest.approx(51 / 61, abs=1e-6)
    }  # fmt: skip


TEXTS = st.lists(st.lists(st.sampled_from("abcde"), max_size=12).map(" ".join), min_size=1, max_size=25)


@settings(max_examples=40, deadline=None)
@given(TEXTS, st.sampled_from([0.3, 0.5, 0.7, 0.85, 1.0]), st.integers(1, 3))
def test_small_texts_have_all_their_pairs(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], threshold: float, words: int
) -> None:
    """Whatever short texts there are, the pairs are those of comparing each with each."""
    folder = tmp_path_factory.mktemp("corpus")
    path = write_lines(folder / "a.jsonl", texts)
    dedupe_corpus(
        [path], folder / "out", CorpusSettings(threshold, words=words), pairs=folder / "pairs.csv", memory="16MiB"
    ).close()
    assert pairs_of(folder / "pairs.csv") == true_pairs(texts, threshold, words)


def test_long_texts_have_their_pairs(tmp_path: Path) -> None:
    """Long texts that differ in a few words are found by their signatures, and compared exactly."""
    texts = [made_text(seed, 500) for seed in range(30)]
    texts += [changed(changed(text, 100), 300) for text in texts[:20]]
    path = write_lines(tmp_path / "a.jsonl", texts)
    dedupe_corpus([path], tmp_path / "out", pairs=tmp_path / "pairs.csv").close()
    found = pairs_of(tmp_path / "pairs.csv")
    assert found == true_pairs(texts, 0.85, 5)
    assert len(found) == 20


def test_signatures_alone_come_close(tmp_path: Path) -> None:
    """Without verification the similarities are estimates, and the clusters the same where texts are clearly alike."""
    texts = [made_text(seed, 500) for seed in range(10)]
    path = write_lines(tmp_path / "a.jsonl", [*texts, *map(changed, texts)])
    with dedupe_corpus([path], tmp_path / "out", CorpusSettings(verify=False)) as corpus:
        assert corpus.report()["duplicates"] == {"exact": 0, "near": 10}
        assert all(abs(pair.similarity - 491 / 501) < 0.1 for pair in corpus.pairs())


def test_only_equal_texts_count_where_asked(tmp_path: Path) -> None:
    """With `exact_only`, near duplicates stay."""
    path = write_lines(tmp_path / "a.jsonl", [made_text(1), made_text(1), changed(made_text(1))])
    with dedupe_corpus([path], tmp_path / "out", CorpusSettings(exact_only=True)) as corpus:
        assert [kept.id for kept in corpus.kept()] == ["0", "2"]


def test_all_forms_hold_the_same_documents(tmp_path: Path) -> None:
    """JSON lines, CSV, parquet, compressed or not, and files in folders give the same texts."""
    texts = {f"d{number}": made_text(number) for number in range(3)}
    rows = [{"id": name, "text": text} for name, text in texts.items()]
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    forms = tmp_path / "forms"
    (forms / "deep").mkdir(parents=True)
    (forms / "a.jsonl").write_bytes(lines)
    (forms / "b.jsonl.gz").write_bytes(gzip.compress(lines[:80]) + gzip.compress(lines[80:]))
    (forms / "c.ndjson.zst").write_bytes(zstandard.compress(lines))
    with (forms / "d.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["id", "text"])
        writer.writeheader()
        writer.writerows(rows)
    parquet.write_table(pa.Table.from_pylist(rows), forms / "e.parquet")
    for name, text in texts.items():
        (forms / "deep" / f"{name}.html").write_text(f"<title>x</title><script>no</script><p>{text}</p>")
        (forms / "deep" / f"{name}.txt").write_text(f"\ufeff{text}")
    with dedupe_corpus([forms], tmp_path / "out") as corpus:
        report = corpus.report()
        assert [kept.id for kept in corpus.kept()] == list(texts)
        assert {member.similarity for member in corpus.members()} == {1.0}
        assert {member.id for member in corpus.members()} >= {"deep/d0.html", "deep/d0.txt"}
    assert (report["documents"], report["clusters"], report["troubles"]) == (21, 3, {})


def test_what_cant_be_read_is_counted_and_named(tmp_path: Path) -> None:
    """A line that is no JSON, a row without a text or an id, a torn file: each is told, the others are read."""
    lines = [
        '{"id": 1, "text": "one"}',
        "not json",
        "[]",
        '{"id": 2}',
        '{"id": null, "text": "x"}',
        "",
        '{"text": "t"}',
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    torn = gzip.compress(("\n".join([json.dumps({"id": 9, "text": made_text(9)})] * 50)).encode())
    (tmp_path / "b.jsonl.gz").write_bytes(torn[: len(torn) - 20])
    (tmp_path / "c.xyz").write_text("what is this?")
    with dedupe_corpus([tmp_path], tmp_path / "out", CorpusSettings(id_field="id")) as corpus:
        troubles = corpus.report()["troubles"]
    assert {reason: trouble["count"] for reason, trouble in troubles.items()} == {
        "not_json": 2, "no_text_field": 1, "no_id_field": 2, "damaged": 1, "unknown_form": 1
    }  # fmt: skip
    assert troubles["not_json"]["first"][0].startswith("a.jsonl:2")


def test_a_document_without_an_id_is_named_by_its_place(tmp_path: Path) -> None:
    """Where no field is asked for, a document that has no id gets its file and line."""
    (tmp_path / "a.jsonl").write_text('{"text": "one two"}\n{"text": "three"}\n')
    with dedupe_corpus([tmp_path / "a.jsonl"], tmp_path / "out") as corpus:
        assert [kept.id for kept in corpus.kept()] == ["a.jsonl:1", "a.jsonl:2"]


def test_a_line_beyond_its_bound_is_passed_over(tmp_path: Path) -> None:
    """A line that would not fit into the memory is counted, and the next one is read."""
    lines = [{"id": 1, "text": "x" * (5 << 20)}, {"id": 2, "text": "short"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with dedupe_corpus([tmp_path / "a.jsonl"], tmp_path / "out", memory="16MiB") as corpus:
        assert [kept.id for kept in corpus.kept()] == ["2"]
        assert corpus.report()["troubles"]["too_long"]["count"] == 1


def test_what_earlier_results_hold_is_a_duplicate(tmp_path: Path) -> None:
    """`against` joins documents to those of an earlier corpus, which stays the one to keep, and names its source."""
    old = write_lines(tmp_path / "old.jsonl", [made_text(1), made_text(2, 300), made_text(3)])
    texts = [made_text(4), made_text(1), changed(made_text(2, 300)), made_text(4)]
    new = tmp_path / "new.jsonl"
    new.write_text("".join(json.dumps({"id": f"n{at}", "text": text}) + "\n" for at, text in enumerate(texts)))
    dedupe_corpus([old], tmp_path / "first").close()
    pairs = tmp_path / "pairs.csv"
    with dedupe_corpus([new], tmp_path / "second", against=[tmp_path / "first"], pairs=pairs) as corpus:
        assert [kept.id for kept in corpus.kept()] == ["n0"]
        members = [(member.id, member.is_earlier, Path(member.source).name) for member in corpus.members()]
        assert members == [
            ("0", True, "old.jsonl"), ("n1", False, "new.jsonl"), ("1", True, "old.jsonl"), ("n2", False, "new.jsonl"),
            ("n0", False, "new.jsonl"), ("n3", False, "new.jsonl"),
        ]  # fmt: skip
    assert pairs_of(pairs).keys() == {("0", "n1"), ("1", "n2"), ("n0", "n3")}
    third = write_lines(tmp_path / "third.jsonl", [made_text(4), made_text(3)])
    with dedupe_corpus([third], tmp_path / "out", against=[tmp_path / "first", tmp_path / "second"]) as corpus:
        assert list(corpus.kept()) == []


def test_results_that_cant_be_compared_are_refused(tmp_path: Path) -> None:
    """Keys of another threshold would find nothing, silently: it is said; equal texts are found all the same."""
    path = write_lines(tmp_path / "a.jsonl", [made_text(1)])
    dedupe_corpus([path], tmp_path / "first").close()
    with pytest.raises(SettingsError, match=r"threshold 0.85 instead of 0.8"):
        dedupe_corpus([path], tmp_path / "out", CorpusSettings(0.8), against=[tmp_path / "first"])
    assert not (tmp_path / "out").exists()
    with dedupe_corpus(
        [path], tmp_path / "out", CorpusSettings(0.8, exact_only=True), against=[tmp_path / "first"]
    ) as corpus:
        assert list(corpus.kept()) == []
    with pytest.raises(SettingsError, match="folder"):
        dedupe_corpus([path], tmp_path / "other", pairs=tmp_path / "nowhere" / "pairs.csv")


def test_pairs_of_a_large_cluster_are_bounded_and_said_so(tmp_path: Path) -> None:
    """All pairs of a thousand copies would be half a million lines: those beyond the cap are counted."""
    path = write_lines(tmp_path / "a.jsonl", [made_text(1)] * 40 + [changed(made_text(1))])
    with dedupe_corpus([path], tmp_path / "out", CorpusSettings(0.8)) as corpus:
        assert len(list(corpus.pairs(100))) == 100
        assert corpus.omitted_pairs == 41 * 40 // 2 - 100


def test_a_flood_of_look_alikes_stays_one_cluster(tmp_path: Path) -> None:
    """More documents with one key than are compared in full: the cluster is whole, and the report says what was cut."""
    base = made_text(1, 300)
    path = write_lines(tmp_path / "a.jsonl", [f"{base} number{number}" for number in range(1_500)])
    with dedupe_corpus([path], tmp_path / "out") as corpus:
        report = corpus.report()
    assert (report["clusters"], report["kept"], report["largest_cluster"]) == (1, 1, 1_500)
    assert report["cut"]["longest"] > 1_024
    assert report["candidates"] < 1_500 * 1_499 // 2


def test_a_finished_run_is_told_again_and_other_work_is_refused(tmp_path: Path) -> None:
    """The same call reads nothing anew; other settings, other files or a second worker are errors."""
    path = write_lines(tmp_path / "a.jsonl", [made_text(1), made_text(1)])
    dedupe_corpus([path], tmp_path / "out").close()
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "clusters.jsonl", STORE_NAME, "keep.jsonl", "keep.txt", "report.json"
    ]  # fmt: skip
    with dedupe_corpus([path], tmp_path / "out", pairs=tmp_path / "pairs.csv") as corpus:
        assert corpus.report()["documents"] == 2
    assert pairs_of(tmp_path / "pairs.csv") == {("0", "1"): 1.0}
    with pytest.raises(DirectoryError, match="holds other work"):
        dedupe_corpus([path], tmp_path / "out", CorpusSettings(threshold=0.5))
    with CorpusStore.open(tmp_path / "out", 1 << 20), pytest.raises(DirectoryLocked):
        dedupe_corpus([path], tmp_path / "out")


def test_wrong_use_is_said(tmp_path: Path) -> None:
    """A missing path, an unknown form, a threshold out of range, too little memory, no results: one line each."""
    (tmp_path / "a.bin").write_text("x")
    (tmp_path / "a.txt").write_text("x")
    for paths, chosen, memory in (
        (["missing"], CorpusSettings(), "256MiB"),
        (["a.bin"], CorpusSettings(), "256MiB"),
        (["a.txt"], CorpusSettings(threshold=0.1), "256MiB"),
        (["a.txt"], CorpusSettings(words=0), "256MiB"),
        (["a.txt"], CorpusSettings(), "1MiB"),
    ):
        with pytest.raises(SettingsError):
            dedupe_corpus([tmp_path / name for name in paths], tmp_path / "out", chosen, memory=memory)
    with pytest.raises(DirectoryError):
        Corpus(tmp_path / "nowhere")
