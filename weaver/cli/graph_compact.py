"""`weaver graph compact`: the links of a crawl in as few bytes as they take, with the sizes before and after."""

from __future__ import annotations

import json
from pathlib import Path

import click

from weaver.analysis.graph_storage import compaction_document
from weaver.cli.graph_lines import compaction_lines


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--vacuum/--no-vacuum",
    "vacuums",
    default=True,
    show_default=True,
    help="Give free room back to the file system; takes as much as crawl.db beside it for a while.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def compact(directory: Path, vacuums: bool, as_json: bool) -> None:
    """Seal the links of the crawl in DIRECTORY into full blocks that don't overlap; no crawl may be at work there."""
    document = compaction_document(directory, vacuums=vacuums)
    click.echo(json.dumps(document) if as_json else "\n".join(compaction_lines(document)))
