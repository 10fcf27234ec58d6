"""How sizes and durations are read and written."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaver.base.units import format_count, format_duration, format_size, parse_count, parse_duration, parse_size


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


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("50M", 50_000_000), ("50_000_000", 50_000_000), ("50,000,000", 50_000_000), ("2.5M", 2_500_000),
        ("2.3M", 2_300_000),
        ("1G", 1_000_000_000), ("10k", 10_000), (" 7 ", 7), (7, 7), ("1.001k", 1001),
    ],
)  # fmt: skip
def test_counts_carry_units(value: object, count: int) -> None:
    """A number of things is read with k, M, G and with marks between its digits; it is exact."""
    assert parse_count(value) == count


@pytest.mark.parametrize(
    "value", ["", "M", "0", "1.5", "1.0001k", "-3", "5MiB", "1e6", "nan", "9" * 400, None, True, 0, -1, 2.5]
)
def test_what_is_no_count_is_refused(value: object) -> None:
    """Anything but a whole number above 0 is refused with an example."""
    with pytest.raises(ValueError, match="expected a whole number >= 1 such as 50M or 50_000_000"):
        parse_count(value)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"), (987, "987"), (999.4, "999"), (1_000, "1.00k"), (9_996, "10.0k"), (12_345, "12.3k"),
        (123_456, "123k"),
        (999_600, "1.00M"), (50_000_000, "50.0M"), (4_294_967_295, "4.29G"), (10**12, "1000G"),
    ],
)  # fmt: skip
def test_counts_are_written_for_people(count: float, text: str) -> None:
    """A count is shown in three digits with its unit."""
    assert format_count(count) == text
