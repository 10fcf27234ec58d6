"""CorpusClusters: which documents belong together, which one of them is kept, and how similar they are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, islice, product

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.corpora import COLUMN_BYTES, Columns, Corpora, Numbers
from weaver.base.errors import SettingsError
from weaver.base.units import format_count, format_size
from weaver.dedupe.clusters import ID_BYTES, Clusters
from weaver.memory.budget import Account
from weaver.persistence.corpus_store import DocumentRow

DOCUMENT_BYTES = COLUMN_BYTES + ID_BYTES + 4 * 4 + 8 * 4
"""What a document takes while clusters are told: columns, cluster and class, best similarity, orders and sizes."""
BATCH_ROWS = 900
"""Of one look-up of ids: a pair names two."""
EXACT, NEAR, KEPT = "exact", "near", "kept"

Similar = tuple[int, int, float]


@dataclass(frozen=True, slots=True)
class Member:
    """A document of a cluster. `kind` is `kept` for its first one, else `exact` (the same text) or `near`.

    `similarity` is the highest to another document of the cluster; `is_earlier` says that it is of an earlier corpus.
    """

    cluster: int
    id: str
    kind: str
    similarity: float
    source: str
    position: int
    is_earlier: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """A document to keep, and where it stands."""

    id: str
    source: str
    position: int


@dataclass(frozen=True, slots=True)
class SimilarPair:
    """Two documents by their ids, the one that was read first in front."""

    id_a: str
    id_b: str
    similarity: float


def check_fits(documents: int, limit_bytes: int) -> None:
    """Raise SettingsError, which says how much is needed, where so many documents don't fit."""
    if documents * DOCUMENT_BYTES > limit_bytes:
        raise SettingsError(
            f"{format_count(documents)} documents need {format_size(documents * DOCUMENT_BYTES)} for their clusters,"
            f" got {format_size(limit_bytes)} of --memory; with more, the same command goes on"
        )


class CorpusClusters:
    """Single-linkage clusters over verified pairs, documents with one text or one set of shingles joined first.

    Each cluster's root is its first document; documents without a word are in none. The account must have room for
    DOCUMENT_BYTES a document (`check_fits`).
    """

    def __init__(self, corpora: Corpora, columns: Columns, account: Account) -> None:
        self._corpora = corpora
        self._columns = columns
        self._classes = _resolved(columns.same_as)
        self._roots, self._best = self._joined(account)
        self._sizes = np.bincount(self._roots, minlength=len(self._roots)).astype(np.uint32)
        self.omitted_pairs = 0

    def __repr__(self) -> str:
        return f"CorpusClusters({self.clusters} of {self._corpora.total} documents)"

    @property
    def clusters(self) -> int:
        """How many have a document of ours and another."""
        return len(self._own_roots())

    @property
    def largest(self) -> int:
        """The documents of the largest cluster; 0 where there is none."""
        roots = self._own_roots()
        return int(self._sizes[roots].max()) if len(roots) else 0

    def counts(self) -> dict[str, int]:
        """Our documents: those that are `kept`, and the duplicates among the others by kind."""
        own = slice(self._corpora.own_offset + 1, None)
        is_duplicate = self._roots[own] != np.arange(len(self._roots), dtype=np.uint32)[own]
        exact = int(np.count_nonzero(is_duplicate & self._columns.is_same_text[own]))
        duplicates = int(np.count_nonzero(is_duplicate))
        return {KEPT: len(is_duplicate) - duplicates, EXACT: exact, NEAR: duplicates - exact}

    def members(self) -> Iterator[Member]:
        """The documents of all clusters, cluster by cluster, each in the order of reading."""
        is_in = np.zeros(len(self._roots), np.bool_)
        is_in[self._own_roots()] = True
        numbers = np.flatnonzero(is_in[self._roots]).astype(np.uint32)
        numbers = numbers[np.argsort(self._roots[numbers], kind="stable")]
        cluster, root = 0, 0
        for at in range(0, len(numbers), BATCH_ROWS):
            batch = numbers[at : at + BATCH_ROWS].tolist()
            documents = self._corpora.documents_at(batch)
            for number in batch:
                cluster += int(self._roots[number]) != root
                root = int(self._roots[number])
                yield self._member(cluster, number, documents[number])

    def kept(self) -> Iterator[tuple[Kept, DocumentRow]]:
        """Our documents that are the first of their cluster, or in none."""
        offset = self._corpora.own_offset
        for rows in self._corpora.own.documents():
            for row in rows:
                number = offset + row.number
                if self._roots[number] == number:
                    yield Kept(row.id, self._corpora.source_of(number, row), row.position), row

    def pairs(self, most_per_cluster: int) -> Iterator[SimilarPair]:
        """Every two documents that are similar, at most so many of a cluster; `omitted_pairs` counts the others."""
        pairs = self._expanded(most_per_cluster)
        while batch := list(islice(pairs, BATCH_ROWS)):
            documents = self._corpora.documents_at(list({number for pair in batch for number in pair[:2]}))
            for first, second, similarity in batch:
                yield SimilarPair(documents[first].id, documents[second].id, similarity)

    def _member(self, cluster: int, number: int, document: DocumentRow) -> Member:
        is_first = self._roots[number] == number
        kind = KEPT if is_first else EXACT if document.is_same_text else NEAR
        return Member(
            cluster,
            document.id,
            kind,
            round(float(self._best[number]), 6),
            self._corpora.source_of(number, document),
            document.position,
            number <= self._corpora.own_offset,
        )

    def _own_roots(self) -> Numbers:
        """The roots of clusters of two and more that have a document of ours."""
        has_ours = np.zeros(len(self._roots), np.bool_)
        has_ours[self._roots[self._corpora.own_offset + 1 :]] = True
        return np.flatnonzero(has_ours & (self._sizes > 1)).astype(np.uint32)

    def _joined(self, account: Account) -> tuple[Numbers, NDArray[np.float32]]:
        """The cluster of each document, and its best similarity."""
        own_numbers = np.arange(len(self._classes), dtype=np.uint32)
        joined, best = Clusters(account, len(self._classes)), np.zeros(len(self._classes), np.float32)
        is_same = self._classes != own_numbers
        for number in np.flatnonzero(is_same).tolist():
            joined.union(number, int(self._classes[number]))
        for window in self._corpora.own.pairs():
            for first, second, similarity in window:
                joined.union(first, second)
                best[first], best[second] = max(best[first], similarity), max(best[second], similarity)
        best[is_same] = best[self._classes[is_same]] = 1.0
        assert not joined.refused, joined
        roots = np.fromiter(joined.pairs(), [("number", np.uint32), ("root", np.uint32)])
        own_numbers[roots["number"]] = roots["root"]
        return own_numbers, best

    def _expanded(self, most: int) -> Iterator[Similar]:
        """Pairs of numbers, one of them ours: first those of one class, then those of two similar classes."""
        classes = _Classes(self._classes, self._corpora.own_offset)
        left = np.full(len(self._roots), min(most, (1 << 32) - 1), np.uint32)
        for number in classes.of_several():
            yield from self._up_to(left, number, classes.pairs_within(number), classes.count_within(number))
        for window in self._corpora.own.pairs():
            for one, other, similarity in window:
                pairs = ((*pair, similarity) for pair in classes.pairs_between(one, other))
                yield from self._up_to(left, one, pairs, classes.count_between(one, other))

    def _up_to(self, left: Numbers, number: int, pairs: Iterable[Similar], count: int) -> Iterator[Similar]:
        """As many of the pairs as the cluster has left."""
        root = self._roots[number]
        taken = min(count, int(left[root]))
        left[root] -= taken
        self.omitted_pairs += count - taken
        yield from islice(pairs, taken)


class _Classes:
    """Documents that are the same, by the first of them; a pair counts where one of the two is ours."""

    def __init__(self, firsts: Numbers, own_offset: int) -> None:
        self._order = np.argsort(firsts, kind="stable").astype(np.uint32)
        self._sizes = np.bincount(firsts, minlength=len(firsts)).astype(np.uint32)
        self._begins = np.cumsum(self._sizes, dtype=np.int64) - self._sizes
        self._own_offset = own_offset

    def of_several(self) -> Iterator[int]:
        """The classes of two and more."""
        for number in np.flatnonzero(self._sizes > 1):
            yield int(number)

    def members(self, number: int) -> list[int]:
        """All documents of a class, rising."""
        begin = int(self._begins[number])
        members: list[int] = self._order[begin : begin + int(self._sizes[number])].tolist()
        return members

    def pairs_within(self, number: int) -> Iterator[Similar]:
        """All pairs of a class."""
        for one, other in combinations(self.members(number), 2):
            if other > self._own_offset:
                yield one, other, 1.0

    def pairs_between(self, number: int, other_number: int) -> Iterator[tuple[int, int]]:
        """All pairs of two classes, the lower number first."""
        for one, other in product(self.members(number), self.members(other_number)):
            if max(one, other) > self._own_offset:
                yield min(one, other), max(one, other)

    def count_within(self, number: int) -> int:
        """How many pairs `pairs_within` has."""
        earlier = self._earlier(number)
        return math.comb(int(self._sizes[number]), 2) - math.comb(earlier, 2)

    def count_between(self, number: int, other: int) -> int:
        """How many pairs `pairs_between` has."""
        return int(self._sizes[number]) * int(self._sizes[other]) - self._earlier(number) * self._earlier(other)

    def _earlier(self, number: int) -> int:
        begin = int(self._begins[number])
        members = self._order[begin : begin + int(self._sizes[number])]
        return int(np.searchsorted(members, self._own_offset, side="right"))


def _resolved(parents: Numbers) -> Numbers:
    """The first document of each one's class, by earlier ones that it is the same as; 0 for none."""
    roots = np.where(parents == 0, np.arange(len(parents), dtype=np.uint32), parents)
    while not np.array_equal(above := roots[roots], roots):
        roots = above
    return roots
