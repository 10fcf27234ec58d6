"""The events log: `events.jsonl`, one line an event."""

from __future__ import annotations

from pathlib import Path

from weaver.base.events import Event
from weaver.persistence.rotated_log import KEPT_FILES, MAX_BYTES, RotatedLog

EVENTS_NAME = "events.jsonl"


class EventsLog(RotatedLog):
    """A listener for `Events` that writes each one at once. Raises PersistenceError, as every rotated log."""

    def __init__(self, directory: Path, max_bytes: int = MAX_BYTES, keep: int = KEPT_FILES) -> None:
        super().__init__(directory / EVENTS_NAME, max_bytes, keep)

    def write(self, event: Event) -> None:
        """Append one event."""
        self.append({"at": event.at, "kind": event.kind, **event.facts})
