"""The near index: near duplicates are found, nothing else is, and no document makes it slow."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest

from weaver.dedupe import Match, NearIndex, SignatureEngine
from weaver.dedupe.near import UNIT_BYTES, band_keys_of, row_of
from weaver.dedupe.near_bands import MOST_CANDIDATES
from weaver.dedupe.near_rows import BLOCK_ROWS
from weaver.dedupe.sketch import ROW_WORDS, Words
from weaver.memory import Account

ENGINE = SignatureEngine()


def words_of(seed: int, count: int = 300) -> list[str]:
    random = Random(seed)
    return [f"w{random.randrange(10**6)}" for _ in range(count)]


def changed(words: list[str], share: float) -> str:
    return " ".join([*words[: int(len(words) * (1 - share))], *words_of(len(words) + 7, int(len(words) * share))])


def signature(text: str) -> Words:
    return ENGINE.signature(text).copy()


def index(limit: int = 1 << 20, **settings: object) -> NearIndex:
    return NearIndex(Account("near", limit), **settings)  # type: ignore[arg-type]


class FakeDisk:
    """What was committed of each document."""

    def __init__(self) -> None:
        self.ids: dict[int, list[int]] = {}
        self.rows: dict[int, Words] = {}

    def add(self, doc_id: int, signature: Words) -> None:
        self.rows[doc_id] = row_of(doc_id, signature)
        for key in band_keys_of(signature).tolist():
            self.ids.setdefault(key, []).insert(0, doc_id)

    def lookup(self, band_keys: Words) -> Sequence[int]:
        return list(dict.fromkeys(doc_id for key in band_keys.tolist() for doc_id in self.ids.get(key, ())))

    def get(self, doc_ids: Sequence[int]) -> Words:
        rows = [self.rows[doc_id] for doc_id in doc_ids if doc_id in self.rows]
        return np.array(rows, np.uint64).reshape(-1, ROW_WORDS)


def test_a_near_duplicate_names_the_document_seen_before() -> None:
    """A text with a few words changed matches the earlier one, with a similarity near the exact one."""
    near = index()
    words = words_of(1)
    assert near.observe(1, signature(" ".join(words))) is None
    match = near.observe(2, signature(changed(words, 0.03)))
    assert match is not None
    assert match.doc_id == 1
    assert match.similarity == pytest.approx(0.94, abs=0.05)


def test_documents_with_half_their_text_in_common_are_not_merged() -> None:
    """Of 300 pages that share half of their words, and so a third of their shingles, none matches another."""
    near, common = index(), words_of(0, 150)
    pages = [signature(" ".join(common + words_of(seed, 150))) for seed in range(1, 301)]
    assert [near.observe(number, page) for number, page in enumerate(pages, start=1)] == [None] * 300


def test_the_most_similar_comes_first_and_of_equals_the_earliest() -> None:
    """Matches are ordered by similarity, then by age."""
    near, words = index(), words_of(1)
    near.add(1, signature(changed(words, 0.06)))
    near.add(2, signature(" ".join(words)))
    near.add(3, signature(" ".join(words)))
    found = near.matches(signature(" ".join(words)))
    assert [match.doc_id for match in found] == [2, 3, 1]
    assert found[0] == Match(2, 1.0)
    assert len(near) == 3


def test_a_document_is_no_duplicate_of_itself() -> None:
    """A page fetched a second time, changed or not, does not match its own earlier visit."""
    near, words = index(), words_of(1)
    assert near.observe(1, signature(" ".join(words))) is None
    assert near.observe(1, signature(" ".join(words))) is None
    assert near.observe(1, signature(changed(words, 0.02))) is None
    assert len(near) == 2


def test_empty_documents_are_never_merged() -> None:
    """Pages without words are neither matched nor kept, and are counted."""
    near = index()
    assert [near.observe(number, signature(" ")) for number in range(1, 20)] == [None] * 19
    assert len(near) == 0
    assert near.statistics().refused == 19


def test_different_words_repeated_are_different_documents() -> None:
    """Of pages that are one word again and again, only those of the same word match."""
    near = index()
    for number in range(1, 400):
        assert near.observe(number, signature(f"word{number} " * 500)) is None
    match = near.observe(1_000, signature("word7 " * 900))
    assert match == Match(7, 1.0)


def test_the_threshold_decides() -> None:
    """A pair of similarity 0.75 or so is a match at 0.6, and none at 0.9."""
    words = words_of(3, 600)
    one, other = signature(" ".join(words)), signature(changed(words, 0.14))
    for threshold, is_match in ((0.6, True), (0.9, False)):
        near = index(threshold=threshold)
        near.add(1, one)
        assert bool(near.matches(other)) is is_match


def test_exact_similarity_decides_where_it_is_given() -> None:
    """With stored shingles the index answers with the exact Jaccard index, at the threshold to the digit."""
    words = words_of(5)
    texts = {1: " ".join(words), 2: changed(words, 0.05)}
    sets = {number: ENGINE.shingles(text) for number, text in texts.items()}
    exact = len(np.intersect1d(sets[1], sets[2])) / len(np.union1d(sets[1], sets[2]))
    for threshold, expected in ((exact, [Match(1, exact)]), (exact + 1e-9, [])):
        near = index(threshold=threshold, exact=sets.get)
        near.add(1, signature(texts[1]))
        assert near.matches(signature(texts[2]), sets[2]) == expected


def test_what_left_ram_is_found_on_disk() -> None:
    """With room for 64 documents, near duplicates 1,000 documents apart are still found."""
    disk = FakeDisk()
    near = index(UNIT_BYTES, cold=disk)
    for number in range(1, 1_001):
        page = signature(" ".join(words_of(number, 100)))
        assert near.observe(number, page) is None
        disk.add(number, page)
    assert len(near) <= BLOCK_ROWS
    found = [near.matches(signature(changed(words_of(number, 100), 0.02))) for number in range(1, 1_001, 50)]
    assert [match[0].doc_id for match in found] == list(range(1, 1_001, 50))
    assert near.cold_hits == 20
    assert near.statistics().reseen == 20


def test_the_disk_is_not_asked_while_ram_holds_all() -> None:
    """Before anything was let go a miss costs no look-up on disk."""
    near = index(cold=FakeDisk())
    for number in range(1, 50):
        near.observe(number, signature(" ".join(words_of(number))))
    assert near.cold_lookups == 0


def test_the_latest_documents_are_kept() -> None:
    """At its cap the index forgets the oldest document for each new one, and counts them."""
    near = index(max_documents=10)
    pages = [signature(" ".join(words_of(number))) for number in range(1, 101)]
    for number, page in enumerate(pages, start=1):
        near.observe(number, page)
        assert len(near) <= 10
        near.check()
    assert [bool(near.matches(page)) for page in pages] == [False] * 90 + [True] * 10
    assert near.statistics().evicted == 90


def test_only_what_matches_nothing_is_kept_where_asked() -> None:
    """With `unmatched` a hundred copies take the room of one document."""
    near, words = index(keep="unmatched"), words_of(1)
    for number in range(1, 101):
        near.observe(number, signature(changed(words, 0.01 * (number % 3))))
    assert len(near) == 1


def test_a_flood_of_one_key_costs_each_page_the_same() -> None:
    """Documents made to share every band key never give more candidates than the bound, and none is merged."""
    near = index(8 << 20)
    rows = np.random.default_rng(1).integers(0, 2**64, (3_000, 15), dtype=np.uint64)
    head = signature(" ".join(words_of(1)))
    rows[:, 0], rows[:, ROW_WORDS:] = head[0], head[ROW_WORDS:]
    for number, row in enumerate(rows, start=1):
        assert near.observe(number, row) is None
    assert len(near._bands.candidates(head)) == MOST_CANDIDATES
    near.check()


@pytest.mark.parametrize("bits", [24, 32])
def test_documents_are_found_when_their_numbers_begin_again(bits: int) -> None:
    """After as many documents as numbers have values, the last ones are still found, and no other is."""
    near = index(4 * UNIT_BYTES)
    near._rows.first = near._rows.next_number = (1 << bits) - BLOCK_ROWS
    pages = [signature(" ".join(words_of(number, 40))) for number in range(1, 401)]
    for number, page in enumerate(pages, start=1):
        assert near.observe(number, page) is None
        near.check()
    found = [near.matches(page) for page in pages]
    assert [match[0].doc_id for match in found if match] == list(range(401 - len(near), 401))


@pytest.mark.parametrize("settings", [{"threshold": 0.2}, {"threshold": 1.1}, {"max_documents": 0}])
def test_settings_that_cannot_be_are_refused(settings: dict[str, float]) -> None:
    """A threshold is from 0.5 to 1, a cap at least 1."""
    with pytest.raises(ValueError, match="expected"):
        index(**settings)


def test_a_document_takes_at_most_96_bytes() -> None:
    """The charge of a block is at most 96 bytes for each of its documents."""
    assert UNIT_BYTES / BLOCK_ROWS <= 96
