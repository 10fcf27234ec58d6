"""Report: how a crawl stands is told from disk alone, after a kill as well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.analysis.made_crawl import FRONT, GONE, NEXT, OTHER, PRIVATE, URLS, make_crawl
from weaver.analysis.report import crawl_report, disk_status, newest_events, stored_settings
from weaver.base.errors import DirectoryError
from weaver.persistence import CrawlDirectory


def test_a_finished_crawl_tells_how_it_ended(tmp_path: Path) -> None:
    """After its end the state is the exit reason of the newest run."""
    assert disk_status(make_crawl(tmp_path / "crawl", exit_reason="max_pages"))["state"] == "max_pages"


def test_a_killed_crawl_is_interrupted_and_counted_again(tmp_path: Path) -> None:
    """A run without an end and without a lock was killed: its counts come from the tables."""
    status = disk_status(make_crawl(tmp_path / "crawl", exit_reason=None))
    assert status["state"] == "interrupted"
    assert status["pages"] == {
        "fetched": 3, "new": 2, "duplicate": 1, "near_duplicates": 0, "redirect": 1, "failed": 1, "blocked_robots": 1,
        "skipped": {"nofollow": 1, "out_of_scope": 1},
    }  # fmt: skip
    assert status["urls"] == {"known": 9, "queued": 1, "in_flight": 0}
    assert status["hosts"] == 2


def test_a_locked_crawl_is_running(tmp_path: Path) -> None:
    """While a crawler holds the lock, the crawl is running, and asking takes no lock."""
    path = make_crawl(tmp_path / "crawl", exit_reason=None)
    directory = CrawlDirectory.open_existing(path)
    directory.lock()
    try:
        assert disk_status(path)["state"] == "running"
    finally:
        directory.unlock()


def test_the_report_counts_failures_and_copies(tmp_path: Path) -> None:
    """The report tells failures by reason, duplicates, and the hosts that were slow or failed."""
    report = crawl_report(make_crawl(tmp_path / "crawl"))
    assert report["failures"] == {"http_404": 1}
    assert report["clusters"] == {"pages": 1, "representatives": 1, "near_pages": 0, "near_clusters": 0}
    assert report["slowest_hosts"] == [{"origin": "http://a.test", "pages": 5, "failed": 1, "span_s": 5.0}]
    assert report["failing_hosts"] == report["slowest_hosts"]


def test_a_folder_without_a_crawl_is_told_as_such(tmp_path: Path) -> None:
    """Asking a folder that holds no crawl, or one that was never started, is wrong use."""
    with pytest.raises(DirectoryError):
        disk_status(tmp_path)
    CrawlDirectory.create(tmp_path / "new")
    with pytest.raises(DirectoryError):
        stored_settings(tmp_path / "new")


def test_the_newest_events_are_read_from_the_end_of_the_log(tmp_path: Path) -> None:
    """Only the end of the events log is read, and a torn line there is left out."""
    crawl = make_crawl(tmp_path / "crawl")
    assert newest_events(crawl, 2) == []
    lines = [json.dumps({"kind": "robots_unreachable", "at": float(number)}) for number in range(5_000)]
    (crawl / "events.jsonl").write_text("\n".join(lines) + '\n{"kind": "torn', encoding="utf-8")
    assert [event["at"] for event in newest_events(crawl, 2)] == [4998.0, 4999.0]


def events_of(crawl: Path, *kinds: str) -> None:
    """Write an events log with these kinds, oldest first."""
    lines = [json.dumps({"at": 1.0, "kind": kind, "error": "disk is full"}) for kind in kinds]
    (crawl / "events.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        (("run_started", "disk_failed", "run_ended"), "disk_failed"),
        (("disk_failed",), "disk_failed"),
        (("run_started", "disk_failed", "run_ended", "run_started"), "interrupted"),
        (("run_started",), "interrupted"),
    ],
)
def test_a_run_that_its_disk_ended_is_told_as_such(tmp_path: Path, kinds: tuple[str, ...], state: str) -> None:
    """A run without an entered end was killed, unless the events since its start say that the disk failed."""
    crawl = make_crawl(tmp_path / "crawl", exit_reason=None)
    events_of(crawl, *kinds)
    status = disk_status(crawl)
    assert status["state"] == state
    assert status.get("disk_error") == ("disk is full" if state == "disk_failed" else None)
    assert status["pages"]["fetched"] == 3


def test_a_run_that_ended_does_not_ask_the_events(tmp_path: Path) -> None:
    """A run whose end was entered in the tables ended so, whatever the log holds."""
    crawl = make_crawl(tmp_path / "crawl")
    events_of(crawl, "run_started", "disk_failed")
    assert disk_status(crawl)["state"] == "finished"


def test_the_report_names_seeds_that_led_to_nothing(tmp_path: Path) -> None:
    """Seeds that were refused, forbidden or failed are named with the reason; the others are not."""
    seeds = (URLS[FRONT], URLS[OTHER], URLS[PRIVATE], URLS[GONE], URLS[NEXT], "http://never.test/")
    report = crawl_report(make_crawl(tmp_path / "crawl", flags=[("crawl.seeds", seeds)]))
    assert report["fruitless_seeds"] == [
        {"url": URLS[OTHER], "state": "skipped", "reason": "out_of_scope"},
        {"url": URLS[PRIVATE], "state": "blocked_robots", "reason": "robots"},
        {"url": URLS[GONE], "state": "failed", "reason": "http_404"},
    ]
