"""The picture of a crawl's memory: bytes by account against time, stacked, and the heat map below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, BinaryIO

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator

from weaver.analysis.heat import heat_map
from weaver.base.units import format_count, format_duration, format_size
from weaver.memory.governor import Rung

MIB = 1 << 20
HEAT_COLUMNS = 240
BASELINE_COLOUR = "#d9d9d9"
UNTRACKED_COLOUR = "#4d4d4d"
OVER_COLOUR = "#e5484d"
CALM = Rung.CALM.label
RUNG_COLOURS = {
    Rung.SLOW.label: "#fff3c4",
    Rung.SHRINK.label: "#ffe08a",
    Rung.EVICT.label: "#ffc06b",
    Rung.RELEASE.label: "#ff9d6b",
    Rung.PAUSE.label: "#ff7a7a",
}
"""The shade behind the curves while the governor stands there."""
INCHES = (11.0, 8.0)
MOST_TICKS = 8
TICK_STEPS_S = (
    0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0, 86400.0,
    259200.0, 604800.0,
)  # fmt: skip
# A drawing over no time at all would have no width.
LEAST_WIDTH_S = 1e-3

Report = Mapping[str, Any]


def draw(report: Report, stream: BinaryIO, form: str) -> None:
    """Write the picture as `svg` or `png`."""
    figure = Figure(figsize=INCHES, layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(3, 2))
    _draw_areas(above, report)
    _draw_heat(figure, below, report)
    for axes in (above, below):
        _set_time(axes, float(report["samples"][-1]["elapsed_s"]))
    # Neither a date nor a random name: two pictures of one history are the same.
    with rc_context({"svg.hashsalt": "weaver"}):
        figure.savefig(stream, format=form, dpi=110, metadata={"Date": None} if form == "svg" else None)


def _set_time(axes: Axes, duration_s: float) -> None:
    """The time at work from 0 on, with a few ticks at round times."""
    steps = [step for step in TICK_STEPS_S if duration_s / step <= MOST_TICKS]
    axes.set_xlim(0.0, max(duration_s, LEAST_WIDTH_S))
    axes.xaxis.set_major_locator(MultipleLocator(steps[0] if steps else duration_s / MOST_TICKS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_duration(max(0.0, value))))


def _draw_areas(axes: Axes, report: Report) -> None:
    samples = report["samples"]
    times = [float(sample["elapsed_s"]) for sample in samples]
    bands = _bands(report)
    colours = _colours(list(bands))
    axes.stackplot(times, list(bands.values()), labels=list(bands), colors=colours, linewidth=0)
    axes.plot(times, [sample["rss"] / MIB for sample in samples], color="black", linewidth=1.0, label="RSS")
    ceiling = [(sample["baseline"] + sample["budget"]) / MIB for sample in samples]
    axes.plot(times, ceiling, color=OVER_COLOUR, linestyle="--", linewidth=1.4, label="baseline + budget")
    _shade_rungs(axes, samples, times)
    axes.set_ylim(0, 1.15 * max(*ceiling, report["peak_rss_bytes"] / MIB))
    axes.set_ylabel("MiB")
    axes.set_title(_title(report), loc="left", fontsize=11, pad=12)
    handles, _ = axes.get_legend_handles_labels()
    rungs = {str(sample["rung"]) for sample in samples}
    patches = [Patch(color=colour, label=f"rung {rung}") for rung, colour in RUNG_COLOURS.items() if rung in rungs]
    axes.legend(
        handles=[*reversed(handles), *patches], loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9
    )
    axes.spines[["top", "right"]].set_visible(False)


def _title(report: Report) -> str:
    newest = report["samples"][-1]
    return (
        f"{format_count(newest['pages'])} pages, {format_count(newest['known_urls'])} URLs: "
        f"RSS at most {format_size(report['peak_rss_bytes'])} with a budget of {format_size(report['budget_bytes'])} "
        f"above a baseline of {format_size(report['baseline_rss_bytes'])}"
    )


def _bands(report: Report) -> dict[str, list[float]]:
    """MiB by account, the baseline first and what no account knows last; accounts that were never used are left out."""
    samples = report["samples"]
    bands = {"baseline": [sample["baseline"] / MIB for sample in samples]}
    for tag in report["accounts"]:
        band = [sample["accounts"].get(tag, 0) / MIB for sample in samples]
        if any(band):
            bands[tag] = band
    bands["untracked"] = [max(0, sample["untracked"]) / MIB for sample in samples]
    return bands


def _colours(names: Sequence[str]) -> list[Any]:
    palette = colormaps["tab20"]
    accounts = {name: palette((2 * index) % 20 + (index >= 10)) for index, name in enumerate(names[1:-1])}
    return [accounts.get(name, BASELINE_COLOUR if name == "baseline" else UNTRACKED_COLOUR) for name in names]


def _shade_rungs(axes: Axes, samples: Sequence[Report], times: Sequence[float]) -> None:
    for rung, group in groupby(range(len(samples)), key=lambda index: str(samples[index]["rung"])):
        spell = list(group)
        end = times[min(spell[-1] + 1, len(times) - 1)]
        if rung != CALM:
            axes.axvspan(times[spell[0]], end, color=RUNG_COLOURS.get(rung, OVER_COLOUR), zorder=0, linewidth=0)


def _draw_heat(figure: Figure, axes: Axes, report: Report) -> None:
    heat = heat_map(report, HEAT_COLUMNS)
    scale = colormaps["viridis"].with_extremes(over=OVER_COLOUR)
    shares = np.array([row.shares for row in heat.rows])
    extent = (0.0, max(heat.duration_s, LEAST_WIDTH_S), len(heat.rows) - 0.5, -0.5)
    picture = axes.imshow(shares, aspect="auto", cmap=scale, vmin=0.0, vmax=1.02, extent=extent, interpolation="none")
    axes.set_yticks(range(len(heat.rows)), [row.label for row in heat.rows])
    axes.hlines([index + 0.5 for index in range(len(heat.rows) - 1)], *extent[:2], color="white", linewidth=1.0)
    axes.set_xlabel("time at work")
    axes.tick_params(left=False)
    axes.spines[:].set_visible(False)
    for index, row in enumerate(heat.rows):
        text = f"{format_size(row.used)} of {format_size(row.limit)}"
        axes.annotate(text, (1.01, index), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    bar = figure.colorbar(picture, ax=axes, location="bottom", extend="max", shrink=0.4, aspect=40, pad=0.04)
    bar.set_ticks([0.0, 0.25, 0.5, 0.75, 1.0], labels=["0 %", "25 %", "50 %", "75 %", "100 % of the limit"])
    bar.ax.tick_params(labelsize=8)
