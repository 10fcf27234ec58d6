"""What the conformance runner prints, counts and answers, on cases made up here."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conformance import cases
from tests.conformance.run import judge_set, main


@pytest.fixture(autouse=True)
def _own_root() -> Iterator[None]:
    chosen = list(cases._chosen_root)
    yield
    cases._chosen_root[:] = chosen


def write_set(root: Path, set_name: str, found: list[dict[str, Any]]) -> None:
    """Put a set of these cases where a folder of sets has it."""
    path = root / f"{set_name}.json.gz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps({"header": {}, "cases": found}).encode()))


def judges(**attributes: Any) -> Any:
    """A module of judges with one set, `made_up`."""
    return SimpleNamespace(SETS={"made_up": lambda case: case["is_good"]}, **attributes)


FOUND: list[dict[str, Any]] = [
    {"id": "a", "is_good": True},
    {"id": "b", "is_good": False},
    {"id": "c"},
    {"id": "d", "is_good": False},
]


def test_failures_are_listed_and_explained_ones_marked(tmp_path: Path) -> None:
    """A false verdict and a raising judge are failures; a reason by id or by predicate explains one."""
    cases.set_root(tmp_path)
    write_set(tmp_path, "url/made_up", FOUND)
    explaining = judges(EXCEPTIONS={"b": "listed"}, explain=lambda name, case: name if case["id"] == "d" else None)
    result = judge_set("url/made_up", explaining)
    assert result.line() == {
        "set": "url/made_up",
        "cases": 4,
        "passed": 1,
        "failed": ["b", "c", "d"],
        "explained": {"b": "listed", "d": "made_up"},
    }
    assert result.unexplained == ["c"]
    assert result.raised == ("c: KeyError('is_good')",)
    assert not result.is_met


def test_a_policy_set_is_never_unmet(tmp_path: Path) -> None:
    """A set that is scored only says so in its line, and its failures don't count."""
    cases.set_root(tmp_path)
    write_set(tmp_path, "url/made_up", FOUND)
    result = judge_set("url/made_up", judges(POLICY=frozenset({"made_up"})))
    assert result.line()["policy"] is True
    assert result.is_met


def test_a_passing_folder_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All passed: exit code 0, one JSON line a set on stdout, a table with what is not covered on stderr."""
    write_set(tmp_path, "url/whatwg_urltestdata", [{"id": "a", "base": None, "input": "http://H", "href": "http://h/"}])
    write_set(tmp_path, "url/unheard_of", [{"id": "b"}])
    write_set(tmp_path, "unheard/of", [{"id": "c"}])
    assert main([str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert [json.loads(line) for line in printed.out.splitlines()] == [
        {"set": "url/whatwg_urltestdata", "cases": 1, "passed": 1, "failed": [], "explained": {}}
    ]
    assert "url/unheard_of" in printed.err
    assert printed.err.count("not covered") == 2


def test_an_unexplained_failure_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One failure without a reason: exit code 1 and its id in the line; a policy set alone does not do that."""
    write_set(tmp_path, "url/canon_surt_python", [{"id": "p", "input": "http://h/", "canonical": "h"}])
    assert main([str(tmp_path)]) == 0
    write_set(tmp_path, "url/whatwg_toascii", [{"id": "q", "input": "h", "ascii": "i"}])
    assert main([str(tmp_path)]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1] == {"set": "url/whatwg_toascii", "cases": 1, "passed": 0, "failed": ["q"], "explained": {}}


def test_an_absent_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there are no cases the runner says so and ends with 2."""
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "no conformance cases" in capsys.readouterr().err


def test_files_that_hold_no_cases_are_no_sets(tmp_path: Path) -> None:
    """Side files and other documents are passed over."""
    cases.set_root(tmp_path)
    write_set(tmp_path, "url/made_up", FOUND)
    (tmp_path / "url" / "truth.json").write_text("[1]")
    (tmp_path / "url" / "pages.jsonl.gz").write_bytes(b"")
    assert cases.folders() == ["url"]
    assert cases.set_names("url") == ["url/made_up", "url/truth"]
    assert cases.load("url/truth") == []
    assert cases.load("url/absent") == []
