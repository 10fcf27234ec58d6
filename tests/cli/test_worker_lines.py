"""The line on the processes that read beside the crawl's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from weaver.cli.summary import summary
from weaver.cli.worker_lines import worker_line

MIB = 1 << 20
REPLACED = "1 ended and was replaced"


def status(state: str, *shares: float, lost: int = 0) -> dict[str, Any]:
    """A status with a process for each share of a core."""
    processes = [
        {"rss_bytes": (70 + index) * MIB, "cpu_s": 10.0 * share, "busy_share": share, "read": 1_000}
        for index, share in enumerate(shares)
    ]
    return {"state": state, "workers": {"lost": lost, "processes": processes}}


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ({}, []),
        (status("running"), []),
        (status("running", 0.5), ["1 process beside the crawl's: 50% of a core, RSS 70.0 MiB, 1,000 read"]),
        (
            status("running", 0.75, 0.5, lost=1),
            ["2 processes beside the crawl's: 50% to 75% of a core, RSS 70.0 MiB to 71.0 MiB, 2,000 read, " + REPLACED],
        ),
        (status("finished", 0.5), ["1 process beside the crawl's: CPU 5.0 s, RSS 70.0 MiB, 1,000 read"]),
        (status("running", lost=2), ["2 ended and were replaced"]),
    ],
)
def test_the_processes_are_told_in_a_line(document: dict[str, Any], line: list[str]) -> None:
    """How many, what each uses of a core, or used in all after the end, and what it has resident; none, no line."""
    assert list(worker_line(document)) == line


def test_the_summary_has_the_line_only_where_there_are_processes() -> None:
    """A crawl in one process says nothing of others."""
    assert "\nworkers     1 process beside" in summary(status("finished", 0.5), {}, Path("crawl"))
    assert "workers" not in summary(status("finished"), {}, Path("crawl"))
