"""The views of a graph on disk and in RAM: to networkx each is a DiGraph like any other."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterable
from typing import Any

import networkx as nx
import numpy as np
import pytest

from weaver.base.settings import GraphSettings
from weaver.codec import BlockCodec
from weaver.graph import GraphStore
from weaver.graph.interop import digraph, digraph_view, store_view
from weaver.graph.reverse_rows import ReverseRows
from weaver.memory import Account

NODES = 36
CACHE_BYTES = 1 << 14
"""So small that rows come and go while an algorithm is at work."""


def a_web() -> nx.DiGraph[int]:
    """Pages that link to their like, with loops, pages nobody links to, and pages without links."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(1, NODES + 1))
    random = np.random.default_rng(7)
    for source in range(1, NODES - 3):
        degree = int(random.integers(0, 6))
        graph.add_edges_from((source, int(target)) for target in random.integers(3, NODES + 1, degree))
    graph.add_edges_from([(5, 5), (1, 3), (2, 3)])
    return graph


def a_site() -> nx.DiGraph[int]:
    """One strong component: each page links to the next, and some back."""
    graph = nx.DiGraph((node, node % NODES + 1) for node in range(1, NODES + 1))
    graph.add_edges_from((node, node // 2) for node in range(2, NODES + 1, 2))
    graph.add_edges_from((node, node // 3) for node in range(9, NODES + 1, 3))
    return graph


def a_tree_of_versions() -> nx.DiGraph[int]:
    """Without a circle: every link leads to a higher id, all of them below page 1."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(1, NODES + 1))
    random = np.random.default_rng(3)
    graph.add_edges_from((int(random.integers(1, node)), node) for node in range(2, NODES + 1))
    graph.add_edges_from((int(random.integers(1, node)), node) for node in range(4, NODES + 1, 2))
    return graph


GRAPHS = {"web": a_web(), "site": a_site(), "tree": a_tree_of_versions()}


def viewed(graph: nx.DiGraph[int], cache_bytes: int = CACHE_BYTES) -> nx.DiGraph[int]:
    """The view of a graph whose rows lie elsewhere."""
    successors = {node: sorted(graph.successors(node)) for node in graph}
    predecessors = {node: sorted(graph.predecessors(node)) for node in graph}
    return digraph_view(
        len(graph), graph.number_of_edges(), successors.__getitem__, predecessors.__getitem__, cache_bytes
    )


def stored(graph: nx.DiGraph[int]) -> GraphStore:
    """A store with the graph, the first half of its pages sealed, each edge there in two kinds."""
    store = GraphStore(GraphSettings(), Account("graph", 1 << 20))  # type: ignore[call-arg]
    rows = {node: sorted(graph.successors(node)) for node in sorted(graph)}
    half = [node for node in rows if node <= NODES // 2]
    targets = np.array([target for node in half for target in rows[node]], np.uint32)
    degrees = np.array([len(rows[node]) for node in half], np.uint32)
    codec = BlockCodec()
    for block in codec.encode_all(np.array(half, np.uint32), degrees, targets):
        store.restore_block(block, codec.decode(block))
    for node in rows.keys() - set(half):
        row = np.array(rows[node] * 2, np.uint32)
        store.add_page(node, row, bytes(len(row) // 2) + bytes([1]) * (len(row) // 2))
    assert store.sealed_edges
    return store


def viewed_in_ram(graph: nx.DiGraph[int]) -> nx.DiGraph[int]:
    """The view of a graph that is in a store."""
    return store_view(stored(graph), cache_bytes=CACHE_BYTES)


VIEWS = {"elsewhere": viewed, "in RAM": viewed_in_ram}


def copied(graph: nx.DiGraph[int]) -> nx.DiGraph[int]:
    """The same graph, its nodes and rows in the order of ids, as an ordinary DiGraph."""
    ordinary: nx.DiGraph[int] = nx.DiGraph()
    ordinary.add_nodes_from(sorted(graph))
    ordinary.add_edges_from(sorted(graph.edges))
    for node in ordinary:
        predecessors = ordinary._pred[node]
        ordinary._pred[node] = {source: predecessors[source] for source in sorted(predecessors)}
    return ordinary


def sets(groups: Iterable[Iterable[int]]) -> set[frozenset[int]]:
    """Groups of nodes without their order."""
    return {frozenset(group) for group in groups}


def ways(lengths: Iterable[tuple[int, dict[int, Any]]]) -> dict[int, dict[int, Any]]:
    """What comes as pairs, as a dict."""
    return dict(lengths)


def undirected(graph: nx.DiGraph[int]) -> nx.Graph[int]:
    """For algorithms that know no directions, without loops."""
    simple = graph.to_undirected()
    simple.remove_edges_from(list(nx.selfloop_edges(simple)))
    return simple


ALGORITHMS: dict[str, Callable[[nx.DiGraph[int]], Any]] = {
    # What leads where.
    "pagerank": nx.pagerank,
    "personalised pagerank": lambda graph: nx.pagerank(graph, personalization={1: 1.0}),
    "hits": lambda graph: _rounded(nx.hits(graph, nstart=dict.fromkeys(graph, 1.0))),
    "google matrix": lambda graph: nx.google_matrix(graph).tolist(),
    "degree centrality": nx.degree_centrality,
    "in-degree centrality": nx.in_degree_centrality,
    "out-degree centrality": nx.out_degree_centrality,
    "closeness": nx.closeness_centrality,
    "harmonic": nx.harmonic_centrality,
    "betweenness": nx.betweenness_centrality,
    "edge betweenness": nx.edge_betweenness_centrality,
    "load": nx.load_centrality,
    "katz": lambda graph: nx.katz_centrality(graph, alpha=0.01),
    "katz by numpy": lambda graph: nx.katz_centrality_numpy(graph, alpha=0.01),
    "local reaching": lambda graph: nx.local_reaching_centrality(graph, 1),
    "global reaching": nx.global_reaching_centrality,
    "trophic levels": lambda graph: nx.trophic_levels(graph) if nx.is_directed_acyclic_graph(graph) else None,
    "voterank": lambda graph: nx.voterank(graph, 5),
    # What hangs together.
    "strong components": lambda graph: sets(nx.strongly_connected_components(graph)),
    "strong components by Kosaraju": lambda graph: sets(nx.kosaraju_strongly_connected_components(graph)),
    "weak components": lambda graph: sets(nx.weakly_connected_components(graph)),
    "attracting components": lambda graph: sets(nx.attracting_components(graph)),
    "condensation": lambda graph: (len(c := nx.condensation(graph)), c.number_of_edges()),
    "is strongly connected": nx.is_strongly_connected,
    "is weakly connected": nx.is_weakly_connected,
    "is semiconnected": lambda graph: nx.is_weakly_connected(graph) and nx.is_semiconnected(graph),
    "core numbers": lambda graph: nx.core_number(undirected(graph)),
    "bridges": lambda graph: sets(nx.bridges(undirected(graph))),
    "articulation points": lambda graph: set(nx.articulation_points(undirected(graph))),
    # Ways.
    "bfs edges": lambda graph: list(nx.bfs_edges(graph, 1)),
    "bfs tree": lambda graph: sorted(nx.bfs_tree(graph, 1).edges),
    "bfs layers": lambda graph: [sorted(layer) for layer in nx.bfs_layers(graph, [1])],
    "bfs backwards": lambda graph: list(nx.bfs_edges(graph, NODES, reverse=True)),
    "dfs preorder": lambda graph: list(nx.dfs_preorder_nodes(graph, 1)),
    "dfs postorder": lambda graph: list(nx.dfs_postorder_nodes(graph, 1)),
    "dfs labels": lambda graph: list(nx.dfs_labeled_edges(graph, 1)),
    "descendants": lambda graph: nx.descendants(graph, 1),
    "ancestors": lambda graph: nx.ancestors(graph, NODES),
    "descendants at 2": lambda graph: nx.descendants_at_distance(graph, 1, 2),
    "lengths from one": lambda graph: dict(nx.single_source_shortest_path_length(graph, 1)),
    "lengths to one": lambda graph: dict(nx.single_target_shortest_path_length(graph, NODES)),
    "all lengths": lambda graph: ways(nx.all_pairs_shortest_path_length(graph)),
    "dijkstra": lambda graph: nx.single_source_dijkstra_path_length(graph, 1),
    "bellman-ford": lambda graph: nx.single_source_bellman_ford_path_length(graph, 1),
    "floyd-warshall": lambda graph: nx.floyd_warshall_numpy(graph).tolist(),
    "johnson": lambda graph: nx.johnson(graph),
    "a bidirectional path": lambda graph: len(nx.bidirectional_shortest_path(graph, 1, max(nx.descendants(graph, 1)))),
    "all shortest paths": lambda graph: sorted(nx.all_shortest_paths(graph, 1, max(nx.descendants(graph, 1)))),
    "simple paths": lambda graph: sorted(nx.all_simple_paths(graph, 1, max(nx.descendants(graph, 1)), cutoff=4)),
    "has path": lambda graph: [nx.has_path(graph, 1, node) for node in graph],
    "eccentricity": lambda graph: nx.eccentricity(graph) if nx.is_strongly_connected(graph) else None,
    "wiener index": nx.wiener_index,
    "global efficiency": lambda graph: nx.global_efficiency(undirected(graph)),
    # Shapes.
    "clustering": nx.clustering,
    "transitivity": nx.transitivity,
    "triangles": lambda graph: nx.triangles(undirected(graph)),
    "square clustering": nx.square_clustering,
    "reciprocity": nx.overall_reciprocity,
    "triadic census": nx.triadic_census,
    "assortativity": lambda graph: round(nx.degree_assortativity_coefficient(graph), 9),
    "average neighbour degree": nx.average_neighbor_degree,
    "rich club": lambda graph: nx.rich_club_coefficient(undirected(graph), normalized=False),
    "density": nx.density,
    "loops": lambda graph: sorted(nx.selfloop_edges(graph)),
    "isolates": lambda graph: sorted(nx.isolates(graph)),
    "is a DAG": nx.is_directed_acyclic_graph,
    "order of a DAG": lambda graph: _if_dag(graph, lambda dag: list(nx.lexicographical_topological_sort(dag))),
    "generations": lambda graph: _if_dag(graph, lambda dag: [sorted(g) for g in nx.topological_generations(dag)]),
    "longest path": lambda graph: _if_dag(graph, nx.dag_longest_path_length),
    "transitive closure": lambda graph: sorted(nx.transitive_closure(graph, reflexive=None).edges),
    "transitive reduction": lambda graph: _if_dag(graph, lambda dag: sorted(nx.transitive_reduction(dag).edges)),
    "a circle": lambda graph: len(_circle(graph)),
    "immediate dominators": lambda graph: nx.immediate_dominators(graph, 1),
    "dominance frontiers": lambda graph: nx.dominance_frontiers(graph, 1),
    "dominating set": lambda graph: nx.is_dominating_set(graph, nx.dominating_set(graph, 1)),
    "greedy colouring": lambda graph: nx.greedy_color(undirected(graph), "DSATUR"),
    "communities": lambda graph: sets(nx.community.louvain_communities(graph, seed=1)),
    "label propagation": lambda graph: sets(nx.community.label_propagation_communities(undirected(graph))),
    "modularity": lambda graph: nx.community.modularity(graph, [set(range(1, 9)), set(range(9, NODES + 1))]),
    # What networkx makes of a graph.
    "adjacency matrix": lambda graph: nx.to_numpy_array(graph).tolist(),
    "sparse matrix": lambda graph: nx.to_scipy_sparse_array(graph).toarray().tolist(),
    "edge list": lambda graph: sorted(nx.to_edgelist(graph)),
    "dict of lists": nx.to_dict_of_lists,
    "node-link": lambda graph: nx.node_link_data(graph, edges="edges")["edges"],
    "reverse": lambda graph: sorted(graph.reverse().edges),
    "reverse view": lambda graph: sorted(graph.reverse(copy=False).edges),
    "subgraph": lambda graph: sorted(graph.subgraph(range(1, 12)).edges),
    "ego graph": lambda graph: sorted(nx.ego_graph(graph, 1, 2).edges),
    "undirected view": lambda graph: sets(graph.to_undirected(as_view=True).edges),
    "line graph": lambda graph: len(nx.line_graph(graph)),
    "power": lambda graph: sorted(map(sorted, nx.power(undirected(graph), 2).edges)),
    "complement": lambda graph: nx.complement(graph).number_of_edges(),
    "composed": lambda graph: sorted(nx.compose(graph, nx.DiGraph([(1, 2)])).edges),
    "relabelled": lambda graph: sorted(nx.relabel_nodes(graph, lambda node: -node).edges),
    "isomorphic to itself": lambda graph: nx.is_isomorphic(graph, graph),
    "minimum spanning tree": lambda graph: nx.minimum_spanning_tree(undirected(graph)).number_of_edges(),
    "maximal cliques": lambda graph: sets(nx.find_cliques(undirected(graph))),
    "flow": lambda graph: nx.edge_connectivity(graph, 1, NODES),
}


def _rounded(pair: tuple[dict[int, float], dict[int, float]]) -> list[list[float]]:
    return [[abs(round(value, 6)) for value in column.values()] for column in pair]


def _if_dag(graph: nx.DiGraph[int], asked: Callable[[nx.DiGraph[int]], Any]) -> Any:
    return asked(graph) if nx.is_directed_acyclic_graph(graph) else None


def _circle(graph: nx.DiGraph[int]) -> list[Any]:
    try:
        return list(nx.find_cycle(graph))
    except nx.NetworkXNoCycle:
        return []


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("graph", GRAPHS)
def test_algorithms_say_the_same_of_the_views_and_of_a_copy(graph: str, algorithm: str) -> None:
    """An algorithm of networkx gives the same on a view as on an ordinary DiGraph, or refuses both alike."""
    expected = _outcome(algorithm, copied(GRAPHS[graph]))
    assert {name: _outcome(algorithm, view(GRAPHS[graph])) for name, view in VIEWS.items()} == dict.fromkeys(
        VIEWS, expected
    )


def _outcome(algorithm: str, graph: nx.DiGraph[int]) -> Any:
    try:
        return ALGORITHMS[algorithm](graph)
    except (nx.NetworkXException, ValueError) as error:
        return type(error), str(error)


@pytest.mark.parametrize("kind", VIEWS)
@pytest.mark.parametrize("graph", GRAPHS)
def test_what_a_graph_is_asked_directly(graph: str, kind: str) -> None:
    """Counts, degrees, neighbours, membership and rows of a view are those of the graph."""
    ordinary, view = copied(GRAPHS[graph]), VIEWS[kind](GRAPHS[graph])
    assert (len(view), view.number_of_edges(), view.size()) == (
        len(ordinary),
        ordinary.number_of_edges(),
        ordinary.size(),
    )
    assert (list(view), list(view.edges)) == (list(ordinary), list(ordinary.edges))
    assert sorted(view.in_edges) == sorted(ordinary.in_edges)
    assert (dict(view.degree), dict(view.in_degree), dict(view.out_degree)) == (
        dict(ordinary.degree), dict(ordinary.in_degree), dict(ordinary.out_degree)
    )  # fmt: skip
    for node in ordinary:
        assert list(view.successors(node)) == list(ordinary.successors(node))
        assert list(view.predecessors(node)) == list(ordinary.predecessors(node))
        assert view.number_of_edges(1, node) == ordinary.number_of_edges(1, node)
    assert (view.has_edge(1, 3), view.has_node(NODES), view.has_node(NODES + 1)) == (
        ordinary.has_edge(1, 3), True, False
    )  # fmt: skip


@pytest.mark.parametrize("stranger", [0, NODES + 1, "1", 1.5, None])
def test_what_is_no_node_is_told_as_networkx_does(stranger: object) -> None:
    """A key that is no id is not in the view, and asking for its row is a KeyError."""
    view = viewed(a_site())
    assert stranger not in view
    with pytest.raises(KeyError):
        view[stranger]  # type: ignore[index]
    with pytest.raises(nx.NetworkXError):
        list(view.successors(stranger))  # type: ignore[arg-type]


def test_an_id_that_numpy_gave_is_a_node() -> None:
    """A numpy integer is the same node as the int, as it is in a dict."""
    view = viewed(a_site())
    assert np.uint32(3) in view
    assert list(view[np.uint32(3)]) == list(view[3])


@pytest.mark.parametrize(
    "change",
    [
        lambda view: view.add_edge(1, 2),
        lambda view: view.remove_node(1),
        lambda view: view.clear(),
        lambda view: view.nodes[1].update(colour="red"),
        lambda view: view.edges[1, 2].__setitem__("weight", 2.0),
        lambda view: nx.set_node_attributes(view, {1: 3}, "rank"),
    ],
)
def test_the_view_refuses_what_would_change_it(change: Callable[[nx.DiGraph[int]], None]) -> None:
    """The crawl's graph is read, not written: every change is a NetworkXError."""
    view = viewed(a_site())
    with pytest.raises(nx.NetworkXError):
        change(view)
    assert view.nodes[1] == {}


def test_the_view_of_a_store_follows_its_changes() -> None:
    """What comes, changes, is removed or leaves RAM is seen by the view at once, forwards, backwards and in counts."""
    store = stored(a_site())
    view = store_view(store)
    assert list(view[1]) == [2]
    assert list(view.pred[2]) == [1, 4]
    store.add_page(NODES + 1, np.array([2, 2], np.uint32), bytes([0, 1]))
    assert (len(view), list(view[NODES + 1]), list(view.pred[2])) == (NODES + 1, [2], [1, 4, NODES + 1])
    store.add_page(NODES + 1, np.array([3], np.uint32), bytes(1))
    edges = view.number_of_edges()
    assert (list(view[NODES + 1]), list(view.pred[2])) == ([3], [1, 4])
    assert store.remove(NODES + 1)
    assert (list(view[NODES + 1]), view.number_of_edges()) == ([], edges - 1)
    assert store.evict(1) == [1]
    assert (list(view[1]), list(view.pred[2])) == ([], [4])
    assert view.number_of_edges() == len(list(view.edges)) == edges - 2


def test_the_way_back_is_derived_once_a_version() -> None:
    """However many pages are asked who links to them, one pass is made for each version of the graph."""
    store = stored(a_site())
    reverse = ReverseRows(store)
    assert (reverse.builds, repr(reverse)) == (0, "ReverseRows(0 pairs of version -1, built 0 times)")
    assert all(reverse.of(node) == sorted(a_site().predecessors(node)) for node in a_site())
    assert (reverse.pairs, reverse.builds) == (a_site().number_of_edges(), 1)
    store.evict(1)
    assert (reverse.of(2), reverse.builds) == ([4], 2)
    assert ReverseRows(GraphStore(GraphSettings(), Account("graph", 1 << 20))).pairs == 0  # type: ignore[call-arg]


def test_a_copy_is_ones_own() -> None:
    """`copy()` gives an ordinary graph that can be changed, deep copies and pickles of it too."""
    own = viewed(a_site()).copy()
    own.add_edge(1, "elsewhere")
    own.nodes[1]["colour"] = "red"
    own.edges[1, 2]["weight"] = 2.0
    assert own.edges[2, 3] == {}
    assert nx.utils.graphs_equal(pickle.loads(pickle.dumps(own)), copy.deepcopy(own))


def test_only_the_rows_used_last_are_kept() -> None:
    """Rows are read when they are asked for, and again once the cache has let them go."""
    read: list[int] = []

    def row_of(node: int) -> list[int]:
        read.append(node)
        return [node % NODES + 1]

    view = digraph_view(NODES, NODES, row_of, row_of, cache_bytes=4 * 600)
    assert read == []
    assert view.number_of_edges() == NODES
    assert read == []
    assert list(view[1]) == list(view[1]) == [2]
    assert read == [1]
    for _ in view.edges:
        pass
    assert len(read) == NODES
    assert list(view[1]) == [2]
    assert len(read) == NODES + 1


def test_a_row_larger_than_the_cache_is_given_all_the_same() -> None:
    """A page with more links than the cache has room for is read each time, and nothing fails."""
    view = digraph_view(NODES, NODES, lambda _node: range(1, NODES + 1), lambda _node: [1], cache_bytes=2)
    assert len(view[1]) == len(view[1]) == NODES


def test_nodes_have_the_attributes_that_are_asked_for() -> None:
    """Attributes come from where they lie, for nodes alone; a copy holds them."""
    view = digraph_view(
        2, 1, lambda node: [2][: 2 - node], lambda node: [1][: node - 1], 1 << 12, lambda n: {"url": f"u{n}"}
    )
    assert dict(view.nodes(data="url")) == {1: "u1", 2: "u2"}
    assert view.copy().nodes[2] == {"url": "u2"}


def test_a_digraph_has_every_node_or_only_those_with_edges() -> None:
    """A copy of all has isolated nodes too; of a part, only the ends of its edges."""
    windows = [(np.array([0, 0]), np.array([1, 3], np.uint32))]
    assert list(digraph(5, windows)) == [1, 2, 3, 4, 5]
    assert set(digraph(0, windows).edges) == set(digraph(5, windows).edges) == {(1, 2), (1, 4)}
    assert set(digraph(0, windows)) == {1, 2, 4}
