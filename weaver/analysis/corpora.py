"""Corpora: the corpus that is being read and the earlier ones it is compared with, as one row of numbers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.corpus_shingles import ShingleSet, unpacked
from weaver.memory.bounded import BoundedLRU
from weaver.memory.budget import Account
from weaver.persistence.corpus_store import CorpusStore, DocumentRow

EARLIER_DOCUMENTS = "earlier_documents"
"""The store's value that says how many documents of other corpora were counted before its own."""
COLUMN_BYTES = 4 + 4 + 1
ENTRY_BYTES = 400
"""Of kept shingles, beside their own: the map's entry and the array's header."""

Numbers = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Columns:
    """Of all documents by their number, from 1 on: how many shingles, which earlier document is the same, and how."""

    shingles: Numbers
    same_as: Numbers
    is_same_text: NDArray[np.bool_]


class Corpora:
    """Earlier corpora, then our own; a document's number counts those of all corpora before its own.

    The shingles asked for last are kept, within the account.
    """

    def __init__(self, earlier: list[CorpusStore], own: CorpusStore, account: Account) -> None:
        self._stores = [*earlier, own]
        self._offsets = [0, *accumulate(store.count() for store in earlier)]
        self.own = own
        self.own_offset = self._offsets[-1]
        self._kept: BoundedLRU[int, ShingleSet] = BoundedLRU(
            "shingles", 1 << 30, account=account, entry_bytes=ENTRY_BYTES, bytes_of=lambda _number, kept: kept.nbytes
        )

    def __repr__(self) -> str:
        return f"Corpora({len(self._stores) - 1} earlier with {self.own_offset} documents, {self.own!r})"

    @property
    def total(self) -> int:
        """The highest number."""
        return self.own_offset + self.own.count()

    def number_of(self, digest: bytes) -> int:
        """The first document with a digest; 0 where none has it."""
        for offset, store in zip(self._offsets, self._stores, strict=True):
            if number := store.number_of(digest):
                return offset + number
        return 0

    def documents_at(self, numbers: list[int]) -> dict[int, DocumentRow]:
        """The documents of some numbers, which they keep; at most as many as one SELECT takes."""
        found = {}
        for index, offset in enumerate(self._offsets):
            local = [number - offset for number in numbers if self._index_of(number) == index]
            rows = self._stores[index].documents_at(local) if local else {}
            found.update({offset + number: row for number, row in rows.items()})
        return found

    def source_of(self, number: int, document: DocumentRow) -> str:
        """The path of the source that a document is in."""
        return self._paths[self._index_of(number)].get(document.source_id, "")

    @cached_property
    def _paths(self) -> list[dict[int, str]]:
        return [{source.id: source.path for source in store.sources()} for store in self._stores]

    def key_blocks(self, band: int) -> Iterator[tuple[Numbers, Numbers]]:
        """The keys of a band and the numbers of their documents, some thousand at a time."""
        for offset, store in zip(self._offsets, self._stores, strict=True):
            for block in store.key_blocks(band):
                yield np.frombuffer(block.keys, np.uint32), np.frombuffer(block.numbers, np.uint32) + np.uint32(offset)

    def shingles_of(self, number: int) -> ShingleSet:
        """What was kept of a document: its shingles, or the signature of many."""
        kept = self._kept.get(number)
        if kept is None:
            kept = self.shingles_on_disk(number)
            self._kept.put(number, kept)
        return kept

    def shingles_on_disk(self, number: int) -> ShingleSet:
        """The same, without a place in RAM."""
        index = self._index_of(number)
        blob = self._stores[index].shingles_of(number - self._offsets[index])
        return unpacked(blob) if blob is not None else np.zeros(0, np.uint32)

    def columns(self) -> Columns:
        """What the comparison needs of each document: COLUMN_BYTES for each."""
        shingles, same_as = np.zeros(self.total + 1, np.uint32), np.zeros(self.total + 1, np.uint32)
        is_same_text = np.zeros(self.total + 1, np.bool_)
        for index, store in enumerate(self._stores):
            for rows in store.columns():
                numbers, counts, same, is_text = np.array(rows, np.int64).T
                numbers += self._offsets[index]
                shingles[numbers] = counts
                is_same_text[numbers] = is_text
                same_as[numbers] = self._same_in(index)(same)
        return Columns(shingles, same_as, is_same_text)

    def _same_in(self, index: int) -> Callable[[NDArray[np.int64]], NDArray[np.int64]]:
        """How a corpus's own count of those before it becomes ours; what it had from another is 0."""
        if self._stores[index] is self.own:
            return lambda same: same
        before = int(self._stores[index].meta(EARLIER_DOCUMENTS) or 0)
        shift = self._offsets[index] - before
        return lambda same: np.where(same > before, same + shift, 0)

    def _index_of(self, number: int) -> int:
        return bisect_right(self._offsets, number - 1) - 1
