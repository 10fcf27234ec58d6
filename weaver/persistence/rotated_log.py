"""A rotated log: a file of JSON lines that never outgrows its share of the disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from weaver.persistence.border import disk_errors
from weaver.persistence.jsonl import json_line, open_for_append, write_all

MAX_BYTES = 8 << 20
KEPT_FILES = 3


class RotatedLog:
    """Writes each line at once.

    At `max_bytes` the file becomes `NAME.1`, older ones move up, and the one beyond `keep` goes. No line is split over
    two files. Raises PersistenceError: a crawl that can't tell what happened must stop.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES, keep: int = KEPT_FILES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        with disk_errors(f"opening {self._path}"):
            self._stream = open_for_append(self._path)
            self._size_bytes = self._path.stat().st_size

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._path}, {self._size_bytes} of {self._max_bytes} B)"

    def append(self, facts: Mapping[str, object]) -> None:
        """Append one line."""
        line = json_line(facts)
        with disk_errors(f"writing {self._path}"):
            if self._size_bytes and self._size_bytes + len(line) > self._max_bytes:
                self._stream = self._rotated()
                self._size_bytes = 0
            write_all(self._stream, line)
            self._size_bytes += len(line)

    def close(self) -> None:
        """End the log; may be called again."""
        self._stream.close()

    def _rotated(self) -> BinaryIO:
        self._stream.close()
        for number in range(self._keep - 1, 0, -1):
            older = numbered(self._path, number)
            if older.exists():
                older.replace(numbered(self._path, number + 1))
        self._path.replace(numbered(self._path, 1))
        return open_for_append(self._path)


def parts(path: Path, keep: int = KEPT_FILES) -> list[Path]:
    """The files that a log has been rotated into, and the log itself, oldest lines first; only those that are there."""
    files = [*(numbered(path, number) for number in range(keep, 0, -1)), path]
    return [file for file in files if file.exists()]


def numbered(path: Path, number: int) -> Path:
    """The name of the `number`-th older file."""
    return path.with_name(f"{path.name}.{number}")
