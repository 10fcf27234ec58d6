"""Export: complete, exact, safe in every sink, whole or absent on disk."""

from __future__ import annotations

import csv
import io
import json
import threading
import tracemalloc
from array import array
from pathlib import Path

import networkx
import pytest

from tests.analysis.made_crawl import (
    ADVERT,
    AT,
    COPY,
    EDGES,
    FRONT,
    GONE,
    HOSTILE_TITLE,
    MOVED,
    NEXT,
    OTHER,
    PRIVATE,
    TWO,
    URLS,
    make_crawl,
)  # fmt: skip
from weaver.analysis.degrees import InDegrees
from weaver.analysis.export import export, whole_file
from weaver.analysis.graph_formats import xml_text
from weaver.analysis.tables import PAGE_COLUMNS
from weaver.base.errors import DirectoryError
from weaver.base.page import PageState
from weaver.base.record import Adjacency, CommitRecord, PageRow, UrlRow
from weaver.persistence import CrawlDirectory, Writer
from weaver.persistence.reader import open_reader

ALL_EDGES = {(source, target, kind.name.lower()) for source, edges in EDGES.items() for target, kind in edges}


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    """A crawl of nine URLs."""
    return make_crawl(tmp_path / "crawl")


def exported(crawl: Path, form: str, table: str = "pages", with_urls: bool = False) -> bytes:
    """What an export writes."""
    buffer = io.BytesIO()
    export(crawl, form, table, buffer, with_urls)
    return buffer.getvalue()


def json_rows(crawl: Path, table: str, with_urls: bool = False) -> list[dict[str, object]]:
    """A table's rows by way of JSON lines."""
    return [json.loads(line) for line in exported(crawl, "jsonl", table, with_urls).splitlines()]


def test_every_known_url_is_a_row_of_pages_with_its_state(crawl: Path) -> None:
    """The pages table has a row for each known URL, visited or not, with where it stands and why."""
    rows = {row["id"]: row for row in json_rows(crawl, "pages")}
    states = {url_id: (row["state"], row["reason"]) for url_id, row in rows.items()}
    assert states == {
        FRONT: ("fetched", None), TWO: ("fetched", None), COPY: ("duplicate", None), MOVED: ("redirect", None),
        PRIVATE: ("blocked_robots", "robots"), GONE: ("failed", "http_404"), NEXT: ("queued", None),
        OTHER: ("skipped", "out_of_scope"), ADVERT: ("skipped", "nofollow"),
    }  # fmt: skip


def test_the_columns_of_pages_are_those_promised_in_that_order(crawl: Path) -> None:
    """CSV begins with the promised column names; --urls adds one behind them."""
    header = exported(crawl, "csv").splitlines()[0].decode()
    assert header == (
        "id,url,host,depth,http_status,state,content_type,body_bytes,content_hash,"
        "duplicate_of,title,in_links,out_links,fetched_at,reason"
    )
    assert exported(crawl, "csv", with_urls=True).splitlines()[0].decode() == f"{header},duplicate_of_url"


def test_a_page_row_holds_the_facts_of_its_visit(crawl: Path) -> None:
    """A visited page's row tells host, hash in hex, UTC time, and of which page it is a duplicate."""
    row = json_rows(crawl, "pages", with_urls=True)[COPY - 1]
    expected = (
        COPY, URLS[COPY], "a.test", 1, 200, "duplicate", "text/html", 500, (b"2" * 16).hex(), TWO, "Two", 1, 2,
        "2023-11-14T22:13:22.000Z", None,
    )  # fmt: skip
    assert row == dict(zip(PAGE_COLUMNS, expected, strict=True)) | {"duplicate_of_url": URLS[TWO]}
    assert AT == 1_700_000_000.0


def test_what_was_never_visited_has_no_facts_of_a_visit(crawl: Path) -> None:
    """A queued URL's row has null for all that only a visit could tell."""
    row = json_rows(crawl, "pages")[NEXT - 1]
    unset = ("http_status", "content_type", "body_bytes", "content_hash", "duplicate_of", "title", "fetched_at")
    assert [row[name] for name in unset] == [None] * len(unset)


@pytest.mark.parametrize("window_ids", [1, 2, 3, 100])
def test_in_links_are_exact_whatever_the_window(crawl: Path, window_ids: int) -> None:
    """In-degrees count every edge of every kind, self-loops too, however small the window of ids is."""
    with open_reader(crawl) as reader:
        degrees = InDegrees(reader, len(URLS), window_ids)
        counted = {url_id: degrees.of(url_id) for url_id in URLS}
    assert counted == {url_id: sum(target == url_id for _, target, _ in ALL_EDGES) for url_id in URLS}


def test_edges_are_all_edges_with_their_kind_in_words(crawl: Path) -> None:
    """The edges table holds each edge once; --urls adds both texts."""
    rows = json_rows(crawl, "edges")
    assert {(row["source_id"], row["target_id"], row["kind"]) for row in rows} == ALL_EDGES
    assert len(rows) == len(ALL_EDGES)
    for row in json_rows(crawl, "edges", with_urls=True):
        assert (row["source_url"], row["target_url"]) == (URLS[row["source_id"]], URLS[row["target_id"]])


def test_hosts_count_their_urls_by_fate(crawl: Path) -> None:
    """A host's row counts its URLs by what came of them, and tells what politeness knows."""
    first, second = json_rows(crawl, "hosts")
    counts = ("urls", "queued", "fetched", "duplicate", "redirect", "failed", "blocked_robots", "skipped")
    assert [first[name] for name in counts] == [8, 1, 2, 1, 1, 1, 1, 1]
    assert [second[name] for name in counts] == [1, 0, 0, 0, 0, 0, 0, 1]
    assert (first["robots_status"], first["crawl_delay_s"], first["ready_at"]) == (
        "ok",
        2.0,
        "2023-11-14T22:13:26.000Z",
    )


def test_duplicates_name_their_representative(crawl: Path) -> None:
    """The duplicates table has a row for each copy, and says what of it is the same."""
    assert json_rows(crawl, "duplicates", with_urls=True) == [
        {
            "representative_id": TWO, "member_id": COPY, "same": "body", "content_hash": (b"2" * 16).hex(),
            "similarity": 1.0,
            "representative_url": URLS[TWO], "member_url": URLS[COPY],
        }
    ]  # fmt: skip


def test_csv_holds_no_text_that_a_spreadsheet_would_run(crawl: Path) -> None:
    """A title that begins like a formula gets a quote before it in CSV, and stays raw in JSON lines."""
    rows = list(csv.DictReader(io.StringIO(exported(crawl, "csv").decode(), newline="")))
    assert rows[TWO - 1]["title"] == f"'{HOSTILE_TITLE}"
    assert json_rows(crawl, "pages")[TWO - 1]["title"] == HOSTILE_TITLE


@pytest.mark.parametrize(
    ("form", "read"),
    [
        ("graphml", lambda data: networkx.parse_graphml(data.decode(), node_type=int, force_multigraph=True)),
        ("gexf", lambda data: networkx.MultiDiGraph(networkx.read_gexf(io.BytesIO(data), node_type=int))),
        ("node-link", lambda data: networkx.node_link_graph(json.loads(data), edges="edges")),
    ],
)
def test_networkx_reads_the_graph_back(crawl: Path, form: str, read: object) -> None:
    """Each graph format is read back by networkx with all nodes, edges, kinds and attributes."""
    graph = read(exported(crawl, form))  # type: ignore[operator]
    edges = {(source, target, data["kind"]) for source, target, data in graph.edges(data=True)}
    assert edges == ALL_EDGES
    assert {node: data["url"] for node, data in graph.nodes(data=True)} == URLS
    assert graph.nodes[TWO]["state"] == "fetched"
    assert graph.nodes[GONE]["http_status"] == 404
    expected = HOSTILE_TITLE if form == "node-link" else xml_readable(HOSTILE_TITLE)
    assert graph.nodes[TWO]["title"] == expected


def xml_readable(text: str) -> str:
    """What XML can hold of HOSTILE_TITLE."""
    return text.replace("\x1b", "").replace("\ufffe", "")


def test_xml_text_is_escaped_and_free_of_what_xml_forbids() -> None:
    """Markup is escaped, and the characters that XML 1.0 can't hold are left out."""
    assert xml_text('<a b="c">&\x00\x1b\ud800\uffff\n') == "&lt;a b=&quot;c&quot;&gt;&amp;&#10;"


@pytest.mark.parametrize("form", ["csv", "jsonl", "graphml", "gexf", "node-link"])
def test_an_empty_crawl_exports(tmp_path: Path, form: str) -> None:
    """A crawl without a single URL gives an empty, well-formed file."""
    empty = tmp_path / "empty"
    CrawlDirectory.create(empty)
    data = exported(empty, form)
    if form == "node-link":
        assert json.loads(data)["nodes"] == []
    elif form in ("graphml", "gexf"):
        assert b"</graph>" in data
    else:
        assert len(data.splitlines()) == (form == "csv")


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """What fails in the middle of an export leaves the old file as it was, and no other."""
    path = tmp_path / "pages.csv"
    path.write_bytes(b"old")
    with pytest.raises(RecursionError):
        _write_and_fail(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    with whole_file(path) as stream:
        stream.write(b"new")
    assert path.read_bytes() == b"new"


def _write_and_fail(path: Path) -> None:
    with whole_file(path) as stream:
        stream.write(b"new")
        raise RecursionError


def test_a_file_that_can_not_be_written_is_told_as_such(tmp_path: Path) -> None:
    """A folder that is not there is the user's mistake, and the message names the file."""
    with pytest.raises(DirectoryError, match=r"pages\.csv"), whole_file(tmp_path / "none" / "pages.csv"):
        pass


@pytest.mark.slow
def test_memory_does_not_grow_with_the_crawl(tmp_path: Path) -> None:
    """A crawl four times as large is exported within the same memory, counters of its ids aside."""
    peaks = {urls: _peak_bytes(tmp_path, urls) for urls in (5_000, 20_000)}
    counter_bytes = 16 * 15_000
    assert peaks[20_000] < 1.1 * peaks[5_000] + counter_bytes


def _peak_bytes(tmp_path: Path, urls: int) -> int:
    crawl = make_crawl(tmp_path / f"crawl-{urls}", extra=lambda writer: _many_urls(writer, urls))
    peak = 0
    for form in ("csv", "gexf", "node-link", "ascii-graph"):
        tracemalloc.start()
        with whole_file(tmp_path / form) as stream:
            export(crawl, form, "pages", stream)
        peak = max(peak, tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return peak


def _many_urls(writer: Writer, urls: int) -> None:
    for first in range(10, urls + 10, 1000):
        ids = range(first, first + 1000)
        rows = tuple(
            UrlRow(url_id, url_id, f"http://a.test/{url_id:060d}", 1, 2, 1, reason="too_deep") for url_id in ids
        )
        writer.submit(CommitRecord(urls=rows))
        targets = array("I", ids).tobytes()
        page = PageRow(first, PageState.FETCHED, AT, 200)
        writer.submit(CommitRecord(page=page, adjacency=Adjacency(targets, bytes(1000))))


def test_an_export_reads_while_another_connection_writes(tmp_path: Path) -> None:
    """An export that began sees an end: URLs that come later don't prolong it, and edges to them are left out."""
    crawl = make_crawl(tmp_path / "crawl")
    with open_reader(crawl) as reader:
        last_id = reader.last_url_id()
        windows = reader.known_urls(last_id - 2)
        ids = [row.id for window in windows for row in window]
    assert ids == sorted(URLS)[: last_id - 2]
    assert threading.active_count() == 1
