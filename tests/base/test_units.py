"""How sizes and durations are read and written."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaver.base.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0", 0),
        ("512", 512),
        ("1k", 1000),
        ("1kB", 1000),
        ("1KiB", 1024),
        ("256MiB", 256 << 20),
        (" 1.5 gib ", 3 << 29),
        ("2TB", 2 * 10**12),
        (4096, 4096),
        (1e6, 1_000_000),
    ],
)
def test_sizes_are_read_with_their_units(text: str | float, size_bytes: int) -> None:
    """A size is bytes, or a number with a decimal (kB) or binary (KiB) unit, in any case."""
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1.5", 1.5),
        ("200ms", 0.2),
        ("2 s", 2),
        ("3min", 180),
        ("2H", 7200),
        ("1d", 86_400),
        (7, 7),
        (0.5, 0.5),
    ],
)
def test_durations_are_read_with_their_units(text: str | float, seconds: float) -> None:
    """A duration is seconds, or a number with its unit."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    ["", "MiB", "-1", "1 MiB 2", "1e6", "٣", "1,5s", "9" * 400 + "d", True, None, [1], math.inf, math.nan, "inf"],
)
def test_what_is_no_quantity_is_refused_by_name(value: object) -> None:
    """Anything else raises ValueError with an example, the units and what was given."""
    with pytest.raises(ValueError, match=r"expected a size such as 256MiB \(units: b, .* got"):
        parse_size(value)
    with pytest.raises(ValueError, match=r"expected a duration such as 1.5s \(units: ms, .* got"):
        parse_duration(value)


def test_half_a_byte_is_refused() -> None:
    """A plain number of bytes is whole."""
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(1.5)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1 << 20, "1.0 MiB"), (3 << 29, "1.5 GiB"), (-2048, "-2.0 KiB")],
)
def test_sizes_are_written_for_people(size_bytes: int, text: str) -> None:
    """A size is shown in the largest binary unit that it fills."""
    assert format_size(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0 s"), (12.34, "12.3 s"), (60, "1m 00s"), (245, "4m 05s"), (7380, "2h 03m")]
)
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    """A duration is shown in its two largest units."""
    assert format_duration(seconds) == text


@given(st.integers(0, 2**60))
def test_a_written_size_can_be_read_again(size_bytes: int) -> None:
    """What `format_size` writes `parse_size` reads, within the digit that is shown."""
    shown = parse_size(format_size(size_bytes))
    assert shown == pytest.approx(size_bytes, rel=0.06)
