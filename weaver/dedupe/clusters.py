"""Clusters: which documents belong together, because a chain of verified pairs joins them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from weaver.memory.budget import Account
from weaver.memory.reserve import reserved_zeros

# A parent and a next member of 32 bits each.
ID_BYTES = 8
# Ids that are charged together: a page of memory of each column.
STEP_IDS = 1_024


class Clusters:
    """Union-find (Tarjan 1975) over ids from 1, in two columns of 32 bits: 8 bytes an id up to the highest joined.

    The root of a cluster is its smallest id, so the document seen first, in whatever order pairs come. Members are a
    ring, so that two clusters join in O(1). Nothing is forgotten: a pair with an id for which the account has no room
    is refused and counted. `find` and `union` are O(log ids) amortised, `members` O(members log members).

    Invariants: a parent is smaller than its child; 0 stands for the id itself; a ring holds the ids of one root.
    """

    def __init__(self, account: Account, max_ids: int | None = None) -> None:
        if max_ids is not None and max_ids < 1:
            raise ValueError(f"expected max_ids >= 1, got {max_ids}")
        affordable = min(account.base_limit // ID_BYTES, (1 << 32) - 1 - STEP_IDS)
        self._account = account
        self._most_ids = affordable if max_ids is None else min(max_ids, affordable)
        self._parents_array: NDArray[np.uint32] = reserved_zeros(self._most_ids + 1, np.uint32)
        self._next_array: NDArray[np.uint32] = reserved_zeros(self._most_ids + 1, np.uint32)
        # A memoryview gives Python ints at a third of what a numpy scalar costs.
        self._parents, self._next = self._parents_array.data, self._next_array.data
        self._charged_ids = 0
        self._highest = 0
        self._joined = 0
        self.refused = 0

    def __repr__(self) -> str:
        return (
            f"Clusters(joined={self._joined}, highest_id={self._highest} of {self._most_ids}, refused={self.refused})"
        )

    def __len__(self) -> int:
        """How many pairs made two clusters one: documents in clusters, less the clusters."""
        return self._joined

    @property
    def capacity(self) -> int:
        """The highest id that can be joined, as the account stands."""
        spare = max(0, self._account.limit - self._account.used) // ID_BYTES
        return min(self._most_ids, self._charged_ids + spare)

    def union(self, one: int, other: int) -> bool:
        """Join the clusters of two documents; False where they were one already, or where there is no room."""
        assert min(one, other) > 0, f"expected ids from 1 on, got {one} and {other}"
        if not self._has_room(max(one, other)):
            self.refused += 1
            return False
        first, second = sorted((self.find(one), self.find(other)))
        if first == second:
            return False
        self._parents[second] = first
        after_first, after_second = self._next[first] or first, self._next[second] or second
        self._next[first], self._next[second] = after_second, after_first
        self._highest = max(self._highest, one, other)
        self._joined += 1
        return True

    def find(self, doc_id: int) -> int:
        """The smallest id of the document's cluster: its own where it is alone."""
        if doc_id > self._highest:
            return doc_id
        parents = self._parents
        while parent := parents[doc_id]:
            # Path halving (van Leeuwen and van der Weide 1977).
            above = parents[parent]
            if not above:
                return parent
            parents[doc_id] = above
            doc_id = above
        return doc_id

    def members(self, doc_id: int) -> list[int]:
        """All ids of the document's cluster, ascending."""
        members, member = [doc_id], self._next[doc_id] if doc_id <= self._highest else 0
        while member and member != doc_id:
            members.append(member)
            member = self._next[member]
        return sorted(members)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """(id, root) of every document that is not alone, by id: what `restore` takes."""
        for start in range(0, self._highest + 1, STEP_IDS):
            linked = np.flatnonzero(self._next_array[start : min(start + STEP_IDS, self._highest + 1)])
            for offset in linked.tolist():
                yield start + offset, self.find(start + offset)

    def restore(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Join what `pairs` gave."""
        for doc_id, root in pairs:
            if doc_id != root:
                self.union(doc_id, root)

    def clusters(self) -> Iterator[list[int]]:
        """The members of each cluster of two and more, ascending, by their smallest ids."""
        for doc_id, root in self.pairs():
            if doc_id == root:
                yield self.members(root)

    def check(self) -> None:
        """Assert the invariants; O(ids)."""
        linked = [doc_id for doc_id, _ in self.pairs()]
        roots = [doc_id for doc_id in linked if not self._parents[doc_id]]
        assert all(self._parents[doc_id] < doc_id for doc_id in linked), self
        assert sorted(member for root in roots for member in self.members(root)) == linked, self
        assert all(self.find(member) == root for root in roots for member in self.members(root)), self
        assert len(linked) - len(roots) == self._joined, self
        assert self._highest <= self._charged_ids <= self._most_ids, self
        assert self._account.used >= self._charged_ids * ID_BYTES, self
        self._account.check()

    def _has_room(self, doc_id: int) -> bool:
        if doc_id <= self._charged_ids:
            return True
        if doc_id > self._most_ids:
            return False
        charged = min(-(-doc_id // STEP_IDS) * STEP_IDS, self._most_ids)
        if not self._account.try_charge((charged - self._charged_ids) * ID_BYTES):
            return False
        self._charged_ids = charged
        return True
