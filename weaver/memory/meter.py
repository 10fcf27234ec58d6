"""The meter: how much memory the process has, now and at its peak, as the system counts it."""

from __future__ import annotations

import re
from pathlib import Path

import psutil

_STATUS = Path("/proc/self/status")
_PEAK = re.compile(rb"VmHWM:\s*(\d+) kB")


def rss_bytes() -> int:
    """Resident bytes now."""
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
