"""What a process beside the crawl's own has resident before its first page."""

from __future__ import annotations

from weaver.base.settings import Settings

# 67 MiB on Linux with Python 3.11, of which it shares some 25 with the crawl's process (benchmarks/workers.py).
WORKER_BASE_BYTES = 67 << 20


def asked_workers(settings: Settings) -> int | None:
    """The number of processes that the user wants in all; None where weaver may choose."""
    return None if settings.crawl.workers == "auto" else settings.crawl.workers


def base_bytes_of_workers(settings: Settings) -> int:
    """What the workers that the user wants will have resident before their first task."""
    return WORKER_BASE_BYTES * ((asked_workers(settings) or 1) - 1)
