"""GraphML, GEXF and node-link JSON: the whole graph as chunks of bytes, by hand since it need not fit in RAM."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import orjson

from weaver.analysis.tables import edges, state_of
from weaver.persistence.reader import CrawlReader, KnownUrl

CHUNK_EDGES = 4_000

NODE_ATTRIBUTES = {
    "url": "string",
    "host": "string",
    "depth": "int",
    "state": "string",
    "http_status": "int",
    "title": "string",
}
"""What a node tells, with its type as GraphML names it; GEXF says integer for int."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_XML_ENTITIES = str.maketrans({
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
})

Attributes = dict[str, str | int]


class Edge(NamedTuple):
    """One edge of the graph, its kind in words."""

    source_id: int
    target_id: int
    kind: str


def xml_text(value: str | int) -> str:
    """The value for an XML text or attribute: escaped, characters that XML 1.0 (2.2) forbids left out."""
    return _NOT_XML.sub("", str(value)).translate(_XML_ENTITIES)


def graphml_chunks(reader: CrawlReader) -> Iterator[bytes]:
    """GraphML 1.0: node data as in NODE_ATTRIBUTES, edge data `kind`; parallel edges of other kinds stay apart."""
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    for name, kind in NODE_ATTRIBUTES.items():
        yield f'<key id="{name}" for="node" attr.name="{name}" attr.type="{kind}"/>\n'.encode()
    yield b'<key id="kind" for="edge" attr.name="kind" attr.type="string"/>\n'
    yield b'<graph id="crawl" edgedefault="directed">\n'
    last_id = reader.last_url_id()
    for window in reader.known_urls(last_id):
        yield "".join(map(_graphml_node, window)).encode()
    for batch in _edge_batches(reader, last_id):
        yield "".join(
            f'<edge source="{edge.source_id}" target="{edge.target_id}"><data key="kind">{edge.kind}</data></edge>\n'
            for edge in batch
        ).encode()
    yield b"</graph>\n</graphml>\n"


def gexf_chunks(reader: CrawlReader) -> Iterator[bytes]:
    """GEXF 1.2: the node's label is its URL, further values as attvalues; edge attvalue `kind`."""
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n<gexf xmlns="http://www.gexf.net/1.2draft" version="1.2">\n'
    yield b'<graph defaultedgetype="directed" mode="static">\n<attributes class="node" mode="static">\n'
    for name, kind in NODE_ATTRIBUTES.items():
        gexf_kind = "integer" if kind == "int" else kind
        yield f'<attribute id="{name}" title="{name}" type="{gexf_kind}"/>\n'.encode()
    yield b'</attributes>\n<attributes class="edge" mode="static">\n<attribute id="kind" title="kind" type="string"/>\n'
    yield b"</attributes>\n<nodes>\n"
    last_id = reader.last_url_id()
    for window in reader.known_urls(last_id):
        yield "".join(map(_gexf_node, window)).encode()
    yield b"</nodes>\n<edges>\n"
    edge_id = 0
    for batch in _edge_batches(reader, last_id):
        yield "".join(_gexf_edge(edge_id + offset, edge) for offset, edge in enumerate(batch)).encode()
        edge_id += len(batch)
    yield b"</edges>\n</graph>\n</gexf>\n"


def node_link_chunks(reader: CrawlReader) -> Iterator[bytes]:
    """JSON that `networkx.node_link_graph(data, edges="edges")` reads: nodes by `id`, edges with `key` = `kind`."""
    yield b'{"directed":true,"multigraph":true,"graph":{},"nodes":['
    last_id = reader.last_url_id()
    separator = b""
    for window in reader.known_urls(last_id):
        yield separator + b",\n".join(orjson.dumps({"id": known.id, **_attributes(known)}) for known in window)
        separator = b",\n"
    yield b'],"edges":['
    separator = b""
    for batch in _edge_batches(reader, last_id):
        yield separator + b",\n".join(map(_node_link_edge, batch))
        separator = b",\n"
    yield b"]}\n"


GRAPH_FORMATS: dict[str, Callable[[CrawlReader], Iterator[bytes]]] = {
    "graphml": graphml_chunks,
    "gexf": gexf_chunks,
    "node-link": node_link_chunks,
}


def _attributes(known: KnownUrl) -> Attributes:
    """The node's attributes that it has: an unvisited URL has no status and no title."""
    values: dict[str, str | int | None] = {
        "url": known.url,
        "host": (known.origin or "").partition("://")[2],
        "depth": known.depth,
        "state": state_of(known),
        "http_status": known.http_status or None,
        "title": known.title or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def _edge_batches(reader: CrawlReader, last_id: int) -> Iterator[list[Edge]]:
    rows = map(Edge._make, edges(reader, last_id))
    while batch := list(islice(rows, CHUNK_EDGES)):
        yield batch


def _graphml_node(known: KnownUrl) -> str:
    data = "".join(f'<data key="{name}">{xml_text(value)}</data>' for name, value in _attributes(known).items())
    return f'<node id="{known.id}">{data}</node>\n'


def _gexf_node(known: KnownUrl) -> str:
    values = "".join(
        f'<attvalue for="{name}" value="{xml_text(value)}"/>' for name, value in _attributes(known).items()
    )
    return f'<node id="{known.id}" label="{xml_text(known.url)}"><attvalues>{values}</attvalues></node>\n'


def _gexf_edge(edge_id: int, edge: Edge) -> str:
    return (
        f'<edge id="{edge_id}" source="{edge.source_id}" target="{edge.target_id}">'
        f'<attvalues><attvalue for="kind" value="{edge.kind}"/></attvalues></edge>\n'
    )


def _node_link_edge(edge: Edge) -> bytes:
    return orjson.dumps({"source": edge.source_id, "target": edge.target_id, "key": edge.kind, "kind": edge.kind})
