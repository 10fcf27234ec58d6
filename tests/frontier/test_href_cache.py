"""The href cache: what it knows is true, what it takes is charged, and it stays within its part of the account."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weaver.base.record import HostRecord
from weaver.frontier import HostIds, HrefCache
from weaver.frontier.host_ids import KNOWN_HOST_BYTES
from weaver.frontier.href_cache import ACCOUNT_SHARE, LONGEST_HREF
from weaver.memory import Account

PAGES = st.lists(st.tuples(st.integers(0, 5), st.lists(st.text(max_size=80), max_size=8)), max_size=40)


class NoHosts:
    """A disk that knows no host."""

    def host_by_origin(self, _origin: str) -> HostRecord | None:
        return None


@given(pages=PAGES, limit=st.sampled_from([0, 4_000, 20_000, 1 << 20]), capacity=st.sampled_from([1, 5, 1_000]))
def test_the_cache_stays_within_its_caps(pages: list[tuple[int, list[str]]], limit: int, capacity: int) -> None:
    """Whatever is remembered, entries and bytes stay within their caps, and what is found is what was put."""
    account = Account("frontier", limit)
    cache, ids = HrefCache(capacity, account), {}
    for directory, hrefs in pages:
        folder = cache.folder(f"http://a.test/{directory}/")
        entries = {href: ids.setdefault((directory, href), len(ids) + 1) for href in hrefs}
        assert all(folder[href] == known for href, known in entries.items() if href in folder)
        cache.remember(folder, entries)
        cache.check()
        assert len(cache) <= capacity
        assert account.used <= max(limit // ACCOUNT_SHARE, 1_000)


def test_folders_without_links_are_bounded_too() -> None:
    """A folder takes room before it has an entry: a site with endless folders can't fill the RAM with their names."""
    account = Account("frontier", 100_000)
    cache = HrefCache(1_000, account)
    for number in range(1_000):
        cache.folder(f"http://a.test/{number}/")
    cache.check()
    assert account.used <= account.limit // ACCOUNT_SHARE


def test_a_very_long_href_is_not_kept() -> None:
    """One attribute of any length can't drive out what a thousand pages need."""
    cache = HrefCache(1_000, Account("frontier", 1 << 20))
    folder = cache.folder("http://a.test/")
    cache.remember(folder, {"x" * (LONGEST_HREF + 1): 1, "short": 2})
    assert dict(folder) == {"short": 2}


def test_the_cache_follows_a_limit_that_falls() -> None:
    """After the account's limit fell, shrinking drops the oldest folders until the cache is within its part."""
    account = Account("frontier", 400_000)
    cache = HrefCache(10_000, account)
    for number in range(100):
        cache.remember(cache.folder(f"http://a.test/{number}/"), {f"{n}.html": n + 1 for n in range(5)})
    before = account.used
    account.limit = before * 2
    assert cache.shrink() == before - account.used > 0
    assert account.used <= account.limit // ACCOUNT_SHARE
    assert cache.folder("http://a.test/99/")["0.html"] == 1
    assert cache.shrink() == 0
    cache.check()


def test_known_hosts_follow_a_limit_that_falls() -> None:
    """Host ids are half of their account, whatever its limit is now; a limit that rises again gives the room back."""
    account = Account("hosts", 100_000)
    hosts = HostIds(1_000, account, NoHosts(), lambda _url: "")
    full = _meet(hosts, 1, 400)
    account.limit = 50_000
    assert hosts.shrink() > 0
    assert hosts.statistics().current == 25_000 // KNOWN_HOST_BYTES
    assert hosts.shrink() == 0
    assert _meet(hosts, 401, 600) <= full // 2
    account.limit = account.base_limit
    assert _meet(hosts, 601, 1_000) > full * 0.85


def _meet(hosts: HostIds, first: int, last: int) -> int:
    """Meet new hosts, all committed; how many are in RAM then."""
    for number in range(first, last + 1):
        hosts.of_origin(f"http://h{number}.test")
        hosts.submitted(number)
        hosts.committed(number)
    return hosts.statistics().current
