"""`weaver dedupe`: duplicates in files, for people on stderr and for programs on stdout."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from weaver.cli.main import cli

TEXT = "the quick brown fox jumps over the lazy dog and runs on"


def run(*arguments: str | Path) -> Result:
    """Run the command."""
    return CliRunner().invoke(cli, ["dedupe", *map(str, arguments)], prog_name="weaver")


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Three documents, two of them the same, and a line that is none."""
    path = tmp_path / "docs.jsonl"
    rows = [json.dumps({"name": name, "body": body}) for name, body in (("a", TEXT), ("b", TEXT), ("c", "else"))]
    path.write_text("\n".join([*rows, "{torn"]))
    return path


def test_the_summary_says_what_was_found_and_what_was_odd(lines: Path, tmp_path: Path) -> None:
    """Counts, what to keep, and the first of the lines that can't be read, on stderr; the files in the directory."""
    pairs = tmp_path / "pairs.csv"
    fields = ("--id-field", "name", "--text-field", "body")
    result = run(lines, "-o", tmp_path / "out", *fields, "--pairs", pairs, "--clusters", "csv")
    assert (result.exit_code, result.stdout) == (0, "")
    for text in ("3 documents", "1 duplicates (33.3%): 1 exact, 0 near", "2 to keep", "docs.jsonl:4", "1 pairs in"):
        assert text in result.stderr
    assert pairs.read_text() == "id_a,id_b,similarity\na,b,1.0\n"
    assert (tmp_path / "out" / "keep.txt").read_text() == "a\nc\n"
    assert (tmp_path / "out" / "clusters.csv").read_text().startswith("cluster,id,kind")


def test_programs_get_one_document(lines: Path, tmp_path: Path) -> None:
    """`--json` prints the report and nothing else."""
    result = run(lines, "-o", tmp_path / "out", "--text-field", "body", "--json", "-q")
    assert json.loads(result.stdout)["duplicates"] == {"exact": 1, "near": 0}
    assert result.stderr == ""


def test_nothing_read_is_a_failure(lines: Path, tmp_path: Path) -> None:
    """Where no document could be read the command fails, and says why."""
    result = run(lines, "-o", tmp_path / "out", "--text-field", "missing")
    assert result.exit_code == 1
    assert "no text" in result.stderr


def test_wrong_use_is_told_in_one_line(tmp_path: Path) -> None:
    """A missing file, a name that says no form, a threshold beyond 1: exit code 2."""
    (tmp_path / "a.bin").write_text("x")
    (tmp_path / "a.txt").write_text("x")
    out = tmp_path / "out"
    assert run(tmp_path / "missing.jsonl", "-o", out).exit_code == 2
    assert "--format" in run(tmp_path / "a.bin", "-o", out).stderr
    assert run(tmp_path / "a.txt", "-o", out, "--threshold", "2").exit_code == 2
    assert run(tmp_path / "a.bin", "-o", out, "--format", "text", "-q").exit_code == 0


def test_each_work_has_its_directory(lines: Path, tmp_path: Path) -> None:
    """Without `-o` other settings go to a directory of their own, and the same ones to the one they had."""
    with chdir(tmp_path):
        for threshold in ("0.8", "0.5", "0.8"):
            assert run(lines, "--text-field", "body", "-q", "--threshold", threshold).exit_code == 0
        assert sorted(path.name for path in tmp_path.glob("dedupe-*")) == ["dedupe-docs", "dedupe-docs-2"]
        refused = run(lines, "--text-field", "body", "-q", "--threshold", "0.7", "-o", "dedupe-docs")
        assert refused.exit_code == 2
        assert "threshold 0.8 instead of 0.7" in refused.stderr
        renewed = run(lines, "--text-field", "body", "--json", "--threshold", "0.7", "-o", "dedupe-docs", "--fresh")
        assert json.loads(renewed.stdout)["settings"]["threshold"] == 0.7
