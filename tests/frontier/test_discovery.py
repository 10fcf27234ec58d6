"""Discovery: hrefs become ids once, new URLs become rows, and what is refused says why."""

from __future__ import annotations

from collections.abc import Sequence

from weaver.base.record import HostRecord, UrlRow
from weaver.base.settings import ScopeSettings, UrlSettings
from weaver.base.url import Canonicalizer
from weaver.frontier import Discovered, Discovery, Finding, HostIds, HrefCache, Refused, Scope, Seen
from weaver.memory.budget import Budget
from weaver.memory.table import KeyTable

SEED = "http://a.test/dir/index.html"


class FakeDisk:
    """The committed rows, as the archive would answer for them."""

    def __init__(self) -> None:
        self.urls: dict[int, UrlRow] = {}
        self.hosts: dict[str, HostRecord] = {}
        self.asked = 0

    def commit(self, found: Discovered) -> None:
        self.urls.update({row.id: row for row in found.urls})
        self.hosts.update({host.origin: host for host in found.hosts})

    def merged_ids(self, keys: Sequence[int]) -> dict[int, int]:
        self.asked += len(keys)
        wanted = set(keys)
        return {row.key: row.id for row in self.urls.values() if row.key in wanted}

    def host_by_origin(self, origin: str) -> HostRecord | None:
        return self.hosts.get(origin)

    def refused_url(self, url_id: int) -> tuple[str, str] | None:
        row = self.urls.get(url_id)
        return (row.url, row.reason) if row else None


class Bench:
    """A discovery over a fake disk that commits each record when told to."""

    def __init__(
        self,
        scope: ScopeSettings | None = None,
        max_depth: int | None = None,
        slots: int = 4096,
        pages_cap: int | None = None,
    ) -> None:
        self.disk = FakeDisk()
        budget = Budget(64 << 20)
        account = budget.account("seen")
        rule = Scope(scope or ScopeSettings(), [SEED], max_depth)
        self.refused = Refused(account)
        self.seen = Seen(KeyTable("seen", slots, account), self.disk)
        hosts = HostIds(100, budget.account("hosts"), self.disk, rule.host_refusal, pages_cap=pages_cap)
        cache = HrefCache(1000, budget.account("frontier"))
        self.discovery = Discovery(
            Canonicalizer(UrlSettings()), 7, self.seen, hosts, rule, cache, self.refused, self.disk
        )
        self.number = 0

    def commit(self) -> Discovered:
        found = self.discovery.take()
        self.number += 1
        self.discovery.submitted(self.number)
        self.disk.commit(found)
        self.discovery.committed(self.number)
        return found

    def resolve(self, *hrefs: str, depth: int = 1, refusal: str = "", base: str = SEED) -> list[int]:
        return self.discovery.resolve(base, list(hrefs), Finding(1, depth, 0, refusal))


def test_two_spellings_of_one_url_share_an_id() -> None:
    """However a link is written, one canonical URL has one id, before and after its commit."""
    bench = Bench()
    first = bench.resolve("page.html", "/dir/page.html#part", "HTTP://A.test:80/dir/./page.html")
    assert len(set(first)) == 1
    found = bench.commit()
    assert [row.url for row in found.urls] == ["http://a.test/dir/page.html"]
    assert bench.resolve("page.html", base="http://a.test/dir/other.html") == first[:1]
    assert bench.resolve("../dir/page.html", base="http://a.test/x/other.html") == first[:1]
    assert bench.commit().urls == ()


def test_what_is_no_http_url_is_no_node() -> None:
    """mailto, javascript, data and unparsable links get no id, the first time and from the cache."""
    bench = Bench()
    for _ in range(2):
        assert bench.resolve("mailto:a@b", "javascript:x()", "data:,x", "http://a b/") == [-1] * 4
    assert bench.commit().urls == ()


def test_links_that_depend_on_the_page_are_not_cached() -> None:
    """Empty, fragment and query hrefs mean something else on the next page of the same folder."""
    bench = Bench()
    one = bench.resolve("", "#top", "?q=1", base="http://a.test/dir/one.html")
    two = bench.resolve("", "#top", "?q=1", base="http://a.test/dir/two.html")
    assert one[0] == one[1]
    assert two[0] == two[1]
    assert len({one[0], one[2], two[0], two[2]}) == 4


def test_the_targets_of_a_page_are_its_distinct_ids() -> None:
    """Whatever has a key at once and whatever needs the parser: each URL counts once, and nothing that is no URL."""
    bench, hrefs = (
        Bench(),
        ["/a", "#top", "/b?q=1", "/b?utm_source=x", "mailto:a@b", "", "/a#x", "/é", "HTTP://A.test/a"],
    )
    for _ in range(2):
        targets = bench.discovery.targets(SEED, hrefs, Finding(1, 1)).tolist()
        assert sorted(targets) == sorted(set(bench.resolve(*hrefs)) - {-1})
        assert len(targets) == 5
        bench.commit()


def test_a_link_to_a_refused_page_promotes_it_by_its_key_too() -> None:
    """A page that was nofollow is queued once a plain link to it is followed."""
    bench = Bench()
    bench.discovery.targets(SEED, ["/later"], Finding(1, 1, 0, "nofollow"))
    assert bench.commit().tasks == ()
    bench.discovery.targets(SEED, ["/later"], Finding(1, 1))
    assert [task.url for task in bench.commit().tasks] == ["http://a.test/later"]


def test_each_refusal_is_counted_by_its_reason() -> None:
    """A URL outside the scope becomes a row with its reason, and no task."""
    bench = Bench(ScopeSettings(exclude=("/private/",), max_url_length=60), max_depth=3)
    bench.resolve("http://b.test/", "http://a.test:8080/", "/private/x", "/" + "y" * 80, "/ok")
    bench.resolve("/deep", depth=4)
    found = bench.commit()
    assert {row.url.removeprefix("http://"): row.reason for row in found.urls if len(row.url) < 60} == {
        "b.test/": "out_of_scope",
        "a.test:8080/": "port",
        "a.test/private/x": "excluded",
        "a.test/ok": "",
        "a.test/deep": "too_deep",
    }
    assert bench.discovery.skipped == {"out_of_scope": 1, "port": 1, "excluded": 1, "url_too_long": 1, "too_deep": 1}
    assert [task.url for task in found.tasks] == ["http://a.test/ok"]


def test_a_url_refused_on_one_path_is_queued_when_a_better_one_is_found() -> None:
    """A nofollow or too deep link that is found again, followable and near enough, is queued after all."""
    bench = Bench(max_depth=2)
    bench.resolve("/nofollow", refusal="nofollow")
    bench.resolve("/deep", depth=3)
    bench.commit()
    ids = bench.resolve("/nofollow", "/deep", depth=2)
    found = bench.commit()
    assert sorted(found.promoted) == sorted((url_id, 2) for url_id in ids)
    assert {task.url for task in found.tasks} == {"http://a.test/nofollow", "http://a.test/deep"}
    assert not any(bench.discovery.skipped.values())
    bench.resolve("/nofollow", "/deep", depth=1)
    assert bench.commit().tasks == ()


def test_keys_that_left_ram_are_found_on_disk() -> None:
    """With a table far smaller than the web, no URL ever gets a second id."""
    bench = Bench(slots=64)
    hrefs = [f"/page/{i}/" for i in range(2_000)]
    first = []
    for start in range(0, len(hrefs), 50):
        first += bench.resolve(*hrefs[start : start + 50])
        bench.commit()
    assert first == list(range(1, 2_001))
    bench.discovery._cache.evict(10_000)
    again = []
    for start in range(0, len(hrefs), 50):
        again += bench.resolve(*hrefs[start : start + 50], base="http://a.test/other/")
    assert again == first
    assert bench.disk.asked > 0


def test_a_host_gives_no_more_pages_than_its_cap() -> None:
    """Beyond the per-host page cap a host's URLs are known but not queued."""
    bench = Bench(ScopeSettings(mode="any"), pages_cap=3)
    bench.resolve(*(f"/{i}" for i in range(5)), *(f"http://b.test/{i}" for i in range(2)))
    found = bench.commit()
    assert len(found.tasks) == 5
    assert bench.discovery.skipped == {"host_page_cap": 2}


def test_scope_modes_draw_their_lines() -> None:
    """host, domain, prefix and any each admit what they name."""
    url = {
        "same host": "http://a.test/x",
        "below": "http://a.test/dir/y",
        "subdomain": "http://www.a.test/",
        "elsewhere": "http://b.test/",
    }
    admitted = {
        mode: {name for name, text in url.items() if not Scope(ScopeSettings(mode=mode), [SEED], None).refusal(text, 1)}
        for mode in ("host", "domain", "prefix", "any")
    }
    assert admitted == {
        "host": {"same host", "below"},
        "domain": {"same host", "below", "subdomain"},
        "prefix": {"below"},
        "any": set(url),
    }
