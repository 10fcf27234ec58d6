"""EdgeStream: all edges of a crawl directory, in windows, on every pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.analysis.made_crawl import ADVERT, EDGES, FRONT, TWO, URLS, adjacency, make_crawl
from weaver.analysis.directory import open_reader
from weaver.analysis.edge_stream import EdgeStream, EdgeWindow, distinct_pairs, of_kinds, offsets_of
from weaver.base.page import EdgeKind, PageState
from weaver.base.record import CommitRecord, PageRow
from weaver.persistence import Writer

ALL = [(source, target, int(kind)) for source, edges in EDGES.items() for target, kind in edges]


def listed(windows: object) -> list[tuple[int, int, int]]:
    """The edges of windows as (source, target, kind)."""
    return [
        edge
        for window in windows  # type: ignore[attr-defined]
        for edge in zip(window.sources.tolist(), window.targets.tolist(), window.kinds.tolist(), strict=True)
    ]


def test_every_pass_gives_all_edges_in_the_order_of_their_sources(tmp_path: Path) -> None:
    """Two passes give the same edges, all kinds, as they are stored."""
    with open_reader(make_crawl(tmp_path / "crawl")) as reader:
        stream = EdgeStream(reader)
        assert listed(stream) == listed(stream) == ALL
        assert (stream.nodes, stream.edges) == (len(URLS), len(ALL))


def test_a_window_is_as_small_as_asked_but_never_cuts_a_row(tmp_path: Path) -> None:
    """Windows hold whole rows, whatever their size."""

    def long_rows(writer: Writer) -> None:
        row = adjacency([(target, EdgeKind.HYPERLINK) for target in range(1, 10)])
        for url_id in range(7, 10):
            writer.submit(CommitRecord(page=PageRow(url_id, PageState.FETCHED, 1.0), adjacency=row))

    with open_reader(make_crawl(tmp_path / "crawl", extra=long_rows)) as reader:
        windows = list(EdgeStream(reader, edges_per_window=1))
    assert sum(len(window.targets) for window in windows) == len(ALL) + 27
    assert all(window.offsets[-1] == len(window.targets) == len(window.kinds) for window in windows)


def test_what_is_known_later_is_left_out(tmp_path: Path) -> None:
    """With `last_id` neither rows nor targets beyond it are seen."""
    with open_reader(make_crawl(tmp_path / "crawl")) as reader:
        assert listed(EdgeStream(reader, last_id=TWO)) == [edge for edge in ALL if max(edge[:2]) <= TWO]


def test_edges_are_counted_without_a_pass_of_the_callers(tmp_path: Path) -> None:
    """Asking for the number of edges makes the pass that counts them."""
    with open_reader(make_crawl(tmp_path / "crawl")) as reader:
        assert EdgeStream(reader).edges == len(ALL)


def test_edges_can_be_chosen_by_kind(tmp_path: Path) -> None:
    """Only edges of the kinds asked for stay, and each node its row."""
    with open_reader(make_crawl(tmp_path / "crawl")) as reader:
        chosen = [of_kinds(window, frozenset({EdgeKind.NOFOLLOW})) for window in EdgeStream(reader)]
    assert listed(chosen) == [(FRONT, ADVERT, int(EdgeKind.NOFOLLOW))]


def test_a_pair_that_several_kinds_join_counts_once() -> None:
    """Of parallel edges one stays, of no kind; targets rise."""
    window = EdgeWindow(
        np.array([3, 5], np.uint32),
        offsets_of(np.array([4, 1])),
        np.array([9, 2, 9, 2, 9], np.uint32),
        np.array([4, 1, 0, 3, 2], np.uint8),
    )
    assert listed([distinct_pairs(window)]) == [(3, 2, 0), (3, 9, 0), (5, 9, 0)]


def test_the_version_moves_when_the_crawl_goes_on(tmp_path: Path) -> None:
    """What is derived from a stream can tell that somebody committed since."""
    path = make_crawl(tmp_path / "crawl")
    with open_reader(path) as reader:
        stream = EdgeStream(reader)
        before = stream.version
        assert stream.version == before
        _write_a_page(path)
        assert stream.version != before


def _write_a_page(path: Path) -> None:
    from weaver.base.settings import PersistenceSettings
    from weaver.persistence import CrawlDirectory

    writer = Writer(CrawlDirectory(path).connect, PersistenceSettings(), lambda _n: None, lambda _error: None)
    writer.start()
    writer.submit(CommitRecord(page=PageRow(7, PageState.FETCHED, 1.0), adjacency=adjacency([(1, EdgeKind.REDIRECT)])))
    writer.close()
