"""`weaver export`: every format by the command, and the bar that it shows."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from pyarrow import parquet
from rich.console import Console

from tests.analysis.made_crawl import URLS, make_crawl
from weaver.analysis.edge_import import import_edges
from weaver.analysis.export import FOLDER_FORMATS, FORMATS
from weaver.cli.bar import share_bar
from weaver.cli.main import cli


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    """A crawl of nine URLs."""
    return make_crawl(tmp_path / "crawl")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_written_to_a_path(form: str, crawl: Path, tmp_path: Path) -> None:
    """Each format goes to the path that -o names; the JSON document tells the path and its bytes."""
    path = tmp_path / "out"
    result = CliRunner().invoke(cli, ["export", str(crawl), "--format", form, "-o", str(path), "--json"])
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    written = [path] if path.is_file() else list(path.iterdir())
    assert (document["path"], document["bytes"]) == (str(path), sum(file.stat().st_size for file in written))
    assert path.is_dir() == (form in FOLDER_FORMATS)
    assert document["rows"] in (None, len(URLS))


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in FOLDER_FORMATS])
def test_stdout_gets_the_same_bytes(form: str, crawl: Path, tmp_path: Path) -> None:
    """Without -o the same goes to stdout, binary formats too."""
    path = tmp_path / "out"
    assert CliRunner().invoke(cli, ["export", str(crawl), "--format", form, "-o", str(path)]).exit_code == 0
    result = CliRunner().invoke(cli, ["export", str(crawl), "--format", form])
    assert (result.exit_code, result.stdout_bytes) == (0, path.read_bytes())
    if form == "parquet":
        assert parquet.read_table(path).num_rows == len(URLS)


def test_a_quiet_export_says_nothing(crawl: Path, tmp_path: Path) -> None:
    """-q writes the file and not a word; without it one line tells what was written."""
    command = ["export", str(crawl), "-o", str(tmp_path / "pages.csv")]
    assert "9 rows" in CliRunner().invoke(cli, command).stderr
    assert CliRunner().invoke(cli, [*command, "-q"]).output == ""


def test_dot_of_a_large_graph_needs_force(tmp_path: Path) -> None:
    """DOT of what can't be drawn exits 2 with the sizes, leaves no file, and is written with --force."""
    (tmp_path / "edges").write_text("0 6000\n" + "1 2\n" * 1000)
    import_edges(tmp_path / "edges", tmp_path / "crawl")
    command = ["export", str(tmp_path / "crawl"), "--format", "dot", "-o", str(tmp_path / "graph.dot")]
    refused = CliRunner().invoke(cli, command)
    assert (refused.exit_code, "6,001" in refused.stderr, (tmp_path / "graph.dot").exists()) == (2, True, False)
    assert CliRunner().invoke(cli, [*command, "--force"]).exit_code == 0
    assert (tmp_path / "graph.dot").read_text().endswith("2 -> 3 [kind=hyperlink];\n}\n")


def test_a_terminal_gets_a_bar() -> None:
    """On a terminal the share done is drawn, and is gone at the end."""
    terminal = Terminal()
    with share_bar("exporting", console=Console(file=terminal, width=80, force_terminal=True)) as on_share:
        on_share(0.5)
        on_share(1.0)
    assert "exporting" in terminal.getvalue()


@pytest.mark.parametrize(("stream", "is_wanted"), [(io.StringIO(), True), (Terminal(), False)])
def test_no_bar_where_nobody_looks(stream: io.StringIO, is_wanted: bool) -> None:
    """A pipe gets no bar, nor does a terminal whose user asked for quiet."""
    with share_bar("exporting", is_wanted=is_wanted, console=Console(file=stream)) as on_share:
        on_share(1.0)
    assert stream.getvalue() == ""
