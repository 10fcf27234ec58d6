"""The link graph beside its peers: bytes an edge, edges a second, and how evenly, hot and sealed, on a web-like graph.

    python -m benchmarks.graph --nodes 1000000 --edges 20000000 --json

`resident_bytes_per_edge` is what the store has charged, `rss_bytes_per_edge` what its process grew by, read by another
process, `build_edges_per_s` edges a CPU second when pages are added one by one; at the top those of hot and sealed
edges together, in an account of 1.5 B an edge. networkx, igraph, rustworkx and a dict of sets get the first
`--peers-edges` of the same edges, and weaver once more as many. How the edges are made: benchmarks/graph_web.py.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

import numpy as np

from benchmarks.graph_blocks import read_edges
from benchmarks.graph_builds import BUILDS
from benchmarks.graph_peers import PEERS, peer
from benchmarks.graph_web import EdgeFiles, GraphWeb, made_web, uniform_bound_bytes_per_edge
from benchmarks.outside import Figures, measured, serve
from weaver.base.units import parse_count
from weaver.codec.block_codec import BlockCodec, sort_rows

NODES, EDGES, PEERS_EDGES = 1_000_000, 20_000_000, 2_000_000
HEADLINE = ("resident_bytes_per_edge", "rss_bytes_per_edge", "build_edges_per_s")
LIBRARIES = ("networkx", "igraph", "rustworkx", "numpy", "zstandard")
OWN = ("hot", "sealed")
EVICTING = ("evicting_hot", "evicting_sealed")
SKIPPABLE = [name for name in (*BUILDS, *PEERS) if name not in OWN]


def web_of_list(path: Path) -> GraphWeb:
    """An edge list's links, by rising source and target; all pages of one host."""
    degrees, targets = read_edges(path)
    hosts, kinds = np.ones(len(degrees), np.uint32), np.zeros(len(targets), np.uint8)
    return GraphWeb(hosts, degrees, targets + np.uint32(1), kinds)


def described(web: GraphWeb) -> Figures:
    """What is measured: to be compared with other graphs."""
    in_degrees = np.bincount(web.targets, minlength=web.nodes + 1)[1:]
    rows, _ = sort_rows(web.degrees, web.targets, web.kinds)
    blocks = BlockCodec().encode_all(np.arange(1, web.nodes + 1, dtype=np.uint32), web.degrees, rows)
    return {
        "nodes": web.nodes,
        "edges": web.edges,
        "hosts": len(np.unique(web.hosts)),
        "links_of_a_page": {"median": int(np.median(web.degrees)), "highest": int(web.degrees.max())},
        "links_to_a_page": {"median": int(np.median(in_degrees)), "highest": int(in_degrees.max())},
        "bits_per_link_in_blocks": round(8 * sum(map(len, blocks)) / max(1, web.edges), 2),
        "bits_per_link_if_uniform_random": round(8 * uniform_bound_bytes_per_edge(web.nodes, web.edges), 2),
    }


def compared(web: GraphWeb, peers_edges: int, skipped: Collection[str]) -> Figures:
    """All figures but those of the questions that are skipped; each question in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        web.write(Path(folder))
        found = {name: _apart(name, folder, web.edges) for name in BUILDS if name not in skipped}
        fitting = min(peers_edges, web.edges)
        asked = [name for name in (*PEERS, *(OWN if fitting < web.edges else ())) if name not in skipped]
        peers = {name: _apart(name, folder, fitting) for name in asked}
    own = {f"weaver_{name}": peers.pop(name, found[name]) for name in OWN}
    headline = {name: found["sealed"][name] for name in HEADLINE}
    return headline | found | {"peers": {"edges": own["weaver_hot"]["edges"]} | peers | own}


def _apart(name: str, folder: str, most_edges: int) -> Figures:
    print(f"  {name} ({most_edges:,} edges)", file=sys.stderr, flush=True)
    figures = measured(["benchmarks.graph", "--one", name, "--folder", folder, "--edges", str(most_edges)])
    if name in BUILDS and name not in OWN:
        return figures
    edges = max(1, figures.get("resident_edges", figures["edges"]))
    return figures | {
        "rss_bytes_per_edge": round(figures["rss_bytes"] / edges, 3),
        "peak_rss_bytes_per_edge": round(figures["peak_rss_bytes"] / edges, 3),
    }


def _serve(name: str, folder: Path, most_edges: int) -> None:
    files = EdgeFiles(folder, most_edges)
    serve(BUILDS[name](files) if name in BUILDS else peer(name, files))


def machine() -> Figures:
    """Where and with what this was measured."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.platform(),
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def print_table(document: Figures) -> None:
    """The figures in short."""
    web = document["web"]
    print(f"{web['edges']:,} edges of {web['nodes']:,} nodes, {web['bits_per_link_in_blocks']} bits a link in blocks")
    print(f"{'':14} {'accounted':>10} {'RSS':>8} {'edges/CPU s':>12}   bytes an edge")
    for name in OWN:
        _print_row(name, document[name])
    print(f"{document['peers']['edges']:,} edges:")
    for name, figures in document["peers"].items():
        if name != "edges":
            _print_row(name, figures)
    for name in EVICTING:
        if name in document:
            share, slowest = 100 * document[name]["eviction_share"], document[name]["slowest_add_ms"]
            print(f"{name}: {share:.1f} % of the time at ten times the cap, slowest {slowest} ms")
    if "rebuild" in document:
        print(f"rebuild: p95 / median {document['rebuild']['rebuild_p95_per_median']}")
    if "churn" in document:
        slope = document["churn"]["rss_high_water_slope_bytes_per_100k_edges"]
        print(f"churn: high water of RSS rises by {slope:,} B per 100,000 edges over the last fifth")
    print(f"growth per 100,000 edges: {document['hot']['growth_bytes_per_100k_edges']}")


def _print_row(name: str, figures: Figures) -> None:
    accounted = figures.get("resident_bytes_per_edge", "")
    print(f"{name:14} {accounted:>10} {figures['rss_bytes_per_edge']:>8} {figures['build_edges_per_s']:>12,}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=parse_count, default=NODES)
    parser.add_argument("--edges", type=parse_count, default=EDGES)
    parser.add_argument("--peers-edges", type=parse_count, default=PEERS_EDGES, help="how many of them peers get")
    parser.add_argument("--skip", nargs="+", default=[], choices=SKIPPABLE, help="questions to leave out")
    parser.add_argument(
        "--edges-file", type=Path, metavar="FILE", help="lines of two ids from 0, plain or .gz, instead"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--one", choices=[*BUILDS, *PEERS], help="serve one question about the files in --folder")
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    if arguments.one:
        _serve(arguments.one, arguments.folder, arguments.edges)
        return
    web = web_of_list(arguments.edges_file) if arguments.edges_file else made_web(arguments.nodes, arguments.edges)
    document = {"web": described(web)} | machine() | compared(web, arguments.peers_edges, arguments.skip)
    if arguments.json:
        print(json.dumps(document, indent=2))
    else:
        print_table(document)


if __name__ == "__main__":
    main()
