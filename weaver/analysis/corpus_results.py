"""Results: what deduplicating a corpus leaves for people and programs, as files that appear whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from weaver.analysis.corpus_clusters import CorpusClusters, Kept, Member, SimilarPair
from weaver.analysis.export import whole_file

CLUSTERS, KEEP_TEXT, KEEP_ROWS, REPORT = "clusters", "keep.txt", "keep.jsonl", "report.json"
CLUSTER_FORMS = ("jsonl", "csv")
MOST_PAIRS_PER_CLUSTER = 1_000_000
_LINES = 1_000
_MEMBER_COLUMNS = tuple(field.name for field in fields(Member))
_PAIR_COLUMNS = tuple(field.name for field in fields(SimilarPair))


@dataclass(slots=True)
class KeepTotals:
    """What the documents to keep come to."""

    documents: int = 0
    text_bytes: int = 0


def write_clusters(clusters: CorpusClusters, directory: Path, form: str) -> None:
    """`clusters.jsonl` or `clusters.csv`: one line for each document that is in a cluster."""
    with whole_file(directory / f"{CLUSTERS}.{form}") as stream:
        if form == "csv":
            _write_csv(stream, _MEMBER_COLUMNS, (astuple(member) for member in clusters.members()))
        else:
            _write_lines(stream, (orjson.dumps(member) for member in clusters.members()))


def write_keep(clusters: CorpusClusters, directory: Path) -> KeepTotals:
    """`keep.txt`, an id a line, and `keep.jsonl`, with where each document stands."""
    totals = KeepTotals()
    with whole_file(directory / KEEP_TEXT) as text, whole_file(directory / KEEP_ROWS) as rows:
        for kept, document in clusters.kept():
            text.write(_one_line(kept).encode() + b"\n")
            rows.write(orjson.dumps(kept) + b"\n")
            totals.documents += 1
            totals.text_bytes += document.text_bytes
    return totals


def write_pairs(clusters: CorpusClusters, path: Path, most_per_cluster: int = MOST_PAIRS_PER_CLUSTER) -> int:
    """`id_a,id_b,similarity` of every two documents that are similar; how many lines were written."""
    written = 0

    def counted() -> Iterator[tuple[str, str, float]]:
        nonlocal written
        for pair in clusters.pairs(most_per_cluster):
            written += 1
            yield pair.id_a, pair.id_b, round(pair.similarity, 6)

    with whole_file(path) as stream:
        _write_csv(stream, _PAIR_COLUMNS, counted())
    return written


def write_report(report: dict[str, Any], directory: Path) -> None:
    """`report.json`."""
    with whole_file(directory / REPORT) as stream:
        stream.write(orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n")


def _one_line(kept: Kept) -> str:
    return kept.id.replace("\r", "\\r").replace("\n", "\\n")


def _write_csv(stream: BinaryIO, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    """RFC 4180 but for the line ends; ids stay as they are, for programs read them."""
    rest = iter(rows)
    waiting: list[tuple[Any, ...]] = [columns]
    while waiting:
        buffer = io.StringIO(newline="")
        csv.writer(buffer, lineterminator="\n").writerows(waiting)
        stream.write(buffer.getvalue().encode())
        waiting = list(islice(rest, _LINES))


def _write_lines(stream: BinaryIO, lines: Iterator[bytes]) -> None:
    while batch := list(islice(lines, _LINES)):
        stream.write(b"\n".join(batch) + b"\n")
