"""Pictures of a graph: how many nodes have at least so many links, and how large its components are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weaver.base.units import format_count

INCHES = (8.0, 5.0)
COLOURS = ("#1f77b4", "#d9480f")
Document = Mapping[str, Any]
Counts = Sequence[Sequence[int]]


def draw_degrees(document: Document, stream: BinaryIO, form: str) -> None:
    """Write the degree distribution of a `stats` document as `svg` or `png`: the complementary cumulative one."""
    figure, axes = _figure()
    for colour, (name, counts) in zip(COLOURS, document["degree_counts"].items(), strict=True):
        summary = document["degrees"][name]
        label = f"{name}-degree: mean {summary['mean']:.1f}, highest {summary['highest']:,}"
        _draw_at_least(axes, [pair for pair in counts if pair[0] > 0], colour, label)
    axes.set_xlabel("links of a page, at least")
    axes.set_ylabel("pages")
    _finish(figure, axes, _title(document, "pairs", "links between pages"), stream, form)


def draw_components(document: Document, stream: BinaryIO, form: str) -> None:
    """Write the sizes of the components of a `components` document as `svg` or `png`."""
    figure, axes = _figure()
    for colour, name in zip(COLOURS, ("weak", "strong"), strict=True):
        found = document[name]
        label = f"{name}: {found['count']:,}, the largest of {found['largest']:,} pages"
        axes.plot(*_columns(found["size_counts"]), "o", color=colour, markersize=5, alpha=0.75, label=label)
    axes.set_xlabel("pages of a component")
    axes.set_ylabel("components of that size")
    _finish(figure, axes, _title(document, "edges", "links between pages"), stream, form)


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=INCHES, layout="constrained")
    return figure, figure.subplots()


def _draw_at_least(axes: Axes, counts: Counts, colour: str, label: str) -> None:
    degrees, nodes = _columns(counts)
    at_least = np.cumsum(nodes[::-1])[::-1]
    axes.plot(degrees, at_least, "o", color=colour, markersize=3, alpha=0.75, label=label)


def _columns(pairs: Iterable[Sequence[int]]) -> tuple[Any, Any]:
    columns = np.array(list(pairs), np.int64).reshape(-1, 2)
    return columns[:, 0], columns[:, 1]


def _title(document: Document, edges: str, noun: str) -> str:
    return f"{format_count(document['nodes'])} pages, {format_count(document[edges])} {noun}"


def _finish(figure: Figure, axes: Axes, title: str, stream: BinaryIO, form: str) -> None:
    """Logarithmic scales, and the file; an empty graph has nothing to scale."""
    if any(np.size(line.get_xdata()) for line in axes.get_lines()):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.8)
    axes.set_title(title, loc="left", fontsize=11)
    axes.grid(which="major", alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    # Neither a date nor a random name: two pictures of one graph are the same.
    with rc_context({"svg.hashsalt": "weaver"}):
        figure.savefig(stream, format=form, dpi=110, metadata={"Date": None} if form == "svg" else None)
