"""NearIndex and Clusters against plain models, over any sequence of documents, evictions and pressure."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from weaver.dedupe import Clusters, Match, NearIndex, SignatureEngine
from weaver.dedupe.clusters import ID_BYTES, STEP_IDS
from weaver.dedupe.near import UNIT_BYTES
from weaver.dedupe.sketch import Words
from weaver.memory import Account

ENGINE = SignatureEngine()
# Few enough that their keys rarely push one another out, and none is like another.
CONTENTS = st.integers(0, 200)
DOCUMENTS = st.integers(1, 10_000)


def signature(content: int) -> Words:
    return ENGINE.signature(" ".join(f"w{content}x{word}" for word in range(40))).copy()


class NearMachine(RuleBasedStateMachine):
    """The index holds what a list of (document, content) would, and equal contents find each other."""

    @initialize(blocks=st.integers(1, 5), cap=st.one_of(st.none(), st.integers(1, 150)))
    def build(self, blocks: int, cap: int | None) -> None:
        """An index capped by its account, or by number."""
        self.account = Account("near", blocks * UNIT_BYTES)
        self.index = NearIndex(self.account, max_documents=cap)
        self.held: list[tuple[int, int]] = []

    def _observe(self, doc_id: int, content: int) -> None:
        earlier = [held for held in self.held if held[1] == content]
        match = self.index.observe(doc_id, signature(content))
        others = {held_id for held_id, _ in earlier if held_id != doc_id}
        assert (match is not None) == bool(others)
        if match is not None:
            assert match.doc_id in others
            assert match.similarity == 1.0
        if (doc_id, content) not in earlier:
            self.held.append((doc_id, content))
        self.held = self.held[len(self.held) - len(self.index) :]

    @rule(doc_id=DOCUMENTS, content=CONTENTS)
    def observe(self, doc_id: int, content: int) -> None:
        """A document matches the earlier ones of its content, itself left out."""
        self._observe(doc_id, content)

    @rule(doc_id=DOCUMENTS, contents=st.lists(CONTENTS, min_size=30, max_size=90, unique=True))
    def observe_many(self, doc_id: int, contents: list[int]) -> None:
        """Many at once, so that blocks come and go."""
        for offset, content in enumerate(contents):
            self._observe(doc_id + offset, content)

    @rule(content=CONTENTS)
    def look_up(self, content: int) -> None:
        """`matches` finds the content's documents and no other, and changes nothing."""
        found = self.index.matches(signature(content))
        assert {match.doc_id for match in found} <= {doc_id for doc_id, held in self.held if held == content}
        assert bool(found) == any(held == content for _, held in self.held)
        assert all(isinstance(match, Match) and match.similarity == 1.0 for match in found)

    @rule(n=st.integers(-1, 100))
    def evict(self, n: int) -> None:
        """`evict` hands out the oldest."""
        left = self.index.evict(n)
        assert left == [doc_id for doc_id, _ in self.held[: max(0, n)]]
        self.held = self.held[len(left) :]

    @rule(share=st.floats(0.1, 1.0))
    def press(self, share: float) -> None:
        """Under a lower limit `shrink` lets the oldest go, to one block at least, and tells the bytes."""
        before = self.account.used
        self.account.limit = int(self.account.base_limit * share)
        released = 0
        while given := self.index.shrink():
            released += given
        assert self.account.used == before - released
        assert self.account.used <= self.account.limit or self.index.capacity <= 64
        self.held = self.held[len(self.held) - len(self.index) :]

    @rule()
    def relieve(self) -> None:
        """The limit comes back."""
        self.account.limit = self.account.base_limit

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        """The documents held are the model's, within all caps."""
        if not hasattr(self, "index"):
            return
        self.index.check()
        assert len(self.index) == len(self.held) <= self.index.capacity
        ages = np.arange(len(self.held), dtype=np.uint32)[::-1]
        assert self.index._rows.ids(ages) == [doc_id for doc_id, _ in self.held]
        assert self.account.used == self.index.bytes


class ClusterMachine(RuleBasedStateMachine):
    """Clusters are those of a dict from id to set."""

    IDS = st.one_of(st.integers(1, 30), st.integers(1, 5_000))

    @initialize(steps=st.integers(1, 4))
    def build(self, steps: int) -> None:
        """Clusters with room for some thousand ids."""
        self.clusters = Clusters(Account("near", steps * STEP_IDS * ID_BYTES))
        self.sets: dict[int, set[int]] = {}

    @rule(one=IDS, other=IDS)
    def union(self, one: int, other: int) -> None:
        """A pair joins two clusters, or is refused where an id is beyond the account."""
        refused = self.clusters.refused
        joined = self.clusters.union(one, other)
        if self.clusters.refused > refused:
            assert max(one, other) > self.clusters.capacity
            assert not joined
            return
        ours, theirs = self.sets.setdefault(one, {one}), self.sets.setdefault(other, {other})
        assert joined == (ours is not theirs)
        for member in theirs:
            self.sets[member] = ours
        ours |= theirs

    @rule(doc_id=IDS)
    def look_up(self, doc_id: int) -> None:
        """The root is the smallest member, and members are ascending."""
        expected = self.sets.get(doc_id, {doc_id})
        assert self.clusters.find(doc_id) == min(expected)
        assert self.clusters.members(doc_id) == sorted(expected)

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        """Pairs give every joined id with its root, and clusters made of them are the same."""
        if not hasattr(self, "clusters"):
            return
        self.clusters.check()
        pairs = {member: min(group) for member, group in self.sets.items() if len(group) > 1}
        assert dict(self.clusters.pairs()) == pairs
        again = Clusters(Account("near", 1 << 20))
        again.restore(self.clusters.pairs())
        assert list(again.clusters()) == list(self.clusters.clusters())


TestNearIndex = NearMachine.TestCase
TestNearIndex.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
TestClusters = ClusterMachine.TestCase
TestClusters.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
