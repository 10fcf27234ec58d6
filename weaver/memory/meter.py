"""The meter: how much memory the process has, now and at its peak, as the system counts it, and what it may have."""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from weaver.base.validators import LEAST_BUDGET_BYTES
from weaver.memory.cgroup import ControlGroups, stall_share
from weaver.memory.kept_file import Figure, KeptFile

_STATUS = Path("/proc/self/status")
_PEAK = re.compile(rb"VmHWM:\s*(\d+) kB")
_RESIDENT_PAGES = re.compile(rb"\A\d{1,16} (\d{1,16}) ")
_AVAILABLE_KIB = re.compile(rb"^MemAvailable:\s*(\d{1,16}) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the system says at one moment, in bytes; None where it does not say.

    `group_limit` is the least limit of the control groups that the process is in, `group_used` what counts against
    it: all processes there, without the file cache that the kernel takes back first. `available` is what the whole
    machine can still give without swapping. `stall_share` is the part of the last 10 s, 0 to 1, in which some task
    of the group (of the machine, where groups do not tell) waited for memory. `group_active_file` is the part of
    `group_used` that is file cache in active use: the kernel takes that back too, but last.
    """

    rss: int
    group_used: int | None
    group_limit: int | None
    available: int | None
    stall_share: float
    group_active_file: int = 0


class Meter:
    """Reads the process's memory from files that stay open: `rss` in 3 us, `read` in 50 us. Nothing raises.

    The files are those of the process that first reads them: a forked child opens a meter of its own.
    """

    def __init__(self, root: Path = Path("/"), page_bytes: int = mmap.PAGESIZE) -> None:
        self._page_bytes = page_bytes
        # Bytes that processes which work for this one took since they stood.
        self.beyond: Callable[[], int] = lambda: 0
        self._resident = Figure(KeptFile(root / "proc/self/statm"), _RESIDENT_PAGES)
        self._available = Figure(KeptFile(root / "proc/meminfo"), _AVAILABLE_KIB)
        self._pressure = KeptFile(root / "proc/pressure/memory")
        self._groups = ControlGroups(root)

    def __repr__(self) -> str:
        return f"Meter({self.rss()} resident, {self._groups!r})"

    def rss(self) -> int:
        """Resident bytes now, with what processes that work for this one took since they stood."""
        pages = self._resident.read()
        return (rss_bytes() if pages is None else pages * self._page_bytes) + self.beyond()

    def read(self) -> Reading:
        """Everything the system says now."""
        limit, used = self._groups.limit_and_used()
        available_kib = self._available.read()
        return Reading(
            rss=self.rss(),
            group_used=used,
            group_limit=limit,
            available=None if available_kib is None else available_kib * 1024,
            stall_share=self._stall_share(),
            group_active_file=self._groups.active_file(),
        )

    def _stall_share(self) -> float:
        share = self._groups.stall_share()
        if share is None:
            share = stall_share(self._pressure)
        return share or 0.0

    def close(self) -> None:
        """Close the files; a later reading opens them again."""
        for file in (self._resident, self._available, self._pressure, self._groups):
            file.close()


def rss_bytes() -> int:
    """Resident bytes now, wherever psutil runs."""
    return int(psutil.Process().memory_info().rss)


def peak_rss_bytes() -> int:
    """The most resident bytes since the program was started; what is resident now where the system does not say.

    Linux's VmHWM, not getrusage's maximum: that one holds what the parent had when it forked.
    """
    try:
        found = _PEAK.search(_STATUS.read_bytes())
    except OSError:
        found = None
    return int(found[1]) * 1024 if found else rss_bytes()


def group_limit_bytes(root: Path = Path("/")) -> int | None:
    """The least memory limit of the control groups that the process is in, in bytes; None where there is none."""
    groups = ControlGroups(root)
    try:
        return groups.limit_and_used()[0]
    finally:
        groups.close()


def capped_budget(asked: int, group_limit: int | None, baseline_rss: int) -> int:
    """The budget, in bytes, that fits the limit of the process's control group; `asked` where that is none, or less.

    weaver promises a peak of the budget and the baseline (what is resident before the crawl) and 10 %; that peak is
    kept under 90 % of the limit, above which the kernel throttles (`memory.high`) and kills (`memory.max`). Never
    less than 1 MiB, the least budget there is, however little that leaves.
    """
    if group_limit is None:
        return asked
    fitting = group_limit * 9 // 11 - baseline_rss
    return min(asked, max(LEAST_BUDGET_BYTES, fitting))
