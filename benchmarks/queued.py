"""What a URL that waits to be fetched takes, in RAM and on disk: JSON lines; importable by other benchmarks."""

from __future__ import annotations

import json
import tempfile
import tracemalloc
from pathlib import Path
from random import Random

from weaver.base.clock import ManualClock
from weaver.base.page import Task
from weaver.base.record import CommitRecord, QueueRow
from weaver.base.settings import FrontierSettings, PersistenceSettings
from weaver.frontier import Frontier
from weaver.memory import Budget
from weaver.persistence import CrawlDirectory
from weaver.persistence.statements import write_records

QUEUED = 500_000
HOSTS = 1_000
GROUP = 2_000
BUDGET = 256 << 20

Figures = dict[str, object]


class NeverAnswers:
    """A disk that refills nothing."""

    def ask_entries(self, host_id: int, after: tuple[int, int], limit: int) -> None:
        """Never answer."""

    def ask_hosts(self, after_host_id: int, limit: int) -> None:
        """Never answer."""


def queued_in_ram(queued: int = QUEUED) -> Figures:
    """Queue so many URLs of 60 characters within the default budget: beyond the window they cost nothing in RAM."""
    account = Budget(BUDGET).account("frontier")
    frontier = Frontier(FrontierSettings(), 1, account, NeverAnswers(), ManualClock(), float)
    tracemalloc.start()
    for number in range(1, queued + 1):
        url = f"http://www.host{number % HOSTS:04d}.example/a/folder/page-{number:010d}.html"
        frontier.push([Task(number, url, number % HOSTS + 1, 3)])
    traced = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return {
        "what": "queued URL in RAM",
        "queued": queued,
        "in_window": frontier.in_window,
        "bytes_per_url_in_window": round(traced / frontier.in_window, 1),
        "charged_bytes_per_url_in_window": round(frontier.bytes / frontier.in_window, 1),
        "bytes_per_queued_url": round(traced / queued, 1),
        "bytes_per_queued_url_at_10_million": round(traced / 1e7, 1),
    }


def queued_on_disk(queued: int = QUEUED) -> Figures:
    """Commit so many rows of the frontier in the groups of a crawl; what the file grew by. The text is in `urls`."""
    random = Random(1)
    with tempfile.TemporaryDirectory(prefix="queued-") as folder:
        directory = CrawlDirectory.create(Path(folder) / "crawl")
        connection = directory.connect(PersistenceSettings())
        before = _pages_bytes(connection)
        for start in range(1, queued + 1, GROUP):
            rows = tuple(
                QueueRow(int(random.random() ** 3 * HOSTS), random.randrange(2, 8), url_id)
                for url_id in range(start, min(start + GROUP, queued + 1))
            )
            connection.execute("BEGIN IMMEDIATE")
            write_records(connection, [CommitRecord(queued=rows)])
            connection.execute("COMMIT")
        grown = _pages_bytes(connection) - before
        connection.close()
    return {"what": "queued URL on disk", "queued": queued, "bytes_per_queued_url": round(grown / queued, 1)}


def _pages_bytes(connection: object) -> int:
    execute = connection.execute  # type: ignore[attr-defined]
    return int(execute("PRAGMA page_count").fetchone()[0] * execute("PRAGMA page_size").fetchone()[0])


if __name__ == "__main__":
    for question in (queued_in_ram, queued_on_disk):
        print(json.dumps(question()), flush=True)
