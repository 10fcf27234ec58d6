"""What is asked of a crawl has the same answer whether its links are rows or sealed in blocks."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from tests.analysis.made_crawl import FRONT, MOVED, TWO, URLS, make_crawl
from weaver.analysis.disk_graph import open_graph
from weaver.analysis.explain import explain
from weaver.analysis.export import export
from weaver.analysis.graph_documents import GraphQuestion, hosts_document, stats_document
from weaver.analysis.link_troubles import read_troubles
from weaver.persistence import CrawlDirectory, newest_blocks, newest_rows, newest_troubles
from weaver.persistence.compacting import compact_directory
from weaver.persistence.reader import open_reader


def _lines(crawl: Path, table: str) -> list[bytes]:
    stream = BytesIO()
    export(crawl, "csv", table, stream, with_urls=True)
    return sorted(stream.getvalue().splitlines())


def _in_any_order(story: dict[str, Any]) -> str:
    """A story without the order of its page's links, which sealing does not keep."""
    if "out_links" in story:
        story["out_links"]["special"].sort(key=json.dumps)
    return json.dumps(story, sort_keys=True)


def _answers(crawl: Path) -> list[object]:
    question = GraphQuestion(crawl)
    stats = stats_document(question)
    stats.pop("storage")
    with open_reader(crawl) as reader:
        troubles = read_troubles(reader, reader.last_url_id())
        in_links = {url_id: [(page, kinds.tolist()) for page, kinds in reader.in_links(url_id)] for url_id in URLS}
    with open_graph(crawl) as graph:
        rows = [(graph.neighbours(node), sorted(graph.edges_of(node))) for node in URLS]
    return [
        [_in_any_order(explain(crawl, url)) for url in URLS.values()],
        [_lines(crawl, table) for table in ("pages", "edges", "hosts", "duplicates")],
        stats,
        hosts_document(question, 5),
        [column.tolist() for column in (troubles.ids, troubles.sections, troubles.next_ids, troubles.ends)],
        in_links,
        rows,
    ]


def test_every_answer_is_the_same_of_blocks(tmp_path: Path) -> None:
    """Stories, exports, statistics, troubles, in-links and neighbours: sealing changes none of them."""
    crawl = make_crawl(tmp_path / "crawl")
    before = _answers(crawl)
    compact_directory(crawl)
    assert _answers(crawl) == before


def test_a_resume_finds_the_newest_links_in_blocks(tmp_path: Path) -> None:
    """What refills RAM comes from blocks as from rows: the newest pages' links, and where redirects lead."""
    crawl = make_crawl(tmp_path / "crawl")
    connection = CrawlDirectory(crawl).connect_readonly()
    rows = {page: row[0].tolist() for window in newest_rows(connection, 100) for page, row in window.rows()}
    connection.close()
    compact_directory(crawl)
    connection = CrawlDirectory(crawl).connect_readonly()
    assert not list(newest_rows(connection, 100))
    pages = {page: targets for _, block in newest_blocks(connection, 100) for page, targets, _ in block.rows()}
    assert {page: sorted(targets) for page, targets in rows.items()} == {
        page: targets.tolist() for page, targets in pages.items()
    }
    moved = {page.id: moved_to for page, moved_to in newest_troubles(connection, 100)}
    connection.close()
    assert (len(pages[FRONT]), moved[MOVED]) == (9, TWO)
