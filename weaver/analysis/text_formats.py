"""DOT and WebGraph's ASCII graph: the graph as text of a line or less an edge."""

from __future__ import annotations

from collections.abc import Iterator

from weaver.analysis.edge_stream import distinct_pairs
from weaver.analysis.tables import edge_batches
from weaver.analysis.walk import Walk
from weaver.base.errors import TooLarge

MOST_DOT_NODES = 5_000
MOST_DOT_EDGES = 20_000
"""Beyond these no layout of Graphviz ends within minutes, nor would a person see anything in it."""
MOST_BLANK_LINES = 1 << 16

# What Graphviz reads as an escape in a label, and what would end it.
_DOT_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": " ", "\r": " ", "\0": ""})


def dot_chunks(walk: Walk) -> Iterator[bytes]:
    """A digraph for Graphviz: nodes by id, labelled with their URLs; edges with their `kind`."""
    yield b"digraph crawl {\n"
    for known in walk.known_urls():
        yield "".join(f'{url.id} [label="{url.url.translate(_DOT_ESCAPES)}"];\n' for url in known).encode()
    for batch in edge_batches(walk):
        yield "".join(f"{source} -> {target} [kind={kind}];\n" for source, target, kind in batch).encode()
    yield b"}\n"


def check_dot_size(walk: Walk) -> None:
    """Raise TooLarge where Graphviz would not come to an end with the graph."""
    if walk.last_id > MOST_DOT_NODES:
        raise _too_large(f"{walk.last_id:,} nodes")
    edges = 0
    for window in walk.stream:
        edges += len(window.targets)
        if edges > MOST_DOT_EDGES:
            raise _too_large(f"{edges:,} edges or more")


def _too_large(found: str) -> TooLarge:
    return TooLarge(
        f"DOT is for graphs that can be drawn: expected at most {MOST_DOT_NODES:,} nodes and {MOST_DOT_EDGES:,} edges,"
        f" got {found}; use gexf (Gephi), or insist with --force"
    )


def ascii_graph_chunks(walk: Walk) -> Iterator[bytes]:
    """WebGraph's ASCIIGraph (`BASENAME.graph-txt`): the number of nodes, then a line of rising successors for each.

    Nodes are numbered from 0 there: id k is node k - 1. Parallel edges of several kinds are one.
    """
    yield f"{walk.last_id}\n".encode()
    lines = 0
    for window in map(distinct_pairs, walk.edges()):
        successors = (window.targets - 1).tolist()
        offsets = window.offsets.tolist()
        rows: list[str] = []
        for node, begin, end in zip(window.nodes.tolist(), offsets[:-1], offsets[1:], strict=True):
            if node - 1 > lines:
                yield "".join(rows).encode()
                yield from _blank_lines(node - 1 - lines)
                rows = []
            rows.append(" ".join(map(str, successors[begin:end])) + "\n")
            lines = node
        yield "".join(rows).encode()
    yield from _blank_lines(walk.last_id - lines)


def _blank_lines(count: int) -> Iterator[bytes]:
    """A line for each node without successors."""
    for at in range(0, count, MOST_BLANK_LINES):
        yield b"\n" * min(MOST_BLANK_LINES, count - at)
