"""The events log: `events.jsonl`, one line an event, rotated so that it never outgrows its share of the disk."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from weaver.base.events import Event
from weaver.persistence.border import disk_errors
from weaver.persistence.jsonl import json_line, open_for_append, write_all

EVENTS_NAME = "events.jsonl"
MAX_BYTES = 8 << 20
KEPT_FILES = 3


class EventsLog:
    """A listener for `Events` that writes each one at once.

    At `max_bytes` the file becomes `events.jsonl.1`, older ones move up, and the one beyond `keep` goes. No
    line is split over two files. Raises PersistenceError: a crawl that can't tell what happened must stop.
    """

    def __init__(self, directory: Path, max_bytes: int = MAX_BYTES, keep: int = KEPT_FILES) -> None:
        self._path = directory / EVENTS_NAME
        self._max_bytes = max_bytes
        self._keep = keep
        with disk_errors(f"opening {self._path}"):
            self._stream = open_for_append(self._path)
            self._size_bytes = self._path.stat().st_size

    def __repr__(self) -> str:
        return f"EventsLog({self._path}, {self._size_bytes} of {self._max_bytes} B)"

    def write(self, event: Event) -> None:
        """Append one event."""
        line = json_line({"at": event.at, "kind": event.kind, **event.facts})
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
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))
        return open_for_append(self._path)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
