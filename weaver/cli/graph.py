"""`weaver graph`: the table of its commands, and the options that they share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from weaver.analysis.graph_documents import GraphQuestion
from weaver.analysis.matrices import MemoryWindow
from weaver.base.page import EdgeKind
from weaver.base.units import parse_size
from weaver.cli.lazy import CommandEntry, LazyGroup

GRAPH_COMMANDS = {
    "stats": CommandEntry("weaver.cli.graph_reports:stats", "Count nodes, edges and degrees; draw the degrees."),
    "top": CommandEntry("weaver.cli.graph_reports:top", "List the pages with most links, or highest by a measure."),
    "rank": CommandEntry("weaver.cli.graph_reports:rank", "Compute PageRank and list the highest."),
    "components": CommandEntry("weaver.cli.graph_reports:components", "Count weak and strong components."),
    "path": CommandEntry("weaver.cli.graph_reports:path", "Find a shortest path, or count the pages k links away."),
    "hosts": CommandEntry("weaver.cli.graph_reports:hosts", "Add the links up by host."),
    "broken": CommandEntry(
        "weaver.cli.graph_broken:broken", "List the links that fail or moved, and who carries them."
    ),
    "compact": CommandEntry("weaver.cli.graph_compact:compact", "Seal and merge what the links take on disk."),
    "import": CommandEntry("weaver.cli.graph_import:import_edge_list", "Make a crawl directory of an edge list."),
}
DEFAULT_MEMORY = "256MiB"
KINDS = {kind.name.lower(): kind for kind in EdgeKind}

Command = Callable[..., Any]


@click.group(cls=LazyGroup, table=GRAPH_COMMANDS, name="graph")
def graph() -> None:
    """Ask the link graph of a crawl, on disk and in a fixed window of memory."""


def _size_bytes(_ctx: click.Context, _parameter: click.Parameter, value: str) -> int:
    try:
        size_bytes = parse_size(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if size_bytes < 1:
        raise click.BadParameter(f"expected a size such as 256MiB, got {value!r}")
    return size_bytes


def _kinds(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> frozenset[EdgeKind] | None:
    if value is None:
        return None
    names = [name.strip() for name in value.split(",")]
    unknown = [name for name in names if name not in KINDS]
    if unknown:
        raise click.BadParameter(f"expected kinds among {', '.join(KINDS)}, got {unknown[0]!r}")
    return frozenset(KINDS[name] for name in names)


def memory_option(command: Command) -> Command:
    """`--memory`, as a MemoryWindow's bytes."""
    return click.option(
        "--memory",
        "memory_bytes",
        callback=_size_bytes,
        default=DEFAULT_MEMORY,
        metavar="SIZE",
        show_default=True,
        help="For what is computed, beside the interpreter itself.",
    )(command)


def question_options(command: Command) -> Command:
    """DIRECTORY, `--kinds`, `--memory` and `--json`."""
    command = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(command)
    command = memory_option(command)
    command = click.option(
        "--kinds",
        callback=_kinds,
        metavar="A,B",
        help=f"Which edges count, of {', '.join(KINDS)} [all]; two pages joined by several kinds count once.",
    )(command)
    return click.argument("directory", type=click.Path(path_type=Path))(command)


def question_of(directory: Path, kinds: frozenset[EdgeKind] | None, memory_bytes: int) -> GraphQuestion:
    """The shared options as a question."""
    return GraphQuestion(directory, kinds, MemoryWindow(memory_bytes))
