"""Sealed links against a plain model: whatever is written, sealed, merged or dropped, one graph is read."""

from __future__ import annotations

import json
import sqlite3

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.persistence.making import adjacency, in_memory, page_row, url_row
from weaver.base.errors import BlockDamaged
from weaver.base.page import EdgeKind
from weaver.base.record import CommitRecord
from weaver.persistence import Archive, Sealer, graph_digest
from weaver.persistence.compacting import compact
from weaver.persistence.disk_limit import drop_oldest, dropped_links
from weaver.persistence.graph_sizes import graph_sizes, link_counts
from weaver.persistence.link_blocks import BlockShelf, block_json
from weaver.persistence.link_rows import LinkRows
from weaver.persistence.link_windows import LinkWindows
from weaver.persistence.merging import MOST_DEPTH, depth, merge, merge_overlaps
from weaver.persistence.packing import links_json
from weaver.persistence.sealing import place_rewritten, seal_rows
from weaver.persistence.statements import write_records

Edge = tuple[int, int]

PAGES = st.integers(1, 60)
KINDS = st.sampled_from([EdgeKind.HYPERLINK, EdgeKind.NOFOLLOW, EdgeKind.REDIRECT])
EDGES = st.lists(st.tuples(st.integers(1, 200), KINDS), max_size=6, unique=True)
LAST_ID = 200


def _read(connection: sqlite3.Connection) -> dict[int, list[Edge]]:
    found = {}
    for window in LinkWindows(connection, LAST_ID):
        for node, (targets, kinds) in window.rows():
            assert node not in found
            found[node] = sorted(zip(targets.tolist(), kinds.tolist(), strict=True))
    assert list(found) == sorted(found)
    return found


class SealedLinks(RuleBasedStateMachine):
    """Rows that come, change, are sealed a few at a time, merged and dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = in_memory()
        self.connection.create_function("links_json", 1, links_json)
        self.connection.create_function("block_json", 1, block_json)
        self.shelf = BlockShelf(self.connection)
        self.model: dict[int, list[Edge]] = {}
        self.dropped = 0

    @rule(pages=st.dictionaries(PAGES, EDGES, min_size=1, max_size=12))
    def commit(self, pages: dict[int, list[tuple[int, EdgeKind]]]) -> None:
        """Pages are visited, some of them again."""
        write_records(
            self.connection,
            [CommitRecord(page=page_row(page), adjacency=adjacency(edges)) for page, edges in pages.items()],
        )
        self.model.update({
            page: sorted((target, int(kind)) for target, kind in edges) for page, edges in pages.items()
        })

    @rule()
    def seal_all(self) -> None:
        """A pass to its end."""
        Sealer(1).finish(self.connection)

    @rule(pages=st.sets(PAGES, min_size=1))
    def seal_some(self, pages: set[int]) -> None:
        """A block of rows from anywhere, as passes over a crawl that jumps would leave it."""
        aside = self.connection.execute(
            f"SELECT * FROM links WHERE NOT is_rewritten AND id NOT IN ({', '.join(map(str, pages))})"
        ).fetchall()
        self.connection.executemany("DELETE FROM links WHERE id = ?", [(row[0],) for row in aside])
        for _ in seal_rows(self.shelf, is_last=True):
            pass
        self.connection.executemany("INSERT INTO links VALUES (?, ?, ?)", aside)

    @rule(steps=st.integers(1, 3))
    def place_some(self, steps: int) -> None:
        """A pass that ends half way."""
        for _ in zip(range(steps), place_rewritten(self.shelf), strict=False):
            pass

    @rule()
    def merge_two(self) -> None:
        """Any blocks may be merged."""
        numbers = [number for (number,) in self.connection.execute("SELECT number FROM link_blocks").fetchall()]
        if numbers:
            merge(self.shelf, numbers[::2])

    @rule()
    def compact_all(self) -> None:
        """No block overlaps another, and all rows are in one."""
        compact(self.connection)
        assert depth(self.connection) <= 1
        assert graph_sizes(self.connection).unsealed_rows == 0

    @rule()
    def drop_one(self) -> None:
        """The oldest block leaves, and is counted; rewritten rows first find their blocks, as in every pass."""
        for _ in place_rewritten(self.shelf):
            pass
        oldest = self.connection.execute("SELECT number FROM link_blocks ORDER BY born, first_node LIMIT 1").fetchall()
        if oldest:
            gone = self.shelf.columns(oldest[0][0]).nodes.tolist()
            next(drop_oldest(self.shelf, 0))
            self.dropped += sum(len(self.model.pop(page)) for page in gone)
            self.connection.executemany("DELETE FROM pages WHERE id = ?", [(page,) for page in gone])

    @invariant()
    def one_graph_is_read(self) -> None:
        """Walks, look-ups, the view and the counts tell what the model has."""
        assert _read(self.connection) == self.model
        rows = LinkRows(self.connection)
        for page in range(1, 61):
            edges = rows.edges_of(page)
            assert (edges is None) == (page not in self.model)
            if edges is not None:
                assert sorted(zip(*(column.tolist() for column in edges), strict=True)) == self.model[page]
        some = [*range(3, 61, 5)]
        assert rows.of(some).nodes.tolist() == [page for page in some if page in self.model]
        assert sum(link_counts(self.connection)[1].values()) == self.dropped + sum(map(len, self.model.values()))
        assert dropped_links(self.connection).links == self.dropped
        viewed = self.connection.execute("SELECT source_id, target_id, kind FROM edges").fetchall()
        assert sorted(viewed) == sorted((page, *edge) for page, edges in self.model.items() for edge in edges)

    @invariant()
    def blocks_are_what_their_rows_say(self) -> None:
        """The facts beside a block are those of its rows, and no page is in two blocks."""
        seen: set[int] = set()
        for number, first, last, bits, rows, links, kinds, size_bytes, block in self.connection.execute(
            "SELECT number, first_node, last_node, span_bits, rows, links, kinds, block_bytes, block FROM link_blocks"
        ).fetchall():
            columns = self.shelf.columns(number)
            nodes = columns.nodes.tolist()
            assert (first, last, rows, links) == (nodes[0], nodes[-1], len(nodes), len(columns.targets))
            assert bits == (last - first).bit_length()
            assert {int(kind): count for kind, count in json.loads(kinds).items()} == columns.edges_by_kind()
            assert size_bytes == len(block)
            assert seen.isdisjoint(nodes)
            seen.update(nodes)


TestSealedLinks = SealedLinks.TestCase
TestSealedLinks.settings = settings(deadline=None, max_examples=40, stateful_step_count=20)


def _filled(pages: range, step: int = 1) -> sqlite3.Connection:
    """Pages with twenty links each to URLs that are known."""
    connection = in_memory()
    write_records(connection, [CommitRecord(urls=tuple(url_row(i) for i in range(1, 400)))])
    _add(connection, pages, step)
    return connection


def _add(connection: sqlite3.Connection, pages: range, step: int = 1) -> None:
    chance = np.random.default_rng(pages.start)
    records = []
    for page in pages:
        targets = sorted({int(target) for target in chance.integers(1, 400, 20)})
        edges = adjacency([(target, EdgeKind.HYPERLINK) for target in targets])
        records.append(CommitRecord(page=page_row(page * step), adjacency=edges))
    write_records(connection, records)


def test_only_whole_blocks_are_made_before_the_end() -> None:
    """A pass leaves what does not fill a block for the next one; the last pass leaves nothing."""
    connection = _filled(range(1, 3_000))
    sealer = Sealer(2_000)
    sealer.start(connection)
    steps = 0
    while sealer.has_work:
        sealer.step()
        steps += 1
    sizes = graph_sizes(connection)
    assert 0 < sizes.unsealed_rows < sizes.sealed_rows / sizes.blocks
    assert steps == sizes.blocks + 1
    sealer.finish(connection)
    assert (graph_sizes(connection).unsealed_rows, sealer.has_work) == (0, False)
    connection.close()


def test_the_digest_is_that_of_the_rows() -> None:
    """Sealing and compacting change no edge: the digest before is the digest after."""
    connection = _filled(range(1, 399))
    before, counts = graph_digest(connection), Archive(connection).edge_counts()
    Sealer(1).finish(connection)
    assert graph_digest(connection) == before
    compact(connection)
    assert (graph_digest(connection), Archive(connection).edge_counts()) == (before, counts)
    connection.close()


def test_a_crawl_that_jumps_leaves_few_blocks_over_one_page() -> None:
    """However the visits are spread over the ids, a pass ends with no more than so many blocks over any page."""
    connection = in_memory()
    for start in range(1, 14):
        _add(connection, range(start, 13 * 900, 13), step=7)
        for _ in seal_rows(BlockShelf(connection), is_last=True):
            pass
    assert depth(connection) > MOST_DEPTH
    before = _read_all(connection)
    for _ in merge_overlaps(BlockShelf(connection)):
        pass
    assert depth(connection) <= MOST_DEPTH
    assert _read_all(connection) == before
    connection.close()


def _read_all(connection: sqlite3.Connection) -> list[tuple[list[int], list[int]]]:
    windows = list(LinkWindows(connection, 1 << 32))
    return [(window.nodes.tolist(), window.targets.tolist()) for window in windows]


@pytest.mark.parametrize("at", [0, 40, -20])
def test_a_damaged_block_is_named(at: int) -> None:
    """Whoever reads a block that rotted is told which one it is; pages of other blocks can still be looked up."""
    connection = _filled(range(1, 4_000))
    Sealer(1).finish(connection)
    ((number, first, block),) = connection.execute(
        "SELECT number, first_node, block FROM link_blocks ORDER BY number LIMIT 1 OFFSET 1"
    ).fetchall()
    broken = bytearray(block)
    broken[at] ^= 0x55
    connection.execute("UPDATE link_blocks SET block = ? WHERE number = ?", (bytes(broken), number))
    for ask in (lambda: list(LinkWindows(connection, 4_000)), lambda: LinkRows(connection).edges_of(first)):
        with pytest.raises(BlockDamaged, match=f"block {number} of the table link_blocks"):
            ask()
    assert LinkRows(connection).edges_of(first - 1) is not None
    connection.close()


def _rot(connection: sqlite3.Connection, index: int) -> tuple[int, int, bytes]:
    """Damage a block; its number, its first page, and the bytes that it has now."""
    ((number, first, block),) = connection.execute(
        "SELECT number, first_node, block FROM link_blocks ORDER BY number LIMIT 1 OFFSET ?", (index,)
    ).fetchall()
    broken = bytearray(block)
    broken[40] ^= 0x55
    connection.execute("UPDATE link_blocks SET block = ? WHERE number = ?", (bytes(broken), number))
    return number, first, bytes(broken)


def test_a_damaged_block_holds_nothing_up() -> None:
    """Rows are sealed and brought to their blocks, and blocks merged, around one that rotted: it stays, is told once,
    and a row that would have to go there waits where it is found."""
    connection = _filled(range(1, 2_000), step=13)
    Sealer(1).finish(connection)
    number, first, broken = _rot(connection, 0)
    told: list[int] = []
    sealer = Sealer(1, on_damaged=told.append)
    sealer.start(connection)
    again = CommitRecord(page=page_row(first), adjacency=adjacency([(7, EdgeKind.REDIRECT)]))
    for start in range(2, 12):
        _add(connection, range(start, 2_000 * 13 // 5, 5 + start), step=1)
        write_records(connection, [again])
        connection.execute("UPDATE links SET is_rewritten = 1 WHERE id = ?", (first,))
        sealer.finish(connection)
    assert told == [number]
    assert connection.execute("SELECT block FROM link_blocks WHERE number = ?", (number,)).fetchall() == [(broken,)]
    assert depth(connection) <= MOST_DEPTH + 1
    edges = LinkRows(connection).edges_of(first)
    assert edges is not None
    assert edges[0].tolist() == [7]
    assert [str(error).split(":")[0] for error in compact(connection)] == [
        f"block {number} of the table link_blocks is damaged"
    ]
    assert depth(connection) <= 2
    connection.close()


def test_what_was_dropped_does_not_come_back_with_one_edge() -> None:
    """The counts stay those of the whole graph, and the oldest rows are those that leave."""
    connection = _filled(range(1, 5_000))
    counts = Archive(connection).edge_counts()
    told: list[tuple[int, int]] = []
    limit_bytes = 30_000
    Sealer(1, limit_bytes, lambda rows, links: told.append((rows, links))).finish(connection)
    sizes = graph_sizes(connection)
    assert sizes.block_bytes <= limit_bytes
    assert told == [(sizes.dropped_rows, sizes.dropped_links)]
    assert LinkRows(connection).edges_of(1) is None
    assert LinkRows(connection).edges_of(4_999) is not None
    assert Archive(connection).edge_counts() == counts
    assert Archive(connection).counts().links == 4_999
    connection.close()
