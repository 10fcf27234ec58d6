"""Arrays that take RAM only where they are written."""

from __future__ import annotations

import numpy as np
import psutil

from weaver.memory.reserve import discard, reserved_zeros


def test_a_reserved_array_is_zero_and_writable() -> None:
    """It reads as zeros of its type and length, and keeps what is written."""
    column = reserved_zeros(1000, np.uint32)
    assert (len(column), column.dtype, column.any()) == (1000, np.uint32, np.False_)
    column[999] = 7
    assert column[999] == 7
    assert len(reserved_zeros(0, np.uint64)) == 0


def test_a_reserved_array_takes_ram_where_it_is_written() -> None:
    """256 MiB reserved cost next to nothing until their pages are touched."""
    process = psutil.Process()
    before = process.memory_info().rss
    column = reserved_zeros(32 << 20, np.uint64)
    column[: 1 << 17] = 1
    assert process.memory_info().rss - before < 16 << 20


def test_a_reserved_array_gives_back_only_its_tail() -> None:
    """What is before the start stays, what is behind is zero."""
    column = reserved_zeros(10_000, np.uint64)
    column[:] = 7
    assert discard(column, 1000) >= 60_000
    assert column[:1000].all()
    assert not column[1000:].any()
    column[5000] = 8
    assert column[5000] == 8
    assert discard(column, 9_999) == 0
    assert discard(column, 10_000) == 0
