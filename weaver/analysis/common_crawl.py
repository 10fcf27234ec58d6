"""The host graph as the text that Common Crawl publishes: vertices with reversed host names, and edges."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.edge_stream import EdgeWindow
from weaver.analysis.sorted_pairs import PairSorter
from weaver.analysis.walk import Walk

VERTICES, EDGES = "vertices.txt", "edges.txt"
SORT_BYTES = 64 << 20
CHUNK_VERTICES = 10_000

Ids = NDArray[np.uint32]


def common_crawl_files(walk: Walk, directory: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
    """`vertices.txt` (`id<TAB>reversed host`) and `edges.txt` (`from<TAB>to`), to be written in this order.

    As Common Crawl's host-level graphs: ids count from 0 in the order of the reversed names, compared as bytes; schemes
    and ports of a host are one vertex, a leading `www.` is left out, an edge is there once, and none leads to its own
    host. Unlike there, a host that is an IP address is a vertex too, its address as it is. Memory: 4 B a URL, 12 B a
    host, and SORT_BYTES; what more there is to sort goes to a file in `directory`.
    """
    graph = _HostGraph(walk, directory)
    yield VERTICES, graph.vertices()
    yield EDGES, graph.edges()


def reversed_host(origin: str) -> str:
    """The host's name from its top-level domain down: `com.example.news` of `https://www.news.example.com:8443`."""
    host = origin.partition("://")[2]
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    host = host.partition(":")[0]
    labels = host.split(".")
    # WHATWG URL 3.5: a host whose last label is a number is an IPv4 address.
    if labels[-1].isdigit():
        return host
    if labels[0] == "www" and len(labels) > 2:
        del labels[0]
    return ".".join(reversed(labels))


class _HostGraph:
    """Hosts by their names, and between them the edges of their pages."""

    def __init__(self, walk: Walk, directory: Path) -> None:
        self._walk = walk
        self._directory = directory
        self._vertex_of_host: Ids = np.zeros(1, np.uint32)

    def vertices(self) -> Iterator[bytes]:
        """A line for each host name, sorted; to be read to its end before the edges."""
        host_ids, vertices = array("I"), array("I")
        name_before, lines, count = None, [], 0
        for host_id, name in self._walk.reader.hosts_by_name(reversed_host):
            if name != name_before:
                lines.append(f"{count}\t{name}\n")
                name_before, count = name, count + 1
            host_ids.append(host_id)
            vertices.append(count - 1)
            if len(lines) >= CHUNK_VERTICES:
                yield "".join(lines).encode()
                lines = []
        yield "".join(lines).encode()
        self._vertex_of_host = np.zeros(max(host_ids, default=0) + 1, np.uint32)
        self._vertex_of_host[np.frombuffer(host_ids, np.uint32)] = np.frombuffer(vertices, np.uint32)

    def edges(self) -> Iterator[bytes]:
        """A line for each pair of hosts with a link from the one to the other, sorted as numbers."""
        vertex_of_url = self._vertices_of_urls()
        with PairSorter(SORT_BYTES, self._directory) as sorter:
            for window in self._walk.edges():
                sources, targets = vertex_of_url[window.sources], vertex_of_url[window.targets]
                leads_away = sources != targets
                pairs = np.unique(sources[leads_away].astype(np.uint64) << np.uint64(32) | targets[leads_away])
                sorter.add((pairs >> np.uint64(32)).astype(np.uint32), pairs.astype(np.uint32))
            yield from map(_edge_lines, sorter.windows())

    def _vertices_of_urls(self) -> Ids:
        reader, last_id = self._walk.reader, self._walk.last_id
        vertices = np.zeros(last_id + 1, np.uint32)
        for rows in reader.host_ids(last_id):
            ids = _columns(rows)
            vertices[ids[:, 0]] = self._vertex_of_host[ids[:, 1]]
        return vertices


def _columns(rows: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    return np.fromiter(chain.from_iterable(rows), np.int64).reshape(-1, 2)


def _edge_lines(window: EdgeWindow) -> bytes:
    pairs = zip(window.sources.tolist(), window.targets.tolist(), strict=True)
    return "".join(f"{source}\t{target}\n" for source, target in pairs).encode()
