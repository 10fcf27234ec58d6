"""The one place where the graph meets networkx: the resident part as a view for a person's questions."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import networkx as nx

from weaver.base.page import EdgeKind
from weaver.graph.store import GraphStore


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


def _name(node: int, url_of: Callable[[int], str] | None) -> Hashable:
    return node if url_of is None else url_of(node)
