"""GraphStore: what is resident, what stays exact, and what it costs."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest

from weaver.base.page import EdgeKind
from weaver.base.settings import GraphSettings
from weaver.codec import BlockCodec, DecodedBlock
from weaver.graph import GraphStore, k_hop
from weaver.memory import Account

MIB = 1 << 20


def _store(limit: int = 4 * MIB, **settings: object) -> GraphStore:
    return GraphStore(GraphSettings.model_validate(settings), Account("graph", limit))


def _ids(*ids: int) -> np.ndarray:
    return np.array(ids, np.uint32)


def _lists(row: tuple[np.ndarray, np.ndarray] | None) -> tuple[list[int], list[int]]:
    assert row is not None
    return row[0].tolist(), row[1].tolist()


def test_a_page_is_added_with_all_its_edges() -> None:
    """Edges come back in their order with their kinds; bytes and arrays are taken alike."""
    store = _store()
    store.add_page(1, _ids(2, 3, 3), bytes([EdgeKind.HYPERLINK, EdgeKind.HYPERLINK, EdgeKind.CANONICAL]))
    store.add_page(2, _ids(1).tobytes(), bytes([EdgeKind.REDIRECT]))
    assert _lists(store.neighbours(1)) == ([2, 3, 3], [0, 0, 3])
    assert _lists(store.neighbours(2)) == ([1], [2])
    assert (store.out_degree(1), store.in_degree(3), store.in_degree(1)) == (3, 2, 1)
    assert (store.nodes, store.edges, store.resident_edges, len(store)) == (3, 4, 4, 2)
    assert store.edges_by_kind[EdgeKind.HYPERLINK] == 2
    assert store.edges_by_kind[EdgeKind.REDIRECT] == 1


def test_a_page_without_links_is_resident_too() -> None:
    """No edges is an answer; only a page that is not in RAM has none."""
    store = _store()
    store.add_page(7, b"", b"")
    assert _lists(store.neighbours(7)) == ([], [])
    assert store.out_degree(7) == 0
    assert 7 in store
    assert store.neighbours(6) is None
    assert store.out_degree(6) is None
    assert 6 not in store


def test_neighbours_are_copies() -> None:
    """What a caller keeps or changes is no part of the store."""
    store = _store()
    store.add_page(1, _ids(2, 3), bytes(2))
    row = store.neighbours(1)
    assert row is not None
    row[0][:] = 9
    assert _lists(store.neighbours(1)) == ([2, 3], [0, 0])


def test_a_page_added_again_has_its_new_edges_only() -> None:
    """A recrawl takes the old edges back everywhere: degrees, totals, predecessors."""
    store = _store()
    store.add_page(1, _ids(2, 3), bytes([0, 1]))
    store.add_page(1, _ids(3, 4), bytes([0, 0]))
    assert _lists(store.neighbours(1)) == ([3, 4], [0, 0])
    assert [store.in_degree(node) for node in (1, 2, 3, 4)] == [0, 0, 1, 1]
    assert (store.edges, store.resident_edges, len(store)) == (2, 2, 1)
    assert store.edges_by_kind[EdgeKind.NOFOLLOW] == 0
    assert _lists(store.predecessors(2)) == ([], [])
    store.check()


def test_predecessors_are_found_with_the_kind_of_their_edge() -> None:
    """Every resident page that links to a node is its predecessor, once an edge."""
    store = _store()
    store.add_page(1, _ids(5, 5), bytes([0, 1]))
    store.add_page(2, _ids(6), bytes(1))
    store.add_page(3, _ids(4, 5), bytes([0, 4]))
    assert _lists(store.predecessors(5)) == ([1, 1, 3], [0, 1, 4])
    assert _lists(store.predecessors(1)) == ([], [])


def test_counters_stay_exact_when_edges_leave() -> None:
    """Eviction takes a page's edges out of RAM, and nothing from in-degrees and totals."""
    store = _store(max_edges=100)
    for node in range(1, 201):
        store.add_page(node, _ids(1, 201), bytes([0, 3]))
    assert 95 <= store.resident_edges <= 100
    assert (store.edges, store.in_degree(1), store.in_degree(201)) == (400, 200, 200)
    assert store.edges_by_kind[EdgeKind.CANONICAL] == 200
    assert store.neighbours(150) is None
    assert store.neighbours(153) is not None
    assert store.statistics().evicted == 200 - len(store)
    store.check()


def test_in_degrees_are_kept_for_the_newest_nodes() -> None:
    """Over `max_nodes` the oldest ids are no longer counted, and say so with None."""
    store = _store(max_nodes=10)
    store.add_page(1, _ids(*range(2, 9)), bytes(7))
    store.add_page(2, _ids(5, 12), bytes(2))
    assert store.resident_nodes == 10
    assert [store.in_degree(node) for node in (2, 3, 5, 11, 12, 13)] == [None, 1, 2, 0, 1, None]
    store.add_page(3, _ids(1_000_000, 5), bytes(2))
    assert [store.in_degree(node) for node in (5, 12, 999_991, 1_000_000)] == [None, None, 0, 1]
    store.check()


def test_a_page_that_could_never_fit_is_counted_but_not_kept() -> None:
    """A row above a cap evicts nothing in vain; its edges still count."""
    store = _store(limit=20_000, max_edges=50)
    store.add_page(1, _ids(2), bytes(1))
    store.add_page(2, np.arange(1, 52, dtype=np.uint32), bytes(51))
    assert (2 in store, 1 in store) == (False, True)
    assert (store.edges, store.in_degree(2), store.statistics().refused) == (52, 2, 1)
    huge = _store(limit=20_000)
    huge.add_page(1, _ids(2), bytes(1))
    huge.add_page(2, np.arange(1, 5001, dtype=np.uint32), bytes(5000))
    assert (2 in huge, 1 in huge, huge.edges) == (False, True, 5001)
    huge.check()


def test_a_page_longer_than_a_slab_is_kept_whole() -> None:
    """A row above the slab size gets a slab of its own."""
    store = _store(limit=8 * MIB)
    long = np.arange(1, 100_001, dtype=np.uint32)
    store.add_page(1, _ids(2), bytes(1))
    store.add_page(2, long, bytes(100_000))
    store.add_page(3, _ids(1), bytes(1))
    row = store.neighbours(2)
    assert row is not None
    assert np.array_equal(row[0], long)
    assert _lists(store.neighbours(3)) == ([1], [0])
    store.check()


def test_the_store_stays_within_its_account_however_long_the_crawl() -> None:
    """Every page is taken, the account is never passed, and what is resident are the newest pages."""
    account = Account("graph", 256 << 10)
    store = GraphStore(GraphSettings(), account)  # type: ignore[call-arg]
    random = np.random.default_rng(3)
    for node in range(1, 15_001):
        store.add_page(node, random.integers(1, 20_000, 20, dtype=np.uint32), bytes(20))
    assert account.high_water <= account.limit
    assert account.used == store.resident_bytes > account.limit * 0.8
    assert [node for node, _, _ in store.rows()] == list(range(15_001 - len(store), 15_001))
    assert store.edges == 300_000
    store.check()


def test_room_taken_by_others_ends_the_growth_of_in_degrees_not_the_crawl() -> None:
    """Where a charge for in-degrees is refused for good, the window stays as it is and slides on."""
    account = Account("graph", 256 << 10)
    store = GraphStore(GraphSettings(), account)  # type: ignore[call-arg]
    store.add_page(1, _ids(2), bytes(1))
    counted = store.resident_bytes
    account.hold(account.limit - account.used)
    store.add_page(2, _ids(60_000), bytes(1))
    assert store.resident_bytes <= counted
    assert store.in_degree(60_000) == 1
    assert store.in_degree(2) is None
    store.check()


def test_an_account_of_nothing_counts_and_keeps_nothing() -> None:
    """A graph without bytes still has exact totals."""
    store = _store(limit=0)
    store.add_page(1, _ids(2, 3), bytes(2))
    assert (store.edges, store.nodes, len(store), store.resident_nodes) == (2, 3, 0, 0)
    assert store.in_degree(2) is None
    store.check()


def test_pages_replaced_again_and_again_do_not_fill_the_account() -> None:
    """Recrawling the same few pages for ever keeps the slabs small, and the others resident."""
    store = _store(limit=1 * MIB)
    for node in range(1, 101):
        store.add_page(node, np.arange(1, 95, dtype=np.uint32), bytes(94))
    for _ in range(200):
        for node in range(1, 101, 5):
            store.add_page(node, np.arange(2, 96, dtype=np.uint32), bytes(94))
    assert len(store) == 100
    assert store.statistics().evicted == 0
    assert store.edges == 9_400
    assert store.resident_bytes < 256 << 10
    store.check()


def test_a_page_replaced_many_times_before_the_next_leaves_no_trail() -> None:
    """Rows that were replaced in the newest slab are cleared up once the slab is full, without being touched again."""
    store = _store(limit=1 * MIB)
    for node in range(1, 301):
        for _ in range(30):
            store.add_page(node, np.arange(1, 95, dtype=np.uint32), bytes(94))
    assert len(store) == 300
    assert store.statistics().evicted == 0
    assert store.resident_bytes < 600 << 10
    store.check()


def test_scattered_recrawls_leave_at_most_half_of_a_slab_dead() -> None:
    """Each sealed slab keeps at least as many edges that count as replaced ones: the worst case of lazy deletion."""
    store = _store(limit=8 * MIB)
    random = np.random.default_rng(5)
    for node in range(1, 2001):
        store.add_page(node, random.integers(1, 2001, 50, dtype=np.uint32), bytes(50))
    for node in random.integers(1, 2001, 6000).tolist():
        store.add_page(node, random.integers(1, 2001, 50, dtype=np.uint32), bytes(50))
    assert len(store) == 2000
    assert store.resident_bytes < 2 * store.resident_edges * 6 + 256 * 1024
    store.check()


def test_a_small_crawl_takes_little() -> None:
    """A hundred pages of 20 links stay below 100 KiB in an account of 64 MiB."""
    store = _store(limit=64 * MIB)
    for node in range(1, 101):
        store.add_page(node, np.arange(node, node + 20, dtype=np.uint32), bytes(20))
    assert store.resident_bytes < 100 << 10


def test_an_edge_takes_at_most_eight_bytes_with_its_nodes() -> None:
    """At 20 links a page and as many nodes as pages, all that is charged is below 8 bytes an edge."""
    store = _store(limit=64 * MIB)
    for node in range(1, 20_001):
        store.add_page(node, np.arange(node, node + 20, dtype=np.uint32) % 20_000 + 1, bytes(20))
    assert store.resident_bytes / store.resident_edges <= 8.0


def test_a_resumed_graph_has_the_totals_of_the_disk() -> None:
    """With all edges loaded, in-degrees are known; with some, only for nodes that are discovered afterwards."""
    whole, part = _store(), _store()
    for store in (whole, part):
        store.add_page(1, _ids(2, 3), bytes(2))
    whole.restore_totals(edges={EdgeKind.HYPERLINK: 2}, nodes=4)
    part.restore_totals(edges={EdgeKind.HYPERLINK: 7, EdgeKind.REDIRECT: 3}, nodes=4)
    assert (whole.edges, whole.nodes, whole.in_degree(2), whole.in_degree(4)) == (2, 4, 1, 0)
    assert (part.edges, part.nodes, part.in_degree(2), part.in_degree(4)) == (10, 4, None, None)
    part.add_page(2, _ids(3, 5), bytes(2))
    assert (part.in_degree(3), part.in_degree(5), part.edges) == (None, 1, 12)
    part.check()


def test_what_a_resume_need_load_is_what_the_store_can_hold() -> None:
    """`room` follows the account, or the user's cap where that is lower; blocks have what hot rows leave, if any."""
    assert _store(limit=64 * MIB).room == (8 * MIB, sys.maxsize, 44 * MIB, False)
    assert _store(limit=64 * MIB, max_edges=1000).room[:2] == (1000, 1000)
    assert _store(limit=64 * MIB, sealed=False).room == (8 * MIB, 0, 0, False)


def test_the_version_moves_with_every_change() -> None:
    """Adding, evicting and restoring move the version; asking does not."""
    store = _store()
    versions = [store.version]
    store.add_page(1, _ids(2), bytes(1))
    versions.append(store.version)
    store.neighbours(1)
    assert store.version == versions[-1]
    store.evict(1)
    versions.append(store.version)
    assert versions == sorted(set(versions))


@pytest.mark.parametrize(("node", "targets", "kinds"), [(0, b"", b""), (1, b"\1\0\0\0", b"")])
def test_impossible_pages_are_bugs(node: int, targets: bytes, kinds: bytes) -> None:
    """A node without an id, and targets without kinds, never come from weaver itself."""
    with pytest.raises(AssertionError):
        _store().add_page(node, targets, kinds)


def test_pages_beyond_the_hot_share_are_sealed_and_answer_alike() -> None:
    """What is sealed has the same neighbours (by target), predecessors and degrees, for a fraction of the bytes."""
    hot, sealed = _store(limit=64 * MIB), _store(limit=1 * MIB)
    for store in (hot, sealed):
        for node in range(1, 10_001):
            store.add_page(node, np.arange(node + 20, node, -1, dtype=np.uint32) % 10_000 + 1, bytes(range(5)) * 4)
    assert (hot.sealed_edges, sealed.resident_edges) == (0, 200_000)
    assert sealed.sealed_edges > 150_000
    assert sealed.resident_bytes < hot.resident_bytes / 3
    for node in (1, 77, 5_000, 9_999):
        expected = sorted(zip(*_lists(hot.neighbours(node)), strict=True))
        assert list(zip(*_lists(sealed.neighbours(node)), strict=True)) == expected or node == 9_999
        assert sealed.out_degree(node) == 20
        assert sealed.in_degree(node) == hot.in_degree(node)
        found = [sorted(zip(*_lists(store.predecessors(node)), strict=True)) for store in (hot, sealed)]
        assert found[0] == found[1]
    sealed.check()


def test_a_sealed_page_that_is_added_again_is_hot_again() -> None:
    """The new row wins, the sealed one is gone for good, and nothing counts twice."""
    store = _store(limit=1 * MIB)
    for node in range(1, 5_001):
        store.add_page(node, np.arange(node, node + 20, dtype=np.uint32), bytes(20))
    assert store.sealed_edges > 0
    sealed_edges = store.sealed_edges
    store.add_page(5, _ids(9), bytes(1))
    assert _lists(store.neighbours(5)) == ([9], [0])
    assert (store.edges, store.resident_edges, store.sealed_edges) == (99_981, 99_981, sealed_edges - 20)
    store.check()


def test_sealing_is_no_change_of_structure() -> None:
    """Under pressure the version moves at most once a call, and what is sealed then is still there."""
    store = _store(limit=64 * MIB)
    for node in range(1, 20_001):
        store.add_page(node, np.arange(node, node + 20, dtype=np.uint32), bytes(20))
    store._account.limit = store.resident_bytes - (1 << 20)
    assert store.shrink() > 0
    assert (store.resident_edges, store.statistics().evicted) == (400_000, 0)
    assert store.sealed_edges > 0
    store.check()


def test_a_removed_page_is_gone_everywhere() -> None:
    """Removing a page takes its edges from degrees, totals and its host; a page that is not here is left alone."""
    store = _store()
    store.add_page(1, _ids(2, 3), bytes([0, 1]), host=4)
    store.add_page(2, _ids(3), bytes(1), host=4)
    assert store.remove(1, host=4)
    assert not store.remove(1, host=4)
    assert (store.edges, len(store), store.in_degree(3), store.in_degree(2)) == (1, 1, 1, 0)
    totals = store.host_totals(4)
    assert totals is not None
    assert (totals.pages, totals.edges) == (1, 1)
    store.check()


def test_a_row_read_from_disk_keeps_the_totals_exact() -> None:
    """A page that left RAM and is added again takes its old edges back, where its old row is handed in."""
    store = _store()
    store.add_page(1, _ids(2, 3), bytes(2), host=1)
    store.evict(1)
    store.add_page(1, _ids(3), bytes(1), host=1, replaced=(_ids(2, 3), np.zeros(2, np.uint8)))
    assert (store.edges, store.in_degree(2), store.in_degree(3)) == (1, 0, 1)
    totals = store.host_totals(1)
    assert totals is not None
    assert (totals.pages, totals.edges) == (1, 1)


def _blocks(rows: int) -> Iterator[tuple[bytes, DecodedBlock]]:
    """Pages with four links each, as blocks on disk."""
    nodes = np.arange(1, rows + 1, dtype=np.uint32)
    targets = (nodes[:, None] + np.arange(4, dtype=np.uint32)).ravel()
    codec = BlockCodec()
    for block in codec.encode_all(nodes, np.full(rows, 4, np.uint32), targets):
        yield block, codec.decode(block)


@pytest.mark.parametrize(
    ("limit", "settings"),
    [
        (4 * MIB, {}),
        (4 * MIB, {"sealed": False}),
        (4 * MIB, {"max_edges": 20_000}),
        (4 * MIB, {"max_edges": 1_000}),
        (4 * MIB, {"max_nodes": 3_000, "retention": "least_recently_seen"}),
        (100_000, {}),
        (4 * MIB, {"max_edges": 20_000, "retention": "host_share"}),
    ],
)
def test_blocks_come_back_as_they_are_stored(limit: int, settings: dict[str, object]) -> None:
    """A resumed graph has the rows of the blocks as far as its limits go, and the totals of all of them."""
    store = _store(limit, **settings)
    for block, decoded in _blocks(20_000):
        store.restore_block(block, decoded, dict.fromkeys(decoded.nodes.tolist(), 1))
        store.check()
    store.restore_totals(edges={EdgeKind.HYPERLINK: 80_000}, nodes=20_003)
    assert _lists(store.neighbours(20_000)) == ([20_000, 20_001, 20_002, 20_003], [0] * 4)
    assert (store.edges, store.nodes, store.edges_by_kind[EdgeKind.HYPERLINK]) == (80_000, 20_003, 80_000)
    assert store.in_degree(20_000) == 4
    if not settings:
        assert (store.sealed_edges > 0) == (store.resident_edges > 0)
    store.add_page(20_000, _ids(1), bytes(1))
    assert (store.edges, store.in_degree(20_000)) == (79_997, 3)
    store.check()


def test_hosts_of_a_resumed_crawl_are_counted_from_the_next_one_on() -> None:
    """A host that was known before has None, for some of its pages are not known here; a new one is exact."""
    store = _store()
    store.restore_totals(edges={EdgeKind.HYPERLINK: 10}, nodes=5, hosts=3)
    store.add_page(6, _ids(7), bytes(1), host=3)
    store.add_page(7, _ids(6, 8), bytes(2), host=4)
    assert store.host_totals(3) is None
    totals = store.host_totals(4)
    assert totals is not None
    assert (totals.pages, totals.edges) == (1, 2)


@pytest.mark.parametrize("limit", [64 * MIB, 400_000])
def test_k_hop_follows_links_either_way(limit: int) -> None:
    """Levels are those of a breadth-first search over what is resident, hot or sealed."""
    store = _store(limit)
    for node in range(1, 3_001):
        store.add_page(node, _ids(*{min(2 * node, 6_000), min(2 * node + 1, 6_000)}), bytes(2 if node < 3_000 else 1))
    levels = k_hop(store, 1, 3).levels
    assert [level.tolist() for level in levels] == [[1], [2, 3], [4, 5, 6, 7], list(range(8, 16))]
    assert [level.tolist() for level in k_hop(store, 9, 5, direction="in").levels] == [[9], [4], [2], [1]]
    assert k_hop(store, 1, 3).is_complete


def test_k_hop_says_where_it_could_not_look() -> None:
    """A page that is not resident, or too many nodes, and the answer is not complete."""
    store = _store()
    store.add_page(1, _ids(2, 3, 4), bytes(3))
    assert k_hop(store, 1, 1).is_complete
    assert not k_hop(store, 1, 2).is_complete
    few = k_hop(store, 1, 1, most_nodes=3)
    assert ([level.tolist() for level in few.levels], few.is_complete) == ([[1], [2, 3]], False)
    store.restore_totals(edges={EdgeKind.HYPERLINK: 10})
    assert not k_hop(store, 2, 1, direction="in").is_complete


def test_slabs_are_used_again_under_another_generation() -> None:
    """In a long crawl new slabs are those that were dropped: nothing is allocated, and no old locator resolves."""
    store = _store(limit=4 * MIB)
    for node in range(1, 30_001):
        store.add_page(node, np.arange(node, node + 20, dtype=np.uint32), bytes(20))
    hot = store._rows.hot
    assert hot.reused >= 10
    assert max(slab.generation for _, slab in hot.slabs) > 2
    store.check()
