"""The memory report: how a crawl's memory went over time, read from its history, its events and its status."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from weaver.analysis.report import disk_status
from weaver.base.errors import DirectoryError, PersistenceError
from weaver.memory.budget import DEFAULT_SHARES
from weaver.memory.governor import Rung
from weaver.memory.trimming import UNTRACKED_BYTES, UNTRACKED_SHARE
from weaver.persistence.border import disk_errors
from weaver.persistence.events_log import EVENTS_NAME
from weaver.persistence.jsonl import read_lines
from weaver.persistence.memory_log import MEMORY_NAME
from weaver.persistence.rotated_log import parts

RUNG_EVENT = "memory_rung"
# A history of weeks is thinned while it is read: more samples than this are in no picture, and would not be bounded.
MAX_SAMPLES = 4_096
MAX_RUNGS = 1_000
MOST = 1 << 50

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """The memory at one moment, in bytes; `elapsed_s` is the time that the crawl was at work, all runs together."""

    at: float
    elapsed_s: float
    run: int
    pages: int
    known_urls: int
    rss: int
    baseline: int
    budget: int
    limit: int | None
    untracked: int
    rung: str
    accounts: Mapping[str, int]

    @property
    def grown(self) -> int:
        """What the crawl added to the process: accounts and untracked together."""
        return self.rss - self.baseline


@dataclass(slots=True)
class History:
    """A crawl's samples, oldest first, at most MAX_SAMPLES; peaks and changes of rung are those of all of them."""

    samples: list[Sample] = field(default_factory=list)
    runs: list[Document] = field(default_factory=list)
    high_water: dict[str, int] = field(default_factory=dict)
    peak_rss: int = 0
    read: int = 0
    _stride: int = 1
    _newest: Sample | None = None

    def add(self, facts: Mapping[str, Any]) -> None:
        """Take the next line of the file; one that is no sample is left out."""
        run_s = max(0.0, _number(facts.get("run_s")))
        begins = self._begins_run(_number(facts.get("at")), run_s)
        earlier_s = sum(run["duration_s"] for run in (self.runs if begins else self.runs[:-1]))
        sample = _sample(facts, earlier_s + run_s, len(self.runs) + begins)
        if sample is None:
            return
        if begins:
            self.runs.append({"began_at": sample.at - run_s, "samples": 0})
        self.runs[-1]["samples"] += 1
        self.runs[-1] |= {
            "ended_at": sample.at,
            "duration_s": run_s,
            "budget_bytes": sample.budget,
            "baseline_rss_bytes": sample.baseline,
        }
        self._keep(sample)

    def _begins_run(self, at: float, run_s: float) -> bool:
        """A run's time only grows: where it does not, another run began, if only a moment after one as short."""
        if not self.runs:
            return True
        newest = self.runs[-1]
        is_later = at - float(newest["ended_at"]) > 1.0
        return run_s < float(newest["duration_s"]) or (run_s == float(newest["duration_s"]) and is_later)

    def _keep(self, sample: Sample) -> None:
        changed = self._newest is not None and self._newest.rung != sample.rung
        if changed or self.read % self._stride == 0:
            self.samples.append(sample)
        if len(self.samples) > MAX_SAMPLES:
            self.samples = self.samples[::2]
            self._stride *= 2
        self.read += 1
        self._newest = sample
        self.peak_rss = max(self.peak_rss, sample.rss)
        for tag, used in sample.accounts.items():
            self.high_water[tag] = max(self.high_water.get(tag, 0), used)

    def close(self) -> None:
        """The newest sample is always kept."""
        if self._newest is not None and (not self.samples or self.samples[-1] is not self._newest):
            self.samples.append(self._newest)


def memory_report(directory: Path) -> Document:
    """The `weaver memory --json` document. Raises DirectoryError where there is no crawl, or no history."""
    status = disk_status(directory)
    history = read_history(directory)
    if not history.samples:
        raise DirectoryError(
            f"{directory}: this crawl has no memory history: expected samples in {MEMORY_NAME}, which a run writes "
            "from its start"
        )
    memory = status.get("memory", {})
    newest = history.samples[-1]
    return {
        "directory": str(directory),
        "state": status.get("state", ""),
        "runs": history.runs,
        "samples_read": history.read,
        "samples": [_document(sample) for sample in history.samples],
        "accounts": _accounts(memory.get("accounts", {}), history),
        "rungs": _rungs(directory, history),
        "rung": newest.rung,
        "time_to_limit_s": memory.get("time_to_limit_s"),
        "budget_bytes": newest.budget,
        "limit_bytes": newest.limit,
        "rss_bytes": newest.rss,
        "peak_rss_bytes": max(history.peak_rss, int(memory.get("peak_rss_bytes") or 0)),
        "baseline_rss_bytes": newest.baseline,
        "untracked_bytes": newest.untracked,
        "untracked_alarm_bytes": int(max(UNTRACKED_BYTES, UNTRACKED_SHARE * newest.budget)),
        "stores": memory.get("stores", {}),
        "pools": memory.get("pools", {}),
        "collector": memory.get("collector", {}),
        "governor": memory.get("governor", {}),
        "allocator": memory.get("allocator", {}),
    }


def read_history(directory: Path) -> History:
    """All samples of a crawl, those of the rotated files first; lines that are torn or no samples are left out."""
    history = History()
    for facts in _lines(directory / MEMORY_NAME):
        history.add(facts)
    history.close()
    return history


def _lines(path: Path) -> Iterator[Document]:
    """The lines of a rotated log, oldest first."""
    try:
        with disk_errors(f"reading {path}"):
            for file in parts(path):
                yield from read_lines(file)
    except PersistenceError as error:
        raise DirectoryError(str(error)) from error.__cause__


def _sample(facts: Mapping[str, Any], elapsed_s: float, run: int) -> Sample | None:
    accounts = facts.get("accounts")
    if not isinstance(accounts, dict) or not _number(facts.get("rss")):
        return None
    limit = facts.get("limit")
    return Sample(
        at=_number(facts.get("at")),
        elapsed_s=elapsed_s,
        run=run,
        pages=int(_number(facts.get("pages"))),
        known_urls=int(_number(facts.get("known_urls"))),
        rss=int(_number(facts.get("rss"))),
        baseline=int(_number(facts.get("baseline"))),
        budget=int(_number(facts.get("budget"))),
        limit=None if limit is None else int(_number(limit)),
        untracked=int(_number(facts.get("untracked"))),
        rung=str(facts.get("rung") or Rung.CALM.label),
        accounts={str(tag): int(_number(used)) for tag, used in accounts.items()},
    )


def _number(value: object) -> float:
    """The number that the file holds; 0 for what is none, or none that memory and time can be."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not -MOST <= value <= MOST:
        return 0.0
    return float(value)


def _document(sample: Sample) -> Document:
    return {**asdict(sample), "elapsed_s": round(sample.elapsed_s, 3)}


def _accounts(told: Mapping[str, Mapping[str, Any]], history: History) -> dict[str, Document]:
    """Each account by the newest sample, with what the status adds; `high_water` is that of all runs."""
    newest = history.samples[-1]
    accounts = {}
    for tag in dict.fromkeys([*newest.accounts, *told]):
        account = dict(told.get(tag, {}))
        used = newest.accounts.get(tag, int(account.get("used", 0)))
        # A crawl that was killed at its beginning left samples, but no status.
        by_share = newest.budget * DEFAULT_SHARES.get(tag, 0.0)
        limit = int(account.get("base_limit") or account.get("limit") or by_share)
        high_water = max(history.high_water.get(tag, 0), int(account.get("high_water", 0)))
        share = round(used / limit, 4) if limit else None
        accounts[tag] = {**account, "limit": limit, "used": used, "high_water": high_water, "share": share}
    return accounts


def _rungs(directory: Path, history: History) -> list[Document]:
    """The newest changes of rung with their reasons, oldest first; from the samples alone where no event tells."""
    told: deque[Document] = deque(maxlen=MAX_RUNGS)
    for event in _lines(directory / EVENTS_NAME):
        if event.get("kind") == RUNG_EVENT:
            at = _number(event.get("at"))
            told.append({**event, "at": at, "elapsed_s": _elapsed(at, history.runs)})
    if told:
        return list(told)
    return [
        {"at": after.at, "elapsed_s": round(after.elapsed_s, 3), "from": before.rung, "to": after.rung, "reason": ""}
        for before, after in pairwise(history.samples)
        if before.rung != after.rung
    ][-MAX_RUNGS:]


def _elapsed(at: float, runs: list[Document]) -> float:
    """The time at work at a wall-clock time: what the runs before it took, and its own run's part."""
    elapsed_s = 0.0
    for run in runs:
        if at < run["began_at"]:
            break
        elapsed_s += min(run["duration_s"], at - run["began_at"])
    return round(elapsed_s, 3)
