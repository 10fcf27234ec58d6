"""How a crawl stands, read from its directory: while it runs, after its end, and after a kill."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from weaver.analysis.directory import is_at_work, open_reader
from weaver.analysis.tables import state_of
from weaver.base.errors import DirectoryError
from weaver.base.page import PageState
from weaver.base.settings import Settings
from weaver.base.sources import settings_from
from weaver.base.url import Canonicalizer, url_key
from weaver.persistence.crawl_rows import HostPace, Run
from weaver.persistence.events_log import EVENTS_NAME
from weaver.persistence.reader import CrawlReader

HOSTS_SHOWN = 3
EVENTS_SHOWN = 5
EVENTS_TAIL_BYTES = 64 << 10
SEEDS_SHOWN = 10
INTERRUPTED = "interrupted"
RUNNING = "running"
DISK_FAILED = "disk_failed"
RUN_STARTED = "run_started"
# A seed in one of these states led to nothing.
_FRUITLESS = frozenset({PageState.SKIPPED, PageState.BLOCKED, PageState.FAILED})

Document = dict[str, Any]


def disk_status(directory: Path) -> Document:
    """The status document of a crawl: its last heartbeat, counted again from the tables where the run was killed."""
    with open_reader(directory) as reader:
        run = reader.last_run()
        state = _state(run, directory)
        document: Document = json.loads(reader.meta("status") or "{}")
        failure = ""
        if state == INTERRUPTED:
            document = _recounted(reader, document)
            failure = disk_failure(directory)
    times: Document = {"started_at": run.started_at, "ended_at": run.ended_at} if run else {}
    if failure:
        state, times["disk_error"] = DISK_FAILED, failure
    return document | times | {"state": state, "directory": str(directory)}


def stored_settings(directory: Path) -> Mapping[str, Any]:
    """The settings of the newest run, as a mapping. Raises DirectoryError where there was none."""
    with open_reader(directory) as reader:
        run = reader.last_run()
    if run is None:
        raise DirectoryError(f"{directory} holds a crawl that was never started: no settings to go on with")
    settings: Mapping[str, Any] = json.loads(run.settings)
    return settings


def crawl_report(directory: Path) -> Document:
    """What the tables tell beyond the status: failures by reason, duplicates, the slowest and the failing hosts."""
    with open_reader(directory) as reader:
        failures = reader.reasons(PageState.FAILED)
        return {
            "failures": failures,
            "blocked": reader.reasons(PageState.BLOCKED),
            "clusters": reader.cluster_totals(),
            "slowest_hosts": [_pace(host) for host in reader.paces(HOSTS_SHOWN)],
            "failing_hosts": [_pace(host) for host in reader.failing(HOSTS_SHOWN)] if failures else [],
            "events": newest_events(directory, EVENTS_SHOWN),
            "fruitless_seeds": _fruitless_seeds(reader),
        }


def disk_failure(directory: Path) -> str:
    """What the newest run said of its disk before it ended without being entered as ended; empty where nothing."""
    failure = ""
    for event in newest_events(directory):
        if event.get("kind") == RUN_STARTED:
            failure = ""
        elif event.get("kind") == DISK_FAILED:
            failure = str(event.get("error") or "no further word")
    return failure


def _fruitless_seeds(reader: CrawlReader) -> list[Document]:
    """The seeds that led to nothing, each with its state and the reason, at most SEEDS_SHOWN."""
    run = reader.last_run()
    settings = settings_from(json.loads(run.settings)) if run else Settings()
    canonical = Canonicalizer(settings.url).canonical
    key_seed = int(reader.meta("crawl_seed") or 0)
    urls = dict.fromkeys(filter(None, map(canonical, settings.crawl.seeds)))
    ids = (reader.id_of(url_key(url, key_seed), url) for url in urls)
    known = (seed for seed in map(reader.known_url, ids) if seed is not None and state_of(seed) in _FRUITLESS)
    return [
        {"url": seed.url, "state": state_of(seed), "reason": seed.reason or seed.refusal}
        for seed in islice(known, SEEDS_SHOWN)
    ]


def newest_events(directory: Path, limit: int = EVENTS_TAIL_BYTES) -> list[Document]:
    """The newest lines of the events log, oldest first, at most `limit` and EVENTS_TAIL_BYTES; torn lines left out."""
    try:
        with (directory / EVENTS_NAME).open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - EVENTS_TAIL_BYTES))
            lines = stream.read(EVENTS_TAIL_BYTES).splitlines()
    except OSError:
        return []
    parsed = (_parsed(line) for line in lines[-limit - 1 :])
    return [event for event in parsed if event is not None][-limit:]


def _parsed(line: bytes) -> Document | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _state(run: Run | None, directory: Path) -> str:
    """1. at work 2. ended, and how 3. begun and never ended: it was killed."""
    if is_at_work(directory):
        return RUNNING
    if run is None or run.ended_at is None:
        return INTERRUPTED
    return run.exit_reason


def _recounted(reader: CrawlReader, document: Document) -> Document:
    """The document with its counts as committed: the last heartbeat is up to a second older."""
    states, totals = reader.pages_by_state(), reader.totals()
    new, duplicate = states.get(PageState.FETCHED, 0), states.get(PageState.DUPLICATE, 0)
    pages = document.get("pages", {}) | {
        "fetched": new + duplicate,
        "new": new,
        "duplicate": duplicate,
        "near_duplicates": reader.cluster_totals()["near_pages"],
        "redirect": states.get(PageState.REDIRECT, 0),
        "failed": states.get(PageState.FAILED, 0),
        "blocked_robots": states.get(PageState.BLOCKED, 0),
        "skipped": reader.refusals(),
    }
    urls = document.get("urls", {}) | {"known": totals["known"], "queued": totals["queued"], "in_flight": 0}
    return document | {"pages": pages, "urls": urls, "hosts": totals["hosts"]}


def _pace(host: HostPace) -> Document:
    return {"origin": host.origin, "pages": host.pages, "failed": host.failed, "span_s": round(host.span_s, 3)}
