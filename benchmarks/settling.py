"""Settling: what the end of a crawl with copies takes, step by step: duplicates, near duplicates, sealing, the digest.

`python -m benchmarks.settling --pages 100000 --copies 0.3` makes a directory as a crawl leaves it after its last page:
pages with some of their links new, copies of earlier pages by a power law, half of them with a shorter URL than the
page that was seen first, a tenth near duplicates, most rows sealed. It prints CPU and wall of each step and, where the
kernel tells, what RSS grew by at most meanwhile; `--parent DIR` puts the directory there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
from xxhash import xxh3_128_digest

from weaver.base.page import EdgeKind, PageState
from weaver.base.record import Adjacency, CommitRecord, NearRow, PageRow, UrlRow
from weaver.base.settings import PersistenceSettings
from weaver.base.units import parse_size
from weaver.memory.meter import peak_rss_bytes, rss_bytes
from weaver.persistence import (
    Connection,
    CrawlDirectory,
    Sealer,
    graph_digest,
    settle_duplicates,
    settle_near_duplicates,
)
from weaver.persistence.link_blocks import transaction
from weaver.persistence.statements import write_records

GROUP = 512
URLS_AT_ONCE = 1 << 14
NEAR_SHARE = 0.1
SKEW = 3
MIB = 1 << 20

Figures = dict[str, object]


def made_record(page_id: int, original: int, targets: array[int], new: range, chance: float) -> CommitRecord:
    """A page; a copy where `original` is another, with the edge to it."""
    is_copy = original != page_id
    kinds = bytes(len(targets)) + bytes([EdgeKind.DUPLICATE] * is_copy)
    page = PageRow(
        page_id, PageState.DUPLICATE if is_copy else PageState.FETCHED, 1_700_000_000.0, http_status=200,
        content_type="text/html", body_bytes=5_000, title=f"Page {page_id}", duplicate_of=original if is_copy else 0,
        body_digest=xxh3_128_digest(b"b%d" % original), text_digest=xxh3_128_digest(b"t%d" % original),
    )  # fmt: skip
    near = NearRow(page_id, bytes(56), bytes(64), max(1, original // 2), 0.9) if chance < NEAR_SHARE else None
    if is_copy:
        targets.append(original)
    urls = tuple(UrlRow(url_id, url_id, made_url(url_id), 1, 1, page_id) for url_id in new)
    return CommitRecord(page=page, adjacency=Adjacency(targets.tobytes(), kinds), urls=urls, near=near)


def made_url(url_id: int) -> str:
    """Half of the URLs are longer by a word."""
    return f"http://h{url_id % 3_000}.settling.test/{'index' if url_id % 2 else 'p'}/{url_id}"


def made_records(pages: int, copies: float, links: int, leaves: int) -> Iterator[CommitRecord]:
    """Pages 1 to `pages`, whose ids are those of the first URLs; leaves have the ids beyond."""
    chance = np.random.default_rng(7)
    is_copy = chance.random(pages) < copies
    is_copy[0] = False
    originals, before = np.flatnonzero(~is_copy) + 1, np.cumsum(~is_copy)
    for first in range(1, pages + 1, GROUP):
        count = min(GROUP, pages + 1 - first)
        shares = chance.random((2, count))
        targets = 1 + (chance.random((count, links - leaves)) ** SKEW * pages).astype(np.uint32)
        for place in range(count):
            page_id = first + place
            earlier = int(originals[int(shares[0, place] ** SKEW * before[page_id - 1])])
            original = earlier if is_copy[page_id - 1] else page_id
            new = range(pages + 1 + page_id * leaves, pages + 1 + (page_id + 1) * leaves)
            row = array("I", targets[place].tobytes()) + array("I", new)
            yield made_record(page_id, original, row, new, shares[1, place])


def fill(connection: Connection, pages: int, records: Iterator[CommitRecord]) -> None:
    """Commit all of it as the writer would, rows sealed behind."""
    for first in range(1, pages + 1, URLS_AT_ONCE):
        ids = range(first, min(pages + 1, first + URLS_AT_ONCE))
        with transaction(connection):
            write_records(connection, [CommitRecord(urls=tuple(UrlRow(i, i, made_url(i), 1, 1, 0) for i in ids))])
    sealer = Sealer(PersistenceSettings().seal_pages)
    sealer.start(connection)
    for _ in range(0, pages, GROUP):
        group = [record for _, record in zip(range(GROUP), records, strict=False)]
        with transaction(connection):
            write_records(connection, group)
        sealer.added(len(group))
        while sealer.has_work:
            sealer.step()


def measured(step: Callable[[], object]) -> Figures:
    """CPU, wall and RSS of a step."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    rss, wall, cpu = rss_bytes(), time.perf_counter(), time.process_time()
    step()
    return {
        "cpu_s": round(time.process_time() - cpu, 2),
        "wall_s": round(time.perf_counter() - wall, 2),
        "peak_mib": round((peak_rss_bytes() - rss) / MIB, 1),
    }


def main() -> None:
    """One JSON line a step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=100_000)
    parser.add_argument("--copies", type=float, default=0.3, help="share of pages that are exact copies")
    parser.add_argument("--links", type=int, default=100)
    parser.add_argument("--leaves", type=int, default=5, help="of them to URLs that are new")
    parser.add_argument("--cache", default="5MiB", help="of the writer's connection")
    parser.add_argument("--parent", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="settling-", dir=asked.parent) as folder:
        directory = CrawlDirectory.create(Path(folder) / "crawl")
        with closing(directory.connect(PersistenceSettings(), parse_size(asked.cache))) as connection:
            fill(connection, asked.pages, made_records(asked.pages, asked.copies, asked.links, asked.leaves))
            steps: dict[str, Callable[[], object]] = {
                "settle duplicates": lambda: settle_duplicates(connection),
                "settle near duplicates": lambda: settle_near_duplicates(connection),
                "seal the rest": lambda: Sealer(1).finish(connection),
                "settle again": lambda: settle_duplicates(connection),
                "graph digest": lambda: graph_digest(connection),
            }
            for name, step in steps.items():
                print(json.dumps({"step": name, "pages": asked.pages, "copies": asked.copies, **measured(step)}))


if __name__ == "__main__":
    main()
