"""The heat map of a crawl's memory on a terminal: colours where there are any, shades of ASCII where there are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

from weaver.analysis.heat import HeatMap, HeatRow, heat_map
from weaver.base.units import format_duration, format_size
from weaver.cli.terminal import printable
from weaver.memory.governor import Rung

RUNGS = {rung.label: str(int(rung) or ".") for rung in Rung}
"""The governor's ladder from the bottom up, each rung with its sign below the map."""
SHADES = " .:-=+*#%@"
OVER_SHADE = "!"
# The middle of the viridis scale: it is told apart in grey as well, and by those who see no red.
COLOURS = (
    "#1c1c2e", "#2d2a5a", "#3b3f7e", "#355f8d", "#297b8e", "#21918c", "#2fb47c", "#7ad151", "#bddf26", "#fde725",
)  # fmt: skip
OVER_COLOUR = "#e5484d"
RUNG_STYLES = {"slow": "yellow", "shrink": "yellow", "evict": "bold yellow", "release": "bold red", "pause": "bold red"}
LABEL_COLUMNS = 12
FEWEST_CELLS = 24
# An account that is full holds its limit to within a slab; only beyond this is it over.
OVER_SHARE = 1.02
# More would run into the limit beside it.
MOST_TOLD_SHARE = 9.99


class _Figures(NamedTuple):
    """One choice of what stands right of the cells, and how many columns it takes."""

    columns: int
    heading: str


_ALL = _Figures(36, f"{'used':>10}{'limit':>10}{'%':>5}{'high water':>11}")
_SHORT = _Figures(15, f"{'used':>10}{'%':>5}")
_NONE = _Figures(0, "")


def heat_lines(report: Mapping[str, Any], console: Console) -> Iterator[Text]:
    """The map for the console's width, its scale, and the signs of the rungs that were climbed."""
    figures, cells = _layout(console.width)
    heat = heat_map(report, cells)
    is_coloured = _is_coloured(console)
    yield Text(f"{'':<{LABEL_COLUMNS}}{_ticks(heat.duration_s, cells)} {figures.heading}".rstrip())
    for row in heat.rows:
        yield Text.assemble(
            f"{printable(row.label)[: LABEL_COLUMNS - 1]:<{LABEL_COLUMNS}}",
            _cells(row, is_coloured),
            f" {_figures(row, figures)}",
        )
    yield _rung_line(heat)
    yield _scale(is_coloured)
    yield from _legend(heat)


def _layout(width: int) -> tuple[_Figures, int]:
    """The fullest figures that leave room for the cells, and how many cells there are."""
    for figures in (_ALL, _SHORT):
        cells = width - LABEL_COLUMNS - figures.columns - 1
        if cells >= FEWEST_CELLS:
            return figures, cells
    return _NONE, max(4, width - LABEL_COLUMNS - 1)


def _is_coloured(console: Console) -> bool:
    # Sixteen colours make no scale.
    return console.color_system in ("256", "truecolor") and not console.no_color


def _cells(row: HeatRow, is_coloured: bool) -> Text:
    if not is_coloured:
        return Text("".join(_shade(share) for share in row.shares))
    spells = groupby(map(_colour, row.shares))
    return Text.assemble(*((" " * len(list(spell)), f"on {colour}") for colour, spell in spells))


def _shade(share: float) -> str:
    return OVER_SHADE if share > OVER_SHARE else SHADES[_step(share, len(SHADES))]


def _colour(share: float) -> str:
    return OVER_COLOUR if share > OVER_SHARE else COLOURS[_step(share, len(COLOURS))]


def _step(share: float, steps: int) -> int:
    """Which of so many steps; the lowest is kept for what is next to nothing, the highest for what is full."""
    if share < 0.005:
        return 0
    return steps - 1 if share >= 0.98 else 1 + min(steps - 3, int(share * (steps - 2)))


def _figures(row: HeatRow, figures: _Figures) -> str:
    share = row.used / row.limit if row.limit else None
    percent = "-" if share is None else f"{share:.0%}" if share < MOST_TOLD_SHARE else f">{MOST_TOLD_SHARE:.0%}"
    if figures is _ALL:
        sizes = (format_size(row.used), format_size(row.limit))
        return f"{sizes[0]:>10}{sizes[1]:>10}{percent:>5}{format_size(row.high_water):>11}"
    return f"{format_size(row.used):>10}{percent:>5}" if figures is _SHORT else ""


def _ticks(duration_s: float, cells: int) -> str:
    """The time at work: its beginning, its end, and its middle where there is room."""
    end, middle = format_duration(duration_s), format_duration(duration_s / 2)
    if cells < len(end) + 3:
        return f"{end:>{cells}}"
    line = f"0{end:>{cells - 1}}"
    at = cells // 2
    if at + len(middle) + 2 <= cells - len(end):
        line = f"{line[:at]}{middle}{line[at + len(middle) :]}"
    return line


def _rung_line(heat: HeatMap) -> Text:
    signs = (Text(RUNGS.get(rung, "?"), style=RUNG_STYLES.get(rung, "dim")) for rung in heat.rungs)
    return Text.assemble(f"{'rung':<{LABEL_COLUMNS}}", *signs)


def _scale(is_coloured: bool) -> Text:
    label = f"{'':<{LABEL_COLUMNS}}"
    if is_coloured:
        steps = ((" ", f"on {colour}") for colour in COLOURS)
        return Text.assemble(label, "empty ", *steps, " full  ", ("  ", f"on {OVER_COLOUR}"), " over its limit")
    return Text(f"{label}empty [{SHADES}] full, {OVER_SHADE} over its limit")


def _legend(heat: HeatMap) -> Iterator[Text]:
    met = [rung for rung in RUNGS if rung in heat.rungs and rung != Rung.CALM.label]
    if met:
        signs = ", ".join(f"{RUNGS[rung]} {rung}" for rung in met)
        yield Text(f"{'':<{LABEL_COLUMNS}}rungs: {RUNGS[Rung.CALM.label]} calm, {signs}")
