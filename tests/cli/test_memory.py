"""`weaver memory`: a map for every terminal and every pipe, a picture, a document, and clear words."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from tests.analysis.made_crawl import make_crawl
from tests.analysis.made_history import CLIMB, put_history, run_of, sample
from weaver.analysis.memory_report import memory_report
from weaver.cli.main import cli
from weaver.cli.memory import memory_view


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    """A crawl of two minutes with a bout of pressure."""
    path = make_crawl(tmp_path / "crawl")
    put_history(path, *run_of(120))
    return path


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(cli, ["memory", *arguments], prog_name="weaver")


def seen(crawl: Path, columns: int, color_system: str | None = None) -> str:
    """What a terminal of so many columns shows."""
    console = Console(
        file=io.StringIO(),
        width=columns,
        color_system=color_system,
        force_terminal=color_system is not None,  # type: ignore[arg-type]
    )
    for line in memory_view(memory_report(crawl), console):
        console.print(line, no_wrap=True, overflow="crop")
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_pipe_gets_shades_of_ascii(crawl: Path) -> None:
    """Without a terminal each account is a row of ASCII shades with figures; no line is coloured or too wide."""
    result = run(str(crawl))
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert result.stdout.replace(str(crawl), "").isascii()
    row = next(line for line in result.stdout.splitlines() if line.startswith("seen ") and "@@" in line)
    assert row.split()[-7:] == ["60.0", "MiB", "60.0", "MiB", "100%", "60.0", "MiB"]
    assert any(line.startswith("untracked") for line in result.stdout.splitlines())
    assert any(line.startswith("total") for line in result.stdout.splitlines())
    assert max(len(line) for line in result.stdout.splitlines()[1:]) <= 80


def test_the_rungs_are_marked_with_their_reasons(crawl: Path) -> None:
    """Below the map stand the rungs by their signs, a legend, and each change with its reason."""
    shown = run(str(crawl)).stdout
    assert "3" in next(line for line in shown.splitlines() if line.startswith("rung "))
    assert "rungs: . calm, 3 evict" in shown
    assert f"after 1m 00s calm -> evict: {CLIMB['reason']}" in shown


def test_the_cost_of_the_caps_is_told(crawl: Path) -> None:
    """Totals charged and released, evictions, and what was met again after one."""
    shown = run(str(crawl)).stdout
    assert "180.0 MiB" in shown
    assert "1.23k" in shown
    assert "met again after they were evicted: seen 56 of 1,234" in shown


def test_a_terminal_gets_colours(crawl: Path) -> None:
    """With 256 colours or more the cells are coloured, and nothing is told by colour alone."""
    shown = seen(crawl, 100, "truecolor")
    assert "\x1b[48;2;" in shown
    assert "100%" in shown


def test_sixteen_colours_make_no_scale(crawl: Path) -> None:
    """A terminal of few colours gets the shades."""
    assert "empty [ .:-=+*#%@] full" in seen(crawl, 80, "standard")


@pytest.mark.parametrize("columns", [12, 20, 39, 40, 60, 79, 80, 200])
def test_every_width_is_kept(crawl: Path, columns: int) -> None:
    """However narrow the terminal, no line is wider, and each account has its row."""
    lines = seen(crawl, columns).splitlines()
    assert max(map(len, lines)) <= columns
    assert sum(line.startswith(("seen ", "graph ")) for line in lines) >= 2


@pytest.mark.parametrize("color_system", [None, "truecolor"])
def test_one_sample_is_told_in_words(tmp_path: Path, color_system: str | None) -> None:
    """A crawl that has just begun has figures, and no map yet."""
    crawl = make_crawl(tmp_path / "new")
    put_history(crawl, sample(0.2))
    assert "one sample so far, 0.2 s after the start: nothing to draw over time yet" in seen(crawl, 80, color_system)


def test_no_file_drives_the_terminal(crawl: Path) -> None:
    """Tags, rungs and reasons in another's crawl directory are shown with their control characters escaped."""
    hostile = sample(130, rung="\x1b[2J\u202e")
    hostile["accounts"] = {"\x1b]0;x\x07": 5}
    put_history(crawl, *run_of(120), hostile)
    shown = run(str(crawl)).stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_no_history_is_wrong_use(tmp_path: Path) -> None:
    """A missing directory and a crawl without samples exit 2 with one line."""
    for place in (tmp_path / "nowhere", make_crawl(tmp_path / "old")):
        result = run(str(place))
        assert result.exit_code == 2
        assert result.stderr.startswith("weaver: error: ")
        assert result.stderr.count("\n") == 1
    assert "no memory history" in result.stderr


def test_the_document_is_one_json_value(crawl: Path) -> None:
    """`--json` prints the whole report and nothing else."""
    document = json.loads(run(str(crawl), "--json").stdout)
    wanted = {
        "directory", "runs", "samples", "accounts", "rungs", "peak_rss_bytes", "baseline_rss_bytes", "untracked_bytes",
    }  # fmt: skip
    assert wanted <= set(document)
    assert document["accounts"]["seen"]["share"] == 1.0


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG\r\n"), (".svg", b"<?xml"), (".SVG", b"<?xml")])
def test_a_picture_is_drawn(crawl: Path, tmp_path: Path, suffix: str, magic: bytes) -> None:
    """`-o` writes a PNG or an SVG, whole, the same for the same history."""
    picture = tmp_path / f"memory{suffix}"
    result = run(str(crawl), "-o", str(picture))
    assert result.exit_code == 0, result.output
    first = picture.read_bytes()
    assert first.startswith(magic)
    assert run(str(crawl), "-o", str(picture)).exit_code == 0
    assert picture.read_bytes() == first
    assert "drawn in" in result.stderr


@pytest.mark.slow
def test_a_picture_of_one_sample_is_drawn(tmp_path: Path) -> None:
    """A crawl that has just begun makes a picture too."""
    crawl = make_crawl(tmp_path / "new")
    put_history(crawl, sample(0))
    assert run(str(crawl), "-o", str(tmp_path / "m.png")).exit_code == 0


def test_another_kind_of_picture_is_wrong_use(crawl: Path, tmp_path: Path) -> None:
    """A suffix that is neither of the two is refused before anything is read, and names them."""
    for name in ("memory.pdf", "memory"):
        result = run(str(crawl), "-o", str(tmp_path / name))
        assert result.exit_code == 2
        assert "expected a file that ends in .svg or .png, got" in result.stderr


def test_a_picture_that_can_not_be_written_is_told(crawl: Path, tmp_path: Path) -> None:
    """A folder that is not there is one line and exit 2."""
    result = run(str(crawl), "-o", str(tmp_path / "no" / "m.png"))
    assert result.exit_code == 2
    assert "can't write" in result.stderr
