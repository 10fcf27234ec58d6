"""`python -m tests.conformance.run [DIR]`: judges every set; a table on stderr, a JSON line a set on stdout."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

from tests.conformance.cases import Case, conformance_root, folders, load, set_names, set_root, skip_reason

# The folders of sets, and who judges them: a module `sets_<folder>`. One not written yet is listed as not covered.
FOLDERS = (
    "encoding",
    "feeds",
    "graphs",
    "hostile",
    "html",
    "neardup",
    "oracle",
    "robots",
    "sitemaps",
    "url",
)

Judge = Callable[[Case], bool]


@dataclass(frozen=True, slots=True)
class Result:
    """One set judged: ids that failed in the order of the file, those explained, what judges raised."""

    set_name: str
    cases: int
    failed: tuple[str, ...]
    explained: dict[str, str] = field(default_factory=dict)
    is_policy: bool = False
    raised: tuple[str, ...] = ()

    @property
    def passed(self) -> int:
        """How many cases passed."""
        return self.cases - len(self.failed)

    @property
    def unexplained(self) -> list[str]:
        """The ids that failed without a reason."""
        return [case_id for case_id in self.failed if case_id not in self.explained]

    @property
    def is_met(self) -> bool:
        """Whether nothing more is asked of the set."""
        return self.is_policy or not self.unexplained

    def line(self) -> dict[str, Any]:
        """What is printed as JSON."""
        facts = {"set": self.set_name, "cases": self.cases, "passed": self.passed, "failed": list(self.failed)}
        return facts | {"explained": self.explained} | ({"policy": True} if self.is_policy else {})


def judges_of(folder: str) -> ModuleType | None:
    """The module that judges a folder's sets; None where it is not written yet."""
    name = f"tests.conformance.sets_{folder}"
    if folder not in FOLDERS or importlib.util.find_spec(name) is None:
        return None
    return importlib.import_module(name)


def cases_of(set_name: str, judges: ModuleType) -> list[Case]:
    """The cases of a set: those of its file, or what its judges make of a file that holds none by itself."""
    make = getattr(judges, "cases", None)
    return make(set_name.partition("/")[2]) if make is not None else load(set_name)


def judge_set(set_name: str, judges: ModuleType) -> Result:
    """Judge every case of `folder/name`; a judge that raises has not passed the case."""
    name = set_name.partition("/")[2]
    cases = cases_of(set_name, judges)
    raised: list[str] = []
    failed = [case for case in cases if not _has_passed(judges.SETS[name], case, raised)]
    explained = {case["id"]: reason for case in failed if (reason := _reason(judges, name, case))}
    is_policy = name in getattr(judges, "POLICY", frozenset())
    return Result(set_name, len(cases), tuple(case["id"] for case in failed), explained, is_policy, tuple(raised))


def _has_passed(judge: Judge, case: Case, raised: list[str]) -> bool:
    try:
        return bool(judge(case))
    except Exception as error:
        raised.append(f"{case['id']}: {error!r}")
        return False


def _reason(judges: ModuleType, name: str, case: Case) -> str | None:
    listed: str | None = getattr(judges, "EXCEPTIONS", {}).get(case["id"])
    explain = getattr(judges, "explain", None)
    return listed or (explain(name, case) if explain is not None else None)


def judge_all() -> Iterator[Result | tuple[str, str]]:
    """Every set that is here, in order: its result, or (set, why it is not covered)."""
    for folder in folders():
        judges = judges_of(folder)
        for set_name in set_names(folder):
            name = set_name.partition("/")[2]
            if judges is not None and name in judges.SETS:
                yield judge_set(set_name, judges)
            elif load(set_name):
                yield set_name, getattr(judges, "NOT_COVERED", {}).get(name, "no judge for it")


def main(arguments: list[str]) -> int:
    """Print the table and the lines; 0 if every failure of every set that is not a policy is explained."""
    if arguments:
        set_root(Path(arguments[0]))
    if conformance_root() is None:
        _tell(sys.stderr, skip_reason())
        return 2
    is_met = True
    _tell(sys.stderr, f"{'set':<42}{'cases':>7}{'passed':>8}{'failed':>8}{'explained':>11}{'share':>9}")
    for result in judge_all():
        if isinstance(result, Result):
            _tell(sys.stdout, json.dumps(result.line()))
            is_met &= result.is_met
        _tell(sys.stderr, _row(result))
    return 0 if is_met else 1


def _tell(stream: TextIO, line: str) -> None:
    stream.write(f"{line}\n")
    stream.flush()


def _row(result: Result | tuple[str, str]) -> str:
    if not isinstance(result, Result):
        return f"{result[0]:<42}{'-':>7}  not covered: {result[1]}"
    share = result.passed / result.cases if result.cases else 1.0
    mark = "policy" if result.is_policy else "met" if result.is_met else f"NOT MET: {', '.join(result.unexplained[:5])}"
    counts = f"{result.cases:>7}{result.passed:>8}{len(result.failed):>8}{len(result.explained):>11}{share:>9.2%}"
    raised = f"; {len(result.raised)} judges raised, first {result.raised[0][:100]}" if result.raised else ""
    return f"{result.set_name:<42}{counts}  {mark}{raised}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
