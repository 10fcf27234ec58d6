"""`weaver memory`: what a crawl's memory did over time, as a heat map, a picture or a document."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from weaver.analysis.export import whole_file
from weaver.analysis.memory_report import memory_report
from weaver.base.units import format_count, format_duration, format_size
from weaver.cli.heat_map import heat_lines
from weaver.cli.lazy import imported
from weaver.cli.memory_lines import account_lines, machinery_lines, reseen_line
from weaver.cli.terminal import printable

PICTURES = (".svg", ".png")
RUNGS_SHOWN = 8


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE.svg|.png", help="Draw a picture too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def memory(directory: Path, output: Path | None, as_json: bool) -> None:
    """Show how full each account of the crawl in DIRECTORY was over time, and what the governor did about it."""
    if output is not None and output.suffix.lower() not in PICTURES:
        raise click.UsageError(f"expected a file that ends in {' or '.join(PICTURES)}, got {printable(str(output))}")
    report = memory_report(directory)
    if output is not None:
        # Only a picture needs matplotlib, whose import takes half a second and 40 MB.
        draw = imported("weaver.analysis.plot:draw")
        with whole_file(output) as stream:
            draw(report, stream, output.suffix.lower().removeprefix("."))
    if as_json:
        click.echo(json.dumps(report))
        return
    _show(report, Console(highlight=False, emoji=False, markup=False))
    if output is not None:
        click.echo(f"weaver: drawn in {printable(str(output))}", err=True)


def _show(report: Mapping[str, Any], console: Console) -> None:
    for line in memory_view(report, console):
        console.print(line, no_wrap=True, overflow="ellipsis" if console.color_system else "crop")


def memory_view(report: Mapping[str, Any], console: Console) -> Iterator[Text]:
    """All lines: the heading, the map, the changes of rung, what the accounts let go, and what kept them in hand."""
    yield from _plain(_heading(report))
    yield Text("")
    if len(report["samples"]) > 1:
        yield from heat_lines(report, console)
    else:
        at = format_duration(report["samples"][0]["elapsed_s"])
        yield Text(f"one sample so far, {at} after the start: nothing to draw over time yet")
    yield from _plain(_rungs(report))
    yield Text("")
    yield from _plain(account_lines(report["accounts"]))
    yield from _plain(reseen_line(report["stores"]))
    yield from _plain(machinery_lines(report))


def _plain(lines: Iterable[str]) -> Iterator[Text]:
    """The files that are read may be another's: nothing in them drives the terminal."""
    return (Text(printable(line)) for line in lines)


def _heading(report: Mapping[str, Any]) -> Iterator[str]:
    newest, runs = report["samples"][-1], report["runs"]
    work = f"{format_duration(newest['elapsed_s'])} at work" + (f" in {len(runs)} runs" if len(runs) > 1 else "")
    counts = f"{format_count(newest['pages'])} pages, {format_count(newest['known_urls'])} URLs"
    yield f"{report['directory']}: {report['state']}, {work}, {counts}"
    limit = report["limit_bytes"]
    within = f" in a group of {format_size(limit)}" if limit else ""
    yield (
        f"budget {format_size(report['budget_bytes'])}{within}, above a baseline of "
        f"{format_size(report['baseline_rss_bytes'])}"
    )
    yield (
        f"RSS {format_size(report['rss_bytes'])}, at most {format_size(report['peak_rss_bytes'])}; "
        f"untracked {format_size(report['untracked_bytes'])}; rung {report['rung']}"
    )


def _rungs(report: Mapping[str, Any]) -> Iterator[str]:
    """The newest changes of rung, each with its reason."""
    rungs = report["rungs"]
    if len(rungs) > RUNGS_SHOWN:
        yield f"          ... {len(rungs) - RUNGS_SHOWN:,} earlier changes of rung"
    for rung in rungs[-RUNGS_SHOWN:]:
        clock = time.strftime("%H:%M:%S", time.localtime(rung["at"]))
        reason = f": {rung['reason']}" if rung.get("reason") else ""
        at = format_duration(rung["elapsed_s"])
        yield f"          {clock} after {at} {rung.get('from')} -> {rung.get('to')}{reason}"
