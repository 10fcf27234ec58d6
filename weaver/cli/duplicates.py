"""`weaver duplicates`: the copies in a crawl, what they cost, and what the owner of the site can do about them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from weaver.analysis.directory import open_reader
from weaver.analysis.duplicate_costs import CONSOLIDATED
from weaver.analysis.duplicates import duplicates_document, duplicates_table
from weaver.analysis.export import whole_file
from weaver.analysis.row_formats import csv_chunks
from weaver.base.units import format_size
from weaver.cli.lazy import imported
from weaver.cli.terminal import printable, shortened

PICTURES = (".svg", ".png")
URL_COLUMNS = 90
KINDS = {"content": "clusters of one content", "template": "clusters of one template with little text of its own"}

_PATH = click.Path(path_type=Path)

Document = dict[str, Any]


@click.command()
@click.argument("directory", type=_PATH)
@click.option(
    "--top", type=click.IntRange(min=0), default=10, show_default=True, help="Clusters, hosts, templates shown."
)
@click.option("--csv", "csv_path", type=_PATH, metavar="FILE.csv", help="Write a line for each copy.")
@click.option("-o", "--output", type=_PATH, metavar="FILE.svg|.png", help="Draw how similar they are.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def duplicates(directory: Path, top: int, csv_path: Path | None, output: Path | None, as_json: bool) -> None:
    """Tell which pages of the crawl in DIRECTORY are copies of others, what they cost, and what to do about them.

    It reads the disk and nothing else: the crawl may be at work.
    """
    if output is not None and output.suffix.lower() not in PICTURES:
        raise click.UsageError(f"expected a file that ends in {' or '.join(PICTURES)}, got {printable(str(output))}")
    document = duplicates_document(directory, top)
    if csv_path is not None:
        with open_reader(directory) as reader, whole_file(csv_path) as stream:
            for chunk in csv_chunks(duplicates_table(directory, reader)):
                stream.write(chunk)
    if output is not None:
        # Only a picture needs matplotlib, whose import takes half a second and 40 MB.
        draw = imported("weaver.analysis.duplicates_plot:draw_similarities")
        with whole_file(output) as stream:
            draw(document, stream, output.suffix.lower().removeprefix("."))
    click.echo(json.dumps(document) if as_json else "\n".join(duplicate_lines(document)))
    for written in filter(None, (csv_path, output)):
        click.echo(f"weaver: written to {printable(str(written))}", err=True)


def duplicate_lines(document: Document) -> Iterator[str]:
    """The document for a terminal."""
    found, wasted = document["duplicates"], document["wasted"]
    share = f" ({found['pages'] / document['pages']:.1%})" if document["pages"] else ""
    yield f"{found['pages']:,} of {document['pages']:,} pages{share} are copies of {found['clusters']:,} others"
    yield f"wasted: {wasted['requests']:,} requests, {format_size(wasted['bytes'])}"
    yield from _findings(document, "Most copied")
    yield from _near_lines(document)


def _near_lines(document: Document) -> Iterator[str]:
    near, pairs = document["near"], sum(count for _, count in document["similarities"]["near"])
    if not pairs:
        return
    yield ""
    yield f"near duplicates: {pairs:,} pages are nearly the same as an earlier one"
    if not near["is_settled"]:
        yield "(the crawl goes on: what follows is as of its last run's end)"
    for kind, found in near["kinds"].items():
        yield f"{found['clusters']:>8,}  {KINDS[kind]}: {found['pages']:,} pages besides those that stand for them"
    yield f"repeated: {near['pages']:,} requests, {format_size(near['bytes'])}"
    yield from _findings(near, "Largest clusters of near duplicates")


def _findings(found: Document, title: str) -> Iterator[str]:
    for advice in found["advice"]:
        yield from _advice_lines(advice)
    yield from _costs("By host", found["hosts"])
    yield from _costs("By URL template", found["templates"])
    yield from _clusters(title, found["clusters"])


def _advice_lines(advice: Document) -> Iterator[str]:
    yield ""
    yield f"{advice['pages']:,} pages: {advice['advice']}"
    if advice["code"] == CONSOLIDATED:
        return
    for example in advice["examples"]:
        yield f"      {_short(example['target'])}"
        yield f"   <- {_short(example['url'])}"


def _costs(title: str, costs: Sequence[Document]) -> Iterator[str]:
    if costs:
        yield ""
        yield f"{title}:"
    for cost in costs:
        yield f"{cost['requests']:>8,}  {format_size(cost['bytes']):>10}  {_short(cost['name'])}"


def _clusters(title: str, clusters: Sequence[Document]) -> Iterator[str]:
    if clusters:
        yield ""
        yield f"{title}:"
    for cluster in clusters:
        near = f" ({cluster['kind']}, from {cluster['least_similarity']:.2f})" if "kind" in cluster else ""
        yield f"{cluster['copies']:>8,}  {format_size(cluster['bytes']):>10}  {_short(cluster['url'])}{near}"
        for example in cluster["examples"]:
            yield f"{'':>22}{_short(example['url'])} ({example['variant']})"


def _short(url: str) -> str:
    return shortened(url, URL_COLUMNS)
