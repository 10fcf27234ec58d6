"""The meter: what the system says of this process's memory."""

from __future__ import annotations

from weaver.memory.meter import peak_rss_bytes, rss_bytes


def test_the_peak_is_at_least_what_is_resident_now() -> None:
    """Both figures are those of this process, in bytes: megabytes, and the peak not below the present."""
    now = rss_bytes()
    assert now > 8 << 20
    assert peak_rss_bytes() >= now * 0.99
