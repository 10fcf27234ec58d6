"""ContentIndex: which page first had a digest: the recent ones in RAM, all of them on disk."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from weaver.base.page import Observation, Parsed, Verdict
from weaver.base.settings import DedupeSettings
from weaver.dedupe.fingerprint import digests_of
from weaver.memory.bounded import BoundedLRU, StoreStatistics
from weaver.memory.budget import Account
from weaver.memory.ghost import GhostFilter
from weaver.memory.uncommitted import Uncommitted

# A digest of 17 bytes as the key (50), half an int, which a page's two digests share, and the map's entry: 168-203 B by
# tracemalloc as the map fills, 200-280 B in RSS once entries come and go, for CPython then makes its tables larger.
DIGEST_ENTRY_BYTES = 215

BODY = b"b"
TEXT = b"t"


class ColdContents(Protocol):
    """Digests on disk, as far as they were committed."""

    def page_with_digest(self, digest: bytes) -> int:
        """The id of the first page with the digest (its kind, `b` or `t`, in front); 0 where none has it."""
        ...


class ContentIndex:
    """Digest to page id, exact whatever the cap: what leaves RAM is looked up on disk, one body a page.

    With `disk = "drop"`, or without a disk (`cold`), it is not, and `forgotten` counts the digests that RAM let go.
    With a disk a digest stays until the caller says that it is there (`submitted`, `committed`), without one until it
    is among the oldest.
    """

    def __init__(
        self, settings: DedupeSettings, account: Account, cold: ColdContents | None = None, *, is_complete: bool = True
    ) -> None:
        self._drops = settings.disk == "drop" or cold is None
        self._settings = settings
        self._map: BoundedLRU[bytes, int] = BoundedLRU(
            "content", settings.max_digests, account=account, entry_bytes=DIGEST_ENTRY_BYTES,
            prune_to=settings.prune_to,
            ghost=GhostFilter.within(account) if self._drops else None,
        )  # fmt: skip
        self._cold = cold
        self._is_complete = is_complete
        self._uncommitted: Uncommitted[bytes, int] = Uncommitted()
        self.cold_lookups = 0
        self.cold_hits = 0

    def __len__(self) -> int:
        return len(self._map)

    def __repr__(self) -> str:
        return f"ContentIndex(in_ram={len(self._map)}, cold_hits={self.cold_hits} of {self.cold_lookups})"

    @property
    def forgotten(self) -> int:
        """Digests that left RAM and are not looked up on disk."""
        return self._map.evicted if self._drops else 0

    def shrink(self) -> int:
        """Let go what is over the account's present limit; the bytes released, 0 when there is nothing more."""
        return self._map.shrink()

    def statistics(self) -> StoreStatistics:
        """The figures of the digests in RAM; `reseen` counts those found again on disk, or by a ghost without it."""
        figures = self._map.statistics()
        return replace(figures, reseen=figures.reseen + self.cold_hits)

    def observe(self, page_id: int, body: bytes, parsed: Parsed) -> Observation:
        """Say whether the page's content was seen before, and remember it where it was not."""
        return self.compare(page_id, *digests_of(body, parsed.text, self._settings))

    def compare(self, page_id: int, of_body: bytes, of_text: bytes) -> Observation:
        """`observe` for a page whose digests were taken elsewhere."""
        body, text = BODY + of_body, TEXT + of_text
        same = self.page_with(body)
        if same and same != page_id:
            return Observation(Verdict.SAME_BODY, of_body, of_text, same)
        if of_text:
            same = self.page_with(text)
            if same and same != page_id:
                return Observation(Verdict.SAME_TEXT, of_body, of_text, same)
            self._remember(text, page_id)
        self._remember(body, page_id)
        return Observation(Verdict.NEW, of_body, of_text)

    def page_with(self, digest: bytes) -> int:
        """The id of the first page with this digest; 0 where none is known."""
        known = self._map.get(digest) or self._uncommitted.get(digest)
        if known:
            return known
        if self._cold is None or self._drops or (self._is_complete and not self._map.evicted):
            return 0
        self.cold_lookups += 1
        page_id = self._cold.page_with_digest(digest)
        if page_id:
            self.cold_hits += 1
            self._map.put(digest, page_id)
        return page_id

    def _remember(self, digest: bytes, page_id: int) -> None:
        if self._cold is None:
            self._map.put(digest, page_id)
        else:
            self._uncommitted.add(digest, page_id)

    def submitted(self, number: int) -> None:
        """Digests added since the last call travel with the commit record of this number."""
        self._uncommitted.submitted(number)

    def committed(self, number: int) -> None:
        """Digests of all records up to this number may be evicted from now on."""
        for digest, page_id in self._uncommitted.committed(number):
            self._map.put(digest, page_id)
