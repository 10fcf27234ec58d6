"""Shingle sets and the keys that they are found by: nothing small is missed, little that is large."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaver.analysis.corpus_keys import SMALL, KeyMaker, RareFirst, bands_for
from weaver.analysis.corpus_shingles import ShingleSet, ShingleSets, jaccard, packed, unpacked

HASHES = st.sets(st.integers(0, (1 << 32) - 1), min_size=1, max_size=400)


def as_set(hashes: set[int]) -> ShingleSet:
    """The hashes as they are kept."""
    return np.array(sorted(hashes), np.uint32)


@given(HASHES)
def test_what_is_packed_is_unpacked(hashes: set[int]) -> None:
    """A set of any size comes back as it was."""
    assert unpacked(packed(as_set(hashes))).tolist() == sorted(hashes)


@given(st.sets(st.integers(0, 60), min_size=1), st.lists(st.sets(st.integers(0, 60), min_size=1), min_size=1))
def test_similarities_are_those_of_the_sets(one: set[int], others: list[set[int]]) -> None:
    """One set compared with many in one go gives what Python's sets give."""
    ratios = jaccard(as_set(one), [as_set(other) for other in others])
    assert ratios.tolist() == [len(one & other) / len(one | other) for other in others]


@given(
    st.lists(st.sets(st.integers(0, 40), min_size=1, max_size=20), min_size=2, max_size=12),
    st.floats(0.3, 1.0),
    st.sampled_from([1, 7, 1 << 12]),
)
def test_small_sets_that_are_similar_share_a_rare_hash(sets: list[set[int]], threshold: float, counters: int) -> None:
    """Whatever the threshold, and however few counters there are, no similar pair is without a common key."""
    rare = RareFirst(threshold, counters)
    for hashes in sets:
        rare.count(as_set(hashes))
    keys = [set(rare.keys(as_set(hashes)).tolist()) for hashes in sets]
    for one, of_one in zip(sets, keys, strict=True):
        for other, of_other in zip(sets, keys, strict=True):
            if one is not other and len(one & other) / len(one | other) >= threshold:
                assert of_one & of_other


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.85, 0.95])
def test_large_sets_at_the_threshold_share_a_band(threshold: float) -> None:
    """Of 1,000 pairs whose similarity is just the threshold, bands miss a few at most, though each is found by one."""
    chance = np.random.default_rng(7)
    maker = KeyMaker(threshold)
    missed = 0
    for _ in range(1_000):
        pool = np.unique(chance.integers(0, 1 << 32, 700, np.uint32))
        common = int(len(pool) * threshold) + 1
        order = chance.permutation(pool)
        half = (len(pool) - common) // 2
        one, other = order[: common + half], np.concatenate((order[:common], order[common + half :]))
        keys = [maker.band_keys(np.sort(hashes)) for hashes in (one, other)]
        assert keys[0] is not None
        assert keys[1] is not None
        missed += not (keys[0] == keys[1]).any()
    assert missed <= 5


def test_the_longest_rows_that_miss_little_are_chosen() -> None:
    """A higher threshold allows longer rows, which bring fewer candidates; 1 takes the whole signature."""
    rows = [bands_for(threshold)[1] for threshold in (0.3, 0.5, 0.7, 0.9, 1.0)]
    assert rows == sorted(rows)
    assert rows[-1] == 128


def test_a_set_that_only_meets_small_ones_needs_no_band() -> None:
    """Bands are for pairs of which one is large; the other may be smaller by the threshold."""
    maker = KeyMaker(0.5)
    assert maker.band_keys(np.arange(SMALL // 2 - 1, dtype=np.uint32)) is None
    assert maker.band_keys(np.arange(SMALL // 2, dtype=np.uint32)) is not None


def test_a_signature_estimates_the_similarity() -> None:
    """The share of equal bins is the similarity within four deviations, also where most bins are empty."""
    maker = KeyMaker(0.5)
    pool = np.random.default_rng(3).integers(0, 1 << 32, 6_000, np.uint32)
    one, other = np.unique(pool[:5_000]), np.unique(pool[1_000:])
    estimate = float((maker.signature(one) == maker.signature(other)).mean())
    assert abs(estimate - float(jaccard(one, [other])[0])) < 4 * (0.25 / 128) ** 0.5
    few = np.unique(pool[:5])
    assert set(maker.signature(few).tolist()) == set(few.tolist())


def test_a_text_becomes_the_set_of_its_runs_of_words() -> None:
    """Case and what stands between words say nothing; fewer words than a run are one shingle, none are none."""
    sets = ShingleSets(3)
    assert sets.of("One two, three FOUR").tolist() == sets.of("one  two\nthree-four").tolist()
    assert len(sets.of("one two three four")) == 2
    assert len(sets.of("one two")) == 1
    assert len(sets.of(" ... ")) == 0
