"""Where output can't go: a full disk is told in one line, a closed pipe in none, and neither by a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.analysis.made_crawl import make_crawl

ROOT = Path(__file__).parents[2]
FULL = Path("/dev/full")
WEAVER = (sys.executable, "-m", "weaver")


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A crawl of nine URLs."""
    return str(make_crawl(tmp_path_factory.mktemp("output") / "crawl"))


@pytest.mark.slow
@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "CRAWL"), ("status", "CRAWL", "--json"), ("why", "CRAWL", "http://a.test/"), ("export", "CRAWL"),
        ("export", "CRAWL", "--format", "gexf"), ("config", "schema"), ("--help",), ("--version",),
    ],
)  # fmt: skip
def test_a_full_disk_is_one_line(crawl: str, arguments: tuple[str, ...]) -> None:
    """Output that has no room ends with exit code 1 and one line that says so."""
    command = [*WEAVER, *(crawl if argument == "CRAWL" else argument for argument in arguments)]
    with FULL.open("wb") as full:
        result = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (result.returncode, result.stderr) == (
        1, "weaver: error: can't write to stdout: No space left on device\n"
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("export",), ("export", "--format", "graphml"), ("status",)])
def test_a_closed_pipe_is_silence(crawl: str, arguments: tuple[str, ...]) -> None:
    """A reader that has seen enough, as `head`, ends the command quietly with the code of a closed pipe."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = subprocess.run(
            [*WEAVER, arguments[0], crawl, *arguments[1:]],
            cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert (result.returncode, result.stderr) == (141, "")
