"""GraphML, GEXF and node-link JSON: the whole graph as chunks of bytes, by hand since it need not fit in RAM."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import count

import orjson

from weaver.analysis.tables import edge_batches, state_of
from weaver.analysis.walk import Walk
from weaver.persistence.crawl_rows import KnownUrl

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


def xml_text(value: str | int) -> str:
    """The value for an XML text or attribute: escaped, characters that XML 1.0 (2.2) forbids left out."""
    return _NOT_XML.sub("", str(value)).translate(_XML_ENTITIES)


def graphml_chunks(walk: Walk) -> Iterator[bytes]:
    """GraphML 1.0: node data as in NODE_ATTRIBUTES, edge data `kind`; parallel edges of other kinds stay apart."""
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    for name, kind in NODE_ATTRIBUTES.items():
        yield f'<key id="{name}" for="node" attr.name="{name}" attr.type="{kind}"/>\n'.encode()
    yield b'<key id="kind" for="edge" attr.name="kind" attr.type="string"/>\n'
    yield b'<graph id="crawl" edgedefault="directed">\n'
    for window in walk.known_urls():
        yield "".join(map(_graphml_node, window)).encode()
    for batch in edge_batches(walk):
        yield "".join(
            f'<edge source="{source}" target="{target}"><data key="kind">{kind}</data></edge>\n'
            for source, target, kind in batch
        ).encode()
    yield b"</graph>\n</graphml>\n"


def gexf_chunks(walk: Walk) -> Iterator[bytes]:
    """GEXF 1.3: the node's label is its URL, further values as attvalues.

    An edge has its kind as `kind`, which keeps parallel edges apart since 1.3, and as attvalue for older readers.
    """
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n<gexf xmlns="http://gexf.net/1.3" version="1.3">\n'
    yield b"<meta><creator>weaver</creator></meta>\n"
    yield b'<graph defaultedgetype="directed" idtype="integer" mode="static">\n'
    yield b'<attributes class="node" mode="static">\n'
    for name, kind in NODE_ATTRIBUTES.items():
        gexf_kind = "integer" if kind == "int" else kind
        yield f'<attribute id="{name}" title="{name}" type="{gexf_kind}"/>\n'.encode()
    yield b'</attributes>\n<attributes class="edge" mode="static">\n<attribute id="kind" title="kind" type="string"/>\n'
    yield b"</attributes>\n<nodes>\n"
    for window in walk.known_urls():
        yield "".join(map(_gexf_node, window)).encode()
    yield b"</nodes>\n<edges>\n"
    edge_ids = count()
    for batch in edge_batches(walk):
        yield "".join(
            f'<edge id="{number}" source="{source}" target="{target}" kind="{kind}">'
            f'<attvalues><attvalue for="kind" value="{kind}"/></attvalues></edge>\n'
            for (source, target, kind), number in zip(batch, edge_ids, strict=False)
        ).encode()
    yield b"</edges>\n</graph>\n</gexf>\n"


def node_link_chunks(walk: Walk) -> Iterator[bytes]:
    """JSON that `networkx.node_link_graph(data, edges="edges")` reads: nodes by `id`, edges with `key` = `kind`."""
    yield b'{"directed":true,"multigraph":true,"graph":{},"nodes":['
    separator = b""
    for window in walk.known_urls():
        yield separator + b",\n".join(orjson.dumps({"id": known.id, **_attributes(known)}) for known in window)
        separator = b",\n"
    yield b'],"edges":['
    separator = b""
    for batch in edge_batches(walk):
        chunk = ",\n".join(
            f'{{"source":{source},"target":{target},"key":"{kind}","kind":"{kind}"}}' for source, target, kind in batch
        )
        yield separator + chunk.encode()
        separator = b",\n"
    yield b"]}\n"


GRAPH_FORMATS: dict[str, Callable[[Walk], Iterator[bytes]]] = {
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


def _graphml_node(known: KnownUrl) -> str:
    data = "".join(f'<data key="{name}">{xml_text(value)}</data>' for name, value in _attributes(known).items())
    return f'<node id="{known.id}">{data}</node>\n'


def _gexf_node(known: KnownUrl) -> str:
    values = "".join(
        f'<attvalue for="{name}" value="{xml_text(value)}"/>' for name, value in _attributes(known).items()
    )
    return f'<node id="{known.id}" label="{xml_text(known.url)}"><attvalues>{values}</attvalues></node>\n'
