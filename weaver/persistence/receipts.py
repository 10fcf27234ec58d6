"""Receipts: one line a run in `receipts.jsonl`: what was asked, what came of it, and the graph's digest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weaver.persistence.border import disk_errors
from weaver.persistence.jsonl import append_synced, json_line, read_lines

RECEIPTS_NAME = "receipts.jsonl"


def append_receipt(directory: Path, receipt: Mapping[str, object]) -> None:
    """Add one run's line; it is on the disk when this returns. Raises PersistenceError.

    A receipt holds at least: version, settings_hash, counts, graph_digest, duration_s, exit_reason.
    """
    path = directory / RECEIPTS_NAME
    with disk_errors(f"writing {path}"):
        append_synced(path, json_line(receipt))


def read_receipts(directory: Path) -> list[dict[str, Any]]:
    """All receipts, oldest first; torn lines are left out. Raises PersistenceError."""
    path = directory / RECEIPTS_NAME
    with disk_errors(f"reading {path}"):
        return list(read_lines(path))
