"""`weaver graph broken`: the report as text, as JSON and as CSV."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.analysis.made_crawl import COPY, FRONT, GONE, MOVED, TWO, URLS, adjacency, make_crawl
from weaver.base.page import EdgeKind, PageState
from weaver.base.record import CommitRecord, PageRow, UrlRow
from weaver.cli.main import cli
from weaver.persistence import Writer

EVIL = "http://a.test/\x1b[2J"


def run(*arguments: str | int | Path) -> Result:
    """Run the command."""
    return CliRunner().invoke(cli, ["graph", "broken", *map(str, arguments)], prog_name="weaver")


def _hostile(writer: Writer) -> None:
    """A failed URL that would clear the screen, in a redirect that goes round."""
    writer.submit(CommitRecord(urls=(UrlRow(30, 30, EVIL, 1, 1, FRONT),)))
    page = PageRow(30, PageState.REDIRECT, 1.0, 302)
    writer.submit(CommitRecord(page=page, adjacency=adjacency([(30, EdgeKind.REDIRECT)])))


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A crawl with one link of each kind of trouble."""
    return make_crawl(tmp_path_factory.mktemp("broken") / "crawl", extra=_hostile)


def test_the_report_names_targets_answers_and_pages(crawl: Path) -> None:
    """Each section that has targets is there with its title; a target has its answer, where it leads and who links."""
    shown = run(crawl).stdout
    assert "30 known URLs, 4 of them in trouble; 3 links to these" in shown
    lines = shown.splitlines()
    broken = lines.index("Broken, no page at the other end: 1 target, 1 link")
    assert lines[broken + 1].split() == ["1", "404", URLS[GONE]]
    assert lines[broken + 2].split() == ["on", URLS[FRONT]]
    moved = next(number for number, line in enumerate(lines) if line.startswith("Moved for good"))
    assert [line.split() for line in lines[moved + 1 : moved + 4]] == [
        ["1", "301", URLS[MOVED]], ["to", URLS[TWO]], ["on", URLS[FRONT]],
    ]  # fmt: skip
    assert "redirect_chains" not in shown
    assert "(and round again)" in shown
    assert URLS[COPY] not in shown


def test_nothing_from_a_url_reaches_the_terminal_raw(crawl: Path) -> None:
    """Escapes in URLs are made visible."""
    shown = run(crawl).stdout
    assert "\x1b" not in shown
    assert "\\x1b[2J" in shown


def test_json_is_one_document(crawl: Path) -> None:
    """`--json` has every section with its counts and its targets."""
    report = json.loads(run(crawl, "--json", "--limit", 5).stdout)
    assert report["directory"] == str(crawl)
    assert report["broken"]["top"][0]["url"] == URLS[GONE]
    assert set(report) >= {"moved_permanently", "moved_temporarily", "redirect_chains", "redirect_loops", "blocked"}


def test_moved_and_hosts_choose(crawl: Path) -> None:
    """`--moved` leaves redirects only, `--host` and `--target-host` what their hosts have to do with."""
    assert "Broken" not in run(crawl, "--moved").stdout
    assert json.loads(run(crawl, "--json", "--target-host", "b.test:8080").stdout)["broken"]["targets"] == 0
    assert json.loads(run(crawl, "--json", "--host", "a.test").stdout)["broken"]["targets"] == 1
    wrong = run(crawl, "--host", "nowhere.test")
    assert wrong.exit_code != 0
    assert "got nowhere.test" in wrong.output


def test_a_limit_says_what_it_leaves_out(crawl: Path) -> None:
    """Where targets are left out the report says how many, and how to see them."""
    assert "... 1 more (--limit, or -o FILE.csv for all)" in run(crawl, "--limit", 0).stdout


def test_csv_has_all_of_them(crawl: Path, tmp_path: Path) -> None:
    """`-o FILE.csv` writes every target; another ending is wrong use."""
    written = run(crawl, "-o", tmp_path / "links.csv", "--limit", 0)
    assert written.exit_code == 0
    with (tmp_path / "links.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert sorted(row["section"] for row in rows) == ["blocked", "broken", "moved_permanently", "redirect_loops"]
    assert rows[0]["status"] == "404"
    assert run(crawl, "-o", tmp_path / "links.xlsx").exit_code == 2
