"""`weaver graph import`: an edge list as a crawl directory, with progress on a terminal."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from weaver.analysis.edge_import import Imported, import_edges
from weaver.analysis.matrices import MemoryWindow
from weaver.cli.bar import share_bar
from weaver.cli.graph import memory_option
from weaver.cli.terminal import printable


@click.command(name="import")
@click.argument("edges", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="DIR", help="New or empty.")
@memory_option
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def import_edge_list(edges: Path, output: Path, memory_bytes: int, quiet: bool, as_json: bool) -> None:
    """Make a crawl directory of the edge list EDGES: two columns, ids or URLs, plain or gzipped, # for comments.

    Node k of a list with ids becomes the page https://node.invalid/k; where ids are the numbers from 0 or 1 on, those
    up to the highest that have no edge are nodes too.
    """
    with share_bar("importing", is_wanted=not quiet) as on_share:
        imported = import_edges(edges, output, MemoryWindow(memory_bytes), on_share)
    if as_json:
        click.echo(json.dumps({"directory": str(output)} | asdict(imported)))
    elif not quiet:
        click.echo(f"weaver: {_summary(imported)} in {printable(str(output))}", err=True)


def _summary(imported: Imported) -> str:
    repeated = imported.lines - imported.edges
    return f"{imported.nodes:,} nodes and {imported.edges:,} edges" + (
        f" ({repeated:,} repeated lines left out)" if repeated else ""
    )
