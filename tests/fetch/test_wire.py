"""The wire meter: what a response may cost around its body."""

from __future__ import annotations

from weaver.fetch.wire import FREE_FRAMING_BYTES, MAX_INTERIM, WireLimits, WireMeter

LIMITS = WireLimits(max_header_bytes=1_000, min_rate_bytes_s=128, rate_window_s=10.0)
HEADERS = ((b"Content-Type", b"text/html"),)


def test_a_usual_response_breaks_no_limit() -> None:
    """A head and a body as most servers send them pass without a word."""
    meter = WireMeter(LIMITS)
    assert meter.headers(HEADERS) == ""
    assert meter.receive(40_000, 39_900, now=0.1) == ""
    assert meter.receive(4_000_000, 4_039_900, now=0.2) == ""
    assert meter.received_bytes == 4_040_000


def test_headers_are_capped_while_they_come() -> None:
    """A head that does not end is cut once it is over the cap."""
    meter = WireMeter(LIMITS)
    assert meter.receive(1_000, 0, now=0.1) == ""
    assert meter.receive(1, 0, now=0.1) == "header_limit"


def test_headers_are_capped_when_they_have_come() -> None:
    """A head that came at once is judged by its own size, not by what came with it."""
    assert WireMeter(LIMITS).headers([(b"X", b"a" * 996)]) == "header_limit"
    assert WireMeter(LIMITS).headers([(b"X", b"a" * 995)]) == ""


def test_interim_responses_are_counted() -> None:
    """Sixteen 1xx are borne, the next one is not."""
    meter = WireMeter(LIMITS)
    assert [meter.interim() for _ in range(MAX_INTERIM)] == [""] * MAX_INTERIM
    assert meter.interim() == "interim_limit"


def test_more_framing_than_body_is_cut() -> None:
    """Beyond what is free, chunk sizes, extensions and trailers may not outweigh the body."""
    meter = WireMeter(LIMITS)
    meter.headers(HEADERS)
    assert meter.receive(FREE_FRAMING_BYTES, 0, now=0.1) == ""
    assert meter.receive(100, 0, now=0.1) == "framing"
    fair = WireMeter(LIMITS)
    fair.headers(HEADERS)
    assert fair.receive(3_000_000, 1_600_000, now=0.1) == ""


def test_a_drip_is_too_slow() -> None:
    """Less than the rate over one window ends the response."""
    meter = WireMeter(LIMITS)
    meter.headers(HEADERS)
    verdicts = [meter.receive(1, second, now=float(second)) for second in range(11)]
    assert verdicts == [""] * 10 + ["too_slow"]


def test_each_window_is_judged_by_itself() -> None:
    """A fast start buys no slow end."""
    meter = WireMeter(LIMITS)
    meter.headers(HEADERS)
    assert meter.receive(1_000_000, 1_000_000, now=0.0) == ""
    assert meter.receive(10, 1_000_010, now=10.0) == ""
    assert meter.receive(10, 1_000_020, now=20.0) == "too_slow"


def test_a_long_silence_counts_in_full() -> None:
    """What comes after a pause of many windows is judged over all of them; the wait for the first byte is no pause."""
    meter = WireMeter(LIMITS)
    assert meter.receive(100, 0, now=25.0) == ""
    assert meter.receive(800, 0, now=60.0) == "too_slow"


def test_the_first_reason_stays() -> None:
    """A response that broke one limit is not told another."""
    meter = WireMeter(LIMITS)
    meter.receive(2_000, 0, now=0.0)
    for _ in range(MAX_INTERIM + 1):
        meter.interim()
    assert meter.violation == "header_limit"


def test_a_stale_loss_needs_a_reused_connection_and_no_byte() -> None:
    """Only a kept-alive connection that died in silence lets the request be sent again at once."""
    meter = WireMeter(LIMITS)
    assert not meter.is_stale_loss
    meter.is_reused = True
    assert meter.is_stale_loss
    meter.receive(1, 0, now=0.0)
    assert not meter.is_stale_loss
