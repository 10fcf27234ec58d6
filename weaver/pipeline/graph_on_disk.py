"""The questions that an open crawl's graph puts to its directory, each over a reader of its own, on any thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weaver.base.page import EdgeKind
from weaver.codec import Row, Targets
from weaver.persistence.link_columns import LinkColumns
from weaver.persistence.reader import CrawlReader, open_reader

LOOK_UPS = 256
"""For more rows than these one pass over all takes less time than a look-up each."""

Kinds = Set[EdgeKind] | None
"""The kinds of edges that count; None for all."""


def rows_of(directory: Path, nodes: Sequence[int]) -> list[tuple[int, Row]]:
    """The rows of these nodes; without those that have none. Raises DirectoryError, PersistenceError."""
    with open_reader(directory) as reader:
        return list(_many_rows(reader, nodes) if len(nodes) > LOOK_UPS else _few_rows(reader, nodes))


def sources_of(directory: Path, targets: Sequence[int], kinds: Kinds) -> list[int]:
    """Who links to any of these nodes, rising: one pass over all edges."""
    wanted = np.array(targets, np.uint32)
    with open_reader(directory) as reader:
        found = [_sources(window, wanted, kinds) for window in reader.adjacencies(reader.last_url_id())]
    return distinct(found)


def ids_at(directory: Path, origin: str) -> list[int]:
    """The ids of a host's URLs, rising; none for a host that is not known."""
    with open_reader(directory) as reader:
        host_id = reader.host_id_of(origin)
        windows = reader.urls_at(host_id, reader.last_url_id()) if host_id else iter(())
        return [url_id for window in windows for url_id in window]


def counted(row: Row, kinds: Kinds) -> Targets:
    """The targets of the edges that count."""
    targets, found = row
    return targets if kinds is None else targets[_is_of(found, kinds)]


def distinct(parts: Sequence[Targets]) -> list[int]:
    """All nodes that occur, rising."""
    found: list[int] = np.unique(np.concatenate([np.zeros(0, np.uint32), *parts])).tolist()
    return found


def _few_rows(reader: CrawlReader, nodes: Sequence[int]) -> Iterator[tuple[int, Row]]:
    for node in nodes:
        row = reader.edges_of(node)
        if row is not None:
            yield node, row


def _many_rows(reader: CrawlReader, nodes: Sequence[int]) -> Iterator[tuple[int, Row]]:
    wanted = np.array(nodes, np.uint32)
    for window in reader.adjacencies(max(nodes)):
        yield from window.of(wanted).rows()


def _sources(window: LinkColumns, wanted: Targets, kinds: Kinds) -> Targets:
    is_found = window.targets == wanted[0] if len(wanted) == 1 else np.isin(window.targets, wanted)
    if kinds is not None:
        is_found &= _is_of(window.kinds, kinds)
    rows = np.searchsorted(window.offsets, np.flatnonzero(is_found), side="right") - 1
    return np.unique(window.nodes[rows])


def _is_of(found: NDArray[np.uint8], kinds: Set[EdgeKind]) -> NDArray[np.bool_]:
    return np.isin(found, np.array(sorted(kinds), np.uint8))
