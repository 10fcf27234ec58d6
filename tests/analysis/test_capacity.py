"""Capacity: what a plan says is what the stores then do."""

from __future__ import annotations

import numpy as np
import pytest

from weaver.analysis.capacity import plan, plan_for_urls
from weaver.analysis.store_costs import LINKS_PER_PAGE, PARTS, SEEN_TABLE_SHARE, URLS_PER_PAGE
from weaver.base.clock import ManualClock
from weaver.base.record import MAX_NODE_ID
from weaver.base.settings import DedupeSettings, GraphSettings, Settings
from weaver.dedupe.content_index import DIGEST_ENTRY_BYTES
from weaver.frontier.host_ids import HostIds
from weaver.graph import GraphStore
from weaver.memory import BoundedLRU, Budget, KeyTable
from weaver.memory.budget import DEFAULT_SHARES
from weaver.memory.table import BUCKET_BYTES, WAYS
from weaver.politeness.host_state import HostTable

MIB = 1 << 20
SETTINGS = Settings()


def account(tag: str, budget_mib: int = 16):
    """The account of a budget as a crawl has it."""
    return Budget(budget_mib * MIB).account(tag)


def fits(name: str, budget_mib: int = 16) -> int:
    """What the plan for a budget says of one kind of entry."""
    return plan(SETTINGS, budget_mib * MIB)["fits"][name]


@pytest.mark.slow
def test_so_many_seen_urls_stay_in_the_table() -> None:
    """All but one in a thousand of the seen URLs that a plan promises are in RAM."""
    seen, count = account("seen"), fits("seen_urls")
    table = KeyTable("seen", int(seen.limit * SEEN_TABLE_SHARE) // BUCKET_BYTES * WAYS, seen)
    keys = np.random.default_rng(1).integers(0, 2**64, count, dtype=np.uint64)
    for start in range(0, count, 100):
        batch = keys[start : start + 100]
        table.put_many(batch, np.arange(start + 1, start + 1 + len(batch), dtype=np.uint32))
    assert np.count_nonzero(table.get_many(keys)) >= 0.999 * count


def test_so_many_digests_stay_in_the_index() -> None:
    """The account holds the promised digests, and evicts beyond."""
    store: BoundedLRU[bytes, int] = BoundedLRU(
        "content", DedupeSettings().max_digests, account=account("content", 4), entry_bytes=DIGEST_ENTRY_BYTES
    )
    count = fits("digests", 4)
    for number in range(count):
        store.put(number.to_bytes(17), number)
    assert store.statistics().evicted == 0
    store.put(b"one more", 1)
    assert store.statistics().evicted > 0


@pytest.mark.slow
def test_so_many_edges_stay_in_the_graph() -> None:
    """A full graph of a wide crawl, whose pages share most links, holds the promised edges within a quarter."""
    store = GraphStore(GraphSettings(), account("graph", 8))
    random = np.random.default_rng(1)
    page = 0
    while not store.statistics().evicted:
        menu = random.integers(1, 2**20, LINKS_PER_PAGE * 3 // 4).astype(np.uint32)
        for _ in range(50):
            page += 1
            node = 1 + URLS_PER_PAGE * page
            near = node + random.integers(0, 500, LINKS_PER_PAGE - len(menu)).astype(np.uint32)
            store.add_page(node, np.concatenate((menu, near)), bytes(LINKS_PER_PAGE))
    promised = fits("resident_edges", 8)
    assert store.resident_edges == pytest.approx(promised, rel=1 / 4)


def test_so_many_hosts_are_kept() -> None:
    """Both stores of hosts have room for as many as the plan says."""
    hosts = HostTable(SETTINGS.politeness, None, ManualClock(), account("hosts"))  # type: ignore[arg-type]
    ids = HostIds(SETTINGS.politeness.max_hosts, account("hosts"), None, lambda _: "")  # type: ignore[arg-type]
    assert hosts.capacity == pytest.approx(fits("hosts"), abs=1)
    assert ids.statistics().capacity == pytest.approx(fits("host_ids"), abs=1)


def test_a_plan_leaves_no_account_out() -> None:
    """Every account is in the plan, and no two parts of one are more than the whole."""
    planned = plan(SETTINGS, 256 * MIB)
    assert set(planned["accounts"]) == set(DEFAULT_SHARES)
    for tag in DEFAULT_SHARES:
        assert sum(part.share for part in PARTS if part.account == tag) <= 1


@pytest.mark.parametrize("urls", [1, 1_000, 3_333_333, MAX_NODE_ID])
def test_the_budget_for_urls_holds_them(urls: int) -> None:
    """The budget that is named holds all that it was asked for, with the settings that it names."""
    needed = plan_for_urls(urls, SETTINGS)
    for need in needed["needs"]:
        assert needed["fits"][need["name"]] >= need["entries"]
    assert needed["keys_budget_bytes"] <= needed["budget_bytes"]
    assert all(smaller["budget_bytes"] < needed["budget_bytes"] for smaller in needed["smaller"])


@pytest.mark.parametrize("urls", [0, MAX_NODE_ID + 1])
def test_more_than_one_crawl_can_know_is_refused(urls: int) -> None:
    """Ids are 32 bits wide: a plan for more says so."""
    with pytest.raises(ValueError, match=f"expected 1 to {MAX_NODE_ID:,} URLs in one crawl"):
        plan_for_urls(urls, SETTINGS)
