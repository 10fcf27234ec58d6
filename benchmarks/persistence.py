"""What a page costs the writer: CPU and wall time of group commit, per page, as one JSON line a question."""

from __future__ import annotations

import gc
import json
import tempfile
import threading
import time
from array import array
from collections.abc import Callable
from pathlib import Path

from weaver.base.page import EdgeKind, PageState
from weaver.base.record import Adjacency, CommitRecord, HostRecord, PageRow, QueueRow, UrlRow
from weaver.base.settings import PersistenceSettings
from weaver.persistence import Archive, CrawlDirectory, Writer, graph_digest, settle_duplicates

# cppreference as a whole, and a crawl whose keys outgrow SQLite's cache.
SIZES = (4_400, 40_000)
LINKS = 80
URLS_A_PAGE = 3
KEY_STEP = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def made_record(number: int) -> CommitRecord:
    """One page of spec/hotpath.md: a page, its links, 3 new URLs, 2 digests, 3 rows into the frontier and 1 out."""
    first = number * URLS_A_PAGE + 2
    urls = tuple(
        UrlRow(i, i * KEY_STEP & MASK, f"http://127.0.0.1/w/cpp/section{i % 97}/page{i}.html", 1, 3, number + 1)
        for i in range(first, first + URLS_A_PAGE)
    )
    known = first + URLS_A_PAGE - 1
    targets = array("I", ((number * 31 + i * 17) % known + 1 for i in range(LINKS)))
    return CommitRecord(
        page=PageRow(
            number + 1,
            PageState.FETCHED,
            1_700_000_000.0 + number,
            http_status=200,
            content_type="text/html",
            body_bytes=37_000,
            body_digest=(number * KEY_STEP & MASK).to_bytes(8, "big") * 2,
            text_digest=((number + 7) * KEY_STEP & MASK).to_bytes(8, "big") * 2,
            title=f"Page {number} of the reference",
        ),
        adjacency=Adjacency(targets.tobytes(), bytes([EdgeKind.HYPERLINK]) * LINKS),
        urls=urls,
        queued=tuple(QueueRow(1, 1_000 + url.depth, url.id) for url in urls),
        deleted=(QueueRow(1, 1_003, number + 1),),
    )


def seed_record() -> CommitRecord:
    return CommitRecord(
        urls=(UrlRow(1, 1, "http://127.0.0.1/", 1, 0, 0),),
        queued=(QueueRow(1, 1_003, 1),),
        hosts=(HostRecord(1, "http://127.0.0.1:80"),),
    )


def measured(settings: PersistenceSettings, records: list[CommitRecord], directory: CrawlDirectory) -> dict[str, float]:
    """CPU of the two sides, apart: `submit` here, the rest on the writer's thread."""
    thread_cpu: list[float] = []
    done = threading.Event()
    commits: list[int] = []
    writer = Writer(directory.connect, settings, commits.append, lambda _: done.set())
    writer.start()
    writer.submit(seed_record())
    writer.flush().result()
    thread_cpu.append(writer.ask(lambda _: time.thread_time()).result())
    started, cpu = time.perf_counter(), time.thread_time()
    waited = 0.0
    for record in records:
        if not writer.has_room:
            before = time.thread_time()
            writer.flush().result()
            waited += time.thread_time() - before
        writer.submit(record)
    submit_s = time.thread_time() - cpu - waited
    thread_cpu.append(writer.ask(lambda _: time.thread_time()).result())
    wall_s = time.perf_counter() - started
    writer.close()
    return {
        "writer_us_a_page": round((thread_cpu[1] - thread_cpu[0]) / len(records) * 1e6, 2),
        "submit_us_a_page": round(submit_s / len(records) * 1e6, 2),
        "wall_us_a_page": round(wall_s / len(records) * 1e6, 2),
        "commits": len(commits),
    }


def main() -> None:
    for pages in SIZES:
        records = [made_record(number) for number in range(pages)]
        gc.collect()
        gc.freeze()
        for synchronous in ("normal", "full"):
            with tempfile.TemporaryDirectory() as folder:
                directory = CrawlDirectory.create(Path(folder) / "crawl")
                figures = measured(PersistenceSettings(synchronous=synchronous), records, directory)
                print(json.dumps({"question": "group commit", "synchronous": synchronous, "pages": pages, **figures}))
                if synchronous == "normal":
                    cold_figures(directory, pages * LINKS)


def cold_figures(directory: CrawlDirectory, edges: int) -> None:
    """Look-ups, the digest, and settling a crawl without duplicates."""
    connection = directory.connect(PersistenceSettings())
    archive = Archive(connection)
    keys = [i * KEY_STEP & MASK for i in range(2, 82)]
    report("ids_of_keys, 80 known, us", 1e6, lambda: archive.ids_of_keys(keys), 200)
    report("page_with_digest, unknown, us", 1e6, lambda: archive.page_with_digest(b"b" + bytes(16)), 2_000)
    report("settle without duplicates, ms", 1e3, lambda: settle_duplicates(connection), 3)
    report(f"graph_digest of {edges} edges, s", 1.0, lambda: graph_digest(connection), 1)
    connection.close()


def report(question: str, scale: float, call: Callable[[], object], times: int) -> None:
    started = time.perf_counter()
    for _ in range(times):
        call()
    took = (time.perf_counter() - started) / times * scale
    print(json.dumps({"question": question, "value": round(took, 2)}))


if __name__ == "__main__":
    main()
