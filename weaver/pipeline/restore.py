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
    duplicate_urls,
    host_page_counts,
    hosts_of,
    newest_blocks,
    newest_rows,
    newest_troubles,
    refused_ids,
    url_depths,
)
from weaver.pipeline.counters import Counters

# Half a second each: blocks are taken as they are, rows one by one. Older edges stay on disk, where they are looked up.
MOST_BLOCK_EDGES = 20_000_000
MOST_ROW_EDGES = 2_000_000
# Some 1 s; at least as many as may wait for their keys to be merged. Older ones are looked up on disk.
MOST_RESTORED_SIGNATURES = 40_000
# A quarter of a second; of a template with more the newest are enough, for it is far over its bound.
MOST_RESTORED_DUPLICATES = 10_000
# Some half a second: where the redirects among them lead is in blocks of their time.
MOST_RESTORED_TROUBLES = 4_000


def restore_counters(counters: Counters, counts: Counts) -> None:
    """Pages by outcome, as committed."""
    for state, pages in counts.pages.items():
        counters.count_state(state, "", pages)
    for (_state, reason), pages in counts.reasons.items():
        counters.count_state("", reason, pages)
    counters.body_bytes = counts.body_bytes


def restore_discovery(connection: Connection, discovery: Discovery, refused: Refused, counts: Counts) -> None:
    """Which URLs may still be promoted, and how many were skipped for which reason."""
    discovery.skipped.update(counts.refused)
    for url_id in refused_ids(connection):
        refused.add(url_id)


def passed_refusals(settings: Settings, earlier: Mapping[str, Any], counts: Counts) -> list[str]:
    """Reasons for which URLs were not queued and that the settings of this run may no longer give; `earlier` are the
    last run's settings, as they were stored."""
    crawl = settings.crawl.model_dump(mode="json")
    changed = {name for name, value in crawl.items() if not earlier or value != earlier["crawl"].get(name)}
    passed = [TOO_DEEP] if "max_depth" in changed else []
    if "nofollow" in changed and settings.crawl.nofollow == "follow":
        passed.append(NOFOLLOW)
    if "duplicates" in changed and settings.crawl.duplicates == "always":
        passed.append(DUPLICATE_LINKS)
    if earlier and (settings.scope.model_dump(mode="json") != earlier.get("scope") or "seeds" in changed):
        passed += SCOPE_REASONS
    return [reason for reason in passed if counts.refused.get(reason)]


def restore_depths(connection: Connection, depths: Depths | None) -> None:
    """Each known URL's depth, where depths are kept."""
    if depths is not None:
        for url_id, depth in url_depths(connection):
            depths.note(url_id, depth)


def restore_duplicates(connection: Connection, duplicate_links: DuplicateLinks) -> None:
    """How many of the newest duplicates each template has, so that their bound holds over all runs."""
    for url in duplicate_urls(connection, MOST_RESTORED_DUPLICATES):
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
    """The newest pages' edges, sealed ones first, as many as the graph may hold and are read in a second; totals from
    disk."""
    room = graph.room
    if room.block_bytes:
        blocks = newest_blocks(connection, min(MOST_BLOCK_EDGES, room.block_edges), room.block_bytes)
    else:
        blocks = newest_blocks(connection, min(MOST_ROW_EDGES, room.row_edges))
    for block, decoded in blocks:
        graph.restore_block(block, decoded, hosts_of(connection, decoded.nodes) if room.needs_hosts else None)
    for rows in newest_rows(connection, min(MOST_ROW_EDGES, room.row_edges)):
        hosts = hosts_of(connection, rows.nodes) if room.needs_hosts else {}
        for page_id, (targets, kinds) in rows.rows():
            graph.add_page(page_id, targets, kinds.tobytes(), hosts.get(page_id, 0))
    last_ids = archive.max_ids()
    graph.restore_totals(edges=archive.edge_counts(), nodes=last_ids.url_id, hosts=last_ids.host_id)


def restore_edge_health(connection: Connection, edge_health: EdgeHealth) -> None:
    """The newest pages that failed or moved, as many as are kept, the oldest of them first.

    Where a page moved to is read from its edges, and so a large crawl's start waits for the newest only.
    """
    for page, moved_to in newest_troubles(connection, min(edge_health.capacity, MOST_RESTORED_TROUBLES)):
        edge_health.note(page, moved_to=moved_to)
