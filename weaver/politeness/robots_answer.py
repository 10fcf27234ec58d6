"""What the answer to a request for robots.txt means (RFC 9309 2.3.1)."""

from __future__ import annotations

from enum import StrEnum

from weaver.base.page import Failure, Fetched, Task
from weaver.base.settings import UrlSettings
from weaver.base.url import Canonicalizer
from weaver.politeness.delay import is_local_limit

MAX_ROBOTS_REDIRECTS = 5  # RFC 9309 2.3.1.2
# Where weaver itself ended the body, what came before is good; where the server broke off, it is not.
_OWN_CAPS = frozenset({"", "robots_cap", "max_body"})
_AS_WRITTEN = Canonicalizer(UrlSettings(drop_parameters=(), sort_query=False))


class RobotsStatus(StrEnum):
    """What is known of a host's rules; the text is what is stored."""

    UNKNOWN = ""
    OK = "ok"
    UNAVAILABLE = "unavailable"
    UNREACHABLE = "unreachable"


def status_of(fetched: Fetched) -> RobotsStatus:
    """The status that a last answer leads to; a redirect here is one that could not be followed.

    1. 2xx whole: the rules; 2. 3xx and 4xx: there are none, all is allowed; 3. all else: unreachable, nothing is
    allowed. A body that broke off counts as unreachable, since the missing rules may forbid; 429 does because the
    host is there and asks for patience. Both are weaver's policy where the RFC is silent.
    """
    if isinstance(fetched, Failure) or fetched.status == 429:
        return RobotsStatus.UNREACHABLE
    if 200 <= fetched.status < 300:
        return RobotsStatus.OK if fetched.truncated_by in _OWN_CAPS else RobotsStatus.UNREACHABLE
    return RobotsStatus.UNAVAILABLE if 300 <= fetched.status < 500 else RobotsStatus.UNREACHABLE


def may_recover(fetched: Fetched) -> bool:
    """Whether the rules are unreachable now, but another try may reach them."""
    if isinstance(fetched, Failure):
        return fetched.is_retryable and not is_local_limit(fetched)
    return status_of(fetched) is RobotsStatus.UNREACHABLE


def is_refused_by_us(fetched: Fetched) -> bool:
    """Whether weaver itself did not ask: the host's pages are refused by the same guard, each with the true reason."""
    return isinstance(fetched, Failure) and fetched.reason == "blocked_private"


def next_hop(task: Task, fetched: Fetched) -> str | None:
    """Where a redirect leads, absolute and http(s); None if this is none, leads nowhere, or is one too many."""
    if isinstance(fetched, Failure) or not fetched.is_redirect or task.redirects >= MAX_ROBOTS_REDIRECTS:
        return None
    return _AS_WRITTEN.canonical(fetched.headers["location"], task.url)
