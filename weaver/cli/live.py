"""The live view of a crawl on a terminal, drawn by rich at a pace that costs next to nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.bar import Bar
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from weaver.base.events import Event
from weaver.base.settings import CrawlSettings
from weaver.base.units import format_duration, format_size
from weaver.cli.figures import Pace, Status, left_s, pages_done, share_done
from weaver.cli.memory_lines import eviction_text, rung_line, rung_reason
from weaver.cli.progress import event_line, hosts_known
from weaver.cli.terminal import shortened
from weaver.cli.worker_lines import worker_line

EVENTS_SHOWN = 6
ROWS = 24
BAR_COLUMNS = 16
ACCOUNT_BAR_COLUMNS = 6
MIB = 1 << 20
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
        width, height = self._console.size
        view = live_view(self._title, status, events, self._settings, self._pace.per_second, width, height)
        self._live.update(view, refresh=True)

    def note(self, text: str) -> None:
        self._console.print(Text(text, style="bold"))

    def close(self) -> None:
        self._live.stop()


def live_view(
    title: str,
    status: Status,
    events: list[Event],
    settings: CrawlSettings,
    per_second: float,
    columns: int,
    rows: int = ROWS,
) -> RenderableType:
    """One frame within the terminal's columns and rows: figures, limit, memory, accounts, newest events."""
    figures, limit, accounts = _figures(status, per_second), _limit(status, settings, per_second), _accounts(status)
    memory = [Text(shortened(line, columns), no_wrap=True) for line in _memory_lines(status, events)]
    parts: list[RenderableType] = [_heading(title, status, columns), figures, *limit, *memory, accounts]
    # One row stays free below, and one is the heading of the events.
    used = 1 + figures.row_count + len(limit) + len(memory) + accounts.row_count
    room = min(EVENTS_SHOWN, rows - used - 2)
    shown = events[-room:] if room > 0 else []
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
    near = f", {pages['near_duplicates']:,} near" if pages.get("near_duplicates") else ""
    table.add_row("", f"{pages.get('duplicate', 0):,} duplicate{near}", _failed(pages), f"{skipped:,} skipped")
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


def _memory_lines(status: Status, events: list[Event]) -> Iterator[str]:
    """The process's memory, where the governor stands and why, and the processes beside it."""
    memory = status.get("memory", {})
    rss, untracked = format_size(memory.get("rss_bytes", 0)), format_size(memory.get("untracked_bytes", 0))
    baseline, budget = memory.get("baseline_rss_bytes", 0) / MIB, memory.get("budget_bytes", 0) / MIB
    yield f"memory  RSS {rss} (baseline {baseline:.1f}, budget {budget:.1f}), untracked {untracked}, CPU {_cpu(status)}"
    yield from (f"        {line}" for line in rung_line(memory, rung_reason(events)))
    yield from (f"workers {line}" for line in worker_line(status))


def _accounts(status: Status) -> Table:
    """A row for each account: a bar, used of limit, high water, and what a full account costs."""
    memory = status.get("memory", {})
    table = Table.grid(padding=(0, 1))
    for tag, account in memory.get("accounts", {}).items():
        limit = account.get("limit", 0)
        share = account.get("used", 0) / limit if limit else 0.0
        used = f"{account.get('used', 0) / MIB:.1f} of {limit / MIB:.1f} MiB"
        high_water = f"high {account.get('high_water', 0) / MIB:.1f}"
        table.add_row(
            Text(f"  {tag}", style="dim"),
            _bar(share, ACCOUNT_BAR_COLUMNS),
            Text(used, justify="right"),
            Text(high_water, style="dim", justify="right"),
            Text(eviction_text(memory, tag), no_wrap=True, overflow="ellipsis"),
        )
    return table


def _cpu(status: Status) -> str:
    wall_s = float(status.get("wall_s", 0.0))
    return f"{float(status.get('cpu_s', 0.0)) / wall_s:.0%}" if wall_s else "-"


def _bar(share: float, columns: int) -> Bar:
    color = "yellow" if share >= WARN_SHARE else "green"
    return Bar(1.0, 0.0, min(1.0, share), width=columns, color=color, bgcolor="bright_black")
