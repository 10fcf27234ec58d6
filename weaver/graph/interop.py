"""The one place where the graph meets networkx: copies of what fits, and views of what is in RAM and of all on disk."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from weaver.base.page import EdgeKind
from weaver.graph.reverse_rows import ReverseRows
from weaver.graph.store import GraphStore
from weaver.memory.bounded import BoundedLRU, StoreStatistics
from weaver.memory.budget import Account

# An int as key, its slot in the dict, and what the dict keeps free for more.
BYTES_PER_TARGET = 100
BYTES_PER_ROW = 400
VIEW_CACHE_BYTES = 16 << 20

Indices = NDArray[np.integer[Any]]
DiGraph: TypeAlias = "nx.DiGraph[int]"
RowOf = Callable[[int], Sequence[int]]
Now = Callable[[], int]
AttributesOf = Callable[[int], Mapping[str, object]]


def to_networkx(
    store: GraphStore, url_of: Callable[[int], str] | None = None, limit: int | None = None
) -> nx.MultiDiGraph[Hashable]:
    """The pages in RAM as a MultiDiGraph whose edges have their kind's name as key and as attribute `kind`.

    Nodes are ids, or what `url_of` makes of them; a page without edges is a node too. `limit` is in edges: the newest
    pages that have no more together. An edge takes 570 B here, and 6 in the store: mind the size.
    """
    graph: nx.MultiDiGraph[Hashable] = nx.MultiDiGraph()
    remaining = store.resident_edges
    for node, targets, kinds in store.rows():
        if limit is not None and remaining > limit:
            remaining -= len(targets)
            continue
        source = _name(node, url_of)
        graph.add_node(source)
        for target, kind in zip(targets.tolist(), kinds.tolist(), strict=True):
            word = EdgeKind(kind).name.lower()
            graph.add_edge(source, _name(target, url_of), key=word, kind=word)
    return graph


def digraph(nodes: int, windows: Iterable[tuple[Indices, Indices]]) -> DiGraph:
    """A DiGraph of the ids 1 to `nodes`, and of the edges that `windows` give as columns of indices (id - 1).

    All indices are below `nodes`, or `nodes` is 0: the graph then has the ends of the edges only.
    """
    graph: DiGraph = nx.DiGraph()
    ids = list(range(1, nodes + 1))
    graph.add_nodes_from(ids)
    for sources, targets in windows:
        if nodes:
            # The same int for a node wherever it occurs saves 64 B an edge.
            pairs = zip(map(ids.__getitem__, sources.tolist()), map(ids.__getitem__, targets.tolist()), strict=True)
        else:
            pairs = zip((sources + 1).tolist(), (targets.astype(np.int64) + 1).tolist(), strict=True)
        graph.add_edges_from(pairs)
    return graph


def digraph_view(
    nodes: int,
    edges: int,
    targets_of: RowOf,
    sources_of: RowOf,
    cache_bytes: int,
    attributes_of: AttributesOf | None = None,
) -> DiGraph:
    """A DiGraph that holds nothing but the rows used last, and reads the others when they are asked for.

    Nodes are the ids 1 to `nodes`; every algorithm of networkx that only reads runs on it. It is frozen: what would
    change it raises NetworkXError, as does writing an attribute. `copy()` gives an ordinary graph of one's own.
    """
    return _view(lambda: nodes, lambda: edges, targets_of, sources_of, cache_bytes, attributes_of=attributes_of)


def store_view(
    store: GraphStore, *, cache_bytes: int = VIEW_CACHE_BYTES, attributes_of: AttributesOf | None = None
) -> DiGraph:
    """The graph in RAM as a DiGraph without a copy, live: what the store takes in, or lets go, is seen at once.

    As `digraph_view`, over the store's slabs and blocks; nodes are all ids up to `store.nodes`. A page whose row is not
    in RAM has no links here: `store.out_degree` is None for it. When the store's `version` moves, the rows that were
    kept are made anew, and so is the way back, which is derived when it is asked for (`ReverseRows`: 4 B an edge): to
    change the graph and ask for predecessors by turns costs a pass over all edges each time.
    """
    reverse = ReverseRows(store)

    def targets_of(node: int) -> list[int]:
        row = store.neighbours(node)
        targets: list[int] = [] if row is None else np.unique(row[0]).tolist()
        return targets

    return _view(
        lambda: store.nodes,
        lambda: reverse.pairs,
        targets_of,
        reverse.of,
        cache_bytes,
        attributes_of=attributes_of,
        version_now=lambda: store.version,
    )


def _view(
    nodes_now: Now,
    edges_now: Now,
    targets_of: RowOf,
    sources_of: RowOf,
    cache_bytes: int,
    *,
    attributes_of: AttributesOf | None,
    version_now: Now = int,
) -> DiGraph:
    view: Any = nx.DiGraph()
    view._node = _Attributes(nodes_now, attributes_of)
    # Sets _succ too.
    view._adj = _Rows(nodes_now, targets_of, cache_bytes // 2, version_now)
    view._pred = _Rows(nodes_now, sources_of, cache_bytes // 2, version_now)
    nx.freeze(view)
    # Else networkx counts by going through all rows. On the object, since views and copies are made of its class.
    count_between = view.number_of_edges
    view.number_of_edges = lambda u=None, v=None: edges_now() if u is None else count_between(u, v)
    frozen: DiGraph = view
    return frozen


def view_statistics(view: DiGraph) -> tuple[StoreStatistics, StoreStatistics]:
    """How often the rows that a view keeps were asked for, and what they take: those of targets, those of sources."""
    kept: Any = view
    return kept._adj.statistics(), kept._pred.statistics()


class _ReadOnly(dict[str, object]):
    """Attributes that belong to the crawl; a copy may be changed."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise nx.NetworkXError("a view of a crawl can't be modified; graph.copy() can")

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = setdefault = pop = popitem = clear = _refuse

    def copy(self) -> dict[str, object]:
        return dict(self)

    def __deepcopy__(self, _memo: object) -> dict[str, object]:
        return dict(self)


_NO_DATA = _ReadOnly()


class _Numbered(Mapping[int, Any]):
    """A mapping whose keys are the numbers from 1 to as many nodes as there are now."""

    def __init__(self, nodes_now: Now) -> None:
        self._nodes_now = nodes_now

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} nodes)"

    def __len__(self) -> int:
        return self._nodes_now()

    def __iter__(self) -> Iterator[int]:
        return iter(range(1, len(self) + 1))

    def __contains__(self, node: object) -> bool:
        return isinstance(node, (int, np.integer)) and 0 < int(node) <= self._nodes_now()


class _Rows(_Numbered):
    """Each node's neighbours as a dict, of which those used last are kept within `cache_bytes` and one version."""

    def __init__(self, nodes_now: Now, row_of: RowOf, cache_bytes: int, version_now: Now) -> None:
        super().__init__(nodes_now)
        self._row_of = row_of
        self._version_now = version_now
        self._version = version_now()
        self._kept: BoundedLRU[int, dict[int, _ReadOnly]] = BoundedLRU(
            "rows",
            max(1, cache_bytes // BYTES_PER_ROW),
            account=Account("rows", cache_bytes),
            entry_bytes=BYTES_PER_ROW,
            bytes_of=lambda _node, row: BYTES_PER_TARGET * len(row),
        )

    def statistics(self) -> StoreStatistics:
        return self._kept.statistics()

    def __getitem__(self, node: int) -> dict[int, _ReadOnly]:
        if (version := self._version_now()) != self._version:
            self._kept.clear()
            self._version = version
        row = self._kept.get(node)
        if row is None:
            if node not in self:
                raise KeyError(node)
            row = dict.fromkeys(self._row_of(int(node)), _NO_DATA)
            self._kept.put(int(node), row)
        return row


class _Attributes(_Numbered):
    """Each node's attributes, read when they are asked for."""

    def __init__(self, nodes_now: Now, attributes_of: AttributesOf | None) -> None:
        super().__init__(nodes_now)
        self._attributes_of = attributes_of

    def __getitem__(self, node: int) -> _ReadOnly:
        if node not in self:
            raise KeyError(node)
        return _NO_DATA if self._attributes_of is None else _ReadOnly(self._attributes_of(int(node)))


def _name(node: int, url_of: Callable[[int], str] | None) -> Hashable:
    return node if url_of is None else url_of(node)
