"""The border to SQLite and the file system: its connection by our name, its errors become ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from weaver.base.errors import DirectoryError, PersistenceError

# What a query for `Writer.ask` is given; the layers above name it so and need not know SQLite.
Connection = sqlite3.Connection


@contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Map what fails while `doing` something on disk to PersistenceError."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise PersistenceError(f"{doing} failed: {error}") from error


@contextmanager
def directory_errors(doing: str) -> Iterator[None]:
    """Map what fails while a crawl directory is opened to DirectoryError."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise DirectoryError(f"can't {doing}: {error}") from error
