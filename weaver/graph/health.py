"""EdgeHealth: which link targets failed or moved when they were last asked for, in a bounded registry."""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass

from weaver.base.page import PageState
from weaver.base.record import PageRow
from weaver.base.settings import GraphSettings
from weaver.memory.bounded import StoreStatistics
from weaver.memory.budget import Account

ENTRY_BYTES = 38
"""Nine columns, 32 B, the sixteenth that arrays take in advance, and a place for the id (tests/memory/filling.py)."""
HEAD_BYTES = 4
SLOT_BYTES = ENTRY_BYTES - HEAD_BYTES
STEP_SLOTS = 256
# A millisecond or two.
SHRINK_PER_CALL = 1_024
PERMANENT_STATUSES = frozenset({301, 308})
"""RFC 9110 15.4.2 and 15.4.9: links to the old place ought to be changed."""

# Two slots that hold no entry: the ends of the two rings. 0 also ends a chain.
_TROUBLED, _HEALTHY = 0, 1
_FIRST_SLOT = 2
# Codes from here on are reasons by name; all below are HTTP statuses.
_FIRST_REASON = 1_000
_MOST_REASONS = 256
_MOST_FAILURES = (1 << 16) - 1
_LAST_SECOND = (1 << 32) - 1
# Members of an enum are looked up by name each time.
_FETCHED, _DUPLICATE = PageState.FETCHED, PageState.DUPLICATE
_FAILED, _REDIRECT = PageState.FAILED, PageState.REDIRECT


@dataclass(frozen=True, slots=True)
class LinkHealth:
    """What is known of one link target; times in whole wall-clock seconds.

    `status` is the last HTTP status, 0 where `reason` is another than that status; `failures` are the requests in a row
    that failed, `moved_to` the id that a redirect named, 0 for none.
    """

    url_id: int
    status: int
    reason: str
    failures: int
    moved_to: int
    first_checked_at: int
    last_checked_at: int

    @property
    def is_failing(self) -> bool:
        return self.failures > 0

    @property
    def has_moved(self) -> bool:
        return self.moved_to > 0

    @property
    def is_permanent(self) -> bool:
        """Whether it has moved for good, so that links to it ought to be changed."""
        return self.has_moved and self.status in PERMANENT_STATUSES


class EdgeHealth:
    """Link targets by id with what came of the last request to each, in 38 bytes an entry, charged to one account.

    Two policies (`graph.edge_health`). With `strict_lru` every target enters, and over the cap the one checked least
    lately leaves. With `active_set` only what fails or has moved enters; what has recovered stays until room is needed
    and leaves first, then the trouble checked least lately. `active_set` is the default: with room for a tenth of the
    targets, of which 5 in 100 are in trouble, it knows all of these where the LRU has pushed four fifths out with
    healthy ones; with room for 70 in 100 of the trouble it knows 71, the LRU 4; and it takes an eighth of the time
    (benchmarks/edge_health.py). What leaves is lost to RAM only: `pages` and `links` on disk have it all, and
    `weaver graph broken` reads them, with the pages that carry the links.

    Slots are dense columns; ids find theirs by chains from an array of heads, and a ring in order of age threads each
    set. Invariants: entries are the slots 2 to `len + 1`, each in one chain and one ring; with `strict_lru` all are in
    one ring; the bytes charged are those of heads and columns. `note`, `get` are O(1), `evict(n)` O(n).
    """

    def __init__(self, settings: GraphSettings, account: Account) -> None:
        affordable = max(1, account.limit // ENTRY_BYTES)
        self.policy = settings.edge_health
        self.capacity = min(settings.max_edge_health or sys.maxsize, affordable)
        self._account = account
        self._is_lru = self.policy == "strict_lru"
        self._count = self._slots = self._peak = 0
        self._hits = self._misses = self._evicted = self._refused = 0
        self.failing = self.moved = 0
        self._reasons: list[str] = []
        self._codes_of: dict[str, int] = {}
        self._heads = array("I")
        ends = (_TROUBLED, _HEALTHY)
        self._ids, self._chain = array("I", (0, 0)), array("I", (0, 0))
        self._newer, self._older = array("I", ends), array("I", ends)
        self._first, self._last, self._moved_to = array("I", (0, 0)), array("I", (0, 0)), array("I", (0, 0))
        self._codes, self._failures = array("H", (0, 0)), array("H", (0, 0))
        self._columns = (
            self._ids, self._chain, self._newer, self._older, self._first, self._last, self._moved_to,
            self._codes, self._failures,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"EdgeHealth({self._count} of {self.capacity}, {self.failing} failing, {self.moved} moved)"

    def __len__(self) -> int:
        return self._count

    @property
    def bytes(self) -> int:
        """What is charged to the account."""
        return len(self._heads) * HEAD_BYTES + self._slots * SLOT_BYTES

    def note(self, page: PageRow, tries: int = 1, moved_to: int = 0) -> None:
        """Take in what a visit came to, after so many requests in a row; a page that was not asked for says nothing."""
        state = page.state
        if state is _FETCHED or state is _DUPLICATE:
            if self._is_lru or self._slot_of(page.id):
                self._keep(page, page.http_status, 0, 0)
        elif state is _REDIRECT:
            self._keep(page, page.http_status, 0, moved_to)
        elif state is _FAILED:
            self._keep(page, self._code_of(page), tries, 0)

    def get(self, url_id: int) -> LinkHealth | None:
        """What is known of a target; None where nothing is, or not any more."""
        slot = self._slot_of(url_id)
        if not slot:
            self._misses += 1
            return None
        self._hits += 1
        return self._entry(slot)

    def evict(self, n: int) -> list[LinkHealth]:
        """Let the `n` go that would leave first; what left, in that order."""
        left = []
        for _ in range(min(n, self._count)):
            slot = self._victim()
            left.append(self._entry(slot))
            self._drop(slot)
        self._evicted += len(left)
        self._account.record_evicted(len(left))
        self._fit_columns()
        return left

    def shrink(self) -> int:
        """Let go what is over the account's present limit, SHRINK_PER_CALL entries at most; the bytes released."""
        before, over_bytes = self.bytes, self._account.used - self._account.limit
        if over_bytes > 0:
            spare_slots = self._slots - self._count
            self.evict(min(SHRINK_PER_CALL, max(1, -(-over_bytes // SLOT_BYTES) - spare_slots)))
            self._fit_columns(exactly=True)
        return before - self.bytes

    def statistics(self) -> StoreStatistics:
        """The figures now."""
        return StoreStatistics(
            "edge_health", self._count, self.capacity, self._peak, self.bytes, self._hits, self._misses,
            self._evicted, refused=self._refused,
        )  # fmt: skip

    def check(self) -> None:
        """Assert the invariants; O(capacity)."""
        slots = set(range(_FIRST_SLOT, _FIRST_SLOT + self._count))
        rings = [list(self._ring(ring)) for ring in (_TROUBLED, _HEALTHY)]
        assert sorted(rings[_TROUBLED] + rings[_HEALTHY]) == sorted(slots), self
        assert not (self._is_lru and rings[_HEALTHY]), self
        assert {self._slot_of(self._ids[slot]) for slot in slots} == slots, self
        assert all(self._ring_of(slot) == ring for ring in (_TROUBLED, _HEALTHY) for slot in rings[ring]), self
        assert self.failing == sum(self._failures[slot] > 0 for slot in slots), self
        assert self.moved == sum(self._moved_to[slot] > 0 for slot in slots), self
        assert self._count <= self._slots <= self.capacity, self
        assert all(len(column) == _FIRST_SLOT + self._slots for column in self._columns), self
        assert self.bytes <= self._account.used, self
        assert self._count <= self._peak, self
        self._account.check()

    def _keep(self, page: PageRow, code: int, tries: int, moved_to: int) -> None:
        checked_at = min(max(0, int(page.fetched_at)), _LAST_SECOND)
        slot = self._slot_of(page.id)
        if slot:
            self._unlink(slot)
            self._discount(slot)
        else:
            slot = self._new_slot(page.id)
            if not slot:
                self._refused += 1
                return
            self._first[slot] = checked_at
        self._failures[slot] = min(self._failures[slot] + tries, _MOST_FAILURES) if tries else 0
        self._codes[slot] = code
        self._moved_to[slot] = moved_to
        self._last[slot] = checked_at
        self.failing += tries > 0
        self.moved += moved_to > 0
        self._link(slot, self._ring_of(slot))

    def _slot_of(self, url_id: int) -> int:
        """Where the entry of an id is; 0 for none. Ids are dense, so that what is left of a division spreads them."""
        heads = self._heads
        if not heads:
            return 0
        ids, slot = self._ids, heads[url_id % len(heads)]
        while slot and ids[slot] != url_id:
            slot = self._chain[slot]
        return slot

    def _new_slot(self, url_id: int) -> int:
        """A slot in the id's chain, not in a ring yet: a free one, or the next victim's; 0 where there is neither."""
        if self._count < self._slots or self._grow():
            slot = _FIRST_SLOT + self._count
            self._count += 1
            self._peak = max(self._peak, self._count)
        elif self._count:
            slot = self._victim()
            self._unlink(slot)
            self._discount(slot)
            self._unchain(slot)
            self._evicted += 1
            self._account.record_evicted(1)
        else:
            return 0
        head = url_id % len(self._heads)
        self._ids[slot] = url_id
        self._failures[slot] = 0
        self._chain[slot] = self._heads[head]
        self._heads[head] = slot
        return slot

    def _grow(self) -> bool:
        """Charge and add a step of slots, and the heads with the first; False where cap or account are reached."""
        heads = 0 if self._heads else self.capacity
        room = (self._account.limit - self._account.used - heads * HEAD_BYTES) // SLOT_BYTES
        slots = min(STEP_SLOTS, self.capacity - self._slots, room)
        if slots <= 0 or not self._account.try_charge(slots * SLOT_BYTES + heads * HEAD_BYTES):
            return False
        self._heads.frombytes(bytes(heads * HEAD_BYTES))
        self._slots += slots
        for column in self._columns:
            column.frombytes(bytes(slots * column.itemsize))
        return True

    def _fit_columns(self, exactly: bool = False) -> None:
        """Give back free slots, but for a step's at most, which would soon be asked for again."""
        spare = self._slots - self._count
        if spare < (1 if exactly else 2 * STEP_SLOTS):
            return
        before = self.bytes
        self._slots = self._count if exactly else self._count + STEP_SLOTS
        for column in self._columns:
            # Shortened by few items an array keeps its memory.
            column[:] = column[: _FIRST_SLOT + self._slots]
        if not self._slots:
            del self._heads[:]
        self._account.release(before - self.bytes)

    def _victim(self) -> int:
        """The slot of the one that leaves next; there is one."""
        return self._newer[_HEALTHY] if self._newer[_HEALTHY] != _HEALTHY else self._newer[_TROUBLED]

    def _drop(self, slot: int) -> None:
        """Take an entry out; the last slot's moves into its place."""
        self._unlink(slot)
        self._discount(slot)
        self._unchain(slot)
        self._count -= 1
        last = _FIRST_SLOT + self._count
        if slot != last:
            self._replace_in_chain(last, slot)
            for column in self._columns:
                column[slot] = column[last]
            self._newer[self._older[slot]] = self._older[self._newer[slot]] = slot

    def _unchain(self, slot: int) -> None:
        self._replace_in_chain(slot, self._chain[slot])

    def _replace_in_chain(self, slot: int, by: int) -> None:
        head, chain = self._ids[slot] % len(self._heads), self._chain
        before = self._heads[head]
        if before == slot:
            self._heads[head] = by
            return
        while chain[before] != slot:
            before = chain[before]
        chain[before] = by

    def _link(self, slot: int, ring: int) -> None:
        """Make it the newest of a ring."""
        newest = self._older[ring]
        self._older[slot], self._newer[slot] = newest, ring
        self._newer[newest] = self._older[ring] = slot

    def _unlink(self, slot: int) -> None:
        older, newer = self._older[slot], self._newer[slot]
        self._newer[older], self._older[newer] = newer, older

    def _discount(self, slot: int) -> None:
        self.failing -= self._failures[slot] > 0
        self.moved -= self._moved_to[slot] > 0

    def _ring_of(self, slot: int) -> int:
        return _TROUBLED if self._is_lru or self._failures[slot] or self._moved_to[slot] else _HEALTHY

    def _ring(self, ring: int) -> list[int]:
        """The slots of a ring, the one that leaves next first."""
        slots, slot = [], self._newer[ring]
        while slot != ring:
            slots.append(slot)
            slot = self._newer[slot]
        return slots

    def _code_of(self, page: PageRow) -> int:
        """The status of an HTTP error, else the number of the reason."""
        reason = page.reason
        if page.http_status and reason == f"http_{page.http_status}":
            return page.http_status
        code = self._codes_of.get(reason)
        if code is None:
            if len(self._reasons) >= _MOST_REASONS:
                return page.http_status
            code = self._codes_of[reason] = _FIRST_REASON + len(self._reasons)
            self._reasons.append(reason)
        return code

    def _entry(self, slot: int) -> LinkHealth:
        code, failures = self._codes[slot], self._failures[slot]
        if code >= _FIRST_REASON:
            status, reason = 0, self._reasons[code - _FIRST_REASON]
        else:
            status, reason = code, f"http_{code}" if failures else ""
        return LinkHealth(
            self._ids[slot], status, reason, failures, self._moved_to[slot], self._first[slot], self._last[slot]
        )
