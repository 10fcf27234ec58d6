"""RunLog: what each run leaves behind besides its pages: the status on disk, the settled end, the receipt."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import orjson

from weaver.base.clock import Clock
from weaver.base.errors import BlockDamaged, PersistenceError
from weaver.base.events import Events
from weaver.base.settings import Settings
from weaver.base.version import VERSION
from weaver.persistence import (
    Connection,
    CrawlDirectory,
    Sealer,
    append_receipt,
    end_run,
    graph_digest,
    settle_duplicates,
    settle_near_duplicates,
    start_run,
    write_meta,
)
from weaver.pipeline.engine import ExitReason
from weaver.pipeline.journal import Journal
from weaver.pipeline.status import StatusReport

HEARTBEAT_S = 1.0
# A digest reads every edge; beyond this many the end of a run would be held up for minutes.
DIGEST_MAX_EDGES = 20_000_000

_DIGESTED = frozenset({ExitReason.FINISHED, ExitReason.MAX_PAGES, ExitReason.MAX_DURATION})

Status = Callable[[], dict[str, object]]


class RunLog:
    """Writes a run's beginning, its heartbeat, and its end. All of it by the writer's thread, in order."""

    def __init__(
        self,
        directory: CrawlDirectory,
        journal: Journal,
        settings: Settings,
        report: StatusReport,
        clock: Clock,
        sealer: Sealer,
        events: Events,
    ) -> None:
        self._directory = directory
        self._journal = journal
        self._settings = settings
        self._report = report
        self._clock = clock
        self._sealer = sealer
        self._events = events
        self._run_id = 0

    async def begin(self) -> None:
        """Enter the run, with its settings, into the table of runs."""
        started_at = self._clock.wall()
        self._run_id = await self._journal.ask(
            lambda connection: start_run(connection, started_at, VERSION, self._storable_settings())
        )

    def _storable_settings(self) -> str:
        """The settings as JSON, without the user's own request headers: they may hold secrets, and are given again."""
        return self._settings.model_dump_json(exclude={"fetch": {"headers"}})

    @asynccontextmanager
    async def heartbeat(self, status: Status) -> AsyncIterator[None]:
        """Write the status about once a second while the block runs: `weaver status` reads it from disk."""
        beating = asyncio.create_task(self._beat(status))
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.wait([beating])
            error = None if beating.cancelled() else beating.exception()
            # A disk that failed has ended the crawl already, with its own error.
            if error is not None and not isinstance(error, PersistenceError):
                raise error

    async def _beat(self, status: Status) -> None:
        while True:
            await self._write_status(status)
            await asyncio.sleep(HEARTBEAT_S)

    async def _write_status(self, status: Status) -> None:
        text = orjson.dumps(status()).decode()
        await self._journal.ask(lambda connection: write_meta(connection, "status", text))

    async def finish(self, reason: ExitReason, status: Status) -> str:
        """Commit what is left, settle duplicates of both kinds, seal the links, digest the graph where the run came to
        an end of its own, and write the receipt; the digest, or an empty text where it was not taken."""
        await self._journal.flush()
        rule = self._settings.dedupe.representative
        await self._journal.ask(lambda connection: settle_duplicates(connection, rule))
        await self._journal.ask(lambda connection: settle_near_duplicates(connection, rule))
        await self._journal.ask(self._sealer.finish)
        digest = await self._digest(reason)
        counts = status()
        await self._journal.ask(lambda connection: self._end(connection, reason, counts))
        append_receipt(self._directory.path, self._receipt(reason, counts, digest))
        return digest

    async def _digest(self, reason: ExitReason) -> str:
        if reason not in _DIGESTED or self._report.edges > DIGEST_MAX_EDGES:
            return ""
        digest = await self._journal.ask(_digest_or_damage)
        if isinstance(digest, str):
            return digest
        self._events.emit("no_graph_digest", error=str(digest))
        return ""

    def _end(self, connection: Connection, reason: ExitReason, counts: dict[str, object]) -> None:
        text = orjson.dumps(counts).decode()
        write_meta(connection, "status", text)
        used = (self._report.cpu_s, self._report.wall_s)
        end_run(connection, self._run_id, self._clock.wall(), reason.value, *used, text)

    def _receipt(self, reason: ExitReason, counts: dict[str, object], digest: str) -> dict[str, object]:
        settings = orjson.dumps(self._settings.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        return {
            "run_id": self._run_id,
            "weaver_version": VERSION,
            "settings_hash": hashlib.sha256(settings).hexdigest(),
            "counts": {name: counts[name] for name in ("pages", "urls", "hosts", "graph")},
            "graph_digest": digest,
            "duration_s": round(self._report.wall_s, 3),
            "cpu_s": round(self._report.cpu_s, 3),
            "exit_reason": reason.value,
            "ended_at": self._clock.wall(),
        }


def _digest_or_damage(connection: Connection) -> str | BlockDamaged:
    """The digest, or what is damaged: an error would end the writer, and the run is not at its end yet."""
    try:
        return graph_digest(connection)
    except BlockDamaged as error:
        return error
