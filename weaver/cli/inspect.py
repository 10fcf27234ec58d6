"""`weaver status`, `weaver export` and `weaver why`: what a crawl directory tells those who ask."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from weaver.analysis.explain import explain
from weaver.analysis.export import FOLDER_FORMATS, FORMATS, TABLE_FORMATS, Exported, export_folder, whole_file
from weaver.analysis.export import export as export_to
from weaver.analysis.report import crawl_report, disk_status
from weaver.analysis.tables import TABLES
from weaver.base.units import format_size
from weaver.cli.bar import share_bar
from weaver.cli.story import story_lines
from weaver.cli.summary import summary
from weaver.cli.terminal import printable

_DIRECTORY = click.argument("directory", type=click.Path(path_type=Path))
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
STDOUT = "-"


@click.command()
@_DIRECTORY
@_JSON
def status(directory: Path, as_json: bool) -> None:
    """Tell how the crawl in DIRECTORY stands: while it runs, after its end, after a kill."""
    document = disk_status(directory)
    click.echo(json.dumps(document) if as_json else summary(document, crawl_report(directory), directory))


@click.command()
@_DIRECTORY
@click.argument("url")
@_JSON
def why(directory: Path, url: str, as_json: bool) -> None:
    """Tell the story of URL in the crawl in DIRECTORY: found where, judged how, and what came of it."""
    story = explain(directory, url)
    click.echo(json.dumps(story) if as_json else "\n".join(story_lines(story)))


@click.command()
@_DIRECTORY
@click.option("--format", "form", type=click.Choice(FORMATS), default="csv", show_default=True)
@click.option(
    "--table",
    type=click.Choice(list(TABLES)),
    help="For csv, jsonl and parquet [pages]; the other formats hold the graph.",
)
@click.option("-o", "--output", default=STDOUT, metavar="PATH", help="The file to write, for cc the folder [stdout].")
@click.option("--urls", "with_urls", is_flag=True, help="Add the URLs beside the ids, in the tables.")
@click.option("--force", "is_forced", is_flag=True, help="Write DOT of a graph that is too large to be drawn.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar and no summary.")
@_JSON
def export(
    directory: Path,
    form: str,
    table: str | None,
    output: str,
    with_urls: bool,
    is_forced: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write a table or the graph of the crawl in DIRECTORY, in memory that does not grow with it.

    \b
    csv, jsonl, parquet        a table; parquet needs the extra `parquet`
    graphml, gexf, node-link   the graph for igraph, Gephi and networkx, with attributes
    dot                        the graph for Graphviz, up to 5,000 nodes and 20,000 edges
    ascii-graph                the graph for WebGraph: a line of successors for each node
    cc                         the graph of hosts as Common Crawl has it, in a folder:
                               vertices.txt and edges.txt
    """
    if form not in TABLE_FORMATS and table not in (None, "edges"):
        raise click.UsageError(f"--format {form} holds the graph, so --table {table} can't be had in it")
    table = table or "pages"
    if output == STDOUT:
        _export_to_stdout(directory, form, table, with_urls, is_forced, as_json)
        return
    with share_bar("exporting", is_wanted=not quiet) as on_share:
        if form in FOLDER_FORMATS:
            exported = export_folder(directory, form, Path(output), on_share=on_share)
        else:
            with whole_file(Path(output)) as stream:
                exported = export_to(directory, form, table, stream, with_urls, is_forced=is_forced, on_share=on_share)
    if as_json or not quiet:
        _tell(exported, output, as_json)


def _export_to_stdout(directory: Path, form: str, table: str, with_urls: bool, is_forced: bool, as_json: bool) -> None:
    if as_json:
        raise click.UsageError("--json prints its document on stdout; name a file with -o")
    if form in FOLDER_FORMATS:
        raise click.UsageError(f"--format {form} makes a folder of files; name it with -o")
    export_to(directory, form, table, sys.stdout.buffer, with_urls, is_forced=is_forced)
    sys.stdout.buffer.flush()


def _tell(exported: Exported, output: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"path": output, "rows": exported.rows, "bytes": exported.written_bytes}))
        return
    rows = "" if exported.rows is None else f"{exported.rows:,} rows, "
    click.echo(f"weaver: {rows}{format_size(exported.written_bytes)} in {printable(output)}", err=True)
