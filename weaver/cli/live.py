"""The live view of a crawl on a terminal, drawn by rich at a pace that costs next to nothing."""

from __future__ import annotations

import time

from rich.bar import Bar
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from weaver.base.events import Event
from weaver.base.settings import CrawlSettings
from weaver.base.units import format_duration, format_size
from weaver.cli.figures import Pace, Status, left_s, pages_done, share_done
from weaver.cli.progress import event_line, hosts_known
from weaver.cli.terminal import shortened

EVENTS_SHOWN = 6
BAR_COLUMNS = 16
WARN_SHARE = 0.9
"""From here an account's bar is yellow: it will soon evict."""


class LiveProgress:
    """The live view; rich draws only when told to, so that no thread of its own competes with the loop."""

    def __init__(self, title: str, settings: CrawlSettings, console: Console | None = None) -> None:
        self._title = title
        self._settings = settings
        self._pace = Pace()
        self._console = console or Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def open(self) -> None:
        self._live.start()

    def tick(self, status: Status, events: list[Event]) -> None:
        self._pace.add(time.monotonic(), pages_done(status))
        view = live_view(self._title, status, events, self._settings, self._pace.per_second, self._console.width)
        self._live.update(view, refresh=True)

    def note(self, text: str) -> None:
        self._console.print(Text(text, style="bold"))

    def close(self) -> None:
        self._live.stop()


def live_view(
    title: str, status: Status, events: list[Event], settings: CrawlSettings, per_second: float, columns: int
) -> RenderableType:
    """One frame: figures, limit, accounts, newest events."""
    parts: list[RenderableType] = [
        _heading(title, status, columns),
        _figures(status, per_second),
        *_limit(status, settings, per_second),
        _accounts(status),
    ]
    shown = events[-EVENTS_SHOWN:]
    if shown:
        parts += [Text("newest events", style="dim")]
        parts += [Text(shortened(event_line(event), max(20, columns - 2)), no_wrap=True) for event in shown]
    return Group(*parts)


def _heading(title: str, status: Status, columns: int) -> Text:
    state = f"{status.get('state', '')} {format_duration(float(status.get('wall_s', 0.0)))}"
    name = shortened(title, max(10, columns - len(state) - 12))
    return Text.assemble(("weaver ", "bold cyan"), (name, "bold"), f"  {state}")


def _figures(status: Status, per_second: float) -> Table:
    pages, urls, graph = status.get("pages", {}), status.get("urls", {}), status.get("graph", {})
    skipped = sum(pages.get("skipped", {}).values())
    table = Table.grid(padding=(0, 2))
    table.add_row("pages", f"{pages_done(status):,}", f"{per_second:.1f}/s", f"{pages.get('new', 0):,} new")
    table.add_row("", f"{pages.get('duplicate', 0):,} duplicate", _failed(pages), f"{skipped:,} skipped")
    table.add_row(
        "queue",
        f"{urls.get('queued', 0):,} waiting",
        f"{urls.get('in_flight', 0):,} in flight",
        f"{hosts_known(status):,} hosts",
    )
    table.add_row(
        "graph",
        f"{graph.get('nodes', 0):,} nodes",
        f"{graph.get('edges', 0):,} edges",
        f"{urls.get('known', 0):,} URLs",
    )
    return table


def _failed(pages: dict[str, int]) -> Text:
    failed, blocked = pages.get("failed", 0), pages.get("blocked_robots", 0)
    return Text(f"{failed:,} failed, {blocked:,} blocked", style="yellow" if failed else "")


def _limit(status: Status, settings: CrawlSettings, per_second: float) -> list[RenderableType]:
    share = share_done(status, settings)
    if share is None:
        return []
    left = left_s(status, settings, per_second)
    table = Table.grid(padding=(0, 2))
    until = f"{format_duration(left)} left" if left is not None else ""
    table.add_row("limit", _bar(share, 2 * BAR_COLUMNS), f"{share:.0%}", until)
    return [table]


def _accounts(status: Status) -> Table:
    memory = status.get("memory", {})
    table = Table.grid(padding=(0, 2))
    rss = f"RSS {format_size(memory.get('rss_bytes', 0))}"
    table.add_row("memory", rss, f"budget {format_size(memory.get('budget_bytes', 0))}", f"CPU {_cpu(status)}")
    for tag, account in memory.get("accounts", {}).items():
        limit = account.get("limit", 0)
        share = account.get("used", 0) / limit if limit else 0.0
        evicted = account.get("evicted", 0)
        table.add_row(
            Text(f"  {tag}", style="dim"),
            _bar(share, BAR_COLUMNS),
            f"{format_size(account.get('used', 0))} of {format_size(limit)}",
            f"{evicted:,} evicted" if evicted else "",
        )
    return table


def _cpu(status: Status) -> str:
    wall_s = float(status.get("wall_s", 0.0))
    return f"{float(status.get('cpu_s', 0.0)) / wall_s:.0%}" if wall_s else "-"


def _bar(share: float, columns: int) -> Bar:
    color = "yellow" if share >= WARN_SHARE else "green"
    return Bar(1.0, 0.0, min(1.0, share), width=columns, color=color, bgcolor="bright_black")
