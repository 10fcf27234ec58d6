"""The answers of `weaver graph` as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from weaver.base.units import format_duration, format_size
from weaver.cli.terminal import columns_of, printable, shortened

URL_COLUMNS = 88
LEVELS_SHOWN = 40

Document = dict[str, Any]


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 0) -> Iterator[str]:
    """Aligned columns under their names: numbers to the right, the last `left` ones, which are text, to the left."""
    widths = [max(columns_of(row[index]) for row in (header, *rows)) for index in range(len(header))]
    first_left = len(header) - left
    for row in (header, *rows):
        cells = []
        for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
            padding = " " * (width - columns_of(cell))
            cells.append(padding + cell if index < first_left else cell + padding)
        yield "  ".join(cells).rstrip()


def stats_lines(document: Document) -> Iterator[str]:
    """Counts, edges by kind, degrees."""
    yield f"nodes  {document['nodes']:,}"
    yield f"edges  {document['edges']:,} in {document['pairs']:,} pairs of pages, {document['loops']:,} of them loops"
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in document["by_kind"].items() if count)
    yield f"kinds  {kinds or 'none'}"
    yield ""
    rows = [
        (name, f"{degree['mean']:.2f}", f"{degree['median']:.0f}", f"{degree['p99']:.0f}", f"{degree['highest']:,}",
         f"{degree['none']:,}")
        for name, degree in document["degrees"].items()
    ]  # fmt: skip
    yield from table(("degree", "mean", "median", "p99", "highest", "nodes with none"), rows)
    yield ""
    yield from storage_lines(document["storage"])


def storage_lines(storage: Document) -> Iterator[str]:
    """What the links take on disk, and what of them is there no longer."""
    sealed, unsealed, dropped = storage["sealed"], storage["unsealed"], storage["dropped"]
    bits = storage["bits_per_link"]
    yield f"stored   {format_size(storage['bytes'])}" + ("" if bits is None else f", {bits:.2f} bits a link")
    yield (
        f"sealed   {sealed['links']:,} links of {sealed['pages']:,} pages in {sealed['blocks']:,} blocks,"
        f" {format_size(sealed['bytes'])} of {format_size(sealed['packed_bytes'])}; up to {sealed['depth']} over a page"
    )
    yield f"as rows  {unsealed['links']:,} links of {unsealed['pages']:,} pages, {format_size(unsealed['bytes'])}"
    if storage["is_partial"]:
        yield (
            f"PARTIAL: {dropped['links']:,} links of {dropped['pages']:,} pages were dropped (graph.disk_limit)"
            " and are not counted above"
        )


def compaction_lines(document: Document) -> Iterator[str]:
    """Sizes before and after."""
    rows = [
        (name, f"{part['sealed']['blocks']:,}", str(part["sealed"]["depth"]), f"{part['unsealed']['pages']:,}",
         format_size(part["bytes"]), format_size(part["file_bytes"]))
        for name, part in ((name, document[name]) for name in ("before", "after"))
    ]  # fmt: skip
    yield from table(("", "blocks", "over a page", "unsealed pages", "links", "crawl.db"), rows)


def top_lines(document: Document, measure: str) -> Iterator[str]:
    """The highest pages of a measure."""
    yield f"{document['nodes']:,} nodes by {document['by']}: {measure}"
    if "relative_error" in document:
        error = f"{100 * document['relative_error']:.1f} %"
        yield f"estimated with {document['registers']} registers a node, standard error of a count {error}"
    if not document.get("converged", True):
        yield "not converged: the values are those of the last iteration"
    yield from _top(document)


def rank_lines(document: Document) -> Iterator[str]:
    """How PageRank went, and the highest ranks."""
    state = "converged" if document["converged"] else "not converged"
    yield (
        f"PageRank of {document['nodes']:,} nodes over {document['edges']:,} pairs of pages, damping"
        f" {document['damping']:g}: {state} after {document['iterations']} iterations (last change"
        f" {document['residual']:.1e}), {_seconds(document['iteration_wall_s'])} each"
    )
    yield _matrices(document)
    yield from _top(document)


def component_lines(document: Document) -> Iterator[str]:
    """How many components there are, and the largest."""
    yield f"{document['nodes']:,} nodes, {document['edges']:,} pairs of pages"
    rows = [
        (name, f"{document[name]['count']:,}", f"{document[name]['largest']:,}",
         " ".join(f"{size:,}" for size in document[name]["sizes"]))
        for name in ("weak", "strong")
    ]  # fmt: skip
    yield from table(("components", "count", "largest", "largest sizes"), rows, left=1)
    yield _matrices(document)


def path_lines(document: Document) -> Iterator[str]:
    """The path with its URLs, or the pages by distance."""
    if "levels" in document:
        levels = document["levels"]
        yield f"{document['reached']:,} nodes reached, the farthest {len(levels) - 1} links away"
        yield from table(("links", "nodes"), [(str(hops), f"{n:,}") for hops, n in enumerate(levels[:LEVELS_SHOWN])])
        if len(levels) > LEVELS_SHOWN:
            yield f"... {len(levels) - LEVELS_SHOWN} further levels"
    elif document["path"]:
        yield f"{document['hops']} link{'' if document['hops'] == 1 else 's'}"
        for step in document["path"]:
            yield f"{step['id']:>10}  {printable(step['url'])}"
    else:
        yield "no path"


def host_lines(document: Document) -> Iterator[str]:
    """The hosts that are linked most, and the strongest pairs."""
    yield (
        f"{document['hosts']:,} hosts, {document['host_edges']:,} pairs of hosts with links;"
        f" {document['links_within']:,} links within hosts, {document['links_between']:,} between them"
    )
    yield ""
    names = ("links_in", "hosts_in", "links_out", "hosts_out", "inner", "urls")
    rows = [(*(f"{host[name]:,}" for name in names), _short(host["origin"])) for host in document["top"]]
    yield from table((*(name.replace("_", " ") for name in names), "host"), rows, left=1)
    if document["pairs"]:
        yield ""
        pairs = [(f"{pair['links']:,}", _short(pair["source"]), _short(pair["target"])) for pair in document["pairs"]]
        yield from table(("links", "from", "to"), pairs, left=2)


def _top(document: Document) -> Iterator[str]:
    yield ""
    rows = [(_value(row["value"]), str(row["id"]), _short(row["url"])) for row in document["top"]]
    yield from table(("value", "id", "url"), rows, left=1)


def _matrices(document: Document) -> str:
    matrices = document["matrices"]
    on_disk = f", {format_size(matrices['file_bytes'])} on disk" if matrices["file_bytes"] else ""
    return f"rows: {format_size(matrices['resident_bytes'])} in RAM{on_disk}"


def _value(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def _seconds(wall_s: float) -> str:
    return f"{1000 * wall_s:.1f} ms" if wall_s < 1 else format_duration(wall_s)


def _short(text: str) -> str:
    return shortened(text, URL_COLUMNS)
