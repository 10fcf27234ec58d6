"""What does a graph take in networkx, igraph, rustworkx and scipy: bytes of RSS a node and an edge, at the peak.

    python -m benchmarks.graph_exits --nodes 200000 --edges 2000000 --json

Each library is measured in a process of its own, with edges and without; the edges are random, sorted and distinct, in
windows as they come from a crawl directory. `DiskGraph.size_estimate` is made of these figures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaver.graph import conversions, interop
from weaver.memory.meter import peak_rss_bytes, rss_bytes

WINDOW_EDGES = 1 << 16

Windows = Iterator[tuple[NDArray[np.int64], NDArray[np.uint32]]]

LIBRARIES: dict[str, Callable[[int, int, Windows], Any]] = {
    "networkx": lambda nodes, _edges, windows: interop.digraph(nodes, windows),
    "igraph": lambda nodes, _edges, windows: conversions.igraph_graph(nodes, windows),
    "rustworkx": lambda nodes, _edges, windows: conversions.rustworkx_graph(nodes, windows),
    "scipy": conversions.scipy_sparse,
}


def measured(library: str, nodes: int, path: Path) -> dict[str, float]:
    """Bytes above what the process had, at the peak and at the end, and CPU seconds; for a process of its own."""
    LIBRARIES[library](2, 1, iter([(np.zeros(1, np.int64), np.ones(1, np.uint32))]))
    before, cpu_s = rss_bytes(), time.process_time()
    graph = LIBRARIES[library](nodes, path.stat().st_size // 8, _windows(path, nodes))
    cpu_s = time.process_time() - cpu_s
    figures = {"peak_bytes": peak_rss_bytes() - before, "kept_bytes": rss_bytes() - before, "cpu_s": cpu_s}
    del graph
    return figures


def _write(path: Path, nodes: int, edges: int) -> None:
    """As many distinct random edges as asked for, sorted, as 64-bit numbers."""
    random = np.random.default_rng(1)
    pairs = np.zeros(0, np.int64)
    while len(pairs) < edges:
        pairs = np.unique(np.concatenate((pairs, random.integers(0, nodes * nodes, edges - len(pairs)))))
    pairs.tofile(path)


def _windows(path: Path, nodes: int) -> Windows:
    with path.open("rb") as stream:
        while len(part := np.fromfile(stream, np.int64, WINDOW_EDGES)):
            yield part // nodes, (part % nodes).astype(np.uint32)


def _apart(library: str, nodes: int, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.graph_exits", "--one", library, "--nodes", str(nodes), str(path)]
    figures: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return figures


def compared(nodes: int, edges: int) -> dict[str, dict[str, float]]:
    """Each library's figures."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        few, all_edges = Path(folder, "few"), Path(folder, "all")
        _write(few, nodes, 1)
        _write(all_edges, nodes, edges)
        measures = {library: (_apart(library, nodes, few), _apart(library, nodes, all_edges)) for library in LIBRARIES}
    for library, (bare, whole) in measures.items():
        found[library] = {
            "peak_bytes_per_node": round(bare["peak_bytes"] / nodes, 1),
            "peak_bytes_per_edge": round((whole["peak_bytes"] - bare["peak_bytes"]) / edges, 1),
            "kept_bytes_per_edge": round((whole["kept_bytes"] - bare["kept_bytes"]) / edges, 1),
            "edges_per_cpu_s": round(edges / max(whole["cpu_s"], 1e-9)),
        }
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=200_000)
    parser.add_argument("--edges", type=int, default=2_000_000)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--one", choices=LIBRARIES, help="measure one library in this process, with the edges of PATH")
    parser.add_argument("path", nargs="?", type=Path, metavar="PATH")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measured(arguments.one, arguments.nodes, arguments.path)))
        return
    found = compared(arguments.nodes, arguments.edges)
    if arguments.json:
        print(json.dumps({"nodes": arguments.nodes, "edges": arguments.edges, "libraries": found}))
        return
    for library, figures in found.items():
        print(f"{library:10}", "  ".join(f"{name} {value:,}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
