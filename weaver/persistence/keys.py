"""64-bit keys on disk: SQLite's integers are signed, the crawl's keys are not."""

from __future__ import annotations

_SIGN = 1 << 63
_SPAN = 1 << 64


def to_signed(key: int) -> int:
    """The key as stored. Raises OverflowError for what is no unsigned 64-bit number."""
    if 0 <= key < _SIGN:
        return key
    if _SIGN <= key < _SPAN:
        return key - _SPAN
    raise OverflowError(f"expected an unsigned 64-bit key, got {key}")


def to_unsigned(stored: int) -> int:
    """The key of a stored number."""
    return stored if stored >= 0 else stored + _SPAN
