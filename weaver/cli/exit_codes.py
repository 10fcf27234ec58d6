"""What weaver's exit codes mean to a script."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The code of a command; 4 is kept for a crawl that the memory governor or a full disk paused."""

    FINISHED = 0
    FAILED = 1
    USAGE = 2
    LIMIT = 3
    INTERRUPTED = 130


EXIT_CODES = {
    "finished": ExitCode.FINISHED,
    "max_pages": ExitCode.LIMIT,
    "max_duration": ExitCode.LIMIT,
    "drained": ExitCode.INTERRUPTED,
    "stopped": ExitCode.INTERRUPTED,
}
"""By the crawl's exit reason."""
