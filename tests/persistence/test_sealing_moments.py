"""A kill or a look between any two statements of sealing and compacting: one whole graph is there, and work goes on."""

from __future__ import annotations

import shutil
import sqlite3
from array import array
from pathlib import Path

from tests.persistence.making import SETTINGS, adjacency, made, page_row
from weaver.base.page import EdgeKind
from weaver.base.record import Adjacency, CommitRecord
from weaver.persistence import CrawlDirectory, Sealer
from weaver.persistence.compacting import compact
from weaver.persistence.graph_sizes import graph_sizes, link_counts
from weaver.persistence.link_windows import LinkWindows
from weaver.persistence.statements import write_records

PAGES = 240
LINKS = 600
REWRITTEN = (7, 100, 101, 239)

Graph = list[tuple[int, list[int], list[int]]]


def _graph(connection: sqlite3.Connection) -> Graph:
    return [
        (node, sorted(targets.tolist()), sorted(kinds.tolist()))
        for window in LinkWindows(connection, PAGES)
        for node, (targets, kinds) in window.rows()
    ]


def _write(connection: sqlite3.Connection) -> None:
    """Some blocks, a page in three of each, and newer rows of pages that are sealed."""
    for start in (1, 2, 3):
        for page in range(start, PAGES + 1, 3):
            targets = array("I", range(page, page + LINKS))
            write_records(
                connection,
                [CommitRecord(page=page_row(page), adjacency=Adjacency(targets.tobytes(), bytes(LINKS)))],
            )
        if start < 3:
            Sealer(1).finish(connection)
    again = adjacency([(5, EdgeKind.REDIRECT)])
    write_records(connection, [CommitRecord(page=page_row(page), adjacency=again) for page in REWRITTEN])


class _Moments:
    """Looks from another connection, and copies of what a kill would leave, before statements."""

    def __init__(self, directory: CrawlDirectory, kept: Path) -> None:
        self._directory = directory
        self._reader = directory.connect_readonly()
        self._kept = kept
        self._is_deleting = False
        self.seen: list[Graph] = []
        self.left: list[Path] = []

    def __call__(self, statement: str) -> None:
        if statement.startswith("DELETE FROM links") and self._is_deleting:
            return
        self._is_deleting = statement.startswith("DELETE FROM links")
        self.seen.append(_graph(self._reader))
        left = self._kept / str(len(self.left))
        left.mkdir()
        for file in ("crawl.db", "crawl.db-wal"):
            shutil.copy(self._directory.path / file, left)
        self.left.append(left)

    def close(self) -> None:
        """Give the connection back."""
        self._reader.close()


def test_every_moment_has_the_whole_graph(tmp_path: Path) -> None:
    """Who reads, or is killed and resumes, between any two statements loses no row and meets none twice."""
    directory, connection = made(tmp_path)
    _write(connection)
    expected, counts = _graph(connection), link_counts(connection)
    moments = _Moments(directory, tmp_path)
    connection.set_trace_callback(moments)
    Sealer(1).finish(connection)
    compact(connection)
    connection.set_trace_callback(None)
    assert (_graph(connection), graph_sizes(connection).depth) == (expected, 1)
    assert len(moments.seen) > 40
    assert all(graph == expected for graph in moments.seen)
    moments.close()
    connection.close()
    for left in moments.left[::7]:
        _check_resumed(left, expected, counts)


def _check_resumed(left: Path, expected: Graph, counts: tuple[int, dict[int, int]]) -> None:
    connection = CrawlDirectory(left).connect(SETTINGS)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert (_graph(connection), link_counts(connection)) == (expected, counts)
    Sealer(1).finish(connection)
    assert (_graph(connection), link_counts(connection)) == (expected, counts)
    assert graph_sizes(connection).unsealed_rows == 0
    connection.close()
