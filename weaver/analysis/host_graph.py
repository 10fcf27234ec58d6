"""The graph of hosts: the links of a crawl added up by the hosts at their two ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.edge_stream import EdgeSource, distinct_pairs, of_kinds
from weaver.base.errors import SettingsError
from weaver.base.page import EdgeKind
from weaver.base.units import format_count, format_size
from weaver.persistence.reader import CrawlReader

BYTES_PER_NODE = 8
"""Each node's host, 4 B, and as much while the hosts are read."""
BYTES_PER_PAIR = 72
"""A pair of hosts with its count, 16 B, and the sorted copies while further ones are merged in."""

Hosts = NDArray[np.uint32]
Keys = NDArray[np.uint64]
Counts = NDArray[np.int64]

_HIGH = np.uint64(32)


@dataclass(frozen=True, slots=True)
class HostGraph:
    """Pairs of host ids in rising order, each with the links from the first to the second; a host's own are a loop.

    `urls` is the number of known URLs of each host, by id (index 0 is none).
    """

    sources: Hosts
    targets: Hosts
    links: Counts
    urls: Counts

    @property
    def hosts(self) -> int:
        """Hosts that have URLs."""
        return int(np.count_nonzero(self.urls))


@dataclass(frozen=True, slots=True)
class HostDegrees:
    """By host id: links within the host, to and from other hosts, and how many others that are."""

    inner: Counts
    links_out: Counts
    links_in: Counts
    hosts_out: Counts
    hosts_in: Counts


def hosts_of_nodes(reader: CrawlReader, last_id: int) -> Hosts:
    """The host id of each node, node i + 1 at index i; 0 for an id that is no URL."""
    hosts = np.zeros(last_id, np.uint32)
    for rows in reader.host_ids(last_id):
        pairs = np.array(rows, np.int64)
        hosts[pairs[:, 0] - 1] = pairs[:, 1]
    return hosts


def host_graph(
    source: EdgeSource, hosts: Hosts, spare_bytes: int, kinds: frozenset[EdgeKind] | None = None
) -> HostGraph:
    """Add the links up: distinct (source, target) pairs of pages, of these kinds or of all. One pass.

    O(edges log edges of a window + pairs of hosts), 72 B a pair. Raises SettingsError where the pairs of hosts don't
    fit `spare_bytes`.
    """
    keys, links = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    for window_keys, window_links in _batches(_window_pairs(source, hosts, kinds), spare_bytes // BYTES_PER_PAIR // 2):
        keys, links = _merged((keys, window_keys), (links, window_links))
        if len(keys) * BYTES_PER_PAIR > spare_bytes:
            raise SettingsError(
                f"{format_count(len(keys))} pairs of hosts and more don't fit the {format_size(spare_bytes)} that"
                " --memory leaves for them"
            )
    urls = np.bincount(hosts, minlength=1)
    urls[0] = 0
    return HostGraph((keys >> _HIGH).astype(np.uint32), keys.astype(np.uint32), links, urls)


def host_degrees(graph: HostGraph) -> HostDegrees:
    """Each host's links, by host id."""
    size = len(graph.urls)
    is_inner = graph.sources == graph.targets
    sources, targets, links = graph.sources[~is_inner], graph.targets[~is_inner], graph.links[~is_inner]
    inner = np.zeros(size, np.int64)
    inner[graph.sources[is_inner]] = graph.links[is_inner]
    return HostDegrees(
        inner=inner,
        links_out=_added(sources, links, size),
        links_in=_added(targets, links, size),
        hosts_out=np.bincount(sources, minlength=size),
        hosts_in=np.bincount(targets, minlength=size),
    )


def _window_pairs(source: EdgeSource, hosts: Hosts, kinds: frozenset[EdgeKind] | None) -> Iterator[tuple[Keys, Counts]]:
    for window in source:
        chosen = distinct_pairs(window if kinds is None else of_kinds(window, kinds))
        keys = hosts[chosen.sources - 1].astype(np.uint64) << _HIGH
        keys |= hosts[chosen.targets - 1]
        yield _counted(keys, np.ones(len(keys), np.int64))


def _batches(parts: Iterable[tuple[Keys, Counts]], most_pairs: int) -> Iterator[tuple[Keys, Counts]]:
    """Several windows' pairs together, so that the whole is not sorted again for each."""
    waiting: list[tuple[Keys, Counts]] = []
    for part in parts:
        waiting.append(part)
        if sum(len(keys) for keys, _ in waiting) >= most_pairs:
            yield _merged(*zip(*waiting, strict=True))
            waiting = []
    if waiting:
        yield _merged(*zip(*waiting, strict=True))


def _merged(keys: Iterable[Keys], links: Iterable[Counts]) -> tuple[Keys, Counts]:
    return _counted(np.concatenate(tuple(keys)), np.concatenate(tuple(links)))


def _counted(keys: Keys, links: Counts) -> tuple[Keys, Counts]:
    """The keys in rising order, each once with its links added up."""
    if not len(keys):
        return keys, links
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    begins = np.flatnonzero(np.concatenate((np.ones(1, np.bool_), keys[1:] != keys[:-1])))
    return keys[begins], np.add.reduceat(links[order], begins)


def _added(hosts: Hosts, links: Counts, size: int) -> Counts:
    sums = np.zeros(size, np.int64)
    np.add.at(sums, hosts.astype(np.intp), links)
    return sums
