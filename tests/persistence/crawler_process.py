"""A crawler for tests to kill: locks a directory and commits pages one after the other until it is killed."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.persistence.making import page_record, seed_record
from weaver.base.settings import PersistenceSettings
from weaver.persistence import CrawlDirectory, Writer

SETTINGS = PersistenceSettings(commit_interval=0.002, commit_pages=16, queue_pages=64)


def main(path: Path) -> None:
    """Say `locked`, then the number of records committed so far, a line a group."""
    committed = 0

    def on_commit(records: int) -> None:
        nonlocal committed
        committed += records
        _say(committed)

    directory = CrawlDirectory.open_existing(path)
    directory.lock()
    _say("locked")
    writer = Writer(directory.connect, SETTINGS, on_commit, _say)
    writer.start()
    writer.submit(seed_record())
    page_id = 1
    while True:
        if not writer.has_room:
            writer.flush().result()
        writer.submit(page_record(page_id))
        page_id += 1


def _say(word: object) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
