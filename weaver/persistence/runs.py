"""Runs: the row that each start of the crawl leaves in `runs`, for `Writer.ask`."""

from __future__ import annotations

import sqlite3


def start_run(connection: sqlite3.Connection, started_at: float, weaver_version: str, settings: str) -> int:
    """Note that a run begins (wall-clock seconds; `settings` is JSON); its id comes back."""
    cursor = connection.execute(
        "INSERT INTO runs (started_at, weaver_version, settings) VALUES (?, ?, ?)",
        (started_at, weaver_version, settings),
    )
    return int(cursor.lastrowid or 0)


def end_run(
    connection: sqlite3.Connection,
    run_id: int,
    ended_at: float,
    exit_reason: str,
    cpu_s: float,
    wall_s: float,
    counts: str,
) -> None:
    """Note how a run ended (`counts` is JSON). A run that was killed keeps an empty `ended_at`."""
    connection.execute(
        "UPDATE runs SET ended_at = ?, exit_reason = ?, cpu_s = ?, wall_s = ?, counts = ? WHERE id = ?",
        (ended_at, exit_reason, cpu_s, wall_s, counts, run_id),
    )
