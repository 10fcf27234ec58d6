"""Import: an edge list becomes a crawl directory that every other command reads, in bounded memory."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.edge_list import EdgeList
from weaver.analysis.imported_nodes import ImportedIds, ImportedUrls
from weaver.analysis.matrices import MemoryWindow
from weaver.analysis.sorted_pairs import PairSorter
from weaver.base.errors import DirectoryError
from weaver.base.page import EdgeKind, PageState
from weaver.base.record import Adjacency, CommitRecord, PageRow
from weaver.base.settings import PersistenceSettings, Settings
from weaver.base.version import VERSION
from weaver.persistence import CrawlDirectory, Sealer, Writer, end_run, start_run

IMPORTED = "imported"
SORT_SHARE = 2
"""The part of the memory window, as 1 / SORT_SHARE, in which edges are sorted; the rest is for what names nodes."""
READING_SHARE = 0.4
"""How much of the work is done when all is read, about."""

# A URL's row takes some 400 B on its way to the disk.
MOST_WAITING_ROWS = 1 << 13

Ids = NDArray[np.uint32]
Edges = Iterator[tuple[Ids, Ids]]
OnShare = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import wrote: `edges` are distinct, `lines` all that the list has."""

    nodes: int
    edges: int
    lines: int
    has_ids: bool


def import_edges(
    path: Path,
    directory: Path,
    memory: MemoryWindow | None = None,
    on_share: OnShare = lambda _done: None,
) -> Imported:
    """Write the edges of a list (see EdgeList) as hyperlinks of a crawl in `directory`, which must be new or empty.

    The directory appears whole or not at all. Ids: see ImportedIds; URLs are numbered as they appear. A repeated edge
    counts once. What sorts the edges and names the nodes stays within `memory`; `on_share` hears how much is done, 0
    to 1. Raises EdgeListError, DirectoryError, and SettingsError where the nodes' names don't fit.
    """
    memory = memory or MemoryWindow()
    size_bytes = max(1, path.stat().st_size if path.is_file() else 0)
    edge_list = EdgeList(path, lambda read_bytes: on_share(READING_SHARE * read_bytes / size_bytes))
    has_ids = edge_list.has_ids()
    with _made_aside(directory) as aside, _writing(aside) as (writer, crawl_seed):
        sort_bytes = memory.limit_bytes // SORT_SHARE
        nodes: ImportedIds | ImportedUrls = (
            ImportedIds(edge_list, memory.limit_bytes - sort_bytes, aside)
            if has_ids
            else ImportedUrls(edge_list, memory.limit_bytes - sort_bytes, crawl_seed)
        )
        throttled = _Throttled(writer)
        with PairSorter(sort_bytes, aside) as sorter:
            lines = 0
            for sources, targets in nodes.edges(throttled.submit, crawl_seed):
                sorter.add(sources, targets)
                lines += len(sources)
            rest = (1.0 - READING_SHARE) / max(1, lines)
            edges = _write_rows(sorter, throttled, lambda written: on_share(READING_SHARE + rest * written))
    return Imported(nodes.count, edges, lines, has_ids)


def _write_rows(sorter: PairSorter, throttled: _Throttled, on_edges: Callable[[int], None]) -> int:
    """Each source as a page with its links; how many edges there are."""
    edges, now_s = 0, time.time()
    for window in sorter.windows():
        targets = window.targets.tobytes()
        begin = 0
        for node, degree in zip(window.nodes.tolist(), window.degrees.tolist(), strict=True):
            end = begin + degree * window.targets.itemsize
            adjacency = Adjacency(targets[begin:end], bytes((EdgeKind.HYPERLINK,)) * degree)
            throttled.submit(CommitRecord(PageRow(node, PageState.FETCHED, now_s), adjacency))
            begin = end
        edges += len(window.targets)
        on_edges(edges)
    return edges


class _Throttled:
    """Hands records to the writer, and waits for the disk before more rows than MOST_WAITING_ROWS are in memory."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._rows = 0

    def submit(self, record: CommitRecord) -> None:
        self._rows += 1 + len(record.urls)
        if self._rows > MOST_WAITING_ROWS:
            self._writer.flush().result()
            self._rows = 0
        self._writer.submit(record)


@contextmanager
def _made_aside(directory: Path) -> Iterator[Path]:
    """A directory beside `directory` that takes its name once all went well, and is removed if not."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise DirectoryError(f"expected a new or empty directory, got {directory}")
    aside = directory.with_name(f".{directory.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        aside.replace(directory)
    except OSError as error:
        raise DirectoryError(f"can't import into {directory}: {error.strerror}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _writing(path: Path) -> Iterator[tuple[Writer, int]]:
    """A writer of a new crawl there, and the seed of its keys; the crawl's one run is entered as imported."""
    directory = CrawlDirectory.create(path)
    settings = PersistenceSettings()
    started_s, cpu_s = time.time(), time.process_time()
    with directory:
        sealer = Sealer(settings.seal_pages)
        writer = Writer(directory.connect, settings, lambda _records: None, lambda _error: None, chore=sealer)
        writer.start()
        try:
            text = Settings().model_dump_json()
            run_id = writer.ask(lambda connection: start_run(connection, started_s, VERSION, text)).result()
            yield writer, directory.crawl_seed
            writer.ask(sealer.finish).result()
            now_s, cpu_s = time.time(), time.process_time() - cpu_s
            took_s = now_s - started_s
            writer.ask(lambda connection: end_run(connection, run_id, now_s, IMPORTED, cpu_s, took_s, "{}")).result()
        finally:
            writer.close()
