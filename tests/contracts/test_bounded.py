"""The contract of every bounded store: one suite, run against all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from weaver.base.page import PageState
from weaver.base.record import PageRow
from weaver.base.settings import GraphSettings
from weaver.codec import BlockCodec
from weaver.dedupe import NearIndex, SignatureEngine
from weaver.graph import EdgeHealth, GraphStore, SealedBlocks
from weaver.memory import Account, Bounded, BoundedLRU, KeyTable

LIMIT = 32 << 10
_ENGINE = SignatureEngine()


@dataclass(frozen=True)
class Subject:
    """A store under contract: how to make it in an account, how to put entry `n` (from 1), what `evict` says of it."""

    make: Callable[[Account], Any]
    put: Callable[[Any, int], object]
    name_of: Callable[[Any], int]


def block_of(node: int) -> bytes:
    """A block of one page with four links."""
    one = np.ones(1, np.uint32)
    return BlockCodec(level=1).encode(one * np.uint32(node), one * np.uint32(4), np.arange(4, dtype=np.uint32))


SUBJECTS = {
    "lru": Subject(
        lambda account: BoundedLRU[int, int]("lru", 100, account=account), lambda lru, n: lru.put(n, -n), lambda e: e[0]
    ),
    "lru by bytes": Subject(
        lambda account: BoundedLRU[int, int]("lru", 10**6, account=account),
        lambda lru, n: lru.put(n, n),
        lambda e: e[0],
    ),
    "key table": Subject(
        lambda account: KeyTable("table", 256, account),
        lambda table, n: table.put_many(np.array([n * 7], np.uint64), np.array([n], np.uint32)),
        lambda e: e[1],
    ),
    "graph by pages": Subject(
        lambda account: GraphStore(GraphSettings(max_nodes=50), account),  # type: ignore[call-arg]
        lambda graph, n: graph.add_page(n, np.arange(1, 10, dtype=np.uint32), bytes(9)),
        lambda node: node,
    ),
    "graph by bytes": Subject(
        lambda account: GraphStore(GraphSettings(), account),  # type: ignore[call-arg]
        lambda graph, n: graph.add_page(n, np.arange(1, 10, dtype=np.uint32), bytes(9)),
        lambda node: node,
    ),
    "sealed blocks": Subject(
        lambda account: SealedBlocks(account, BlockCodec(level=1), most_blocks=60),
        lambda blocks, n: blocks.put(n, block_of(n)),
        lambda entry: entry[0],
    ),
    "sealed blocks by bytes": Subject(
        lambda account: SealedBlocks(account, BlockCodec(level=1)),
        lambda blocks, n: blocks.put(n, block_of(n)),
        lambda entry: entry[0],
    ),
    "edge health": Subject(
        lambda account: EdgeHealth(GraphSettings(max_edge_health=200), account),  # type: ignore[call-arg]
        lambda health, n: health.note(PageRow(n, PageState.FAILED, n, 404, reason="http_404")),
        lambda link: link.url_id,
    ),
    "edge health by bytes": Subject(
        lambda account: EdgeHealth(GraphSettings(edge_health="strict_lru"), account),  # type: ignore[call-arg]
        lambda health, n: health.note(PageRow(n, PageState.FETCHED, n, 200)),
        lambda link: link.url_id,
    ),
    "near index": Subject(
        lambda account: NearIndex(account, max_documents=100),
        lambda near, n: near.observe(n, _ENGINE.signature(f"page {n} " * 3)),
        lambda doc_id: doc_id,
    ),
    "near index by bytes": Subject(
        NearIndex, lambda near, n: near.observe(n, _ENGINE.signature(f"page {n} " * 3)), lambda doc_id: doc_id
    ),
}
PUTS = 1_500


@pytest.fixture(params=SUBJECTS.values(), ids=SUBJECTS.keys())
def subject(request: pytest.FixtureRequest) -> Subject:
    """Each of the stores in turn."""
    made: Subject = request.param
    return made


def _filled(subject: Subject, entries: int) -> tuple[Any, Account]:
    account = Account("contract", LIMIT)
    store = subject.make(account)
    for n in range(1, entries + 1):
        subject.put(store, n)
    return store, account


def test_a_store_keeps_the_protocol(subject: Subject) -> None:
    """Every store of weaver is a Bounded."""
    store, _ = _filled(subject, 1)
    assert isinstance(store, Bounded)
    assert len(store) == 1
    store.check()


def test_a_store_never_grows_past_its_capacity_and_its_account(subject: Subject) -> None:
    """After each of many puts, entries are within the capacity, bytes within the account, and all invariants hold."""
    store, account = _filled(subject, 0)
    for n in range(1, PUTS + 1):
        subject.put(store, n)
        assert len(store) <= store.capacity
        assert account.used <= account.limit
        if n % 97 == 0:
            store.check()
    assert account.overdrafts == 0


def test_a_store_counts_what_it_let_go(subject: Subject) -> None:
    """Entries put are entries held plus entries evicted, in the store's figures and in the account's."""
    store, account = _filled(subject, PUTS)
    assert store.statistics().evicted == PUTS - len(store) > 0
    assert account.evicted == store.statistics().evicted


def test_the_figures_are_a_frozen_value_with_the_peak(subject: Subject) -> None:
    """Statistics name the store, its entries now and at most, its capacity and bytes, and don't change."""
    store, account = _filled(subject, 20)
    before = store.statistics()
    store.evict(5)
    assert (before.current, before.peak, before.capacity) == (20, 20, store.capacity)
    assert before.name
    assert 0 < before.bytes == account.high_water
    assert (store.statistics().current, store.statistics().peak) == (15, 20)
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.current = 0


def test_eviction_returns_what_left_the_oldest_first(subject: Subject) -> None:
    """`evict(n)` takes the n oldest entries and hands them back in their order."""
    store, _ = _filled(subject, 30)
    left: Sequence[Any] = store.evict(10)
    assert [subject.name_of(entry) for entry in left] == list(range(1, 11))
    assert len(store) == 20
    store.check()


@pytest.mark.parametrize("n", [0, -3])
def test_evicting_nothing_changes_nothing(subject: Subject, n: int) -> None:
    """`evict` of zero or fewer entries returns an empty answer."""
    store, _ = _filled(subject, 30)
    assert not store.evict(n)
    assert len(store) == 30


def test_evicting_more_than_there_is_empties_the_store(subject: Subject) -> None:
    """`evict` of more entries than there are returns them all, and the store can be filled again."""
    store, account = _filled(subject, 30)
    assert len(store.evict(1_000)) == 30
    assert len(store) == 0
    assert store.statistics().evicted == account.evicted == 30
    store.check()
    subject.put(store, 31)
    assert len(store) == 1
    store.check()


def test_putting_an_entry_again_adds_none(subject: Subject) -> None:
    """The same entry put twice is held once and evicts nothing."""
    store, _ = _filled(subject, 30)
    for n in range(1, 31):
        subject.put(store, n)
    assert len(store) == 30
    assert store.statistics().evicted == 0
    store.check()


def test_the_repr_is_a_state_line(subject: Subject) -> None:
    """A store's repr tells how many entries it holds."""
    store, _ = _filled(subject, 23)
    assert "23" in repr(store)


def test_a_store_shrinks_to_its_account_and_fills_it_again(subject: Subject) -> None:
    """Under a lower limit `shrink` lets go until the account fits and says how many bytes, then 0; puts go on."""
    store, account = _filled(subject, PUTS)
    before = account.used
    account.limit = before // 2
    released = 0
    while given := store.shrink():
        released += given
    assert account.used <= account.limit
    assert released == before - account.used
    store.check()
    account.limit = LIMIT
    for n in range(PUTS + 1, 2 * PUTS):
        subject.put(store, n)
        assert account.used <= account.limit
    store.check()
