"""`weaver graph compact`, and what `weaver graph stats` says of the links on disk."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.analysis.made_crawl import EDGES, make_crawl
from weaver.base.settings import PersistenceSettings
from weaver.cli.main import cli
from weaver.persistence import CrawlDirectory, Sealer

LINKS = sum(map(len, EDGES.values()))


def run(*arguments: str | Path) -> Result:
    """Run a command of the group."""
    return CliRunner().invoke(cli, ["graph", *map(str, arguments)], prog_name="weaver")


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    """A crawl as a version without blocks would have left it: all links are rows."""
    return make_crawl(tmp_path / "crawl")


def _storage(crawl: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("stats", crawl, "--json").stdout)["storage"]
    return found


def test_compaction_is_told_before_and_after(crawl: Path) -> None:
    """All links move from rows into a block, none is lost, and the sizes say so as a table and as JSON."""
    before = _storage(crawl)
    assert (before["unsealed"]["links"], before["sealed"]["links"], before["is_partial"]) == (LINKS, 0, False)
    told = json.loads(run("compact", crawl, "--json").stdout)
    assert (told["before"]["unsealed"], told["after"]["sealed"]["links"]) == (before["unsealed"], LINKS)
    again = run("compact", crawl, "--no-vacuum")
    assert again.exit_code == 0
    assert [line.split()[0] for line in again.stdout.splitlines()] == ["blocks", "before", "after"]
    assert _storage(crawl)["sealed"] | {"bytes": 0} == told["after"]["sealed"] | {"bytes": 0}
    assert f"{LINKS} links of {len(EDGES)} pages in 1 blocks" in run("stats", crawl).stdout


def test_a_crawl_at_work_is_not_compacted(crawl: Path) -> None:
    """While somebody holds the directory compaction is refused, as wrong use."""
    with CrawlDirectory.open_existing(crawl):
        refused = run("compact", crawl)
    assert refused.exit_code == 2
    assert "Traceback" not in refused.output


def test_a_partial_archive_says_so(crawl: Path) -> None:
    """Where links were dropped for a limit, stats tell how many, and that they are not counted."""
    with CrawlDirectory.open_existing(crawl) as directory:
        connection = directory.connect(PersistenceSettings())
        Sealer(1, limit_bytes=0).finish(connection)
        connection.close()
    storage = _storage(crawl)
    assert (storage["is_partial"], storage["dropped"]) == (True, {"pages": len(EDGES), "links": LINKS})
    assert f"PARTIAL: {LINKS} links of {len(EDGES)} pages were dropped" in run("stats", crawl).stdout


def test_a_damaged_block_is_an_error_that_names_it(crawl: Path) -> None:
    """A block that rotted ends the command with its number, not with a traceback."""
    run("compact", crawl)
    connection = sqlite3.connect(crawl / "crawl.db")
    connection.execute("UPDATE link_blocks SET block = x'00'")
    connection.commit()
    connection.close()
    result = run("stats", crawl)
    assert result.exit_code == 1
    assert "block 1 of the table link_blocks is damaged" in result.output
