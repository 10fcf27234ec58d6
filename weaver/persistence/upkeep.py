"""Upkeep: what a database is asked between commits: to give its memory back, and to fold its log into the one file."""

from __future__ import annotations

import sqlite3


def shrink_memory(connection: sqlite3.Connection) -> None:
    """Have a connection let its page cache go; on the thread that owns it."""
    connection.execute("PRAGMA shrink_memory")


def checkpoint_and_shrink(connection: sqlite3.Connection) -> None:
    """Fold as much of the log into the file as readers allow, waiting for none, then let the page cache go.

    On the writer's thread: all that was handed to it before is committed by then.
    """
    # fetchall ends the statement: an open one would hold the checkpoint's lock.
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    shrink_memory(connection)
