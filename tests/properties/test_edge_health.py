"""EdgeHealth against two plain dicts, over any sequence of visits, evictions and pressure."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from weaver.base.page import PageState
from weaver.base.record import PageRow
from weaver.base.settings import GraphSettings
from weaver.graph import EdgeHealth, LinkHealth
from weaver.graph.health import ENTRY_BYTES
from weaver.memory import Account

IDS = st.one_of(st.integers(1, 20), st.integers(1, (1 << 32) - 1))


class HealthMachine(RuleBasedStateMachine):
    """The registry holds what a dict of troubled links and one of healthy ones would, in their order."""

    @initialize(
        capacity=st.integers(1, 12), policy=st.sampled_from(["active_set", "strict_lru"]), is_roomy=st.booleans()
    )
    def build(self, capacity: int, policy: str, is_roomy: bool) -> None:
        """A registry capped by number, or by bytes."""
        self.account = Account("edge_health", 10_000 if is_roomy else capacity * ENTRY_BYTES)
        settings = GraphSettings.model_validate({
            "edge_health": policy,
            "max_edge_health": capacity if is_roomy else None,
        })
        self.health = EdgeHealth(settings, self.account)
        self.is_lru = policy == "strict_lru"
        self.troubled: dict[int, LinkHealth] = {}
        self.healthy: dict[int, LinkHealth] = {}
        self.now = 0

    def _oldest(self) -> list[int]:
        return [*self.healthy, *self.troubled]

    def _take(self, url_id: int) -> LinkHealth | None:
        return self.healthy.pop(url_id, None) or self.troubled.pop(url_id, None)

    def _put(self, link: LinkHealth) -> None:
        if len(self._oldest()) == self.health.capacity:
            self._take(self._oldest()[0])
        is_troubled = self.is_lru or link.is_failing or link.has_moved
        (self.troubled if is_troubled else self.healthy)[link.url_id] = link

    @rule(url_id=IDS)
    def works(self, url_id: int) -> None:
        """A link that works is healthy; it enters only with the strict LRU."""
        self.now += 1
        self.health.note(PageRow(url_id, PageState.FETCHED, self.now, 200))
        known = self._take(url_id)
        if known is not None or self.is_lru:
            self._put(LinkHealth(url_id, 200, "", 0, 0, known.first_checked_at if known else self.now, self.now))

    @rule(url_id=IDS, status=st.sampled_from([0, 404, 503]), tries=st.integers(1, 3))
    def fails(self, url_id: int, status: int, tries: int) -> None:
        """A link that fails is troubled, and its failures add up."""
        self.now += 1
        reason = f"http_{status}" if status else "timeout"
        self.health.note(PageRow(url_id, PageState.FAILED, self.now, status, reason=reason), tries)
        known = self._take(url_id)
        first, before = (known.first_checked_at, known.failures) if known else (self.now, 0)
        self._put(LinkHealth(url_id, status, reason, before + tries, 0, first, self.now))

    @rule(url_id=IDS, place=IDS)
    def moves(self, url_id: int, place: int) -> None:
        """A link that redirects is troubled, and names its target."""
        self.now += 1
        self.health.note(PageRow(url_id, PageState.REDIRECT, self.now, 301), moved_to=place)
        known = self._take(url_id)
        self._put(LinkHealth(url_id, 301, "", 0, place, known.first_checked_at if known else self.now, self.now))

    @rule(n=st.integers(-1, 14))
    def evict(self, n: int) -> None:
        """`evict` hands out the healthy first, then the troubled, each in the order of their last checks."""
        expected = [self._take(url_id) for url_id in self._oldest()[: max(0, n)]]
        assert self.health.evict(n) == expected

    @rule(share=st.floats(0.1, 0.9))
    def press(self, share: float) -> None:
        """Under a lower limit `shrink` lets the first ones go until the account fits, and the limit comes back."""
        before = self.account.used
        self.account.limit = int(self.account.base_limit * share)
        released = 0
        while given := self.health.shrink():
            released += given
        assert self.account.used == before - released <= self.account.limit
        for url_id in self._oldest()[: len(self._oldest()) - len(self.health)]:
            self._take(url_id)
        self.account.limit = self.account.base_limit

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        """Entries, their order and the counts are the model's."""
        if not hasattr(self, "health"):
            return
        self.health.check()
        links = [*self.healthy.values(), *self.troubled.values()]
        assert len(self.health) == len(links) <= self.health.capacity
        assert [self.health.get(link.url_id) for link in links] == links
        assert self.health.failing == sum(link.is_failing for link in links)
        assert self.health.moved == sum(link.has_moved for link in links)
        assert self.account.used == self.health.bytes


TestEdgeHealth = HealthMachine.TestCase
