"""What the conformance cases require of the parts: each set's failures are all explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.cases import skip_reason
from tests.conformance.run import FOLDERS, cases_of, judge_set, judges_of

JUDGES = {folder: judges for folder in FOLDERS if (judges := judges_of(folder)) is not None}
REQUIRED = [
    f"{folder}/{name}"
    for folder, judges in JUDGES.items()
    for name in judges.SETS
    if name not in getattr(judges, "POLICY", ())
]
POLICY = [f"{folder}/{name}" for folder, judges in JUDGES.items() for name in getattr(judges, "POLICY", ())]

pytestmark = pytest.mark.skipif(bool(skip_reason()), reason=skip_reason())


@pytest.mark.slow
@pytest.mark.parametrize("set_name", REQUIRED)
def test_every_failure_of_a_required_set_is_explained(set_name: str) -> None:
    """Of a set that a standard decides no case fails without a stated reason."""
    judges = JUDGES[set_name.partition("/")[0]]
    if not cases_of(set_name, judges):
        pytest.skip(f"{set_name} is not among the cases here")
    result = judge_set(set_name, judges)
    assert result.unexplained == [], result.raised


@pytest.mark.slow
@pytest.mark.parametrize("set_name", POLICY)
def test_a_policy_set_is_judged_without_error(set_name: str) -> None:
    """Of a set that other policies decide the score is printed; its judge still understands every case."""
    result = judge_set(set_name, JUDGES[set_name.partition("/")[0]])
    assert result.raised == ()


@pytest.mark.parametrize("set_name", [name for name in REQUIRED if name.startswith("url/whatwg_")])
def test_whatwg_is_met_without_exception(set_name: str) -> None:
    """Every WHATWG case for http(s) passes: not one is explained away."""
    assert judge_set(set_name, JUDGES["url"]).failed == ()


def test_the_cases_are_read_in_place() -> None:
    """No case file lies in the project."""
    assert not [path for path in Path(__file__).parent.rglob("*.json*") if path.is_file()]
