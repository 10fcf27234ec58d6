"""The frozen values that travel between the stages of one page's way through weaver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import IntEnum, StrEnum

from weaver.base.value import value


class EdgeKind(IntEnum):
    """What an edge of the link graph says; the number is what is stored, so it never changes."""

    HYPERLINK = 0
    NOFOLLOW = 1
    REDIRECT = 2
    CANONICAL = 3
    DUPLICATE = 4
    NEAR_DUPLICATE = 5


class TaskKind(IntEnum):
    """What a task asks for: a page, or a host's robots.txt (RFC 9309) before its first page."""

    PAGE = 0
    ROBOTS = 1


class PageState(StrEnum):
    """Where a known URL stands; the last five are final."""

    KNOWN = "known"
    QUEUED = "queued"
    FETCHED = "fetched"
    DUPLICATE = "duplicate"
    REDIRECT = "redirect"
    FAILED = "failed"
    BLOCKED = "blocked_robots"
    SKIPPED = "skipped"


@value
class Task:
    """One request that the crawl wants to make.

    `url_id` is the node's dense id (0 for robots tasks, which are no nodes); `host_id` the dense id of the
    origin (scheme, host, port) whose politeness governs it; `robots_for` is, for a robots task, the host whose
    rules it fetches (it differs from `host_id` when robots.txt was redirected to another host).
    """

    url_id: int
    url: str
    host_id: int
    depth: int = 0
    redirects: int = 0
    attempts: int = 0
    kind: TaskKind = TaskKind.PAGE
    robots_for: int = 0


HeaderLines = tuple[tuple[bytes, bytes], ...]
"""Names and values of a message's header, in order, as they are on the wire."""


@value
class Exchange:
    """What an archive keeps of a request and its answer besides the answer's header lines and body.

    `started_at` in wall-clock seconds, `peer` the address that answered (empty where nobody knows); the lines have no
    ends.
    """

    started_at: float
    peer: str
    request_line: bytes
    request_lines: HeaderLines
    status_line: bytes


@value
class Response:
    """What a server answered: one hop, never followed. `headers` has lower-case names with the last value of
    each, and all values of Link and X-Robots-Tag, joined by commas; `header_lines` are all of them, as received.

    `body` is decoded from its content coding and capped; `is_truncated` says that the body ended before the
    server's own word for its length, or at weaver's cap (`truncated_by` says which). Times are clock seconds.
    `exchange` is there where an archive is kept.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    wire_bytes: int
    elapsed_s: float
    truncated_by: str = ""
    header_lines: HeaderLines = ()
    exchange: Exchange | None = None

    @property
    def is_truncated(self) -> bool:
        return bool(self.truncated_by)

    @property
    def is_redirect(self) -> bool:
        return self.status in (301, 302, 303, 307, 308) and "location" in self.headers

    @property
    def content_type(self) -> str:
        """The media type alone, lower case: `text/html`; empty where the server sent none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@value
class Failure:
    """Why no response came: a counted reason (`timeout`, `connect`, `dns`, `blocked_private`, ...).

    `is_retryable` is True only where a fresh connection may well do better; `detail` is for people.
    """

    url: str
    reason: str
    detail: str = ""
    is_retryable: bool = False
    elapsed_s: float = 0.0


Fetched = Response | Failure


@value
class Parsed:
    """What one pass over a page found.

    `base_url` is the effective base (after `<base href>`); hrefs are raw attribute values, stripped of ASCII
    whitespace, in document order with repeats, not yet resolved. `nofollow_hrefs` are those whose `rel` says
    nofollow, ugc or sponsored. `canonical` and `refresh` are raw too. `text` is the visible text (white space
    runs as found, a line break at the borders of blocks), for hashing. `is_html` is False for bodies that are hashed
    without parsing. `note` names what was odd (`deep_nesting`, `large_page`, `links_capped`), or is empty.
    """

    base_url: str
    hrefs: list[str] = field(default_factory=list)
    nofollow_hrefs: list[str] = field(default_factory=list)
    canonical: str | None = None
    refresh: str | None = None
    title: str = ""
    text: str = ""
    charset: str = ""
    noindex: bool = False
    nofollow: bool = False
    is_html: bool = False
    note: str = ""


class Verdict(StrEnum):
    """What dedupe says of a body: new, or the same as a page seen before."""

    NEW = "new"
    SAME_BODY = "same_body"
    SAME_TEXT = "same_text"


@value
class Observation:
    """Dedupe's answer for one page: both digests (16 bytes each, text_digest empty where not taken) and,
    for a duplicate, the id of the page it is a duplicate of (0 when new)."""

    verdict: Verdict
    body_digest: bytes
    text_digest: bytes
    duplicate_of: int = 0
