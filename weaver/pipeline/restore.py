"""Restore: what a resumed crawl takes back from disk into RAM, each part within its account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weaver.base.settings import Settings
from weaver.base.url import template_of
from weaver.dedupe import DuplicateLinks, NearPages
from weaver.frontier import (
    DUPLICATE_LINKS,
    NOFOLLOW,
    PROMOTABLE,
    SCOPE_REASONS,
    TOO_DEEP,
    Depths,
    Discovery,
    HostIds,
    Refused,
)
from weaver.graph import EdgeHealth, GraphStore
from weaver.persistence import (
    Archive,
    Connection,
    Counts,
    NearArchive,
    body_bytes,
    duplicate_urls,
    host_page_counts,
    newest_links,
    newest_troubles,
    refused_ids,
    url_depths,
)
from weaver.pipeline.counters import Counters

# Some 85,000 pages of 94 links: 2 s. Older ones stay on disk, where they are looked up.
MOST_RESTORED_EDGES = 8_000_000
# Some 1 s; at least as many as may wait for their keys to be merged. Older ones are looked up on disk.
MOST_RESTORED_SIGNATURES = 40_000


def restore_counters(connection: Connection, counters: Counters, counts: Counts) -> None:
    """Pages by outcome, as committed."""
    for state, pages in counts.pages.items():
        counters.count_state(state, "", pages)
    for (_state, reason), pages in counts.reasons.items():
        counters.count_state("", reason, pages)
    counters.body_bytes = body_bytes(connection)


def restore_discovery(connection: Connection, discovery: Discovery, refused: Refused, counts: Counts) -> None:
    """Which URLs may still be promoted, and how many were skipped for which reason."""
    discovery.skipped.update(counts.refused)
    for url_id in refused_ids(connection, PROMOTABLE):
        refused.add(url_id)


def passed_refusals(settings: Settings, earlier: Mapping[str, Any]) -> list[str]:
    """Reasons for which URLs were not queued and that the settings of this run may no longer give; `earlier` are the
    last run's settings, as they were stored."""
    passed = [TOO_DEEP]
    if settings.crawl.nofollow == "follow":
        passed.append(NOFOLLOW)
    if settings.crawl.duplicates == "always":
        passed.append(DUPLICATE_LINKS)
    scope = settings.scope.model_dump(mode="json")
    if earlier and (scope != earlier.get("scope") or list(settings.crawl.seeds) != earlier["crawl"]["seeds"]):
        passed += SCOPE_REASONS
    return passed


def restore_depths(connection: Connection, depths: Depths | None) -> None:
    """Each known URL's depth, where depths are kept."""
    if depths is not None:
        for url_id, depth in url_depths(connection):
            depths.note(url_id, depth)


def restore_duplicates(connection: Connection, duplicate_links: DuplicateLinks) -> None:
    """How many duplicates of each template have been met, so that their bound holds over all runs."""
    for url in duplicate_urls(connection):
        duplicate_links.are_followed(template_of(url))


def restore_near(connection: Connection, near: NearPages | None, counters: Counters) -> None:
    """The newest signatures, the oldest of them first. Which blocks hosts repeat is learnt anew: for a host's first
    pages after a resume its navigation counts as text, and they may look less like those before it."""
    archive = NearArchive(connection)
    counters.near_duplicates = archive.near_duplicates()
    if near is not None:
        for page_id, signature in archive.newest(min(near.capacity, MOST_RESTORED_SIGNATURES)):
            near.restore(page_id, signature)


def restore_host_caps(connection: Connection, hosts: HostIds, pages_cap: int | None) -> None:
    """How many pages of each host were admitted, where the user capped them."""
    if pages_cap is not None:
        for host_id, pages in host_page_counts(connection):
            hosts.restore_admitted(host_id, pages)


def restore_graph(connection: Connection, archive: Archive, graph: GraphStore) -> None:
    """The newest pages' edges, as many as the graph may hold and are read in seconds, the oldest of them first; totals
    from disk."""
    for page_id, adjacency in newest_links(connection, min(graph.edge_capacity, MOST_RESTORED_EDGES)):
        graph.add_page(page_id, adjacency.targets, adjacency.kinds)
    last_ids = archive.max_ids()
    edges = sum(archive.edge_counts().values())
    graph.restore_totals(edges=edges, nodes=last_ids.url_id, hosts=last_ids.host_id)


def restore_edge_health(connection: Connection, edge_health: EdgeHealth) -> None:
    """The newest pages that failed or moved, as many as are kept, the oldest of them first."""
    for page, moved_to in newest_troubles(connection, edge_health.capacity):
        edge_health.note(page, moved_to=moved_to)
