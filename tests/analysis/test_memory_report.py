"""The memory report: samples of all runs in order, whatever the files hold, in memory that does not grow with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.made_crawl import make_crawl
from tests.analysis.made_history import (
    AT,
    BASELINE,
    BUDGET,
    CLIMB,
    MIB,
    SEEN_LIMIT,
    lines,
    put_history,
    run_of,
    sample,
)
from weaver.analysis.heat import TOTAL, UNTRACKED, heat_map
from weaver.analysis.memory_report import MAX_SAMPLES, History, memory_report, read_history
from weaver.base.errors import DirectoryError


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    """A finished crawl without a history."""
    return make_crawl(tmp_path / "crawl")


def test_a_crawl_without_a_history_is_told_as_such(crawl: Path, tmp_path: Path) -> None:
    """Neither a missing directory nor one without samples has a report."""
    with pytest.raises(DirectoryError, match="this crawl has no memory history: expected samples in"):
        memory_report(crawl)
    with pytest.raises(DirectoryError):
        memory_report(tmp_path / "nowhere")


def test_the_report_tells_accounts_peaks_and_rungs(crawl: Path) -> None:
    """Each account has limit, use, high water, share and totals; peaks are those of the process and the samples."""
    put_history(crawl, *run_of(120))
    report = memory_report(crawl)
    seen = report["accounts"]["seen"]
    assert (seen["limit"], seen["used"], seen["high_water"], seen["share"]) == (SEEN_LIMIT, SEEN_LIMIT, SEEN_LIMIT, 1.0)
    assert (seen["charged"], seen["released"], seen["evicted"]) == (3 * SEEN_LIMIT, 2 * SEEN_LIMIT, 1_234)
    assert report["budget_bytes"] == BUDGET
    assert report["baseline_rss_bytes"] == BASELINE
    assert report["untracked_bytes"] == 4 * MIB
    assert report["peak_rss_bytes"] == 200 * MIB
    assert report["untracked_alarm_bytes"] == 32 * MIB
    assert [(rung["from"], rung["to"], rung["elapsed_s"]) for rung in report["rungs"]] == [
        ("calm", "evict", 60.0), ("evict", "calm", 70.0),
    ]  # fmt: skip
    assert report["rungs"][0]["reason"] == CLIMB["reason"]
    assert len(report["samples"]) == 25


def test_without_events_the_rungs_come_from_the_samples(crawl: Path) -> None:
    """An events log that is gone costs the reasons only."""
    put_history(crawl, *run_of(120))
    (crawl / "events.jsonl").unlink()
    assert [(rung["from"], rung["to"]) for rung in memory_report(crawl)["rungs"]] == [
        ("calm", "evict"), ("evict", "calm"),
    ]  # fmt: skip


def test_runs_follow_each_other_in_time_at_work(crawl: Path) -> None:
    """A resumed crawl's time goes on where the run before ended, however long the pause between them was."""
    put_history(crawl, *run_of(50), *run_of(20, began_at=AT + 86_400))
    report = memory_report(crawl)
    assert [(run["samples"], run["duration_s"]) for run in report["runs"]] == [(11, 50.0), (5, 20.0)]
    assert report["samples"][-1]["elapsed_s"] == 70.0
    assert report["samples"][-1]["run"] == 2


def test_runs_of_no_length_are_told_apart(crawl: Path) -> None:
    """Two runs that ended at once are two."""
    put_history(crawl, sample(0), sample(0, at=AT + 60))
    assert len(memory_report(crawl)["runs"]) == 2


def test_rotated_files_come_first(crawl: Path) -> None:
    """The history is read from its oldest file to its newest."""
    put_history(crawl, sample(20))
    for number, run_s in (("1", 10), ("2", 5)):
        (crawl / f"memory.jsonl.{number}").write_text(lines(sample(run_s)), encoding="utf-8")
    assert [found.elapsed_s for found in read_history(crawl).samples] == [5.0, 10.0, 20.0]


@pytest.mark.parametrize(
    "line", ['{"at": 1', "[]", "{}", '{"rss": "x", "accounts": {}}', '{"rss": 5, "accounts": 7}', '"\udcff"', "null"]
)
def test_a_line_that_is_no_sample_is_left_out(crawl: Path, line: str) -> None:
    """Torn and foreign lines change nothing."""
    put_history(crawl, *run_of(10))
    with (crawl / "memory.jsonl").open("ab") as stream:
        stream.write(line.encode("utf-8", "surrogateescape") + b"\n")
    assert memory_report(crawl)["samples_read"] == 3


@pytest.mark.slow
def test_a_long_history_is_thinned(crawl: Path) -> None:
    """At most MAX_SAMPLES are kept, the newest among them, and every change of rung and the peak of all is known."""
    samples = [sample(0.1 * index) for index in range(3 * MAX_SAMPLES)]
    samples[7_001] |= {"rung": "pause", "rss": 900 * MIB}
    put_history(crawl, *samples)
    history = read_history(crawl)
    assert len(history.samples) <= MAX_SAMPLES + 1
    assert history.read == 3 * MAX_SAMPLES
    assert history.samples[-1].elapsed_s == pytest.approx(0.1 * (3 * MAX_SAMPLES - 1))
    assert history.peak_rss == 900 * MIB


def test_a_killed_crawl_has_limits_by_its_shares(crawl: Path) -> None:
    """Where the status tells no limits, they are the budget's default split."""
    (crawl / "memory.jsonl").write_text(lines(*run_of(10)), encoding="utf-8")
    report = memory_report(crawl)
    assert 0 < report["accounts"]["seen"]["limit"] < BUDGET
    assert report["accounts"]["seen"]["high_water"] == report["accounts"]["seen"]["used"]


def test_the_heat_map_shows_the_fullest_moment_of_each_span(crawl: Path) -> None:
    """A cell is the highest share in its span; a span without a sample is as the one before it."""
    put_history(crawl, *run_of(120))
    heat = heat_map(memory_report(crawl), 12)
    rows = {row.label: row for row in heat.rows}
    assert list(rows) == ["seen", "graph", UNTRACKED, TOTAL]
    assert rows["graph"].shares[0] == pytest.approx(1 / 6)
    assert rows["seen"].shares[-1] == pytest.approx(1.0)
    assert rows[UNTRACKED].limit == 32 * MIB
    assert rows[TOTAL].shares[-1] == pytest.approx(0.94)
    assert heat.rungs.index("evict") == 6
    finer = heat_map(memory_report(crawl), 1_000)
    assert len(finer.rows[0].shares) == 1_000
    assert list(finer.rows[0].shares) == sorted(finer.rows[0].shares)


def test_a_heat_map_of_one_moment_has_cells(crawl: Path) -> None:
    """One sample at no time at all fills all cells alike."""
    put_history(crawl, sample(0))
    heat = heat_map(memory_report(crawl), 5)
    assert all(len(row.shares) == 5 for row in heat.rows)


values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3))
names = st.sampled_from(["at", "run_s", "pages", "rss", "baseline", "budget", "limit", "untracked", "rung"])


@given(st.lists(st.dictionaries(names, values), max_size=8), st.dictionaries(st.text(max_size=3), values, max_size=3))
def test_whatever_a_line_holds_the_report_stands(facts: list[dict[str, object]], accounts: dict[str, object]) -> None:
    """A line is a sample or is left out; time never goes back, and a map can be made of what is there."""
    history = History()
    for fact in facts:
        history.add({"rss": 1, "accounts": accounts, **fact})
    history.close()
    times = [found.elapsed_s for found in history.samples]
    assert times == sorted(times)
    assert sum(run["samples"] for run in history.runs) == history.read == len(history.samples)
