"""How long a host is left alone: Crawl-delay, back-off and Retry-After as pure functions."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaver.base.page import Failure, Response
from weaver.base.settings import PolitenessSettings
from weaver.politeness.delay import backoff, is_trouble, pause_after_trouble, polite_delay, retry_after

NOW = 1_700_000_000.0


def answer(status: int, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response("http://h/", status, named, b"", wire_bytes=0, elapsed_s=0.0)


def test_the_longer_of_delay_and_crawl_delay_counts_up_to_a_cap() -> None:
    """A Crawl-delay never shortens the user's delay and never exceeds its cap."""
    settings = PolitenessSettings(delay=2.0, max_crawl_delay=60.0)
    assert [polite_delay(settings, asked) for asked in (None, 1.0, 5.0, 1e9)] == [2.0, 2.0, 5.0, 60.0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("00000000000000005", 5.0),
        ("9" * 5000, 999_999_999_999.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tuesday, 14-Nov-23 22:13:50 GMT", 30.0),
        ("Tue Nov 14 22:13:50 2023", 30.0),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        ("Tue, 99 Nov 2023 22:13:00 GMT", None),
        ("Sun, 06 Nov 99999 08:49:37 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, expected: float | None) -> None:
    """All three date forms are read as UTC, past ones mean now, nonsense nothing (RFC 9110 10.2.3)."""
    assert retry_after(text, NOW) == expected


@given(st.text(max_size=60))
def test_retry_after_never_raises(text: str) -> None:
    """Whatever stands in the header is seconds >= 0 or nothing."""
    seconds = retry_after(text, NOW)
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))


@given(st.integers(0, 13_000_000_000))
def test_retry_after_reads_every_date(seconds: int) -> None:
    """A date is as far ahead as it is, or 0."""
    moment = datetime.fromtimestamp(seconds, UTC)
    assert retry_after(format_datetime(moment, usegmt=True), NOW) == max(0.0, seconds - NOW)


def test_backoff_doubles_from_a_second_up_to_the_cap() -> None:
    """Each failure in a row doubles the pause, from at least 1 s; jitter takes a quarter at most."""
    assert [backoff(0.1, failures, 10.0, 0.0) for failures in (1, 2, 3, 4, 1000)] == [2.0, 4.0, 8.0, 10.0, 10.0]
    assert backoff(0.1, 3, 10.0, 0.999) == pytest.approx(6.0, abs=0.01)


@given(delay_s=st.floats(0, 1e4), failures=st.integers(0, 10_000), cap_s=st.floats(0, 1e4), jitter=st.floats(0, 0.999))
def test_no_pause_is_shorter_than_the_delay(delay_s: float, failures: int, cap_s: float, jitter: float) -> None:
    """Whatever the cap and the jitter, the plain delay is kept."""
    assert delay_s <= backoff(delay_s, failures, cap_s, jitter) <= max(delay_s, cap_s)


def test_retry_after_replaces_the_backoff_between_delay_and_cap() -> None:
    """What the host names counts, never less than the delay, never more than the cap."""
    settings = PolitenessSettings(delay=2.0, max_retry_after=100.0)

    def pause(fetched: Response) -> float:
        return pause_after_trouble(fetched, settings=settings, delay_s=2.0, failures=1, wall_s=NOW, jitter=0.0)

    assert pause(answer(429, retry_after="50")) == 50.0
    assert pause(answer(503, retry_after="999999999999")) == 100.0
    assert pause(answer(503, retry_after="Tue, 14 Nov 2023 22:13:00 GMT")) == 2.0
    assert pause(answer(503, retry_after="0")) == 2.0
    assert pause(answer(503)) == 4.0
    assert pause(answer(500, retry_after="50")) == 4.0


def test_trouble_is_what_a_pause_may_mend() -> None:
    """429, 5xx and retryable failures are trouble; other answers and final failures are not."""
    assert [is_trouble(answer(status)) for status in (200, 301, 404, 429, 500, 503)] == [False] * 3 + [True] * 3
    assert is_trouble(Failure("http://h/", "timeout", is_retryable=True))
    assert not is_trouble(Failure("http://h/", "blocked_private"))
    assert not is_trouble(Failure("http://h/", "local_limit", is_retryable=True))
