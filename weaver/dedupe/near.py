"""NearIndex: which document is nearly the same as one seen before, in 96 bytes a document and within its account."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Literal, NamedTuple, Protocol

import numpy as np

from weaver.dedupe.near_bands import BUCKET_BYTES, MOST_CANDIDATES, NUMBER_BITS, NearBands
from weaver.dedupe.near_rows import BLOCK_BYTES, BLOCK_ROWS, NearRows
from weaver.dedupe.shingles import jaccard
from weaver.dedupe.sketch import (
    BANDS,
    ROW_WORDS,
    SIGNATURE_WORDS,
    Words,
    is_empty,
    most_bits_by_count,
    most_bits_of,
    similarity,
)
from weaver.dedupe.words import Hashes
from weaver.memory.bounded import StoreStatistics
from weaver.memory.budget import Account
from weaver.native import compiled

# Buckets for the keys of a block of documents in a full index: nine tenths full, so that few keys are pushed out before
# their time. While the index grows there are twice as many, for those that have not split yet.
BLOCK_BUCKETS = 19
UNIT_BYTES = BLOCK_BYTES + BLOCK_BUCKETS * BUCKET_BYTES
# As many as have different numbers: 16 million documents, 1.5 GB.
MOST_BLOCKS = (1 << NUMBER_BITS) // BLOCK_ROWS - 2
# What `shrink` gives back in one call at most: 0.4 MiB.
SHRINK_BLOCKS = 64
# Below the threshold by so much, an estimate may still be of a pair that is above it: four deviations.
EXACT_MARGIN = 0.1
# Candidates whose shingles are compared for one document: the nearest by their sketches.
MOST_EXACT = 64
_ID_BITS = 32
_HEADER = (1 << 32) - 1

# Of a row that may be near word 0, how many bits differ, and the similarity that they speak for.
Close = tuple[int, int, float]
# Such rows, a document's own row and its keys, and whether it is in.
LookedUp = tuple[list[Close], bytes, bytes, bool]


@dataclass(frozen=True, slots=True)
class Match:
    """A document that is nearly the same, and the Jaccard index of the two: estimated, or exact where verified."""

    doc_id: int
    similarity: float


class Observed(NamedTuple):
    """What is kept of a document, as bytes of native words (`row_of`, `band_keys_of`), and the nearest earlier one."""

    row: bytes
    keys: bytes
    match: Match | None


class ColdBands(Protocol):
    """Band keys on disk."""

    def lookup(self, band_keys: Words) -> Sequence[int]:
        """Ids of documents that have one of these eight keys, the latest first; the caller takes MOST_CANDIDATES."""
        ...


class ColdSignatures(Protocol):
    """Signatures on disk."""

    def get(self, doc_ids: Sequence[int]) -> Words:
        """What `row_of` gave for each of the documents, one a row in any order; without those that are not there."""
        ...


class ColdDocuments(ColdBands, ColdSignatures, Protocol):
    """Both, as far as they were committed."""


class NearIndex:
    """The last documents by their signatures, as many as the account holds; a document's nearest is found at once.

    Banded locality-sensitive hashing (Indyk and Motwani 1998): documents that share one of eight band keys are compared
    by their sketches, at most MOST_CANDIDATES of them, the last ones under each key. Two texts with a Jaccard index of
    0.8 share a key in 98 of 100 cases, those with 0.85 in 99.7, with 0.3 in 6.

    - The oldest documents leave first (`max_documents`, or the account). A group of near duplicates that goes on coming
      stays known, as each member finds the one before it; `Clusters` joins them. With `keep="unmatched"` a document
      that matches is not kept, so that the same room reaches further back.
    - With `cold`, what left RAM is looked up on disk where RAM has no match.
    - With `exact`, a candidate's own shingles (ascending, `SignatureEngine.shingles`) decide instead of the sketch.

    Document ids are from 1 to 2^32 - 1; all signatures are of one engine's settings. Invariants: the account holds
    `bytes`, at most 96 a document in an index that is full; the rows held are the last ones. `observe` and `matches`
    are O(1).
    """

    def __init__(
        self,
        account: Account,
        threshold: float = 0.85,
        *,
        max_documents: int | None = None,
        keep: Literal["all", "unmatched"] = "all",
        cold: ColdDocuments | None = None,
        is_complete: bool = True,
        exact: Callable[[int], Hashes | None] | None = None,
    ) -> None:
        if not 0.5 <= threshold <= 1:
            raise ValueError(f"expected a threshold from 0.5 to 1, got {threshold}")
        if max_documents is not None and max_documents < 1:
            raise ValueError(f"expected max_documents >= 1, got {max_documents}")
        self.threshold = threshold
        self._account = account
        self._keep = keep
        self._cold = cold
        self._is_complete = is_complete
        self._exact = exact
        self._most_bits = most_bits_by_count(threshold - EXACT_MARGIN * (exact is not None))
        affordable = min(max(1, account.base_limit // UNIT_BYTES), MOST_BLOCKS)
        self._most_documents = affordable * BLOCK_ROWS if max_documents is None else max_documents
        self._most_blocks = min(affordable, -(-self._most_documents // BLOCK_ROWS) + 1)
        self._rows = NearRows(self._most_blocks, NUMBER_BITS)
        self._bands = NearBands(self._most_blocks * BLOCK_BUCKETS, BLOCK_BUCKETS)
        account.hold(self._bytes_of(1))  # the least that an index is, be the account full or not
        self._add_block()
        self._peak = self._evicted = self._empty = self._hits = self._misses = 0
        self.cold_lookups = self.cold_hits = 0

    def __repr__(self) -> str:
        return f"NearIndex({len(self._rows)} of {self.capacity}, threshold={self.threshold})"

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def bytes(self) -> int:
        """What it takes now: its blocks and its buckets."""
        return self._rows.blocks * BLOCK_BYTES + self._bands.buckets * BUCKET_BYTES

    @property
    def capacity(self) -> int:
        """Documents that the index may grow to, as the account stands."""
        return min(self._most_documents, max(self._rows.blocks, self._affordable_blocks()) * BLOCK_ROWS)

    def observe(self, doc_id: int, signature: Words, shingles: Hashes | None = None) -> Match | None:
        """The nearest earlier document at or above the threshold, None where there is none; and remember this one.

        A document never matches itself, and is not remembered twice with the same signature. One without words is
        neither matched nor remembered.
        """
        observed = self.take(doc_id, signature, shingles)
        return observed.match if observed is not None else None

    def take(self, doc_id: int, signature: Words, shingles: Hashes | None = None) -> Observed | None:
        """The same, with what is kept of the document; None for one without words."""
        assert 0 < doc_id < 1 << 32, f"expected a document id from 1 to 2^32 - 1, got {doc_id}"
        rows, held = self._rows, self._rows.held
        # Whether the next row may be written as soon as it is known: nothing has to leave for it.
        has_room = rows.has_place and held < self._most_documents and self._keep == "all" and not self._is_over()
        looked_up = self._looked_up(doc_id, signature, held, has_room=has_room)
        if looked_up is None:
            self._misses += 1
            self._empty += 1
            return None
        close, row, keys, is_in = looked_up
        found = self._verified(close, shingles, doc_id) if close else []
        if is_in:
            rows.appended()
            self._peak = max(self._peak, held + 1)
        if not found:
            found = self._cold_matches(signature, shingles, doc_id)
        if not found:
            self._misses += 1
        else:
            self._hits += 1
        if not is_in and not (found and self._keep == "unmatched") and not _has(close, row):
            self._append(doc_id, signature)
        return Observed(row, keys, found[0] if found else None)

    def matches(self, signature: Words, shingles: Hashes | None = None) -> list[Match]:
        """All documents found at or above the threshold, the most similar first, of equals the earliest; no change."""
        looked_up = self._looked_up(0, signature, self._rows.held, has_room=False)
        if looked_up is None:
            return []
        return self._verified(looked_up[0], shingles, 0) or self._cold_matches(signature, shingles, 0)

    def add(self, doc_id: int, signature: Words) -> None:
        """Remember a document without looking anything up, as when an index is filled again from disk."""
        if not is_empty(signature):
            self._append(doc_id, signature)

    def evict(self, n: int) -> list[int]:
        """Let the `n` oldest documents go; their ids, the oldest first. Frees rows, not bytes."""
        return self._forget(min(max(0, n), len(self._rows)))

    def shrink(self) -> int:
        """Give back what is over the account's limit, at most 0.4 MiB a call; the bytes released, 0 at the end."""
        before, fewest = self.bytes, self._rows.blocks - SHRINK_BLOCKS
        while self._is_over() and self._rows.blocks > fewest:
            self._drop_block()
        if self.bytes < before:
            self._rows.trim()
            self._bands.trim()
        return before - self.bytes

    def statistics(self) -> StoreStatistics:
        """The figures now; `refused` are documents without words, `reseen` those found again on disk."""
        return StoreStatistics(
            "near", len(self._rows), self.capacity, self._peak, self.bytes, self._hits,
            self._misses, self._evicted, refused=self._empty, reseen=self.cold_hits,
        )  # fmt: skip

    def check(self) -> None:
        """Assert the invariants; O(blocks)."""
        self._rows.check()
        assert 1 <= self._rows.blocks <= self._most_blocks, self
        self._bands.check()
        assert len(self._rows) <= min(self._peak, self._most_documents), self
        assert self.bytes == self._bytes_of(self._rows.blocks) <= self._account.used, self
        self._account.check()

    def _append(self, doc_id: int, signature: Words) -> None:
        assert len(signature) == SIGNATURE_WORDS, f"expected {SIGNATURE_WORDS} words, got {len(signature)}"
        self._make_room()
        number, index = self._rows.append()
        if compiled is None:
            self._rows.write(index, row_of(doc_id, signature))
            self._bands.put(signature, number)
        else:
            compiled.near_put(signature, *self._bands.layout, number, self._rows.layout[0], index, doc_id)
        self._peak = max(self._peak, len(self._rows))

    def _looked_up(self, doc_id: int, signature: Words, held: int, *, has_room: bool) -> LookedUp | None:
        """Of the rows held those that share a band key and may be near, the oldest first.

        And the document's row and keys, and whether it is the next row now, which it becomes where there is room for
        one and it was not there; None where it has no words.
        """
        if compiled is None:
            return self._looked_up_in_numpy(doc_id, signature)
        rows = self._rows
        return compiled.near_observe(
            signature, *self._bands.layout, *rows.layout, rows.next_number, held, self._most_bits, has_room, doc_id
        )

    def _looked_up_in_numpy(self, doc_id: int, signature: Words) -> LookedUp | None:
        """The same, by the twin, which leaves it to `_append` to write rows."""
        if is_empty(signature):
            return None
        ages = self._rows.ages_of(self._bands.candidates(signature))
        close = self._close(self._rows.take(ages), signature)
        return close, row_of(doc_id, signature).tobytes(), band_keys_of(signature).tobytes(), False

    def _close(self, rows: Words, signature: Words) -> list[Close]:
        """Of rows, the youngest first, those that may be near, the oldest first."""
        differing = np.bitwise_count(rows[:, 1:] ^ signature[1:ROW_WORDS]).sum(axis=1, dtype=np.intp)
        close = (differing <= most_bits_of(signature, self._most_bits)).nonzero()[0][::-1]
        if not len(close):
            return []
        header = int(signature[0])
        pairs = zip(rows[close, 0].tolist(), differing[close].tolist(), strict=True)
        return [(word, bits, similarity(header, word, bits)) for word, bits in pairs]

    def _verified(self, close: list[Close], shingles: Hashes | None, doc_id: int) -> list[Match]:
        """Those that are near, the most similar first, the document itself left out."""
        least = self.threshold - EXACT_MARGIN * (self._exact is not None and shingles is not None)
        if least < self.threshold:
            close = sorted(close, key=itemgetter(1))[:MOST_EXACT]
        found: dict[int, Match] = {}
        for word, _, estimate in close:
            other_id = word >> _ID_BITS
            if estimate >= least and other_id != doc_id:
                share = self._exactly(other_id, shingles, estimate)
                if share >= self.threshold:
                    found[other_id] = Match(other_id, share)
        return sorted(found.values(), key=attrgetter("similarity"), reverse=True)

    def _exactly(self, doc_id: int, shingles: Hashes | None, estimate: float) -> float:
        others = self._exact(doc_id) if self._exact is not None and shingles is not None else None
        return estimate if others is None or shingles is None else jaccard(shingles, others)

    def _cold_matches(self, signature: Words, shingles: Hashes | None, doc_id: int) -> list[Match]:
        if self._cold is None or (self._is_complete and not self._evicted):
            return []
        self.cold_lookups += 1
        ids = self._cold.lookup(signature[ROW_WORDS:])[:MOST_CANDIDATES]
        close = self._close(self._cold.get(ids), signature) if ids else []
        found = self._verified(close, shingles, doc_id)
        self.cold_hits += bool(found)
        return found

    def _make_room(self) -> None:
        if self._is_over():
            self._drop_block()
        if len(self._rows) >= self._most_documents:
            self._forget(1)
        if self._rows.needs_block:
            blocks = self._rows.blocks
            more_bytes = self._bytes_of(blocks + 1) - self._bytes_of(blocks)
            if blocks < self._most_blocks and self._account.try_charge(more_bytes):
                self._add_block()
            else:
                self._forget(self._rows.in_oldest_block)

    def _add_block(self) -> None:
        self._rows.add_block()
        self._bands.grow(2 * BLOCK_BUCKETS * self._rows.blocks)

    def _drop_block(self) -> None:
        if not self._rows.has_free_block:
            self._forget(self._rows.in_oldest_block)
        before = self.bytes
        self._rows.remove_block()
        self._bands.merge(2 * BLOCK_BUCKETS * self._rows.blocks)
        self._account.release(before - self.bytes)

    def _is_over(self) -> bool:
        return self._account.used > self._account.limit and self._rows.blocks > 1

    def _affordable_blocks(self) -> int:
        """Blocks that the account has room for: with buckets to spare, or with the most there can be."""
        room = self._account.limit - self._account.used + self.bytes
        growing = room // (BLOCK_BYTES + 2 * BLOCK_BUCKETS * BUCKET_BYTES)
        full = (room - self._bands.most * BUCKET_BYTES) // BLOCK_BYTES
        return min(self._most_blocks, max(growing, full))

    def _bytes_of(self, blocks: int) -> int:
        """What an index of so many blocks takes."""
        buckets = max(self._bands.first, min(2 * BLOCK_BUCKETS * blocks, self._bands.most))
        return blocks * BLOCK_BYTES + buckets * BUCKET_BYTES

    def _forget(self, count: int) -> list[int]:
        self._evicted += count
        self._account.record_evicted(count)
        return self._rows.drop(count)


def _has(close: list[Close], row: bytes) -> bool:
    """Whether the document is there with the same signature."""
    own = int.from_bytes(row[:8], sys.byteorder)
    return any(word == own and not bits for word, bits, _ in close)


def row_of(doc_id: int, signature: Words) -> Words:
    """What is kept of a document, in RAM and on disk: ROW_WORDS words, the id in the high half of the first."""
    row = signature[:ROW_WORDS].copy()
    row[0] = int(row[0]) & _HEADER | doc_id << _ID_BITS
    return row


def band_keys_of(signature: Words) -> Words:
    """The BANDS keys under which a document is found."""
    return signature[ROW_WORDS : ROW_WORDS + BANDS].copy()
