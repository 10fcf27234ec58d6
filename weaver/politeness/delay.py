"""How long to leave a host alone: pure functions of what it answered, in seconds."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

from weaver.base.page import Failure, Fetched
from weaver.base.settings import PolitenessSettings

MIN_BACKOFF_S = 1.0
_OVERLOADED = frozenset({429, 503})  # RFC 6585 4, RFC 9110 15.6.4: those that Retry-After goes with
_LOCAL_LIMIT = "local_limit"
_NOT_THE_HOSTS_FAULT = frozenset({"stale_connection", _LOCAL_LIMIT})
_MAX_DOUBLINGS = 32
_MAX_SECONDS_DIGITS = 12
_MAX_DATE_CHARACTERS = 64


def polite_delay(settings: PolitenessSettings, crawl_delay_s: float | None) -> float:
    """The pause between two requests: the user's, or the host's Crawl-delay where that is longer, up to its cap."""
    return max(settings.delay, min(crawl_delay_s or 0.0, settings.max_crawl_delay))


def longest_pause(settings: PolitenessSettings) -> float:
    """No pause exceeds this; a deadline beyond it was written by a clock that stood elsewhere."""
    return max(settings.delay, settings.max_crawl_delay, settings.max_retry_after, settings.max_backoff)


def is_overload(fetched: Fetched) -> bool:
    """Whether the host said that it can't cope now: 429 and 503."""
    return not isinstance(fetched, Failure) and fetched.status in _OVERLOADED


def is_local_limit(fetched: Fetched) -> bool:
    """Whether this machine had no descriptor, port or buffer for the request: no word about the host or the page."""
    return isinstance(fetched, Failure) and fetched.reason == _LOCAL_LIMIT


def is_trouble(fetched: Fetched) -> bool:
    """Whether the answer counts as a failure in a row: 429, any 5xx, or no answer where another try may get one.

    A failure that no try can mend (a refused address, a bad certificate) says nothing of the host's load, nor does a
    kept connection that the host had closed, nor this machine's own want.
    """
    if isinstance(fetched, Failure):
        return fetched.is_retryable and fetched.reason not in _NOT_THE_HOSTS_FAULT
    return fetched.status in _OVERLOADED or fetched.status >= 500


def pause_after_trouble(
    fetched: Fetched, *, settings: PolitenessSettings, delay_s: float, failures: int, wall_s: float, jitter: float
) -> float:
    """Seconds from now until a host in trouble may be asked again; never less than its delay.

    1. it named a time: that, up to its cap; 2. otherwise the back-off after so many failures in a row.
    """
    named_s = _named_pause(fetched, wall_s)
    if named_s is None:
        return backoff(delay_s, failures, settings.max_backoff, jitter)
    return max(delay_s, min(named_s, settings.max_retry_after))


def backoff(delay_s: float, failures: int, max_backoff_s: float, jitter: float) -> float:
    """The pause after `failures` in a row: twice as long each time, from at least a second, up to the cap.

    `jitter` in [0, 1) takes up to a quarter off, so that hosts that failed together don't come back together.
    """
    doubled = max(delay_s, MIN_BACKOFF_S) * 2.0 ** min(failures, _MAX_DOUBLINGS)
    return max(delay_s, min(doubled, max_backoff_s) * (1.0 - 0.25 * jitter))


def retry_after(text: str, wall_s: float) -> float | None:
    """Seconds that a Retry-After asks for (RFC 9110 10.2.3: seconds or a date, past ones are 0), None if unreadable."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text.lstrip("0")[:_MAX_SECONDS_DIGITS] or "0")
    if len(text) > _MAX_DATE_CHARACTERS:
        return None
    try:
        moment = parsedate_to_datetime(text)
        # The asctime form names no zone; all HTTP dates are UTC (RFC 9110 5.6.7).
        return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - wall_s)
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None


def _named_pause(fetched: Fetched, wall_s: float) -> float | None:
    if isinstance(fetched, Failure) or not is_overload(fetched):
        return None
    return retry_after(fetched.headers.get("retry-after", ""), wall_s)
