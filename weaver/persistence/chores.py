"""Chores: what the writer does wherever no commit is due, a step of one of them at a time."""

from __future__ import annotations

import sqlite3
from typing import Protocol


class Chore(Protocol):
    """Work on the database that waits until nothing else does; all of it on the writer's thread."""

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything."""
        ...

    def start(self, connection: sqlite3.Connection) -> None:
        """Take up what earlier runs left."""
        ...

    def added(self, rows: int) -> None:
        """So many rows of links were committed."""
        ...

    def step(self) -> None:
        """One short transaction."""
        ...


class Chores:
    """Several as one: the first that has work takes the step."""

    def __init__(self, *chores: Chore) -> None:
        self._chores = chores

    def __repr__(self) -> str:
        return f"Chores({', '.join(map(repr, self._chores))})"

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything."""
        return any(chore.has_work for chore in self._chores)

    def start(self, connection: sqlite3.Connection) -> None:
        """Take up what earlier runs left."""
        for chore in self._chores:
            chore.start(connection)

    def added(self, rows: int) -> None:
        """So many rows of links were committed."""
        for chore in self._chores:
            chore.added(rows)

    def step(self) -> None:
        """One step of the first that has work."""
        for chore in self._chores:
            if chore.has_work:
                chore.step()
                return
