"""Progress on stderr while a crawl runs: a live view on a terminal, a line every few seconds elsewhere, or nothing."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Protocol

import click

from weaver.analysis.robots_reason import tries_in_words
from weaver.base.events import Event
from weaver.base.settings import CrawlSettings
from weaver.base.units import format_duration, format_size
from weaver.cli.figures import Pace, Status, left_s, pages_done
from weaver.cli.terminal import printable

LINE_INTERVAL_S = 5.0
RUN_STARTED = "run_started"
ROBOTS_UNREACHABLE = "robots_unreachable"


class Progress(Protocol):
    """Where a running crawl is shown."""

    def open(self) -> None:
        """Begin to show."""
        ...

    def tick(self, status: Status, _events: list[Event]) -> None:
        """Show how the crawl stands; `events` are the newest, oldest first."""
        ...

    def note(self, text: str) -> None:
        """Show one line that stays."""
        ...

    def close(self) -> None:
        """End, and leave the terminal as it was."""
        ...


class NoProgress:
    """Nothing but the notes of an interrupted crawl: for `--quiet`."""

    def open(self) -> None:
        pass

    def tick(self, status: Status, _events: list[Event]) -> None:
        pass

    def note(self, text: str) -> None:
        say(text)

    def close(self) -> None:
        pass


class LineProgress:
    """A line every LINE_INTERVAL_S, for logs and pipes."""

    def __init__(self, settings: CrawlSettings) -> None:
        self._settings = settings
        self._pace = Pace()
        self._next_line_at = 0.0

    def open(self) -> None:
        self._next_line_at = time.monotonic() + LINE_INTERVAL_S

    def tick(self, status: Status, events: list[Event]) -> None:
        now_s = time.monotonic()
        self._pace.add(now_s, pages_done(status))
        if now_s >= self._next_line_at:
            self._next_line_at = now_s + LINE_INTERVAL_S
            self.note(progress_line(status, self._settings, self._pace.per_second) + news(status, events))

    def note(self, text: str) -> None:
        say(text)

    def close(self) -> None:
        pass


def say(text: str) -> None:
    """One line on stderr. A stderr that is closed or full must not end a crawl, whose pages go elsewhere."""
    with contextlib.suppress(OSError):
        click.echo(f"weaver: {text}", err=True)


def news(status: Status, events: list[Event]) -> str:
    """While nothing was fetched yet: the newest event, which says what the crawl waits for; else empty."""
    telling = [event for event in events if event.kind != RUN_STARTED]
    return f"; newest: {event_line(telling[-1])}" if telling and not pages_done(status) else ""


def progress_line(status: Status, settings: CrawlSettings, per_second: float) -> str:
    """How the crawl stands, in one line."""
    pages, urls = status.get("pages", {}), status.get("urls", {})
    parts = [
        f"{pages_done(status):,} pages",
        f"{per_second:.1f}/s",
        f"{urls.get('queued', 0):,} queued",
        f"{hosts_known(status):,} hosts",
        f"{pages.get('duplicate', 0):,} duplicates" + _near(pages.get("near_duplicates", 0)),
        f"{pages.get('failed', 0):,} failed",
        f"RSS {format_size(status.get('memory', {}).get('rss_bytes', 0))}",
    ]
    left = left_s(status, settings, per_second)
    return ", ".join(parts) + (f", {format_duration(left)} left" if left is not None else "")


def _near(pages: int) -> str:
    return f" and {pages:,} near" if pages else ""


def hosts_known(status: Status) -> int:
    """How many hosts the crawl knows."""
    hosts = status.get("hosts", 0)
    return int(hosts.get("known", 0) if isinstance(hosts, dict) else hosts)


def event_line(event: Event) -> str:
    """An event as one printable line: when, what, and its facts."""
    clock = time.strftime("%H:%M:%S", time.localtime(event.at))
    facts = " ".join(f"{name}={_fact(event, name)}" for name in event.facts)
    return printable(f"{clock} {event.kind} {facts}".rstrip())


def _fact(event: Event, name: str) -> object:
    value = event.facts[name]
    return tries_in_words(value) if (event.kind, name) == (ROBOTS_UNREACHABLE, "tries") else value


def page_line(page: Any) -> str:
    """A page's outcome as one printable line."""
    outcome = f"{page.status or '-'} {page.state}"
    why = page.reason or (f"same as {page.duplicate_of}" if page.duplicate_of else "")
    return printable(f"{outcome:<18} depth {page.depth:<2} {page.url}{f'  ({why})' if why else ''}")
