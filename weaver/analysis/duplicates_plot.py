"""The picture of a crawl's duplicates: how similar they are, exact copies beside near ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from weaver.base.units import format_count, format_size

INCHES = (8.0, 4.5)
WIDTH = 0.009
LEAST_SHOWN = 0.8
NEAR_COLOUR, EXACT_COLOURS = "#1f77b4", ("#f59f00", "#d9480f")

Document = Mapping[str, Any]


def draw_similarities(document: Document, stream: BinaryIO, form: str) -> None:
    """Write the distribution of a `duplicates` document as `svg` or `png`."""
    figure = Figure(figsize=INCHES, layout="constrained")
    axes = figure.subplots()
    counts = document["similarities"]
    near, exact = counts["near"], (("same text", counts["same_text"]), ("same bytes", counts["same_body"]))
    if near:
        pairs = sum(count for _, count in near)
        axes.bar(*_bars(near), WIDTH, color=NEAR_COLOUR, label=f"near: {pairs:,} pairs")
    for index, (label, pages) in enumerate(exact):
        if pages:
            axes.bar(1.015 + index / 100, pages, WIDTH, color=EXACT_COLOURS[index], label=f"{label}: {pages:,} pages")
    axes.set_xlim(min([LEAST_SHOWN, *(similarity for similarity, _ in near)]), 1.03)
    axes.set_xticks([tick / 20 for tick in range(21) if tick / 20 >= axes.get_xlim()[0]])
    if axes.patches:
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.8)
        # Counts are read as they are: 1, 2, 5, 10 instead of powers.
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.legend(frameon=False, loc="upper left")
    axes.set_xlabel("similarity (Jaccard index of the shingles); exact copies on the right")
    axes.set_ylabel("pages, or pairs")
    axes.set_title(_title(document), loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    # Neither a date nor a random name: two pictures of one crawl are the same.
    with rc_context({"svg.hashsalt": "weaver"}):
        figure.savefig(stream, format=form, dpi=110, metadata={"Date": None} if form == "svg" else None)


def _bars(near: Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    """Where each bar stands, in the middle of its hundredth, and how high."""
    return [similarity + 0.005 for similarity, _ in near], [count for _, count in near]


def _title(document: Document) -> str:
    copies = document["duplicates"]["pages"]
    return (
        f"{format_count(copies)} of {format_count(document['pages'])} pages are copies,"
        f" {format_size(document['wasted']['bytes'])} fetched again"
    )
