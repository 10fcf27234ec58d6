"""Import: an edge list as a crawl directory that the other commands read."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaver.analysis import edge_list, imported_nodes
from weaver.analysis.directory import open_reader
from weaver.analysis.edge_import import Imported, import_edges
from weaver.analysis.edge_list import EdgeList, EdgeListError
from weaver.analysis.edge_stream import EdgeStream
from weaver.analysis.matrices import MemoryWindow
from weaver.analysis.report import disk_status
from weaver.base.errors import DirectoryError, SettingsError

Edges = list[tuple[str, str]]


def imported(tmp_path: Path, text: str, memory_bytes: int = 1 << 24) -> tuple[Imported, Path]:
    """What an import of this text says, and where it is."""
    path = tmp_path / "edges.txt"
    path.write_text(text)
    return import_edges(path, tmp_path / "crawl", MemoryWindow(memory_bytes)), tmp_path / "crawl"


def graph_of(directory: Path) -> tuple[list[str], Edges]:
    """All URLs in the order of their ids, and all edges by their URLs."""
    with open_reader(directory) as reader:
        urls = {known.id: known.url for window in reader.known_urls(reader.last_url_id()) for known in window}
        assert list(urls) == list(range(1, len(urls) + 1))
        edges = [
            (urls[source], urls[target])
            for window in EdgeStream(reader)
            for source, target in zip(window.sources.tolist(), window.targets.tolist(), strict=True)
        ]
    return list(urls.values()), edges


def node(number: int) -> str:
    """The page that stands for a number."""
    return f"https://node.invalid/{number}"


def test_ids_from_zero_on_keep_their_numbers(tmp_path: Path) -> None:
    """Number k is id k + 1; numbers without edges are nodes; repeats count once, and rows come sorted."""
    done, directory = imported(tmp_path, "# a comment\n0 4\n\n4 0\n2 4\n2 1\n2 4\r\n")
    assert done == Imported(nodes=5, edges=4, lines=5, has_ids=True)
    assert graph_of(directory) == (
        [node(number) for number in range(5)],
        [(node(0), node(4)), (node(2), node(1)), (node(2), node(4)), (node(4), node(0))],
    )


@pytest.mark.parametrize("text", ["1 2\n2 3\n", "1,2\n2,3\n", "1, 2\r\n2 ,3\r\n", "# a comment\n1\t2\n2,\t3"])
def test_a_comma_stands_between_ids_as_white_space_does(tmp_path: Path, text: str) -> None:
    """A list that a spreadsheet wrote is one as well; a column too many or none is not."""
    path = tmp_path / "edges.csv"
    path.write_text(text, "utf-8", newline="")
    assert np.concatenate(list(EdgeList(path).id_pairs())).tolist() == [[1, 2], [2, 3]]
    for wrong in ("1,,2\n", "1,2,3\n", ",1 2\n", "12,\n"):
        path.write_text(wrong, "utf-8")
        with pytest.raises(EdgeListError):
            list(EdgeList(path).id_pairs())


def test_sparse_ids_are_numbered_in_their_order(tmp_path: Path) -> None:
    """Ids that leave most numbers out become as many nodes as there are, named by their numbers."""
    done, directory = imported(tmp_path, "900000000000000000\t5\n5\t70000\n")
    assert done.nodes == 3
    urls = [node(5), node(70000), node(900000000000000000)]
    assert graph_of(directory) == (urls, [(urls[0], urls[1]), (urls[2], urls[0])])


def test_urls_are_canonical_and_numbered_as_they_appear(tmp_path: Path) -> None:
    """URLs that are one page in a crawl are one node, on hosts of their own."""
    text = "HTTP://B.test:80/x#part http://a.test/\nhttp://b.test/x http://b.test/y\nhttp://a.test/ http://b.test/x\n"
    done, directory = imported(tmp_path, text)
    x, a, y = "http://b.test/x", "http://a.test/", "http://b.test/y"
    assert done == Imported(nodes=3, edges=3, lines=3, has_ids=False)
    assert graph_of(directory) == ([x, a, y], [(x, a), (x, y), (a, x)])
    with open_reader(directory) as reader:
        assert [(host.origin, host.urls) for host in reader.hosts()] == [("http://b.test", 2), ("http://a.test", 1)]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60), st.booleans())
def test_any_list_is_read_back_whole(pairs: list[tuple[int, int]], is_gzipped: bool) -> None:
    """In whatever order, plain or gzipped, in blocks of any size, the edges are those of the list."""
    import tempfile

    text = "".join(f"{source} {target}\n" for source, target in pairs).encode()[:-1]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(edge_list, "BLOCK_BYTES", 16)
        path = Path(folder) / "edges"
        path.write_bytes(gzip.compress(text) if is_gzipped else text)
        import_edges(path, Path(folder) / "crawl")
        assert graph_of(Path(folder) / "crawl")[1] == [(node(s), node(t)) for s, t in sorted(set(pairs))]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1 2\n# fine\n3\n", "line 3: expected two ids of at most 18 digits, got '3'"),
        ("1 2\n1 2 0.5\n", "line 2: expected two ids"),
        ("1 2\nhttp://a.test/ 2\n", "line 2: expected two ids"),
        ("1 -2\n", "line 1: expected two absolute http"),
        (f"1 {10**18}\n", "line 1: expected two ids"),
        ("http://a.test/ http://a.test/\n\nhttp://a.test/ ftp://b.test/\n", "line 3: expected two absolute http"),
        ("http://a.test/\n", "line 1: expected two absolute http"),
        (f"0 {'9' * 300}\n", r"\.\.\.'"),
    ],
)
def test_a_malformed_line_is_named_with_what_was_expected(tmp_path: Path, text: str, complaint: str) -> None:
    """The error names file, line and what was expected there, and nothing is left behind."""
    with pytest.raises(EdgeListError, match=complaint):
        imported(tmp_path, text)
    assert [path.name for path in tmp_path.iterdir()] == ["edges.txt"]


def test_a_line_without_end_is_no_way_to_fill_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line longer than any edge is refused before it is held whole."""
    monkeypatch.setattr(edge_list, "BLOCK_BYTES", 64)
    monkeypatch.setattr(edge_list, "MOST_LINE_BYTES", 128)
    with pytest.raises(EdgeListError, match="line 2: expected a line of at most 128 bytes"):
        imported(tmp_path, "1 2\n" + "3" * 10_000)


def test_a_directory_in_use_is_left_alone(tmp_path: Path) -> None:
    """An import neither adds to a crawl nor hides in a directory that holds other things; an empty one will do."""
    (tmp_path / "crawl").mkdir()
    imported(tmp_path, "1 2\n")
    with pytest.raises(DirectoryError, match="expected a new or empty directory"):
        imported(tmp_path, "1 2\n")


def test_a_file_that_cannot_be_read_is_an_error_in_words(tmp_path: Path) -> None:
    """A missing list, and a gzip file that was cut off, say so."""
    with pytest.raises(DirectoryError, match=r"can't read .*nothing: No such file"):
        import_edges(tmp_path / "nothing", tmp_path / "crawl")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"1 2\n" * 1_000)[:-9])
    with pytest.raises(DirectoryError, match=r"can't read .*cut\.gz"):
        import_edges(tmp_path / "cut.gz", tmp_path / "crawl")


def test_names_that_do_not_fit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sparse ids and URLs beyond the memory window are an error of the settings, not a crash."""
    monkeypatch.setattr(imported_nodes, "FEW_IDS", 0)
    sparse = "".join(f"{number * 10**6} {number * 10**6 + 7}\n" for number in range(1, 500))
    with pytest.raises(SettingsError, match="sparse ids and more need over twice --memory"):
        imported(tmp_path, sparse, memory_bytes=8_000)
    urls = "".join(f"http://a.test/{number} http://b.test/{number}\n" for number in range(5_000))
    with pytest.raises(SettingsError, match=r"keys of 10\.0k URLs and more don't fit"):
        imported(tmp_path, urls, memory_bytes=60_000)


def test_an_imported_directory_has_a_status(tmp_path: Path) -> None:
    """`weaver status` reads it like any crawl: it ended as imported."""
    _, directory = imported(tmp_path, "1 2\n")
    assert disk_status(directory)["state"] == "imported"


def test_an_empty_list_is_an_empty_graph(tmp_path: Path) -> None:
    """A file of comments makes a directory without nodes."""
    done, directory = imported(tmp_path, "# nothing\n")
    assert done == Imported(0, 0, 0, has_ids=True)
    assert graph_of(directory) == ([], [])


def test_progress_rises_from_nothing_to_all(tmp_path: Path) -> None:
    """Whoever watches hears shares that never fall, and 1 at the end of a list without repeats."""
    (tmp_path / "edges").write_text("".join(f"{number} {number + 1}\n" for number in range(100)))
    shares: list[float] = []
    import_edges(tmp_path / "edges", tmp_path / "crawl", on_share=shares.append)
    assert shares[0] > 0
    assert shares[-1] == pytest.approx(1.0)
