"""Plan E, storage: slabs that are used again, edges in batches and in narrow types, budgets with a grace."""

from __future__ import annotations

import numpy as np
import pytest

from weaver.base.settings import GraphSettings
from weaver.graph import GraphStore
from weaver.graph.retention import POLICIES
from weaver.graph.slab import EDGE_BYTES
from weaver.memory import Account

MIB = 1 << 20
LINKS = 20


class CountingAccount(Account):
    """An account that counts the charges that it took."""

    __slots__ = ("charges",)

    def __init__(self, tag: str, limit: int) -> None:
        super().__init__(tag, limit)
        self.charges = 0

    def _take(self, size_bytes: int) -> None:
        self.charges += 1
        super()._take(size_bytes)


def _fill(store: GraphStore, first: int, pages: int) -> None:
    for node in range(first, first + pages):
        store.add_page(node, np.arange(node, node + LINKS, dtype=np.uint32), bytes(LINKS))


def test_slabs_are_reused_after_pruning_without_stale_state() -> None:
    """Once the hot share is full, new slabs are dropped ones of a later generation, and every locator is fresh."""
    store = GraphStore(GraphSettings(), Account("graph", 4 * MIB))
    _fill(store, 1, 30_000)
    hot = store._rows.hot
    assert hot.reused >= 10
    assert max(slab.generation for _, slab in hot.slabs) > 1
    store.check()


def test_a_page_of_many_links_is_one_growth() -> None:
    """All links of a page are added at once: a page of ten thousand takes no more charges than one of ten."""
    charges = []
    for links in (10, 10_000):
        account = CountingAccount("graph", 64 * MIB)
        GraphStore(GraphSettings(), account).add_page(1, np.arange(1, links + 1, dtype=np.uint32), bytes(links))
        charges.append(account.charges)
    assert charges[0] == charges[1]


def test_an_edge_is_a_32_bit_id_and_a_byte() -> None:
    """Hot, an edge takes 5 bytes and its part of a row; sealed, with all else, at most 1.5 where pages are alike."""
    assert EDGE_BYTES == 5
    for settings, most_bytes in ((GraphSettings(sealed=False), 8.0), (GraphSettings(), 1.5)):
        store = GraphStore(settings, Account("graph", 8 * MIB if settings.sealed else 64 * MIB))
        _fill(store, 1, 100_000)
        assert store.resident_edges == 100_000 * LINKS
        assert store.resident_bytes / store.resident_edges <= most_bytes


@pytest.mark.parametrize("policy", POLICIES)
def test_a_hard_cap_on_edges_with_a_grace_before_a_prune(policy: str) -> None:
    """The cap may be passed by its grace, never by more; a prune then goes down to its target, so prunes are few."""
    settings = GraphSettings(max_edges=2_000, grace=0.1, trim_to=0.9, retention=policy)  # type: ignore[arg-type]
    store = GraphStore(settings, Account("graph", 4 * MIB))
    for node in range(1, 1_001):
        _fill(store, node, 1)
        assert store.resident_edges <= 2_200
    status = store.retention_status()
    assert store.edges == 1_000 * LINKS
    assert 0 < status.prunes <= 1_000 * LINKS / (2_200 - 1_800) + 1
