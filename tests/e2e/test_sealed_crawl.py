"""A crawl that seals its links while it runs leaves the graph of one that did not; a limit on disk drops the oldest."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from benchmarks.soak_web import SoakWeb
from tests.support.crawls import Left
from tests.support.tiny_web import settings_for
from weaver.analysis.disk_graph import open_graph
from weaver.analysis.graph_documents import GraphQuestion, stats_document
from weaver.base.events import Event
from weaver.base.settings import Settings
from weaver.pipeline import ExitReason, open_crawl

pytestmark = pytest.mark.slow

PAGES, HOSTS = 400, 20


def _settings(**values: object) -> Settings:
    return settings_for(SoakWeb(PAGES, hosts=HOSTS).address(0), scope__mode="any", **values)


async def _run(directory: Path, settings: Settings, *, resume: bool) -> tuple[ExitReason | None, str, list[Event]]:
    transport = SoakWeb(PAGES, hosts=HOSTS)
    async with open_crawl(settings, directory, transport=transport, resume=resume) as crawl:
        async for _ in crawl.run():
            pass
        return crawl.exit_reason, crawl.graph_digest, crawl.events.newest()


async def _crawled(directory: Path, settings: Settings) -> tuple[str, list[Event]]:
    reason, digest, events = await _run(directory, settings, resume=False)
    assert reason is ExitReason.FINISHED
    return digest, events


def test_sealing_on_the_way_changes_nothing(tmp_path: Path) -> None:
    """Sealed every twenty pages or once at the end: the same edges and digest, and no row is left unsealed."""
    calm, _ = asyncio.run(_crawled(tmp_path / "calm", _settings()))
    busy, _ = asyncio.run(_crawled(tmp_path / "busy", _settings(persistence__seal_pages=20)))
    assert calm == busy != ""
    assert Left(tmp_path / "calm").edges_by_kind() == Left(tmp_path / "busy").edges_by_kind()
    storage = stats_document(GraphQuestion(tmp_path / "busy"))["storage"]
    assert (storage["unsealed"]["links"], storage["is_partial"]) == (0, False)


def test_a_block_that_rotted_ends_no_crawl(tmp_path: Path) -> None:
    """A crawl that is resumed over a damaged block of links comes to its end without a digest, and says why."""
    first, rest = _settings(crawl__max_pages=300, persistence__seal_pages=20), _settings(persistence__seal_pages=20)
    asyncio.run(_run(tmp_path, first, resume=False))
    with sqlite3.connect(tmp_path / "crawl.db") as connection:
        ((number,),) = connection.execute("SELECT max(number) FROM link_blocks").fetchall()
        connection.execute("UPDATE link_blocks SET block = zeroblob(100) WHERE number = ?", (number,))
    connection.close()
    reason, digest, events = asyncio.run(_run(tmp_path, rest, resume=True))
    assert (reason, digest) == (ExitReason.FINISHED, "")
    told = [event.facts for event in events if event.kind == "no_graph_digest"]
    assert f"block {number} of the table link_blocks is damaged" in str(told[0]["error"])
    with sqlite3.connect(tmp_path / "crawl.db") as connection:
        assert connection.execute("SELECT count(*) FROM frontier").fetchall() == [(0,)]
    connection.close()


def test_a_limit_on_disk_is_kept_and_told(tmp_path: Path) -> None:
    """Rows and blocks end within `graph.disk_limit`; an event and the statistics say what left, and totals count it."""
    asyncio.run(_crawled(tmp_path / "whole", _settings()))
    whole = stats_document(GraphQuestion(tmp_path / "whole"))
    limit_bytes = whole["storage"]["bytes"] // 2
    settings = _settings(graph__disk_limit=limit_bytes, persistence__seal_pages=20)
    _, events = asyncio.run(_crawled(tmp_path / "limited", settings))
    storage = stats_document(GraphQuestion(tmp_path / "limited"))["storage"]
    told = [event.facts for event in events if event.kind == "links_dropped"]
    assert storage["bytes"] <= limit_bytes
    with open_graph(tmp_path / "limited") as limited, open_graph(tmp_path / "whole") as kept:
        assert (limited.is_partial, kept.is_partial) == (True, False)
        assert limited.statistics()["dropped_links"] == storage["dropped"]["links"]
    assert sum(int(str(facts["links"])) for facts in told) == storage["dropped"]["links"] > 0
    assert storage["dropped"]["links"] + storage["sealed"]["links"] == whole["edges"]
