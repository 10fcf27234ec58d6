"""`weaver graph stats|top|rank|components|path|hosts`: questions to the link graph, as tables or documents."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from weaver.analysis import graph_documents
from weaver.analysis.export import whole_file
from weaver.analysis.graph_documents import MEASURES, Document
from weaver.analysis.rank import DAMPING, MOST_ITERATIONS, TOLERANCE
from weaver.base.page import EdgeKind
from weaver.cli.graph import question_of, question_options
from weaver.cli.graph_lines import component_lines, host_lines, path_lines, rank_lines, stats_lines, top_lines
from weaver.cli.lazy import imported
from weaver.cli.terminal import printable

PICTURES = (".svg", ".png")

Kinds = frozenset[EdgeKind] | None

_LIMIT = click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Rows to show.")
_PICTURE = click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE.svg|.png", help="Draw a picture too."
)


@click.command()
@question_options
@_PICTURE
def stats(directory: Path, kinds: Kinds, memory_bytes: int, as_json: bool, output: Path | None) -> None:
    """Count nodes, edges by kind, and degrees of the graph in DIRECTORY; -o draws the distribution of degrees."""
    _check_picture(output)
    question = question_of(directory, kinds, memory_bytes)
    document = graph_documents.stats_document(question, with_counts=output is not None)
    _draw(output, "draw_degrees", document)
    document.pop("degree_counts", None)
    _tell(document, as_json, stats_lines(document))


@click.command()
@question_options
@click.option(
    "--by", type=click.Choice(list(MEASURES)), default="in", show_default=True, help="What pages are ordered by."
)
@_LIMIT
def top(directory: Path, kinds: Kinds, memory_bytes: int, as_json: bool, by: str, limit: int) -> None:
    """List the pages of the graph in DIRECTORY that are highest by in- or out-degree, PageRank, HITS or nearness."""
    document = graph_documents.top_document(question_of(directory, kinds, memory_bytes), by, limit)
    _tell(document, as_json, top_lines(document, MEASURES[by].help))


@click.command()
@question_options
@click.option("--damping", type=click.FloatRange(0, 1, max_open=True), default=DAMPING, show_default=True)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, min_open=True),
    default=TOLERANCE,
    show_default=True,
    help="Stop when all ranks together change by less.",
)
@click.option("--iterations", type=click.IntRange(min=1), default=MOST_ITERATIONS, show_default=True, help="At most.")
@_LIMIT
def rank(
    directory: Path,
    kinds: Kinds,
    memory_bytes: int,
    as_json: bool,
    damping: float,
    tolerance: float,
    iterations: int,
    limit: int,
) -> None:
    """Compute PageRank over the graph in DIRECTORY and list the highest ranks."""
    question = question_of(directory, kinds, memory_bytes)
    document = graph_documents.rank_document(question, limit, damping, tolerance, iterations)
    _tell(document, as_json, rank_lines(document))


@click.command()
@question_options
@_PICTURE
def components(directory: Path, kinds: Kinds, memory_bytes: int, as_json: bool, output: Path | None) -> None:
    """Count the weak and strong components of the graph in DIRECTORY; -o draws their sizes."""
    _check_picture(output)
    question = question_of(directory, kinds, memory_bytes)
    document = graph_documents.components_document(question, with_sizes=output is not None)
    _draw(output, "draw_components", document)
    for name in ("weak", "strong"):
        document[name].pop("size_counts", None)
    _tell(document, as_json, component_lines(document))


@click.command()
@question_options
@click.argument("source")
@click.argument("target", required=False)
@click.option("--hops", type=click.IntRange(min=0), help="Without a target: how far to go [all the way].")
def path(
    directory: Path,
    kinds: Kinds,
    memory_bytes: int,
    as_json: bool,
    source: str,
    target: str | None,
    hops: int | None,
) -> None:
    """Find a shortest path from SOURCE to TARGET (URLs, or ids); without TARGET, count pages by distance."""
    if target is not None and hops is not None:
        raise click.UsageError("--hops bounds the count of pages by distance; a path has a target and needs none")
    document = graph_documents.path_document(question_of(directory, kinds, memory_bytes), source, target, hops)
    _tell(document, as_json, path_lines(document))


@click.command()
@question_options
@_LIMIT
def hosts(directory: Path, kinds: Kinds, memory_bytes: int, as_json: bool, limit: int) -> None:
    """Add the links of the graph in DIRECTORY up by host: the hosts most linked to, and the strongest pairs."""
    document = graph_documents.hosts_document(question_of(directory, kinds, memory_bytes), limit)
    _tell(document, as_json, host_lines(document))


def _check_picture(output: Path | None) -> None:
    if output is not None and output.suffix.lower() not in PICTURES:
        raise click.UsageError(f"expected a file that ends in {' or '.join(PICTURES)}, got {printable(str(output))}")


def _draw(output: Path | None, name: str, document: Document) -> None:
    if output is None:
        return
    # Only a picture needs matplotlib, whose import takes half a second and 40 MB.
    draw: Any = imported(f"weaver.analysis.graph_plot:{name}")
    with whole_file(output) as stream:
        draw(document, stream, output.suffix.lower().removeprefix("."))
    click.echo(f"weaver: drawn in {printable(str(output))}", err=True)


def _tell(document: Document, as_json: bool, lines: Iterable[str]) -> None:
    click.echo(json.dumps(document) if as_json else "\n".join(lines))
