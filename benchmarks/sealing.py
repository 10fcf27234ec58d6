"""What sealing costs the writer and saves on disk: a graph committed page by page, by rising ids and jumping."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.graph_blocks import by_row, in_discovery_order, read_edges
from weaver.base.page import PageState
from weaver.base.record import Adjacency, CommitRecord, PageRow
from weaver.base.settings import PersistenceSettings
from weaver.persistence import CrawlDirectory, Sealer, Writer
from weaver.persistence.compacting import compact
from weaver.persistence.graph_sizes import graph_sizes
from weaver.persistence.link_rows import LinkRows
from weaver.persistence.link_windows import LinkWindows

LOOK_UPS = 3_000
HOSTS = 1_000

Rows = tuple[NDArray[np.uint32], NDArray[np.uint32]]
Figures = dict[str, object]


class TimedSealer(Sealer):
    """Notes how long each step keeps the writer."""

    def __init__(self, seal_pages: int) -> None:
        super().__init__(seal_pages)
        self.steps_ms: list[float] = []
        self.steps_cpu_ms: list[float] = []

    def step(self) -> None:
        """A step, timed where it has work."""
        if self.has_work:
            started, cpu_s = time.perf_counter(), time.thread_time()
            super().step()
            self.steps_ms.append(1e3 * (time.perf_counter() - started))
            self.steps_cpu_ms.append(1e3 * (time.thread_time() - cpu_s))


def made_graph(nodes: int, degree: int) -> Rows:
    """Pages of sites: a menu that its neighbours share, and some links of its own nearby and far away."""
    chance = np.random.default_rng(1)
    ids = np.arange(nodes)
    menu = (ids // 400 * 400)[:, None] + np.arange(degree // 2)
    near = ids[:, None] + chance.integers(1, 500, (nodes, degree // 4))
    far = chance.integers(0, nodes, (nodes, degree - degree // 2 - degree // 4))
    targets = np.concatenate([menu, near, far], axis=1) % nodes
    return by_row(np.repeat(ids, degree).astype(np.uint32), targets.ravel().astype(np.uint32), nodes)


def visits(nodes: int, *, jumps: bool) -> NDArray[np.int64]:
    """The order of visits: by id, or that of hosts with a thousandth of the ids each, at paces of their own."""
    ids = np.arange(nodes)
    if not jumps:
        return ids
    chance = np.random.default_rng(2)
    hosts = chance.integers(0, HOSTS, nodes)
    return np.argsort(ids * chance.uniform(0.2, 1.0, HOSTS)[hosts], kind="stable")


def measured(rows: Rows, seal_pages: int, *, jumps: bool) -> Figures:
    """A crawl of all pages in one order."""
    degrees, targets = rows
    ends = np.cumsum(degrees, dtype=np.int64)
    with tempfile.TemporaryDirectory() as folder:
        directory = CrawlDirectory.create(Path(folder) / "crawl")
        sealer = TimedSealer(seal_pages)
        writer = Writer(directory.connect, PersistenceSettings(), lambda _n: None, lambda _error: None, chore=sealer)
        writer.start()
        cpu_s = writer.ask(lambda _: time.thread_time()).result()
        for node in visits(len(degrees), jumps=jumps).tolist():
            if not writer.has_room:
                writer.flush().result()
            row = (targets[ends[node] - degrees[node] : ends[node]] + np.uint32(1)).tobytes()
            page = PageRow(node + 1, PageState.FETCHED, 1.0)
            writer.submit(CommitRecord(page=page, adjacency=Adjacency(row, bytes(len(row) // 4))))
        writer.flush().result()
        before_finish_s = writer.ask(lambda _: time.thread_time()).result()
        during = writer.ask(graph_sizes).result()
        writer.ask(sealer.finish).result()
        after_s = writer.ask(lambda _: time.thread_time()).result()
        found = _read(directory, len(degrees), int(ends[-1]))
        after = writer.ask(graph_sizes).result()
        writer.ask(compact).result()
        compacted = writer.ask(graph_sizes).result()
        writer.close()
    sealing_s = sum(sealer.steps_cpu_ms) / 1e3 + after_s - before_finish_s
    return found | {
        "pages": len(degrees),
        "links": int(ends[-1]),
        "jumps": jumps,
        "seal_pages": seal_pages,
        "writer_us_per_page": round(1e6 * (after_s - cpu_s) / len(degrees), 1),
        "sealing_us_per_page": round(1e6 * sealing_s / len(degrees), 1),
        "step_ms_p50": round(float(np.percentile(sealer.steps_ms or [0], 50)), 1),
        "step_ms_p99": round(float(np.percentile(sealer.steps_ms or [0], 99)), 1),
        "step_cpu_ms_p50": round(float(np.percentile(sealer.steps_cpu_ms or [0], 50)), 1),
        "step_cpu_ms_p99": round(float(np.percentile(sealer.steps_cpu_ms or [0], 99)), 1),
        "packed_bits_per_link": round(8 * after.packed_bytes / after.sealed_links, 2),
        "bits_per_link": round(after.bits_per_link or 0, 2),
        "bits_per_link_compacted": round(compacted.bits_per_link or 0, 2),
        "blocks": after.blocks,
        "depth_during": during.depth,
        "depth": after.depth,
        "file_bytes_per_link": round(after.file_bytes / after.sealed_links, 2),
    }


def _read(directory: CrawlDirectory, nodes: int, links: int) -> Figures:
    connection = directory.connect_readonly()
    started = time.process_time()
    read = sum(len(window.targets) for window in LinkWindows(connection, nodes))
    took_s = time.process_time() - started
    assert read == links, (read, links)
    look_ups, spent = LinkRows(connection), []
    for page in np.random.default_rng(3).integers(1, nodes + 1, LOOK_UPS).tolist():
        least = []
        for _ in range(3):
            begun = time.perf_counter()
            look_ups.edges_of(page)
            least.append(time.perf_counter() - begun)
        spent.append(min(least))
    connection.close()
    p50, p99 = (round(1e6 * float(np.percentile(spent, q)), 1) for q in (50, 99))
    return {"read_links_per_s": round(links / took_s), "row_us_p50": p50, "row_us_p99": p99}


def main() -> None:
    """One JSON line for each order of visits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edges", type=Path, help="an edge list, taken in the order of its discovery; else it is made")
    parser.add_argument("--pages", type=int, default=60_000)
    parser.add_argument("--degree", type=int, default=40)
    parser.add_argument("--seal-pages", type=int, nargs="*", default=[PersistenceSettings().seal_pages])
    arguments = parser.parse_args()
    if arguments.edges is None:
        rows = made_graph(arguments.pages, arguments.degree)
    else:
        rows = in_discovery_order(*read_edges(arguments.edges))
    for seal_pages in arguments.seal_pages:
        for jumps in (False, True):
            print(json.dumps(measured(rows, seal_pages, jumps=jumps)), flush=True)


if __name__ == "__main__":
    main()
