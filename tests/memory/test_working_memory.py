"""Working memory: what the writer takes for a moment, and no account sees, is a few MiB however long a crawl is."""

from __future__ import annotations

import sqlite3
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from tests.persistence.making import adjacency, in_memory, page_row, url_row
from weaver.base.page import EdgeKind, PageState
from weaver.base.record import CommitRecord, NearRow
from weaver.persistence import NearMerging, Sealer, graph_digest, settle_duplicates
from weaver.persistence.link_blocks import BlockShelf, transaction
from weaver.persistence.link_columns import LinkColumns
from weaver.persistence.merging import MERGED_AT_ONCE, merge
from weaver.persistence.statements import write_records

MIB = 1 << 20
URLS = 4_000
LINKS = 100


def _peak(work: Callable[[], object]) -> int:
    """What it allocated at most beyond what there was, in bytes; SQLite's own is not in it."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _with_overlapping_blocks() -> tuple[sqlite3.Connection, BlockShelf]:
    """As many blocks as are merged at once, of the usual size, their pages between each other's."""
    connection = in_memory()
    write_records(connection, [CommitRecord(urls=tuple(url_row(number) for number in range(1, URLS + 1)))])
    shelf, numbers = BlockShelf(connection), np.random.default_rng(7)
    with transaction(connection):
        for first in range(1, MERGED_AT_ONCE + 1):
            nodes = np.arange(first, URLS + 1, MERGED_AT_ONCE, dtype=np.uint32)
            targets = numbers.integers(1, URLS + 1, len(nodes) * LINKS, dtype=np.uint32)
            offsets = np.arange(0, len(targets) + 1, LINKS, dtype=np.int64)
            for part, block in shelf.encoded(LinkColumns(nodes, offsets, targets, np.ones(len(targets), np.uint8))):
                shelf.put(part, block, 4 * len(part.targets))
    return connection, shelf


def test_merging_blocks_takes_a_few_mib() -> None:
    """All blocks of one merge are decoded, and put in order, in 16 bytes a link and less."""
    connection, shelf = _with_overlapping_blocks()
    numbers = [number for (number,) in connection.execute("SELECT number FROM link_blocks")]
    assert _peak(lambda: merge(shelf, numbers)) < 16 * URLS * LINKS


def test_the_digest_of_a_graph_takes_a_few_mib() -> None:
    """A graph whose blocks overlap as deeply as they may is read for its digest in 6 MiB."""
    connection, _ = _with_overlapping_blocks()
    assert _peak(lambda: graph_digest(connection)) < 6 * MIB


@pytest.mark.parametrize("pages", [4_096, 16_384])
def test_settling_takes_bytes_by_the_copy(pages: int) -> None:
    """To settle so many pages, half of them copies of one another, takes 100 bytes for each, and 2 MiB."""
    connection, digests = in_memory(), np.random.default_rng(7)
    bodies = [digests.bytes(16) for _ in range(pages // 2)]
    records = [
        CommitRecord(
            page=page_row(
                page,
                PageState.DUPLICATE if page > len(bodies) else PageState.FETCHED,
                body_digest=bodies[page % len(bodies)],
                duplicate_of=page % len(bodies) + 1 if page > len(bodies) else 0,
            ),
            adjacency=adjacency([(page, EdgeKind.HYPERLINK)] * 20),
            urls=(url_row(page),),
        )
        for page in range(1, pages + 1)
    ]
    write_records(connection, records)
    Sealer(1).finish(connection)
    del records
    assert _peak(lambda: settle_duplicates(connection)) < 100 * pages + 2 * MIB
    assert connection.execute("SELECT count(*) FROM pages WHERE state = 'duplicate'").fetchall() == [(pages // 2,)]
    connection.close()


@pytest.mark.parametrize("pages", [4_096, 16_384])
def test_merging_keys_takes_bytes_by_the_signature(pages: int) -> None:
    """A pass over so many signatures takes 300 bytes for each, and half a MiB for a transaction."""
    connection, numbers = in_memory(), np.random.default_rng(7)
    row = bytes(56)
    write_records(
        connection,
        [
            CommitRecord(page=page_row(page), near=NearRow(page, row, numbers.integers(0, 1 << 62, 8).tobytes()))
            for page in range(1, pages + 1)
        ],
    )
    merging = NearMerging(1)
    merging.start(connection)

    def _merge() -> None:
        while merging.has_work:
            merging.step()

    assert _peak(_merge) < 300 * pages + MIB // 2
