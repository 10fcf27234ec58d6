"""EdgeStream: all edges of a crawl directory in windows of fixed memory, as often as they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from weaver.base.page import EdgeKind
from weaver.persistence.reader import CrawlReader

EDGES_PER_WINDOW = 1 << 20
BYTES_PER_EDGE = 32
"""What an edge of a window takes at most while the window is made: its parts, the whole, and a filter's copy."""

Unsigned = TypeVar("Unsigned", np.uint32, np.uint64)
Nodes = NDArray[np.uint32]
Offsets = NDArray[np.int64]
Targets = NDArray[np.uint32]
Kinds = NDArray[np.uint8]


class EdgeWindow(NamedTuple):
    """Whole rows of edges: those of `nodes[i]` are `offsets[i]:offsets[i + 1]` of `targets` and `kinds`."""

    nodes: Nodes
    offsets: Offsets
    targets: Targets
    kinds: Kinds

    @property
    def degrees(self) -> Offsets:
        return np.diff(self.offsets)

    @property
    def sources(self) -> Nodes:
        """The source of each edge."""
        return np.repeat(self.nodes, self.degrees)


class EdgeSource(Protocol):
    """Where edges come from: windows in rising order of nodes, the same ones on each pass."""

    @property
    def nodes(self) -> int:
        """The highest id; ids begin at 1."""
        ...

    @property
    def version(self) -> object:
        """Equal as long as a pass gives the same edges."""
        ...

    def __iter__(self) -> Iterator[EdgeWindow]: ...


class EdgeStream:
    """The edges between the URLs 1 to `last_id`, in rising order of their sources; only nodes with a row are named.

    Iterable any number of times; each pass is O(edges) and holds one window of about `edges_per_window` edges (a row
    is never cut), 32 B an edge at most. What a crawl at work adds beyond `last_id` is left out, so that a pass ends;
    a row that it writes anew meanwhile is read as it is then.
    """

    def __init__(
        self, reader: CrawlReader, last_id: int | None = None, edges_per_window: int = EDGES_PER_WINDOW
    ) -> None:
        self._reader = reader
        self._last_id = reader.last_url_id() if last_id is None else last_id
        self._edges_per_window = edges_per_window
        self._edges: int | None = None

    def __repr__(self) -> str:
        return f"EdgeStream(nodes={self._last_id}, edges={'?' if self._edges is None else self._edges})"

    @property
    def nodes(self) -> int:
        """The highest id that is read."""
        return self._last_id

    @property
    def version(self) -> object:
        """Changes with whatever the crawl at work commits."""
        return self._last_id, self._reader.change_stamp()

    @property
    def edges(self) -> int:
        """How many edges there are, of all kinds; counted on the first whole pass, which is made now if none was."""
        if self._edges is None:
            for _ in self:
                pass
        return self._edges or 0

    def __iter__(self) -> Iterator[EdgeWindow]:
        edges = 0
        for window in _gathered(self._parts(), self._edges_per_window):
            edges += len(window.targets)
            yield window
        self._edges = edges

    def _parts(self) -> Iterator[EdgeWindow]:
        for columns in self._reader.adjacencies(self._last_id):
            yield known_only(EdgeWindow._make(columns), self._last_id)


def offsets_of(degrees: NDArray[np.integer]) -> Offsets:
    """Where each row begins, and the end of the last."""
    offsets = np.zeros(len(degrees) + 1, np.int64)
    np.cumsum(degrees, out=offsets[1:])
    return offsets


def selected(window: EdgeWindow, is_wanted: NDArray[np.bool_]) -> EdgeWindow:
    """The window with the wanted ones of its edges; its nodes stay."""
    kept = np.zeros(len(is_wanted) + 1, np.int64)
    np.cumsum(is_wanted, out=kept[1:])
    return EdgeWindow(window.nodes, kept[window.offsets], window.targets[is_wanted], window.kinds[is_wanted])


def sorted_distinct(values: NDArray[Unsigned]) -> NDArray[Unsigned]:
    """The values in rising order, each once; `values` is sorted in place. np.unique hashes, at 20 times the cost."""
    values.sort()
    if not len(values):
        return values
    is_first = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=is_first[1:])
    return values[is_first]


def known_only(window: EdgeWindow, last_id: int) -> EdgeWindow:
    """The window without edges to ids beyond `last_id`, and to 0, which is no node."""
    is_known = (window.targets > 0) & (window.targets <= last_id)
    return window if is_known.all() else selected(window, is_known)


def of_kinds(window: EdgeWindow, kinds: frozenset[EdgeKind]) -> EdgeWindow:
    """The window with its edges of these kinds only."""
    is_wanted = np.isin(window.kinds, np.array(sorted(kinds), np.uint8))
    return window if is_wanted.all() else selected(window, is_wanted)


def distinct_pairs(window: EdgeWindow) -> EdgeWindow:
    """The window with each (source, target) once, whatever its kinds, targets rising; all kinds are 0 from there on."""
    rows = np.repeat(np.arange(len(window.nodes), dtype=np.uint64), window.degrees)
    rows <<= np.uint64(32)
    rows |= window.targets
    # In one 64-bit key a row and its target sort at a tenth of what two columns take.
    pairs = rows if (rows[1:] > rows[:-1]).all() else sorted_distinct(rows)
    begins = np.arange(len(window.nodes) + 1, dtype=np.uint64) << np.uint64(32)
    offsets = np.searchsorted(pairs, begins)
    return EdgeWindow(window.nodes, offsets, pairs.astype(np.uint32), np.zeros(len(pairs), np.uint8))


def _gathered(parts: Iterable[EdgeWindow], edges_per_window: int) -> Iterator[EdgeWindow]:
    """Windows of as many parts as it takes to hold so many edges, or so many rows: rows take memory too."""
    waiting: list[EdgeWindow] = []
    size = 0
    for part in parts:
        waiting.append(part)
        size += max(len(part.targets), len(part.nodes))
        if size >= edges_per_window:
            yield _joined(waiting)
            waiting, size = [], 0
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[EdgeWindow]) -> EdgeWindow:
    if len(parts) == 1:
        return parts[0]
    degrees = np.concatenate([part.degrees for part in parts])
    return EdgeWindow(
        np.concatenate([part.nodes for part in parts]),
        offsets_of(degrees),
        np.concatenate([part.targets for part in parts]),
        np.concatenate([part.kinds for part in parts]),
    )
