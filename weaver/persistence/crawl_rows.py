"""The rows that a reader of a crawl directory gives, as named values."""

from __future__ import annotations

from typing import NamedTuple


class KnownUrl(NamedTuple):
    """A URL with what came of it; the columns from `state` on are None where it was never visited.

    `out_links` is how many edges its page has; None where it left no row behind.
    """

    id: int
    url: str
    origin: str
    host_id: int
    depth: int
    source_id: int
    redirects: int
    refusal: str
    state: str | None
    http_status: int | None
    content_type: str | None
    body_bytes: int | None
    body_digest: bytes | None
    text_digest: bytes | None
    duplicate_of: int | None
    title: str | None
    fetched_at: float | None
    reason: str | None
    out_links: int | None


class PageOutcome(NamedTuple):
    """What a visit came to; `moved_to` is where a redirect leads, 0 for what is none."""

    id: int
    state: str
    http_status: int
    reason: str
    moved_to: int


class HostSummary(NamedTuple):
    """A host with the number of its URLs by what came of them; times in wall-clock seconds."""

    id: int
    origin: str
    ready_at: float
    crawl_delay_s: float | None
    failures: int
    robots_status: str
    robots_fetched_at: float
    urls: int
    queued: int
    fetched: int
    duplicate: int
    redirect: int
    failed: int
    blocked_robots: int
    skipped: int


class DuplicatePair(NamedTuple):
    """A page and the representative of its cluster; `same_body` is False where only the text is the same."""

    representative_id: int
    member_id: int
    same_body: bool
    body_digest: bytes


class NearPair(NamedTuple):
    """A page, the earlier one that it is nearly the same as, and the Jaccard index of the two texts."""

    other_id: int
    member_id: int
    similarity: float
    body_digest: bytes


class Run(NamedTuple):
    """One start of the crawl; `ended_at` is None while it runs, and for ever after a kill."""

    id: int
    started_at: float
    ended_at: float | None
    weaver_version: str
    settings: str
    exit_reason: str
    cpu_s: float
    wall_s: float


class HostPace(NamedTuple):
    """How fast one host could be crawled: pages, and the seconds from its first to its last."""

    origin: str
    pages: int
    failed: int
    span_s: float
