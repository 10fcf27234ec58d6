"""`weaver duplicates`: the copies of a crawl for a terminal, as a document, as CSV and as a picture."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.analysis.made_crawl import COPY, TWO, URLS, make_crawl
from weaver.cli.main import cli


def run(*arguments: str | Path) -> Result:
    """Run the command."""
    return CliRunner().invoke(cli, ["duplicates", *map(str, arguments)], prog_name="weaver")


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    """A crawl with one copy."""
    return make_crawl(tmp_path / "crawl")


def test_the_report_names_the_copies_and_what_to_do(crawl: Path) -> None:
    """The terminal shows totals, advice with both URLs, costs by host and template, and the most copied pages."""
    result = run(crawl)
    assert result.exit_code == 0
    for text in ("1 of 3 pages", "500 B", "rel=canonical", URLS[COPY], URLS[TWO], "By host", "By URL template"):
        assert text in result.output


def test_one_document_one_csv_one_picture(crawl: Path, tmp_path: Path) -> None:
    """`--json`, `--csv` and `-o` in one call; the picture is the same each time."""
    csv_path, picture, again = tmp_path / "copies.csv", tmp_path / "copies.svg", tmp_path / "again.svg"
    result = run(crawl, "--json", "--csv", csv_path, "-o", picture)
    assert json.loads(result.stdout)["duplicates"]["pages"] == 1
    with csv_path.open(newline="") as stream:
        assert [row["url"] for row in csv.DictReader(stream)] == [URLS[COPY]]
    assert run(crawl, "-o", again).exit_code == 0
    assert picture.read_bytes() == again.read_bytes()
    assert picture.read_bytes().startswith(b"<?xml")


def test_wrong_use_is_told_in_one_line(crawl: Path, tmp_path: Path) -> None:
    """No crawl, or a picture of no known kind, is wrong use."""
    assert run(tmp_path / "nowhere").exit_code == 2
    assert run(crawl, "-o", tmp_path / "picture.gif").exit_code == 2
