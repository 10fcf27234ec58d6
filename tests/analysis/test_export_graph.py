"""Exports of the graph: each format is what its own readers expect."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import igraph
import networkx as nx
import pytest

from tests.analysis.made_crawl import EDGES, TWO, URLS, make_crawl
from weaver.analysis.common_crawl import reversed_host
from weaver.analysis.edge_import import import_edges
from weaver.analysis.export import FOLDER_FORMATS, FORMATS, TABLE_FORMATS, export, export_folder, whole_folder
from weaver.analysis.text_formats import MOST_DOT_EDGES, MOST_DOT_NODES
from weaver.base.errors import DirectoryError, TooLarge
from weaver.base.record import CommitRecord, HostRecord, UrlRow
from weaver.persistence import CrawlDirectory, Writer

ALL_EDGES = sorted((source, target, kind.name.lower()) for source, edges in EDGES.items() for target, kind in edges)
PAIRS = sorted({(source, target) for source, target, _ in ALL_EDGES})
ONE_FILE = [form for form in FORMATS if form not in (*TABLE_FORMATS, *FOLDER_FORMATS)]

# GEXF 1.3, what a static graph without positions may hold: an element's children, required and further attributes.
GEXF = "{http://gexf.net/1.3}"
GEXF_GRAMMAR: dict[str, tuple[set[str], set[str], set[str]]] = {
    "gexf": ({"meta", "graph"}, {"version"}, {"variant"}),
    "meta": ({"creator", "keywords", "description"}, set(), {"lastmodifieddate"}),
    "creator": (set(), set(), set()),
    "graph": ({"attributes", "nodes", "edges"}, set(), {"defaultedgetype", "idtype", "mode"}),
    "attributes": ({"attribute"}, {"class"}, {"mode"}),
    "attribute": ({"default", "options"}, {"id", "title", "type"}, set()),
    "nodes": ({"node"}, set(), {"count"}),
    "node": ({"attvalues"}, {"id"}, {"label"}),
    "attvalues": ({"attvalue"}, set(), set()),
    "attvalue": (set(), {"for", "value"}, set()),
    "edges": ({"edge"}, set(), {"count"}),
    "edge": ({"attvalues"}, {"source", "target"}, {"id", "type", "label", "weight", "kind"}),
}
GEXF_TYPES = {"integer", "long", "double", "float", "boolean", "string", "anyURI"}


@pytest.fixture
def crawl(tmp_path: Path) -> Path:
    """A crawl of nine URLs."""
    return make_crawl(tmp_path / "crawl")


def exported(crawl: Path, form: str, is_forced: bool = False) -> str:
    """What an export writes."""
    buffer = io.BytesIO()
    export(crawl, form, "edges", buffer, is_forced=is_forced)
    return buffer.getvalue().decode()


def test_igraph_reads_graphml_back(crawl: Path, tmp_path: Path) -> None:
    """igraph finds every node with its attributes and every edge with its kind."""
    path = tmp_path / "crawl.graphml"
    path.write_text(exported(crawl, "graphml"))
    graph = igraph.Graph.Read_GraphML(str(path))
    assert graph.is_directed()
    ids = [int(name) for name in graph.vs["id"]]
    assert dict(zip(ids, graph.vs["url"], strict=True)) == URLS
    assert sorted((ids[edge.source], ids[edge.target], edge["kind"]) for edge in graph.es) == ALL_EDGES
    assert graph.vs[ids.index(TWO)]["http_status"] == 200


def test_gexf_keeps_to_its_grammar(crawl: Path) -> None:
    """Every element and attribute is one that GEXF 1.3 has at that place, in the order that Gephi's schema asks for."""
    root = ElementTree.fromstring(exported(crawl, "gexf"))
    assert (root.tag, root.get("version")) == (f"{GEXF}gexf", "1.3")
    for element in root.iter():
        children, required, optional = GEXF_GRAMMAR[element.tag.removeprefix(GEXF)]
        assert {child.tag.removeprefix(GEXF) for child in element} <= children
        assert required <= set(element.attrib) <= required | optional
    graph = root[1]
    assert [child.tag.removeprefix(GEXF) for child in graph] == ["attributes", "attributes", "nodes", "edges"]
    assert (graph.get("defaultedgetype"), graph.get("idtype"), graph.get("mode")) == ("directed", "integer", "static")
    assert {attribute.get("type") for attribute in graph.iter(f"{GEXF}attribute")} <= GEXF_TYPES


def test_gexf_refers_only_to_what_it_has(crawl: Path) -> None:
    """Edges join nodes of the file, ids are unique, and every attvalue is for a declared attribute."""
    graph = ElementTree.fromstring(exported(crawl, "gexf"))[1]
    nodes = [node.get("id") for node in graph.iter(f"{GEXF}node")]
    edges = list(graph.iter(f"{GEXF}edge"))
    assert len(set(nodes)) == len(nodes) == len(URLS)
    assert len({edge.get("id") for edge in edges}) == len(edges)
    assert {edge.get(end) for edge in edges for end in ("source", "target")} <= set(nodes)
    assert sorted((int(e.get("source", 0)), int(e.get("target", 0)), e.get("kind")) for e in edges) == ALL_EDGES
    declared = {
        declaration.get("class"): {attribute.get("id") for attribute in declaration}
        for declaration in graph.iter(f"{GEXF}attributes")
    }
    for name in ("node", "edge"):
        used = {value.get("for") for item in graph.iter(f"{GEXF}{name}") for value in item.iter(f"{GEXF}attvalue")}
        assert used <= declared[name]


def test_the_ascii_graph_has_a_line_of_successors_for_each_node(crawl: Path) -> None:
    """The first line counts the nodes; line k + 1 has the rising, distinct successors of node k, from 0 on."""
    first, *rows = exported(crawl, "ascii-graph").split("\n")[:-1]
    assert (int(first), len(rows)) == (len(URLS), len(URLS))
    for node, row in enumerate(rows, start=1):
        assert [int(word) for word in row.split()] == [target - 1 for source, target in PAIRS if source == node]


@pytest.mark.slow
@pytest.mark.parametrize("lines", ["0 70000\n", "5 0\n5 2\n", "0 1\n70001 3\n"])
def test_the_ascii_graph_bridges_nodes_without_links(lines: str, tmp_path: Path) -> None:
    """However many nodes in a row have no links, each has its line."""
    (tmp_path / "edges").write_text(lines + "".join(f"1 {target}\n" for target in range(9000)))
    import_edges(tmp_path / "edges", tmp_path / "crawl")
    first, *rows = exported(tmp_path / "crawl", "ascii-graph").split("\n")[:-1]
    assert int(first) == len(rows)
    found = {(node, int(word)) for node, row in enumerate(rows) for word in row.split()}
    edges = {(int(line.split()[0]), int(line.split()[1])) for line in lines.splitlines()}
    assert found == edges | {(1, target) for target in range(9000)}


def test_dot_names_every_node_and_edge(crawl: Path) -> None:
    """DOT has a statement for each node with its URL, and one for each edge with its kind."""
    text = exported(crawl, "dot")
    assert (text.splitlines()[0], text.splitlines()[-1]) == ("digraph crawl {", "}")
    labels = {int(node): label for node, label in re.findall(r'^(\d+) \[label="(.*)"\];$', text, re.MULTILINE)}
    edges = re.findall(r"^(\d+) -> (\d+) \[kind=(\w+)\];$", text, re.MULTILINE)
    assert labels == URLS
    assert sorted((int(source), int(target), kind) for source, target, kind in edges) == ALL_EDGES
    assert len(text.splitlines()) == 2 + len(labels) + len(edges)


def test_dot_labels_can_not_break_out(tmp_path: Path) -> None:
    """A quote or a backslash in a URL stays within its label."""
    hostile = UrlRow(10, 10, 'http://a.test/"];x[label="\\N\n', 1, 1, 1)
    crawl = make_crawl(tmp_path / "crawl", extra=lambda writer: writer.submit(CommitRecord(urls=(hostile,))))
    assert '\n10 [label="http://a.test/\\"];x[label=\\"\\\\N "];\n' in exported(crawl, "dot")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (f"0 {MOST_DOT_NODES}\n" + "1 2\n" * 1000, "got 5,001 nodes"),
        ("".join(f"{at % 200} {at // 200}\n" for at in range(MOST_DOT_EDGES + 1)), "got 20,001 edges or more"),
    ],
)
def test_dot_is_refused_for_what_can_not_be_drawn(lines: str, words: str, tmp_path: Path) -> None:
    """Above the stated number of nodes or of edges DOT is refused with what was found, unless it is forced."""
    (tmp_path / "edges").write_text(lines)
    edges = import_edges(tmp_path / "edges", tmp_path / "crawl").edges
    with pytest.raises(TooLarge, match=f"5,000 nodes and 20,000 edges, {words}.*--force"):
        exported(tmp_path / "crawl", "dot")
    assert exported(tmp_path / "crawl", "dot", is_forced=True).count("->") == edges


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("https://www.news.example.com", "com.example.news"),
        ("http://example.org:8080", "org.example"),
        ("http://www.org", "org.www"),
        ("http://www2.example.org", "org.example.www2"),
        ("http://127.0.0.1:8000", "127.0.0.1"),
        ("http://[::1]:8000", "[::1]"),
        ("http://localhost", "localhost"),
        ("http://xn--bcher-kva.example", "example.xn--bcher-kva"),
    ],
)
def test_host_names_are_reversed(origin: str, name: str) -> None:
    """A host is named from its top-level domain down, without `www.` and port; an address stays as it is."""
    assert reversed_host(origin) == name


def common_crawl(crawl: Path, path: Path) -> tuple[list[str], list[tuple[int, int]]]:
    """The names in the order of their ids, and the edges."""
    export_folder(crawl, "cc", path)
    vertices = [line.split("\t") for line in (path / "vertices.txt").read_text().splitlines()]
    assert [int(number) for number, _ in vertices] == list(range(len(vertices)))
    edges = [line.split("\t") for line in (path / "edges.txt").read_text().splitlines()]
    return [name for _, name in vertices], [(int(source), int(target)) for source, target in edges]


def test_common_crawl_has_hosts_sorted_by_reversed_name(tmp_path: Path) -> None:
    """Vertices count from 0 in the order of names; edges are distinct, sorted, and lead to other hosts."""
    crawl = _crawl_of_hosts(tmp_path)
    names, edges = common_crawl(crawl, tmp_path / "graph")
    assert names == sorted(names, key=str.encode) == ["com.b", "com.b-a", "com.b.a", "test.a", "test.b"]
    number = {name: at for at, name in enumerate(names)}
    # Page 2 of a.test leads to both schemes of one host, and page 3 to its own.
    expected = {("test.a", "test.b"), ("test.a", "com.b"), ("com.b", "test.a"), ("com.b-a", "com.b.a")}
    assert edges == sorted((number[source], number[target]) for source, target in expected)


def test_common_crawl_of_an_empty_crawl_is_two_empty_files(tmp_path: Path) -> None:
    """A crawl without a URL has no vertices and no edges."""
    CrawlDirectory.create(tmp_path / "empty")
    assert common_crawl(tmp_path / "empty", tmp_path / "graph") == ([], [])


def test_common_crawl_edges_are_imported_again(tmp_path: Path) -> None:
    """edges.txt is an edge list that `weaver graph import` reads: the graph of hosts as a crawl of its own."""
    crawl = _crawl_of_hosts(tmp_path)
    _, edges = common_crawl(crawl, tmp_path / "graph")
    imported = import_edges(tmp_path / "graph" / "edges.txt", tmp_path / "hosts")
    assert imported.edges == len(edges)
    rows = exported(tmp_path / "hosts", "ascii-graph").splitlines()[1:]
    assert [(node, int(word)) for node, row in enumerate(rows) for word in row.split()] == edges


def _crawl_of_hosts(tmp_path: Path) -> Path:
    (tmp_path / "urls").write_text(
        "http://a.test/1 http://b.test/1\nhttp://a.test/2 http://b.com/\nhttp://a.test/2 https://www.b.com:8443/x\n"
        "http://a.test/3 http://a.test/1\nhttps://www.b.com:8443/x http://a.test/9\nhttp://b-a.com/ http://a.b.com/\n"
        "http://a.test/1 http://b.test/1\nhttp://a.test/1 http://b.test/2\n"
    )
    import_edges(tmp_path / "urls", tmp_path / "crawl")
    return tmp_path / "crawl"


def test_a_folder_is_filled_whole_or_not_at_all(tmp_path: Path) -> None:
    """What fails midway leaves an older export as it was; what succeeds replaces its files and no other."""
    path = tmp_path / "graph"
    with whole_folder(path) as folder:
        (folder / "a").write_text("old")
    (path / "notes").write_text("mine")
    with pytest.raises(RecursionError):
        _fill_and_fail(path)
    assert {file.name: file.read_text() for file in path.iterdir()} == {"a": "old", "notes": "mine"}
    with whole_folder(path) as folder:
        (folder / "a").write_text("new")
    assert {file.name: file.read_text() for file in path.iterdir()} == {"a": "new", "notes": "mine"}
    assert list(tmp_path.iterdir()) == [path]


def _fill_and_fail(path: Path) -> None:
    with whole_folder(path) as folder:
        (folder / "a").write_text("half")
        raise RecursionError


def test_a_folder_that_is_a_file_is_told_as_such(tmp_path: Path) -> None:
    """A file where the folder should be is the user's mistake, and stays."""
    (tmp_path / "graph").write_text("mine")
    with pytest.raises(DirectoryError, match="graph"), whole_folder(tmp_path / "graph"):
        pass
    assert (tmp_path / "graph").read_text() == "mine"


@pytest.mark.parametrize("form", [*ONE_FILE, "jsonl", "csv"])
def test_the_share_done_rises_to_the_whole(form: str, crawl: Path) -> None:
    """Whoever shows progress is told shares that rise and end at 1."""
    shares: list[float] = []
    export(crawl, form, "edges", io.BytesIO(), on_share=shares.append)
    assert shares == sorted(shares)
    assert (shares[-1], min(shares) > 0) == (1.0, True)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["graphml", "gexf", "node-link"])
def test_networkx_reads_a_larger_graph_back(form: str, tmp_path: Path) -> None:
    """Windows and chunks meet without a seam: thousands of nodes and edges come back as they were."""
    edges = {(number * 7919 % 5000, number * 104729 % 5000) for number in range(20000)}
    (tmp_path / "edges").write_text("".join(f"{source} {target}\n" for source, target in edges))
    import_edges(tmp_path / "edges", tmp_path / "crawl")
    path = tmp_path / form
    path.write_text(exported(tmp_path / "crawl", form))
    if form == "node-link":
        graph = nx.node_link_graph(json.loads(path.read_text()), edges="edges")
    else:
        graph = {"graphml": nx.read_graphml, "gexf": nx.read_gexf}[form](path, node_type=int)
    assert {(source - 1, target - 1) for source, target in graph.edges()} == edges
    assert len(graph) == 5000


def test_hosts_without_urls_are_vertices_too(tmp_path: Path) -> None:
    """A host that only its robots.txt made known is in the list of hosts, without edges."""

    def extra(writer: Writer) -> None:
        writer.submit(CommitRecord(hosts=(HostRecord(3, "http://quiet.test"),)))

    names, edges = common_crawl(make_crawl(tmp_path / "crawl", extra=extra), tmp_path / "graph")
    assert (names, edges) == (["test.a", "test.b", "test.quiet"], [(0, 1)])
