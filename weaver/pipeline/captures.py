"""Captures: what of a visit goes to the archive, where one is kept."""

from __future__ import annotations

from weaver.base.page import Fetched, Parsed, Response, Task
from weaver.base.record import Capture
from weaver.base.settings import PolitenessSettings
from weaver.base.version import VERSION
from weaver.politeness import user_agent

# A link that was found is held by its page as well; apart from its text it takes this.
_HREF_BYTES = 60
_CAPTURE_BYTES = 2_000


def captures_of(task: Task, fetched: Fetched, parsed: Parsed | None = None) -> tuple[Capture, ...]:
    """The one capture of an answer that tells its exchange; none else."""
    if not isinstance(fetched, Response) or fetched.exchange is None:
        return ()
    if parsed is None:
        return (Capture(fetched, task.url_id),)
    return (Capture(fetched, task.url_id, parsed.base_url, (*parsed.hrefs, *parsed.nofollow_hrefs)),)


def archivist(politeness: PolitenessSettings) -> dict[str, str]:
    """Who archives, and by which manners: what stands at the head of each file."""
    return {
        "software": f"weaver/{VERSION}",
        "operator": politeness.contact,
        "http-header-user-agent": user_agent(politeness),
        "robots": politeness.robots,
    }


def capture_bytes(captures: tuple[Capture, ...]) -> int:
    """Bytes that captures take until they are written: bodies, header lines, links, and the objects around them."""
    return sum(map(_size_of, captures))


def _size_of(capture: Capture) -> int:
    lines = sum(len(name) + len(value) for name, value in capture.response.header_lines)
    links = sum(map(len, capture.hrefs)) + _HREF_BYTES * len(capture.hrefs)
    return _CAPTURE_BYTES + len(capture.response.body) + lines + links
