"""Sizes, durations and counts with units: `256MiB`, `1.5h`, `50M` to numbers, and numbers to what a person reads."""

from __future__ import annotations

import math
import re

_SIZE_UNITS = {
    "": 1,
    "b": 1,
    "k": 1000,
    "kb": 1000,
    "kib": 1 << 10,
    "m": 1000**2,
    "mb": 1000**2,
    "mib": 1 << 20,
    "g": 1000**3,
    "gb": 1000**3,
    "gib": 1 << 30,
    "t": 1000**4,
    "tb": 1000**4,
    "tib": 1 << 40,
}
_DURATION_UNITS = {
    "": 1.0,
    "ms": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_COUNT_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "b": 1000**3}
_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


def _scaled(value: object, units: dict[str, int] | dict[str, float], noun: str, example: str) -> float:
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    unit = match[2].lower() if match else ""
    scaled = float(match[1]) * units[unit] if match and unit in units else math.inf
    if not math.isfinite(scaled):
        known = ", ".join(unit for unit in units if unit)
        raise ValueError(f"expected a {noun} such as {example} (units: {known}), got {value!r}")
    return scaled


def parse_size(value: object) -> int:
    """Bytes of `256MiB`, `1.5GB` or a plain whole number; kB is 1000, KiB is 1024. Raises ValueError."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value % 1 == 0:
        return int(value)
    return int(_scaled(value, _SIZE_UNITS, "size", "256MiB"))


def parse_duration(value: object) -> float:
    """Seconds of `1.5s`, `200ms`, `2h` or a plain number. Raises ValueError."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return _scaled(value, _DURATION_UNITS, "duration", "1.5s")


def parse_count(value: object) -> int:
    """How many, of `50M`, `2.5k`, `50_000_000` or a plain whole number; k is 1000. Raises ValueError."""
    plain = value.replace("_", "").replace(",", "") if isinstance(value, str) else value
    if isinstance(plain, int) and not isinstance(plain, bool):
        plain = str(plain)
    try:
        count = _scaled(plain, _COUNT_UNITS, "count", "50M")
    except ValueError:
        count = -1.0
    # 2.3M is 2299999.9999999995 in binary; half a URL is nothing.
    if count < 1 or abs(count - round(count)) > 1e-6:
        raise ValueError(f"expected a whole number >= 1 such as 50M or 50_000_000 (units: k, M, G), got {value!r}")
    return round(count)


def format_count(count: float) -> str:
    """The count as a person reads it, in three digits: `987`, `12.3k`, `50.0M`, `4.29G`."""
    for unit, scale in (("G", 1000**3), ("M", 1000**2), ("k", 1000)):
        if abs(count) >= 0.9995 * scale:
            scaled = count / scale
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f}{unit}"
    return f"{count:.0f}"


def format_size(size_bytes: float) -> str:
    """The size as a person reads it: `1.4 GiB`."""
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if abs(size_bytes) >= scale:
            return f"{size_bytes / scale:.1f} {unit}"
    return f"{size_bytes:.0f} B"


def format_duration(seconds: float) -> str:
    """The duration as a person reads it: `2h 03m`, `4m 05s`, `12.3 s`."""
    if seconds >= 3600:
        return f"{int(seconds // 3600)}h {int(seconds % 3600 // 60):02d}m"
    if seconds >= 60:
        return f"{int(seconds // 60)}m {int(seconds % 60):02d}s"
    return f"{seconds:.1f} s"
