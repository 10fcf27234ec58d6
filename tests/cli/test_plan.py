"""`weaver plan`: what a budget holds, by the stores' own constants, and what budget so many URLs need."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from weaver.cli.main import cli
from weaver.memory import meter

MIB = 1 << 20


@pytest.fixture(autouse=True)
def _no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group that the tests run in limits no plan."""
    monkeypatch.setattr("weaver.cli.plan.group_limit_bytes", lambda: None)


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(cli, ["plan", *arguments], prog_name="weaver", env={"COLUMNS": "80"})


def document(*arguments: str) -> Any:
    """Its `--json` document."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_budget_is_told_by_what_it_holds() -> None:
    """`--memory` answers with accounts, what fits, the constants, and the RSS to expect."""
    plan = document("--memory", "512MiB")
    assert plan["budget_bytes"] == 512 * MIB
    names = {"seen_urls", "hosts", "digests", "resident_edges", "pages_in_flight", "queued_urls", "robots"}
    assert names <= set(plan["fits"])
    assert all(count > 0 for count in plan["fits"].values())
    assert plan["rss_expected_bytes"] == plan["constants"]["baseline_rss_bytes"] + int(1.1 * 512 * MIB)
    assert sum(account["bytes"] for account in plan["accounts"].values()) + plan["slack_bytes"] == 512 * MIB


def test_processes_that_read_are_part_of_what_is_expected() -> None:
    """Each has a base of its own, which is told: in the sum where their number is given, else beside it."""
    alone, three = document("--set", "crawl.workers=1"), document("--set", "crawl.workers=3")
    each_bytes = alone["constants"]["worker_base_bytes"]
    assert three["rss_expected_bytes"] == alone["rss_expected_bytes"] + 2 * each_bytes
    assert "for each of 2 beside the crawl's process" in run("--set", "crawl.workers=3").output
    assert "for each process that a busy crawl starts" in run().output
    assert "process" not in run("--set", "crawl.workers=1").output.replace("process's", "").partition("RSS")[2]


def test_twice_the_budget_holds_twice_as_much() -> None:
    """What no setting caps grows with the budget."""
    small, large = document("--memory", "128MiB")["fits"], document("--memory", "256MiB")["fits"]
    for name in ("seen_urls", "digests", "resident_edges", "hosts"):
        assert large[name] == pytest.approx(2 * small[name], abs=2)


def test_without_a_question_the_default_budget_is_told() -> None:
    """No option at all plans for memory.budget, from the file, the environment and --set as for a crawl."""
    assert document()["budget_bytes"] == 256 * MIB
    assert document("--set", "memory.budget=64MiB")["budget_bytes"] == 64 * MIB


def test_so_many_urls_need_such_a_budget() -> None:
    """`--for-urls` answers with a budget that holds all keys, hosts and digests at the ratios that it states."""
    needed = document("--for-urls", "5M")
    assert needed["urls"] == 5_000_000
    fits = needed["fits"]
    assert fits["seen_urls"] >= 5_000_000
    assert fits["hosts"] >= 5_000
    assert fits["digests"] >= 1_000_000
    held = document("--memory", f"{needed['keys_budget_bytes'] // MIB}MiB")["fits"]["seen_urls"]
    assert held >= 5_000_000
    assert document("--memory", f"{needed['keys_budget_bytes'] // MIB - 2}MiB")["fits"]["seen_urls"] < 5_000_000


def test_a_cap_in_the_way_is_named() -> None:
    """Where a setting keeps out what has room, the setting and its value are told."""
    assert document("--for-urls", "50M")["settings"] == {"dedupe.max_digests": 10_000_000}
    assert "--set dedupe.max_digests=10000000" in run("--for-urls", "50M").stdout
    plan = document("--memory", "256MiB", "--set", "dedupe.max_digests=1000")
    assert plan["fits"]["digests"] == 1_000
    assert "dedupe.max_digests" in run("--set", "dedupe.max_digests=1000").stdout


def test_a_smaller_budget_has_its_price() -> None:
    """Less than is needed costs look-ups on disk, the more the less there is."""
    smaller = document("--for-urls", "50M")["smaller"]
    assert len(smaller) == 4
    costs = [figures["cold_lookups_per_page"] for figures in smaller]
    assert costs == sorted(costs)
    assert costs[0] == 0
    assert costs[-1] > 50


def test_both_questions_are_answered_together() -> None:
    """A budget and so many URLs: what it holds of them, and what would hold all."""
    plan = document("--memory", "256MiB", "--for-urls", "50M")
    assert plan["budget_bytes"] == 256 * MIB
    assert plan["for_urls"]["urls_in_ram"] == plan["fits"]["seen_urls"]
    assert plan["for_urls"]["needed_budget_bytes"] > plan["budget_bytes"]
    assert "of 50.0M URLs it holds" in run("--memory", "256MiB", "--for-urls", "50M").stdout


@pytest.mark.parametrize(
    "arguments", [(), ("--memory", "1GiB"), ("--for-urls", "50M"), ("--for-urls", "4G", "--memory", "1MiB")]
)
def test_the_table_fits_a_terminal(arguments: tuple[str, ...]) -> None:
    """Each account has its line; no line of the table is wider than 80 columns."""
    shown = run(*arguments).stdout
    table = shown[shown.index("account ") : shown.index("\n\ngraph")].splitlines()
    assert max(map(len, table)) <= 80
    tags = (
        "seen",
        "graph",
        "edge_health",
        "content",
        "frontier",
        "bodies",
        "database",
        "hosts",
        "robots",
        "events",
        "slack",
    )
    assert all(any(line.startswith(tag) for line in table) for tag in tags)


@pytest.mark.parametrize("count", ["many", "0", "-5", "1.5", "5G", "5MiB"])
def test_a_count_that_is_none_is_wrong_use(count: str) -> None:
    """A count that can't be read, or that no crawl can hold, exits 2 with an example."""
    result = run(f"--for-urls={count}")
    assert result.exit_code == 2
    assert "expected" in result.stderr


def test_a_budget_that_is_none_is_wrong_use() -> None:
    """A budget is refused as it is for a crawl."""
    assert run("--memory", "lots").exit_code == 2
    assert run("--memory", "1kB").exit_code == 2


def test_the_limit_of_the_group_caps_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a group of 256 MiB a budget of 1 GiB is not to be had, and the plan says so."""
    monkeypatch.setattr("weaver.cli.plan.group_limit_bytes", lambda: 256 * MIB)
    plan = document("--memory", "1GiB")
    assert plan["asked_budget_bytes"] == 1024 * MIB
    assert plan["budget_bytes"] == meter.capped_budget(1024 * MIB, 256 * MIB, plan["constants"]["baseline_rss_bytes"])
    assert "asked for was 1.0 GiB; the limit of this process's group, 256.0 MiB, caps it" in run("--memory=1GiB").stdout
    assert "caps a budget at" in run("--for-urls=50M").stdout


def test_a_small_budget_promises_no_rss_that_cannot_be_kept() -> None:
    """Below 64 MiB the plan says that working memory comes on top of the budget; from there on it does not."""
    assert "working memory" in run("--memory", "16MiB").output
    assert "working memory" not in run("--memory", "64MiB").output
