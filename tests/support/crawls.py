"""Crawls as the end-to-end tests run and read them: the library or the command, then plain SQL on what it left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import sqlite3
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import weaver
from weaver.base.page import EdgeKind
from weaver.base.record import MAX_NODE_ID
from weaver.base.sources import settings_from
from weaver.persistence.link_windows import LinkWindows

ROOT = Path(__file__).resolve().parents[2]

# A crawl of one's own loopback server: no pause between requests, several at once, URLs as they are written.
LOOPBACK: dict[str, dict[str, Any]] = {
    "crawl": {"concurrency": 16},
    "url": {"drop_parameters": ()},
    "politeness": {"delay": 0, "per_host": 16},
    "fetch": {"allow_private": True},
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a crawl in this process ended."""

    reason: str
    digest: str
    status: dict[str, Any]


def loopback_settings(seeds: Sequence[str], **sections: dict[str, Any]) -> weaver.Settings:
    """Settings for servers on loopback, with single values set otherwise by section."""
    tree = {name: {**LOOPBACK.get(name, {}), **sections.get(name, {})} for name in {*LOOPBACK, *sections}}
    tree["crawl"]["seeds"] = tuple(seeds)
    return settings_from(tree)


async def crawl(settings: weaver.Settings, directory: Path, *, resume: bool = False) -> Ended:
    """Run one crawl to its end in this process."""
    async with weaver.open_crawl(settings, directory, resume=resume) as running:
        reason = await running.run_to_end()
        return Ended(str(reason), running.graph_digest or "", running.status())


@contextlib.asynccontextmanager
async def command(
    *arguments: str, file_bytes: int = resource.RLIM_INFINITY
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`weaver ARGUMENTS` as a process of its own, killed at the end of the block where it still runs.

    None of its files may grow beyond `file_bytes`, as on a disk that is full.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "weaver", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip
    try:
        if file_bytes != resource.RLIM_INFINITY:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def run_command(*arguments: str) -> dict[str, Any]:
    """Run `weaver ARGUMENTS` to its end, which must be a good one, and read the document that it prints."""
    async with command(*arguments) as process:
        output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    document: dict[str, Any] = json.loads(output)
    return document


class Left:
    """What a crawl left in its directory, by URL texts, so that two crawls can be compared."""

    def __init__(self, directory: Path) -> None:
        # immutable is not set: after a kill the write-ahead log belongs to the database.
        with contextlib.closing(sqlite3.connect(f"file:{directory / 'crawl.db'}?mode=ro", uri=True)) as connection:
            self.integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
            self.urls: dict[int, str] = dict(connection.execute("SELECT id, url FROM urls"))
            self.states: dict[str, str] = dict(connection.execute("SELECT url, state FROM pages JOIN urls USING (id)"))
            self.pages = set(
                connection.execute(
                    "SELECT url, state, http_status, content_type, body_bytes, body_digest, text_digest, title,"
                    " (SELECT other.url FROM urls AS other WHERE other.id = duplicate_of), pages.reason"
                    " FROM pages JOIN urls USING (id)"
                )
            )
            self.queued = connection.execute("SELECT count(*) FROM frontier").fetchone()[0]
            self._links = [row for window in LinkWindows(connection, MAX_NODE_ID) for row in window.rows()]

    def visited(self, *states: str) -> set[str]:
        """The URLs of all pages in one of these states."""
        return {url for url, state in self.states.items() if state in states}

    def edges(self, *kinds: EdgeKind) -> set[tuple[str, str]]:
        """All (source URL, target URL) of these kinds; of every kind where none is named."""
        wanted = set(kinds or EdgeKind)
        return {
            (self.urls[source], self.urls[int(target)])
            for source, columns in self._links
            for target, kind in zip(*columns, strict=True)
            if EdgeKind(int(kind)) in wanted
        }

    def edges_by_kind(self) -> dict[EdgeKind, set[tuple[str, str]]]:
        """All edges, kind by kind."""
        return {kind: self.edges(kind) for kind in EdgeKind}
