"""Progress and summary: right figures, readable, whatever strangers put into them."""

from __future__ import annotations

import io
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from weaver.base.events import Event
from weaver.base.settings import CrawlSettings
from weaver.base.sources import load_settings
from weaver.cli.figures import Pace, left_s, share_done
from weaver.cli.live import LiveProgress, live_view
from weaver.cli.progress import LineProgress, NoProgress, Progress, event_line, page_line, progress_line
from weaver.cli.summary import STATES, summary

STATUS = {
    "state": "running",
    "pages": {
        "fetched": 120, "new": 100, "duplicate": 20, "redirect": 3, "failed": 5, "blocked_robots": 2,
        "skipped": {"out_of_scope": 7, "too_deep": 1},
    },
    "urls": {"known": 400, "queued": 250, "in_flight": 4},
    "hosts": 12,
    "graph": {"nodes": 400, "edges": 3000, "resident_nodes": 400, "resident_edges": 3000, "resident_bytes": 30_000},
    "memory": {
        "budget_bytes": 256 << 20, "rss_bytes": 100 << 20,
        "accounts": {"seen": {"used": 95, "limit": 100, "high_water": 95, "evicted": 3},
                     "graph": {"used": 10, "limit": 100, "high_water": 10, "evicted": 0}},
    },
    "cpu_s": 1.2,
    "wall_s": 60.0,
}  # fmt: skip
HOSTILE = Event("robots_unreachable", 1_700_000_000.0, {"url": "http://a.test/\x1b[2J[bold]x[/bold]\u202e"})


def limits(**values: object) -> CrawlSettings:
    """The crawl's settings with these limits."""
    return load_settings(flags=[(f"crawl.{name}", value) for name, value in values.items()]).crawl


def test_the_pace_is_that_of_the_last_seconds() -> None:
    """Pages per second are counted over a window, so that an old burst is forgotten."""
    pace = Pace()
    pace.add(0.0, 0)
    assert pace.per_second == 0.0
    pace.add(1.0, 1000)
    assert pace.per_second == 1000.0
    for second in range(2, 30):
        pace.add(float(second), 1000 + 10 * second)
    assert pace.per_second == pytest.approx(10.0)


def test_the_time_left_is_known_only_with_a_limit() -> None:
    """An ETA is told to the nearest limit, and never guessed without one."""
    assert left_s(STATUS, limits(), 2.0) is None
    assert left_s(STATUS, limits(max_pages=220), 2.0) == 50.0
    assert left_s(STATUS, limits(max_pages=220, max_duration=70), 2.0) == 10.0
    assert left_s(STATUS, limits(max_pages=220), 0.0) is None
    assert share_done(STATUS, limits(max_pages=240)) == 0.5
    assert share_done(STATUS, limits()) is None


def test_a_progress_line_tells_the_figures() -> None:
    """The plain line holds pages, pace, queue, hosts, duplicates, failures, RSS and the time left."""
    line = progress_line(STATUS, limits(max_pages=220), 2.0)
    assert line == ("120 pages, 2.0/s, 250 queued, 12 hosts, 20 duplicates, 5 failed, RSS 100.0 MiB, 50.0 s left")
    near = {**STATUS, "pages": {**STATUS["pages"], "near_duplicates": 4}}
    assert "20 duplicates and 4 near, " in progress_line(near, limits(), 2.0)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_live_view_shows_all_and_stays_in_frame(columns: int) -> None:
    """The live view fits the terminal, shows each account, and no stranger's text drives it."""
    console = Console(file=io.StringIO(), width=columns, force_terminal=False)
    console.print(live_view("http://a.test/", STATUS, [HOSTILE] * 9, limits(max_pages=220), 2.0, columns))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, shown.splitlines())) <= columns
    assert "\x1b" not in shown
    assert shown.count("robots_unr") == 6
    if columns > 40:
        assert all(text in shown for text in ("seen", "graph", "250 waiting", "[bold]", "limit"))


def full_status() -> dict[str, object]:
    """A status with all accounts full, the governor at work, and figures of many digits."""
    tags = ("seen", "graph", "content", "frontier", "bodies", "database", "hosts", "robots", "events")
    account = {"used": 1 << 30, "limit": 1 << 30, "high_water": 1 << 30, "evicted": 1_234_567}
    memory = {
        "budget_bytes": 1 << 30, "asked_budget_bytes": 2 << 30, "limit_bytes": 2 << 30, "rss_bytes": 1 << 30,
        "peak_rss_bytes": 1 << 30, "baseline_rss_bytes": 70 << 20, "untracked_bytes": 20 << 20, "rung": "shrink",
        "time_to_limit_s": 500.0, "accounts": dict.fromkeys(tags, account),
        "stores": {"seen": {"evicted": 1_234_567, "reseen": 12_345}, "dns": {"evicted": 9, "reseen": 8}},
    }  # fmt: skip
    return {**STATUS, "memory": memory}


def test_the_live_view_keeps_to_24_rows_of_80() -> None:
    """With every account in use, a limit and many events, a frame has less than 24 rows, and nothing is cut."""
    rung = Event(
        "memory_rung", 1_700_000_000.0, {"from": "slow", "to": "shrink", "reason": "RSS at 1.03 of the budget"}
    )
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    console.print(live_view("http://a.test/", full_status(), [rung] * 9, limits(max_pages=220), 2.0, 80, 24))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    shown = "\n".join(lines)
    assert "rung shrink: RSS at 1.03 of the budget, 8m 20s to the limit" in shown
    assert "untracked 20.0 MiB" in shown
    assert "1024.0 of 1024.0 MiB high 1024.0 1.23M evicted, 12.3k re-seen" in shown
    assert "newest events" in shown


def test_a_low_terminal_shows_no_events() -> None:
    """Where there is no room for events, the figures stay."""
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    console.print(live_view("http://a.test/", full_status(), [HOSTILE], limits(), 2.0, 80, 10))
    assert "newest events" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_the_summary_tells_memory_by_account() -> None:
    """The summary tells process, rung, a capped budget, each account, and what came back after its eviction."""
    event = {"kind": "memory_rung", "at": 1.0, "to": "shrink", "reason": "RSS at 1.03 of the budget"}
    text = summary(full_status(), {"events": [event]}, Path("crawl"))
    assert "baseline 70.0 MiB), accounts 9.0 GiB of 1.0 GiB, untracked 20.0 MiB" in text
    assert "rung shrink: RSS at 1.03 of the budget, 8m 20s to the limit" in text
    assert "the budget is 1.0 GiB, not 2.0 GiB: the process's group may have 2.0 GiB" in text
    assert "accounts    seen        1.0 GiB of 1.0 GiB, at most 1.0 GiB; 1.23M evicted, 12.3k re-seen" in text
    assert "met again after they were evicted: dns 8 of 9" in text


def test_a_crawl_that_ended_heads_for_no_limit() -> None:
    """After the end neither a time to the limit nor a rung is told, unless its reason is news."""
    ended = {**full_status(), "state": "finished"}
    assert "to the limit" not in summary(ended, {}, Path("crawl"))
    assert "rung " not in summary(ended, {}, Path("crawl"))
    event = {"kind": "memory_rung", "at": 1.0, "to": "shrink", "reason": "RSS at 1.03 of the budget"}
    assert "rung shrink: RSS at 1.03" in summary(ended, {"events": [event]}, Path("crawl"))


def test_the_live_view_opens_and_closes(capsys: pytest.CaptureFixture[str]) -> None:
    """The live view draws only when told to, and leaves nothing but its notes."""
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    progress = LiveProgress("http://a.test/", limits(), console)
    progress.open()
    progress.tick(STATUS, [])
    progress.note("done [bold]")
    progress.close()
    assert "done [bold]" in console.file.getvalue()  # type: ignore[attr-defined]


def test_quiet_tells_nothing_but_notes(capsys: pytest.CaptureFixture[str]) -> None:
    """With -q a crawl is silent, but for what the user must know."""
    progress = NoProgress()
    progress.open()
    progress.tick(STATUS, [HOSTILE])
    progress.note("stopping")
    progress.close()
    assert capsys.readouterr() == ("", "weaver: stopping\n")


def test_lines_come_seldom(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal no line is printed before its time."""
    progress = LineProgress(limits())
    progress.open()
    for _ in range(5):
        progress.tick(STATUS, [])
    progress.close()
    assert capsys.readouterr().err == ""


def test_a_silent_start_is_explained(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing was fetched, a line tells the newest event with its reason; later it tells figures alone."""
    started = Event("run_started", 1_700_000_000.0, {"seeds": ["http://a.test/"]})
    facts: dict[str, object] = {"origin": "http://a.test", "tries": 2, "why": "connect_refused"}
    events = [started, Event("robots_unreachable", 1_700_000_001.0, facts)]
    monkeypatch.setattr("weaver.cli.progress.LINE_INTERVAL_S", 0.0)
    progress = LineProgress(limits())
    progress.open()
    progress.tick({"state": "running"}, [started])
    progress.tick({"state": "running"}, events)
    progress.tick(STATUS, events)
    first, second, third = capsys.readouterr().err.splitlines()
    assert "newest" not in first
    assert "robots_unreachable origin=http://a.test tries=2 of 5 why=connect_refused" in second
    assert "newest" not in third


@pytest.mark.parametrize("progress", [NoProgress(), LineProgress(limits())])
def test_a_closed_stderr_does_not_end_a_crawl(progress: Progress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may read the progress any more; what is crawled goes elsewhere."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8", buffering=1) as stream:
        monkeypatch.setattr("sys.stderr", stream)
        progress.note("stopping")
        monkeypatch.undo()
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def test_event_and_page_lines_are_printable() -> None:
    """An event's and a page's line hold no character that could drive a terminal."""
    page = SimpleNamespace(status=200, state="fetched", depth=1, url="http://a.test/", reason="\x1b", duplicate_of="")
    assert "\\x1b[2J" in event_line(HOSTILE)
    assert "\x1b" not in event_line(HOSTILE) + page_line(page)


@pytest.mark.parametrize("state", STATES)
def test_the_summary_says_what_to_type_next(state: str) -> None:
    """A crawl that can go on names `weaver resume`, one that is done does not."""
    report = {
        "failures": {"http_404": 4, "timeout": 1},
        "clusters": {"pages": 20, "representatives": 6},
        "slowest_hosts": [{"origin": "http://a.test", "pages": 5, "failed": 1, "span_s": 8.0}],
        "failing_hosts": [{"origin": "http://a.test", "pages": 5, "failed": 1, "span_s": 8.0}],
    }
    text = summary(STATUS | {"state": state}, report, Path("crawl-a b"))
    assert ("weaver resume 'crawl-a b'" in text) == (state not in {"running", "finished"})
    for part in (
        "120 fetched",
        "4 http 404, 1 timeout",
        "20 pages are copies of 6",
        "one each 2.00 s",
        "10.00 ms a page",
    ):
        assert part in text


def test_the_summary_of_nothing_is_still_a_summary() -> None:
    """A crawl that was killed before its first heartbeat has a summary too."""
    assert "0 fetched" in summary({"state": "interrupted"}, {}, Path("crawl-a"))


def test_the_summary_shows_events_and_what_to_do() -> None:
    """A crawl that was kept from a private address says so, and names the flag; its text drives no terminal."""
    event = {"kind": "robots_unreachable", "at": 1.0, "origin": "http://127.0.0.1\x1b[2J", "why": "blocked_private"}
    text = summary(STATUS, {"events": [event], "blocked": {"robots_unreachable": 1}}, Path("crawl-a"))
    assert "--allow-private" in text
    assert "1 robots unreachable" in text
    assert "\x1b" not in text
    assert "--allow-private" not in summary(STATUS, {}, Path("crawl-a"))


def test_the_summary_names_seeds_that_led_to_nothing() -> None:
    """Seeds that were refused or failed are named with the reason; without one page the crawl is not called done."""
    seeds = [
        {"url": "http://a.test/\u202e", "state": "skipped", "reason": "excluded"},
        {"url": "http://b.test/", "state": "failed", "reason": "dns_failed"},
    ]
    text = summary({"state": "finished"}, {"fruitless_seeds": seeds}, Path("c"))
    assert "c: finished without one page" in text
    assert "http://a.test/\\u202e was left out: excluded (scope.exclude)" in text
    assert "http://b.test/ failed: dns failed" in text
    assert "every URL in scope has an outcome" in summary(
        STATUS | {"state": "finished"}, {"fruitless_seeds": seeds}, Path("c")
    )


def test_the_summary_tells_a_failing_disk() -> None:
    """A crawl that its disk ended says so, with the disk's own word."""
    text = summary({"state": "disk_failed", "disk_error": "database or disk is full"}, {}, Path("c"))
    assert "the disk failed" in text
    assert "(database or disk is full)" in text
    assert "weaver resume c" in text
