"""`weaver crawl`, `resume` and `demo` as a user meets them: processes, signals, exit codes, what stays on disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from weaver.cli.main import cli

ROOT = Path(__file__).parents[2]
START_S = 30.0
FAST = ("--allow-private", "--delay", "5ms", "--scope", "host", "--set", "politeness.max_backoff=50ms")


def command(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """A weaver process, started."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((os.environ.get("PYTHONPATH", ""), str(ROOT)))}
    return subprocess.Popen(
        [sys.executable, "-m", "weaver", *arguments],
        cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a process at its end."""
    stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr


def run(*arguments: str, cwd: Path) -> tuple[int, str, str]:
    """A weaver process, run to its end."""
    return finish(command(*arguments, cwd=cwd))


@pytest.fixture(scope="module")
def sites() -> Iterator[dict[str, str]]:
    """The demo web in a process of its own: name to URL."""
    process = command("demo", "--serve-only", cwd=ROOT)
    assert process.stdout is not None
    lines = [process.stdout.readline().split() for _ in range(4)]
    yield {line[1].rstrip(":"): line[0] for line in lines}
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == 0


def wait_for_pages(directory: Path, pages: int) -> None:
    """Return when a crawl at work has committed so many pages."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if (directory / "crawl.db").exists():
            result = CliRunner().invoke(cli, ["status", str(directory), "--json"])
            document = json.loads(result.stdout) if result.exit_code == 0 else {}
            if document.get("pages", {}).get("fetched", 0) >= pages:
                assert document["state"] == "running"
                return
        time.sleep(0.05)
    raise AssertionError(f"expected {pages} pages within {START_S} s")


@pytest.mark.slow
def test_a_crawl_ends_with_a_document_and_zero(sites: dict[str, str], tmp_path: Path) -> None:
    """A crawl that runs out of URLs exits 0, prints one JSON document, and names its directory after the host."""
    code, stdout, stderr = run("crawl", sites["observatory"], *FAST, "--scope", "prefix", "--json", cwd=tmp_path)
    document = json.loads(stdout)
    assert (code, document["exit_reason"], document["directory"]) == (0, "finished", "crawl-127.0.0.1"), stderr
    assert document["graph_digest"]
    assert document["pages"]["fetched"] >= 13
    assert (tmp_path / "crawl-127.0.0.1" / "crawl.db").is_file()


@pytest.mark.slow
def test_a_second_crawl_does_not_touch_the_first(sites: dict[str, str], tmp_path: Path) -> None:
    """Where a crawl is already, `crawl` is wrong use and names `weaver resume`."""
    arguments = ("crawl", sites["observatory"], *FAST, "--max-pages", "1", "-o", "here", "-q")
    assert run(*arguments, cwd=tmp_path)[0] == 3
    code, _, stderr = run(*arguments, cwd=tmp_path)
    assert code == 2
    assert "weaver resume here" in stderr
    assert "Traceback" not in stderr


@pytest.mark.slow
def test_a_limit_ends_a_crawl_with_three_and_resume_goes_on(sites: dict[str, str], tmp_path: Path) -> None:
    """--max-pages ends a crawl with exit code 3; resume with a higher limit goes on with its settings."""
    code, stdout, _ = run("crawl", sites["observatory"], *FAST, "--max-pages", "3", "-o", "c", cwd=tmp_path)
    assert code == 3
    assert "3 fetched" in stdout
    assert "weaver resume c" in stdout
    code, stdout, _ = run("resume", "c", "--max-pages", "5", "--json", cwd=tmp_path)
    document = json.loads(stdout)
    assert (code, document["exit_reason"], document["pages"]["fetched"]) == (3, "max_pages", 5)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_drains(sites: dict[str, str], tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C or SIGTERM finishes what is under way, exits 130, and leaves a directory that resumes to the end."""
    process = command("crawl", sites["lighthouse"], *FAST, "--scope", "prefix", "-o", "c", cwd=tmp_path)
    wait_for_pages(tmp_path / "c", 2)
    process.send_signal(number)
    code, stdout, stderr = finish(process)
    assert code == 130, stderr
    assert "finishing what is under way" in stderr
    assert "weaver resume c" in stdout
    assert json.loads(run("status", "c", "--json", cwd=tmp_path)[1])["state"] == "drained"
    code, stdout, stderr = run("resume", "c", "--per-host", "4", "--json", cwd=tmp_path)
    assert (code, json.loads(stdout)["pages"]["fetched"]) == (0, 17), stderr


@pytest.mark.slow
def test_the_second_ctrl_c_stops_at_once(sites: dict[str, str], tmp_path: Path) -> None:
    """A second Ctrl-C gives up what is under way; it stays queued, and the directory resumes to the end."""
    process = command("crawl", sites["lighthouse"], *FAST, "--scope", "prefix", "-o", "c", cwd=tmp_path)
    wait_for_pages(tmp_path / "c", 1)
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    code, _, stderr = finish(process)
    assert code == 130, stderr
    assert "Traceback" not in stderr
    code, stdout, _ = run("resume", "c", "--per-host", "4", "--json", cwd=tmp_path)
    assert (code, json.loads(stdout)["pages"]["fetched"]) == (0, 17)


@pytest.mark.slow
def test_a_killed_crawl_is_told_as_interrupted(sites: dict[str, str], tmp_path: Path) -> None:
    """After kill -9, `status` tells what was committed, and `resume` ends with every page."""
    process = command("crawl", sites["lighthouse"], *FAST, "--scope", "prefix", "-o", "c", cwd=tmp_path)
    wait_for_pages(tmp_path / "c", 2)
    process.kill()
    finish(process)
    document = json.loads(run("status", "c", "--json", cwd=tmp_path)[1])
    assert document["state"] == "interrupted"
    assert 2 <= document["pages"]["fetched"] < 17
    code, stdout, _ = run("resume", "c", "--per-host", "4", "--json", cwd=tmp_path)
    assert (code, json.loads(stdout)["pages"]["fetched"]) == (0, 17)


@pytest.mark.slow
def test_the_demo_finds_all_that_was_planted(tmp_path: Path) -> None:
    """`weaver demo` crawls its own web, and each trick that was planted is met as it should be."""
    began = time.monotonic()
    code, stdout, stderr = run("demo", "-o", "d", "--json", cwd=tmp_path)
    document = json.loads(stdout)
    assert code == 0, stderr
    assert [finding for finding in document["findings"] if not finding["ok"]] == []
    assert document["pages"]["fetched"] > 150
    assert time.monotonic() - began < 30


@pytest.mark.slow
def test_all_exports_of_a_real_crawl_agree(sites: dict[str, str], tmp_path: Path) -> None:
    """What is exported of a crawl agrees with its status: pages, edges, hosts."""
    assert run("crawl", sites["observatory"], *FAST, "--scope", "prefix", "-o", "c", "-q", cwd=tmp_path)[0] == 0
    status = json.loads(run("status", "c", "--json", cwd=tmp_path)[1])
    rows = {}
    for table in ("pages", "edges", "hosts", "duplicates"):
        code, stdout, _ = run("export", "c", "--format", "jsonl", "--table", table, "--urls", cwd=tmp_path)
        assert code == 0
        rows[table] = [json.loads(line) for line in stdout.splitlines()]
    assert len(rows["pages"]) == status["urls"]["known"]
    assert len(rows["edges"]) == status["graph"]["edges"]
    assert len(rows["hosts"]) == status["hosts"]
    assert len(rows["duplicates"]) == status["pages"]["duplicate"]
    assert sum(row["in_links"] for row in rows["pages"]) == len(rows["edges"])
    assert sum(row["out_links"] for row in rows["pages"]) == len(rows["edges"])
    code, _, stderr = run("export", "c", "--format", "gexf", "-o", "g.gexf", "--json", cwd=tmp_path)
    assert (code, (tmp_path / "g.gexf").stat().st_size > 1000, stderr) == (0, True, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("crawl",), "SEED"),
        (("crawl", "example.org"), "https://example.org/"),
        (("crawl", "ftp://user:secret@example.org/"), "http(s)"),
        (("crawl", "http://a.test/", "--delay", "soon"), "politeness.delay"),
        (("crawl", "http://a.test/", "--memory", "0"), "memory.budget: expected at least 1 MiB"),
        (("crawl", "http://a.test/", "--include", "("), "scope.include: expected a regular expression"),
        (("crawl", "http://a.test/", "--set", "a=b"), "section.key=value"),
        (("crawl", "http://a.test/", "-c", "nowhere.toml"), "nowhere.toml"),
        (("resume", "nowhere"), "nowhere"),
        (("status", "nowhere"), "nowhere"),
        (("why", "nowhere", "http://a.test/"), "nowhere"),
        (("export", "nowhere"), "nowhere"),
        (("export", "nowhere", "--format", "gexf", "--table", "hosts"), "graph"),
        (("export", "nowhere", "--json"), "-o"),
        (("export", "nowhere", "--format", "cc"), "folder"),
        (("export", "nowhere", "--format", "parquet", "-o", "x"), "nowhere"),
    ],
)  # fmt: skip
def test_wrong_use_is_told_in_words(
    arguments: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the user got wrong exits 2, names what was expected, and shows no traceback and no secret."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, list(arguments))
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert "secret" not in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("flag", [(), ("-q",), ("--json",)])
def test_a_crawl_whose_seeds_are_all_refused_names_them(flag: tuple[str, ...], tmp_path: Path) -> None:
    """A crawl that no seed got into fails, and says of each seed why, however quiet it is told to be."""
    seeds = ("http://a.test/", "http://b.test/")
    code, stdout, stderr = run("crawl", *seeds, "--include", "nowhere", "-o", "c", *flag, cwd=tmp_path)
    assert code == 1
    told = stderr if flag else stdout
    assert all(f"{seed} was left out: not included (scope.include)" in told for seed in seeds)
    assert "every URL in scope has an outcome" not in stdout
