"""The memory history: `memory.jsonl`, one line a sample of what the crawl held, by account."""

from __future__ import annotations

from pathlib import Path

from weaver.persistence.rotated_log import KEPT_FILES, MAX_BYTES, RotatedLog

MEMORY_NAME = "memory.jsonl"


class MemoryLog(RotatedLog):
    """The crawl's memory over all its runs. Raises PersistenceError, as every rotated log."""

    def __init__(self, directory: Path, max_bytes: int = MAX_BYTES, keep: int = KEPT_FILES) -> None:
        super().__init__(directory / MEMORY_NAME, max_bytes, keep)
