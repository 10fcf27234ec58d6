"""The heat map's figures: how full each account was, in equal spans of the time that a crawl was at work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weaver.memory.governor import Rung

UNTRACKED = "untracked"
TOTAL = "total"

_PLACES = {rung.label: rung for rung in Rung}

Samples = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One account over time: the highest share of its limit in each span, and its figures now, in bytes."""

    label: str
    shares: tuple[float, ...]
    used: int
    limit: int
    high_water: int


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The rows, the highest rung of each span, and how long all spans are together, in seconds."""

    rows: tuple[HeatRow, ...]
    rungs: tuple[str, ...]
    duration_s: float


def heat_map(report: Mapping[str, Any], columns: int) -> HeatMap:
    """The report in `columns` spans: accounts, then `untracked` against its alarm, then all against the budget.

    A span without a sample is as the one before it: when all is calm, samples are up to a minute apart.
    """
    samples: Samples = report["samples"]
    duration_s = float(samples[-1]["elapsed_s"])
    spans = _spans(samples, columns, duration_s)
    rows = [_account_row(tag, account, report, spans) for tag, account in report["accounts"].items()]
    alarm, budget = int(report["untracked_alarm_bytes"]), int(report["budget_bytes"])
    rows.append(_row(UNTRACKED, samples, spans, lambda sample: max(0, int(sample["untracked"])), alarm))
    rows.append(_row(TOTAL, samples, spans, lambda sample: max(0, int(sample["rss"] - sample["baseline"])), budget))
    rungs = tuple(max((str(sample["rung"]) for sample in span), key=_place) for span in spans)
    return HeatMap(tuple(rows), rungs, duration_s)


def _place(rung: str) -> int:
    """Where a rung stands; one that a later version adds counts as the lowest."""
    return _PLACES.get(rung, Rung.CALM)


def _spans(samples: Samples, columns: int, duration_s: float) -> list[Samples]:
    """The samples of each span, at least one: where none was taken, the newest before it."""
    spans: list[list[Mapping[str, Any]]] = [[] for _ in range(columns)]
    for sample in samples:
        share = float(sample["elapsed_s"]) / duration_s if duration_s > 0 else 0.0
        spans[min(columns - 1, max(0, int(share * columns)))].append(sample)
    newest = samples[0]
    for span in spans:
        if not span:
            span.append(newest)
        newest = span[-1]
    return [tuple(span) for span in spans]


def _account_row(tag: str, account: Mapping[str, Any], report: Mapping[str, Any], spans: Sequence[Samples]) -> HeatRow:
    limit = int(account["limit"])
    row = _row(tag, report["samples"], spans, lambda sample: int(sample["accounts"].get(tag, 0)), limit)
    return HeatRow(tag, row.shares, int(account["used"]), limit, int(account["high_water"]))


def _row(
    label: str,
    samples: Samples,
    spans: Sequence[Samples],
    bytes_of: Callable[[Mapping[str, Any]], int],
    limit: int,
) -> HeatRow:
    """Shares are of the limit in proportion to the budget of the time: another run may have had another one."""
    newest_budget = int(samples[-1]["budget"])

    def share(sample: Mapping[str, Any]) -> float:
        scaled = limit * int(sample["budget"]) / newest_budget if newest_budget else 0.0
        return bytes_of(sample) / scaled if scaled else 0.0

    shares = tuple(max(map(share, span)) for span in spans)
    return HeatRow(label, shares, bytes_of(samples[-1]), limit, max(map(bytes_of, samples)))
