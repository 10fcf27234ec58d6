"""NearPages: which page's text is nearly that of a page seen before, in RAM or on disk."""

from __future__ import annotations

import numpy as np

from weaver.base.record import NearRow
from weaver.base.settings import DedupeSettings
from weaver.dedupe.large_text import LARGE_CHARS
from weaver.dedupe.main_text import CELL_BYTES, BoilerplateMemory
from weaver.dedupe.near import ColdDocuments, NearIndex
from weaver.dedupe.signature import SignatureEngine
from weaver.dedupe.sketch import Words
from weaver.memory.bounded import StoreStatistics
from weaver.memory.budget import Account

# A batch of keys takes some seconds of the disk's time to enter; a larger one would hold the crawl's end up.
MOST_UNMERGED = 16_384


class NearPages:
    """A page's own text, its signature, and the index of all signatures, as a crawl has them.

    The index holds the newest pages. One that left it is found on disk once its keys were merged there, which the
    writer does when `unmerged_pages` wait: half of what the index holds, so that none has left by then. Only where the
    index holds fewer pages than are on their way to the disk does a page go unseen for a while. `seed` is the crawl's
    own, in every run of it the same: who does not know it can't make pages that share a key, or blocks that share a
    count.
    """

    def __init__(
        self,
        settings: DedupeSettings,
        account: Account,
        boilerplate: Account,
        cold: ColdDocuments,
        *,
        seed: int = 0,
        is_complete: bool = True,
    ) -> None:
        self._min_text = settings.min_text
        self._engine = SignatureEngine(seed=seed)
        blocks = max(64, boilerplate.limit // CELL_BYTES)
        self._boilerplate = BoilerplateMemory(boilerplate, blocks, seed) if settings.boilerplate else None
        self._index = NearIndex(account, settings.similarity, cold=cold, is_complete=is_complete)

    def __repr__(self) -> str:
        return f"NearPages({self._index!r}, {self._boilerplate!r})"

    def __len__(self) -> int:
        """Pages in RAM."""
        return len(self._index)

    @property
    def capacity(self) -> int:
        """Pages that may be in RAM."""
        return self._index.capacity

    @property
    def unmerged_pages(self) -> int:
        """How many pages may wait for their keys to be merged on disk."""
        return max(1, min(MOST_UNMERGED, self._index.capacity // 2))

    @property
    def cold_lookups(self) -> int:
        return self._index.cold_lookups

    @property
    def cold_hits(self) -> int:
        return self._index.cold_hits

    def observe(self, page_id: int, text: str, host: str, signed: bytes = b"") -> NearRow | None:
        """What the text is compared by, and its nearest page; None for a text that is too short to say anything.

        `host` names whose pages repeat the same blocks; `signed` is a long text's signature, where it was signed as it
        was read (`LargeTexts`).
        """
        if len(text) < self._min_text:
            return None
        if self._boilerplate is None or len(text) > LARGE_CHARS:
            own, boilerplate = text, 0.0
        else:
            own, boilerplate = self._boilerplate.split(text, host)
        signature = np.frombuffer(bytearray(signed), np.uint64) if signed else self._engine.signature(own)
        observed = self._index.take(page_id, signature)
        if observed is None:
            return None
        row, keys, match = observed
        if match is None:
            return NearRow(page_id, row, keys)
        return NearRow(page_id, row, keys, match.doc_id, match.similarity, boilerplate)

    def restore(self, page_id: int, signature: Words) -> None:
        """Take back a page of an earlier run; the oldest first."""
        self._index.add(page_id, signature)

    def shrink(self) -> int:
        """Let go what is over the accounts' present limits; the bytes released, 0 when there is nothing more."""
        return self._index.shrink() or (self._boilerplate.shrink() if self._boilerplate else 0)

    def statistics(self) -> list[StoreStatistics]:
        """The figures of the index and of the blocks that hosts repeat."""
        stores = [self._index.statistics()]
        return stores if self._boilerplate is None else [*stores, self._boilerplate.statistics()]
