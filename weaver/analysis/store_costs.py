"""What an entry of each store costs, and which part of its account the store has: the stores' own constants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from weaver.base.settings import Settings
from weaver.dedupe.content_index import DIGEST_ENTRY_BYTES
from weaver.dedupe.main_text import CELL_BYTES
from weaver.dedupe.near import UNIT_BYTES
from weaver.dedupe.near_rows import BLOCK_ROWS
from weaver.fetch.transport import REQUEST_BYTES
from weaver.frontier.frontier import TYPICAL_ENTRY_BYTES
from weaver.frontier.host_ids import KNOWN_HOST_BYTES
from weaver.graph.health import ENTRY_BYTES as LINK_HEALTH_BYTES
from weaver.graph.id_counters import COUNTER_BYTES
from weaver.graph.sealed_index import LEAST_ROW_BYTES
from weaver.graph.sealing import HOT_SHARE
from weaver.graph.totals import IN_DEGREE_SHARE
from weaver.memory.bounded import ENTRY_BYTES, SIZE_BYTES
from weaver.memory.table import BUCKET_BYTES, FULLEST, WAYS
from weaver.politeness.host_state import STATE_BYTES

TYPICAL_RULES_BYTES = 300
"""A robots.txt's rules for one crawler, as they are kept: about ten lines."""
TYPICAL_PAGE_BYTES = 37_000
"""A page's body; those that weaver is measured with have as much on average. One page at a time is parsed besides."""
SEEN_TABLE_SHARE = 15 / 16
LINKS_PER_PAGE = 20
URLS_PER_PAGE = 10
"""What a wide crawl meets: as many links on a page, and as many known URLs for each page fetched."""
ROBOTS_BYTES = ENTRY_BYTES + SIZE_BYTES + TYPICAL_RULES_BYTES
SEEN_URL_BYTES = BUCKET_BYTES / WAYS / FULLEST
SEALED_LINK_BYTES = 0.6
"""A link in a block, with what the block adds: 0.3 on a site's own pages (cnr-2000), 0.9 where most links lead far."""
# With its part of the index, which has a place for each page.
SEALED_EDGE_BYTES = SEALED_LINK_BYTES + LEAST_ROW_BYTES / LINKS_PER_PAGE
SEALED_SHARE = 1 - 1 / IN_DEGREE_SHARE - 1 / HOT_SHARE
# In an index that is full.
SIGNATURE_BYTES = UNIT_BYTES / BLOCK_ROWS

UNLIMITED = 1 << 62

Cap = Callable[[Settings], int]


@dataclass(frozen=True, slots=True)
class Part:
    """The entries of one store: their account, the part of it that is theirs, and what one costs in bytes.

    `cap` is what the settings allow however many bytes there are, and `setting` its name.
    """

    name: str
    account: str
    share: float
    what: str
    unit_bytes: float
    constant: str
    setting: str = ""
    cap: Cap | None = None


PARTS = (
    Part("seen_urls", "seen", SEEN_TABLE_SHARE, "seen URLs with their ids", SEEN_URL_BYTES, "seen_url_bytes"),
    Part(
        "resident_edges", "graph", SEALED_SHARE, "edges of the graph, sealed", SEALED_EDGE_BYTES, "edge_bytes",
        "graph.max_edges", lambda settings: settings.graph.max_edges or UNLIMITED,
    ),
    Part(
        "in_degrees", "graph", 1 / IN_DEGREE_SHARE, "in-degrees of URLs", COUNTER_BYTES, "in_degree_bytes",
        "graph.max_nodes", lambda settings: settings.graph.max_nodes or UNLIMITED,
    ),
    Part(
        "link_health", "edge_health", 1.0, "links that failed or moved", LINK_HEALTH_BYTES, "link_health_bytes",
        "graph.max_edge_health", lambda settings: settings.graph.max_edge_health or UNLIMITED,
    ),
    Part(
        "digests", "content", 1.0, "content digests", DIGEST_ENTRY_BYTES, "digest_bytes",
        "dedupe.max_digests", lambda settings: settings.dedupe.max_digests,
    ),
    Part("near_pages", "near", 1.0, "pages' signatures", SIGNATURE_BYTES, "signature_bytes"),
    Part("blocks", "boilerplate", 1.0, "blocks that hosts repeat", CELL_BYTES, "block_bytes"),
    Part(
        "queued_urls", "frontier", 0.75, "queued URLs", TYPICAL_ENTRY_BYTES, "queued_url_bytes",
        "frontier.window", lambda settings: settings.frontier.window,
    ),
    Part(
        "hosts", "hosts", 0.5, "hosts' states", STATE_BYTES, "host_state_bytes",
        "politeness.max_hosts", lambda settings: settings.politeness.max_hosts,
    ),
    Part(
        "host_ids", "hosts", 0.5, "hosts' ids", KNOWN_HOST_BYTES, "host_id_bytes",
        "politeness.max_hosts", lambda settings: settings.politeness.max_hosts,
    ),
    Part(
        "robots", "robots", 1.0, "robots.txt rules", ROBOTS_BYTES, "robots_bytes",
        "politeness.max_hosts", lambda settings: settings.politeness.max_hosts,
    ),
    Part(
        "pages_in_flight", "bodies", 1.0, "pages under way",
        REQUEST_BYTES + TYPICAL_PAGE_BYTES, "page_in_flight_bytes",
        "crawl.concurrency", lambda settings: settings.crawl.concurrency,
    ),
)  # fmt: skip
"""In the order of the accounts; `database` and `events` hold no entries that a user counts."""
