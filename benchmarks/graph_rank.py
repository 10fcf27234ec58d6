"""Graph rank: does PageRank over far more edges than fit stay within its memory window, and what is an iteration?

`python -m benchmarks.graph_rank --edges 100M --memory 256MiB` prints one JSON document. The edges are made in windows
and never all in RAM: a page has 1 to 39 links, two thirds of them near by, the rest to pages of low numbers (a power
law). No crawl directory is needed; the derived rows go to a scratch file in `--directory`. `--question` asks the same
of the other analyses.
"""

from __future__ import annotations

import argparse
import json
import resource
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from weaver.analysis import components, hits, paths, rank
from weaver.analysis.edge_stream import EdgeWindow, distinct_pairs, offsets_of
from weaver.analysis.matrices import GraphMatrices, MemoryWindow
from weaver.base.units import parse_count, parse_size
from weaver.memory.meter import rss_bytes

LINKS_A_PAGE = 20
NEAR = 1_000
SAMPLE_S = 0.02


class MadeEdges:
    """An edge source that computes its windows: the same ones on each pass."""

    version = 1

    def __init__(self, edges: int, edges_per_window: int) -> None:
        self.nodes = max(2, edges // LINKS_A_PAGE)
        self._window_nodes = max(1, edges_per_window // LINKS_A_PAGE)

    def __iter__(self) -> Iterator[EdgeWindow]:
        for first in range(1, self.nodes + 1, self._window_nodes):
            yield self._window(np.arange(first, min(first + self._window_nodes, self.nodes + 1), dtype=np.uint32))

    def _window(self, nodes: Any) -> EdgeWindow:
        made = np.random.default_rng(int(nodes[0]))
        degrees = made.integers(1, 2 * LINKS_A_PAGE, len(nodes))
        sources = np.repeat(nodes, degrees).astype(np.int64)
        near = sources + made.integers(-NEAR, NEAR, len(sources))
        popular = np.exp(made.random(len(sources)) * np.log(self.nodes)).astype(np.int64)
        targets = np.where(made.random(len(sources)) < 2 / 3, near, popular).clip(1, self.nodes).astype(np.uint32)
        return distinct_pairs(EdgeWindow(nodes, offsets_of(degrees), targets, np.zeros(len(targets), np.uint8)))


class PeakRss:
    """The highest resident set since it was made: what Linux keeps (ru_maxrss) knows no beginning."""

    def __init__(self) -> None:
        self.first = self.highest = rss_bytes()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            self.highest = max(self.highest, rss_bytes())

    def end(self) -> int:
        """Stop watching; the bytes above those at the beginning."""
        self._ended.set()
        self._thread.join()
        return self.highest - self.first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edges", type=parse_count, default="100M")
    parser.add_argument("--memory", type=parse_size, default="256MiB")
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--directory", type=Path, default=Path())
    parser.add_argument("--question", choices=list(QUESTIONS), default="rank")
    arguments = parser.parse_args()
    memory = MemoryWindow(arguments.memory)
    source = MadeEdges(arguments.edges, memory.edges_per_window)
    bytes_per_node, ask = QUESTIONS[arguments.question]
    # A first touch of everything that is imported on use belongs to the interpreter.
    ask(GraphMatrices(MadeEdges(1_000, 100), memory, arguments.directory, bytes_per_node), 2)
    peak, started_s, cpu_s = PeakRss(), time.perf_counter(), time.process_time()
    with GraphMatrices(source, memory, arguments.directory, bytes_per_node) as matrices:
        rows = matrices.rows()
        built_cpu_s = time.process_time() - cpu_s
        facts = ask(matrices, arguments.iterations)
        document = {
            "question": arguments.question,
            "nodes": rows.nodes,
            "edges": rows.edges,
            "memory_window_bytes": arguments.memory,
            "peak_rss_above_start_bytes": peak.end(),
            "start_rss_bytes": peak.first,
            "ru_maxrss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
            "build_cpu_s": round(built_cpu_s, 3),
            "cpu_s": round(time.process_time() - cpu_s, 3),
            "wall_s": round(time.perf_counter() - started_s, 3),
            "matrices": matrices.statistics(),
        }
    document["is_within_window"] = document["peak_rss_above_start_bytes"] <= arguments.memory
    print(json.dumps(document | facts))


def _rank(matrices: GraphMatrices, iterations: int) -> dict[str, Any]:
    found = rank.pagerank(matrices.rows(), tolerance=0.0, most_iterations=iterations, dtype=np.float32)
    return {
        "iterations": found.iterations,
        "iteration_wall_s": round(found.wall_s, 4),
        "iteration_cpu_s": round(found.cpu_s, 4),
        "residual": found.residual,
    }


def _hits(matrices: GraphMatrices, iterations: int) -> dict[str, Any]:
    found = hits.hits(matrices.rows(), tolerance=0.0, most_iterations=iterations)
    return {"iterations": found.iterations, "residual": found.residual}


def _components(matrices: GraphMatrices, _iterations: int) -> dict[str, Any]:
    weak = components.weak_components(matrices.rows())
    strong = components.strong_components(matrices.rows(), matrices.transposed())
    return {"weak": weak.count, "strong": strong.count, "strong_largest": strong.largest}


def _bfs(matrices: GraphMatrices, _iterations: int) -> dict[str, Any]:
    return {"levels": paths.level_sizes(paths.bfs_levels(matrices.rows(), 0))}


QUESTIONS: dict[str, tuple[int, Callable[[GraphMatrices, int], dict[str, Any]]]] = {
    "rank": (rank.BYTES_PER_NODE, _rank),
    "hits": (hits.BYTES_PER_NODE, _hits),
    "components": (components.STRONG_BYTES_PER_NODE, _components),
    "bfs": (paths.BYTES_PER_NODE, _bfs),
}

if __name__ == "__main__":
    main()
