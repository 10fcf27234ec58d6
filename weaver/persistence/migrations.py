"""Migrations: one function for each schema version that brings a crawl to the next."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping

from weaver.base.errors import DirectoryError
from weaver.persistence.schema import EDGES_VIEW, FOR_RESUMING, LINK_BLOCKS, NEAR_DUPLICATES, SCHEMA_VERSION, URL_KEYS

Migration = Callable[[sqlite3.Connection], None]


def _from_1_to_2(connection: sqlite3.Connection) -> None:
    """Room for sealed blocks; the rows that are there are sealed when a crawl has the directory, as any others.

    And for near duplicates: only pages fetched from then on are compared. The keys of URLs move to a tree of their own.
    """
    connection.execute("DROP VIEW edges")
    connection.execute("ALTER TABLE links ADD COLUMN is_rewritten INTEGER NOT NULL DEFAULT 0")
    for sql in (LINK_BLOCKS, NEAR_DUPLICATES, URL_KEYS, FOR_RESUMING, EDGES_VIEW):
        _execute_all(connection, sql)
    connection.execute("INSERT INTO url_keys (key, id) SELECT key, id FROM urls ORDER BY key, id")
    connection.execute("DROP INDEX urls_key")
    connection.execute("ALTER TABLE urls DROP COLUMN key")


def _execute_all(connection: sqlite3.Connection, script: str) -> None:
    """The statements of a script, without a commit."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""


# From version n to n + 1. A function runs inside the transaction that also writes the new version; it uses
# `execute` only, since `executescript` commits.
MIGRATIONS: Mapping[int, Migration] = {1: _from_1_to_2}


def migrate(connection: sqlite3.Connection, migrations: Mapping[int, Migration] = MIGRATIONS) -> int:
    """Bring a crawl's tables to this weaver's version, all steps or none; the version found comes back.

    Raises DirectoryError where no way leads from the version found.
    """
    found = schema_version(connection)
    missing = [version for version in range(found, SCHEMA_VERSION) if version not in migrations]
    if missing:
        raise DirectoryError(f"the crawl is of version {found}; this weaver can't bring it to {SCHEMA_VERSION}")
    if found < SCHEMA_VERSION:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            for version in range(found, SCHEMA_VERSION):
                migrations[version](connection)
            write_version(connection)
    return found


def schema_version(connection: sqlite3.Connection) -> int:
    """The version of the tables as SQLite's header has it."""
    (row,) = connection.execute("PRAGMA user_version").fetchall()
    return int(row[0])


def write_version(connection: sqlite3.Connection) -> None:
    """Note this weaver's version, for SQLite's header and for people."""
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute(
        "INSERT OR REPLACE INTO meta (key, value) VALUES ('schema_version', ?)",
        (str(SCHEMA_VERSION),),
    )
