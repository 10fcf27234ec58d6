"""What a crawl writes beside its database: receipts, events, and the table of runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.persistence.making import made
from weaver.base.clock import ManualClock
from weaver.base.errors import PersistenceError
from weaver.base.events import Event, Events
from weaver.persistence import EventsLog, append_receipt, end_run, read_receipts, start_run


def _numbers(path: Path) -> list[int]:
    return [json.loads(line)["number"] for line in path.read_text().splitlines()]


def test_each_run_adds_one_receipt(tmp_path: Path) -> None:
    """Receipts are lines of JSON, oldest first; before the first run there are none."""
    assert read_receipts(tmp_path) == []
    for run in (1, 2):
        append_receipt(tmp_path, {"run_id": run, "exit_reason": "finished", "counts": {"pages": 7}})
    assert [receipt["run_id"] for receipt in read_receipts(tmp_path)] == [1, 2]
    assert (tmp_path / "receipts.jsonl").read_bytes().count(b"\n") == 2


@pytest.mark.parametrize("torn", [b'{"run_id": 2, "exit', b"\xff\xfe", b"[1]", b"\x00\x00"])
def test_a_torn_line_spoils_no_other(tmp_path: Path, torn: bytes) -> None:
    """A line that a crash cut short is left out, and the next receipt begins on a line of its own."""
    append_receipt(tmp_path, {"run_id": 1})
    with (tmp_path / "receipts.jsonl").open("ab") as stream:
        stream.write(torn)
    append_receipt(tmp_path, {"run_id": 3})
    assert [receipt["run_id"] for receipt in read_receipts(tmp_path)] == [1, 3]


def test_a_receipt_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A missing folder, like a full disk, is weaver's own error."""
    with pytest.raises(PersistenceError, match=r"receipts\.jsonl"):
        append_receipt(tmp_path / "nowhere", {"run_id": 1})


def test_events_are_written_as_they_happen(tmp_path: Path) -> None:
    """Each event is a line on the disk as soon as it was emitted, whatever its facts hold."""
    log = EventsLog(tmp_path)
    events = Events(ManualClock())
    events.listen(log.write)
    events.emit("robots_failed", host="h", path=tmp_path, odd="\ud800")
    (line,) = (tmp_path / "events.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "at": 1_700_000_000.0, "kind": "robots_failed", "host": "h", "path": str(tmp_path), "odd": "?",
    }  # fmt: skip
    log.close()
    log.close()


def test_the_events_log_never_outgrows_its_share(tmp_path: Path) -> None:
    """At its size the file moves up, whole lines only; the newest stay, the oldest go."""
    log = EventsLog(tmp_path, max_bytes=200, keep=2)
    for number in range(30):
        log.write(Event("tick", 0.0, {"number": number}))
    log.close()
    files = [tmp_path / f"events.jsonl{suffix}" for suffix in (".2", ".1", "")]
    kept = [number for path in files for number in _numbers(path)]
    assert kept == list(range(kept[0], 30))
    assert all(0 < path.stat().st_size <= 200 for path in files)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in files)


def test_a_resumed_events_log_goes_on_where_it_was(tmp_path: Path) -> None:
    """The size counts over runs, and a line torn by a kill is ended before the next one."""
    first = EventsLog(tmp_path, max_bytes=90)
    first.write(Event("tick", 0.0, {"number": 1}))
    first.close()
    with (tmp_path / "events.jsonl").open("ab") as stream:
        stream.write(b'{"at": 0.0, "ki')
    second = EventsLog(tmp_path, max_bytes=90)
    second.write(Event("tick", 0.0, {"number": 2}))
    second.write(Event("tick", 0.0, {"number": 3}))
    second.close()
    lines = [(tmp_path / name).read_text().splitlines() for name in ("events.jsonl.1", "events.jsonl")]
    assert [line[-12:] for line in lines[0]] == ['"number": 1}', 't": 0.0, "ki']
    assert [line[-12:] for line in lines[1]] == ['"number": 2}', '"number": 3}']


def test_each_start_is_a_row_of_runs(tmp_path: Path) -> None:
    """A run is noted when it begins, and its end when it ends; a killed one keeps an empty end."""
    _, connection = made(tmp_path)
    first = start_run(connection, 5.0, "0.1.0", "{}")
    second = start_run(connection, 9.0, "0.1.0", "{}")
    end_run(connection, second, 12.0, "finished", 1.5, 3.0, '{"pages": 1}')
    assert (first, second) == (1, 2)
    rows = connection.execute(
        "SELECT id, started_at, ended_at, exit_reason, cpu_s, wall_s, counts FROM runs"
    ).fetchall()
    assert rows == [(1, 5.0, None, "", 0.0, 0.0, "{}"), (2, 9.0, 12.0, "finished", 1.5, 3.0, '{"pages": 1}')]
    connection.close()
