"""The frozen values that are committed: what a page, a host and a URL leave behind on disk."""

from __future__ import annotations

from dataclasses import field

from weaver.base.page import PageState, Response
from weaver.base.value import value

MAX_NODE_ID = (1 << 32) - 1


@value
class HostRecord:
    """What must outlive a host's stay in RAM; times are wall-clock seconds since 1970.

    `robots_status` is `""` (never asked), `ok` (rules in `robots_body`), `unavailable` (4xx: all allowed) or
    `unreachable` (5xx, network: nothing allowed until asked again).
    """

    host_id: int
    origin: str
    ready_at: float = 0.0
    crawl_delay_s: float | None = None
    failures: int = 0
    robots_status: str = ""
    robots_body: bytes = b""
    robots_fetched_at: float = 0.0
    robots_unreachable_since: float = 0.0


@value
class UrlRow:
    """A URL at its discovery. `reason` says why it is not queued (`out_of_scope`, ...); empty when it is."""

    id: int
    key: int
    url: str
    host_id: int
    depth: int
    source_id: int
    redirects: int = 0
    reason: str = ""


@value
class QueueRow:
    """One entry of the frontier: ordered within its host by `priority` (lower first), then by id."""

    host_id: int
    priority: int
    url_id: int


@value
class PageRow:
    """The outcome of one visited URL; digests are 16 bytes or empty; `fetched_at` in wall-clock seconds."""

    id: int
    state: PageState
    fetched_at: float
    http_status: int = 0
    content_type: str = ""
    body_bytes: int = 0
    body_digest: bytes = b""
    text_digest: bytes = b""
    duplicate_of: int = 0
    title: str = ""
    reason: str = ""


@value
class NearRow:
    """What a page's text is compared by, and the page that it is nearly the same as, with the Jaccard index of the two.

    `row` and `keys` are native words of 64 bits: the signature with the page's id in the upper half of its first word,
    and what it is found by. `other_id` is 0 where no such page was found. `boilerplate` is the share of the page's text
    that its host repeats, which was left out.
    """

    page_id: int
    row: bytes
    keys: bytes
    other_id: int = 0
    similarity: float = 0.0
    boilerplate: float = 0.0


@value
class Adjacency:
    """A page's out-edges, each (target, kind) once: `targets` holds native 32-bit ids, `kinds` a byte an edge."""

    targets: bytes = b""
    kinds: bytes = b""

    def __len__(self) -> int:
        return len(self.kinds)


@value
class Capture:
    """A response on its way to the archive, its exchange known; `page_id` is 0 for a robots.txt.

    The links are as the page has them, to be resolved against `base_url`.
    """

    response: Response
    page_id: int = 0
    base_url: str = ""
    hrefs: tuple[str, ...] = ()


@value
class CommitRecord:
    """All that must be committed together for one step of the crawl: a page with what it led to.

    `promoted` are earlier refused URLs that are queued after all (found again nearer to a seed), as
    (url id, new depth); `deleted` leave the frontier. `captures` go to the archive, where one is kept.
    """

    page: PageRow | None = None
    adjacency: Adjacency | None = None
    urls: tuple[UrlRow, ...] = ()
    queued: tuple[QueueRow, ...] = ()
    deleted: tuple[QueueRow, ...] = ()
    promoted: tuple[tuple[int, int], ...] = ()
    hosts: tuple[HostRecord, ...] = field(default=())
    captures: tuple[Capture, ...] = ()
    near: NearRow | None = None
