"""Signatures: how alike two texts are is told by them alone, without garbage and whatever the text."""

from __future__ import annotations

import gc
import time
import tracemalloc
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weaver.dedupe import SignatureEngine, jaccard
from weaver.dedupe.sketch import ROW_WORDS, SIGNATURE_WORDS, Words, is_empty, most_differing_bits, similarity

ENGINE = SignatureEngine()
TEXTS = st.lists(st.sampled_from(["one", "two", "three", "é", "日", "4"]), max_size=60).map(" ".join)


def estimate(one: Words, other: Words) -> float:
    differing = int(np.bitwise_count(one[1:ROW_WORDS] ^ other[1:ROW_WORDS]).sum())
    return similarity(int(one[0]), int(other[0]), differing)


def text_of(words: int, seed: int) -> str:
    return " ".join(str(Random(seed * 10**6 + at).random()) for at in range(words // 2))


@given(TEXTS)
def test_a_signature_depends_on_the_text_alone(text: str) -> None:
    """The same text has the same signature from any engine of the same seed, whatever the engine met before."""
    fresh = SignatureEngine().signature(text)
    assert np.array_equal(ENGINE.signature(text), fresh)
    assert estimate(fresh, fresh) == (0.0 if is_empty(fresh) else 1.0)


@given(TEXTS, TEXTS)
def test_an_estimate_is_symmetric_and_within_bounds(one: str, other: str) -> None:
    """Similarity is from 0 to 1, the same both ways."""
    first, second = ENGINE.signature(one).copy(), ENGINE.signature(other).copy()
    assert 0.0 <= estimate(first, second) <= 1.0
    assert estimate(first, second) == pytest.approx(estimate(second, first))


@pytest.mark.parametrize("words", [30, 200, 1_000, 5_000, 40_000])
@pytest.mark.parametrize("kept", [0.97, 0.9])
def test_an_estimate_is_near_the_exact_similarity(words: int, kept: float) -> None:
    """Over texts of all lengths the estimate's error is that of its bits: within 0.03 on average over seeds."""
    random, errors = Random(words), []
    for seed in range(12):
        engine = SignatureEngine(seed=seed)
        source = [str(random.random()) for _ in range(words)]
        cut = int(words * kept)
        one, other = " ".join(source), " ".join(source[:cut])
        exact = jaccard(engine.shingles(one), engine.shingles(other))
        errors.append(estimate(engine.signature(one).copy(), engine.signature(other)) - exact)
    assert np.sqrt(np.mean(np.square(errors))) < 0.03


def test_texts_of_a_few_words_are_equal_or_not() -> None:
    """Of 500 different texts with one to four shingles no two look alike."""
    signatures = np.array([ENGINE.signature(text_of(2 + seed % 14, seed)).copy() for seed in range(500)])
    for number, signature in enumerate(signatures[:100]):
        alike = [estimate(signature, other) for other in signatures]
        assert [at for at, share in enumerate(alike) if share > 0.7] == [number]


def test_a_near_text_is_never_passed_over() -> None:
    """The bound on differing bits lets pairs at the threshold through."""
    random = Random(3)
    for seed in range(60):
        engine = SignatureEngine(seed=seed)
        words = [str(random.random()) for _ in range(random.choice([60, 300, 1_500, 6_000]))]
        one = engine.signature(" ".join(words)).copy()
        other = engine.signature(" ".join(words[: int(len(words) * 0.92)])).copy()
        differing = int(np.bitwise_count(one[1:ROW_WORDS] ^ other[1:ROW_WORDS]).sum())
        assert differing <= most_differing_bits(int(one[0]), 0.85)
        assert differing <= most_differing_bits(int(other[0]), 0.85)


def test_other_seeds_make_other_signatures() -> None:
    """Who knows one crawl's keys knows nothing of another's."""
    text = text_of(400, 1)
    assert not np.array_equal(SignatureEngine(seed=1).signature(text), SignatureEngine(seed=2).signature(text))


def test_other_settings_are_not_comparable() -> None:
    """Signatures of engines with different permutations are alike in nothing."""
    text = text_of(400, 1)
    assert estimate(SignatureEngine(512).signature(text).copy(), SignatureEngine(1_024).signature(text)) == 0.0


@pytest.mark.parametrize("text", ["", " \n\t", "... --- !!!", "©"])
def test_a_text_without_words_has_an_empty_signature(text: str) -> None:
    """Nothing to compare is all zeros."""
    assert not ENGINE.signature(text).any()


@pytest.mark.parametrize("permutations", [0, 32, 100, 4_096])
def test_a_number_of_permutations_that_cannot_be_is_refused(permutations: int) -> None:
    """Permutations are a power of two from 64 to 2,048."""
    with pytest.raises(ValueError, match="power of two"):
        SignatureEngine(permutations)


def test_garbage_in_the_buffers_changes_nothing() -> None:
    """Whatever an earlier text left in the engine's arrays never enters a signature."""
    engine, text = SignatureEngine(), text_of(300, 5)
    expected = engine.signature(text).copy()
    for name in ("_minima", "_coarse", "_found", "_places", "_bins", "_values", "_parities", "_row"):
        getattr(engine, name).fill(0xAB)
    for part in (engine._shingles, engine._shingles._hasher):
        for name in ("_run", "_hashes", "_scratch", "_ends", "_numbers"):
            if hasattr(part, name):
                getattr(part, name).fill(0x7)
    assert np.array_equal(engine.signature(text), expected)


@pytest.mark.parametrize("mark", ["", "é"])
def test_signatures_leave_no_garbage(mark: str) -> None:
    """A steady engine makes no array: 100 documents leave nothing, and take no more than their bytes meanwhile."""
    texts = [text_of(600, seed)[:5_000] + mark for seed in range(20)]
    engine = SignatureEngine()
    for text in texts:
        engine.signature(text)
    gc.disable()
    tracemalloc.start()
    try:
        for text in texts:
            engine.signature(text)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(5):
            for text in texts:
                engine.signature(text)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    # The text's encoded forms, of one or four bytes a character, and what numpy takes for a call.
    assert after - before < 1_000
    assert peak - before < (5 if mark else 2) * 5_000 + 4_000


@pytest.mark.slow
def test_time_is_linear_in_the_text() -> None:
    """Ten times the text takes about ten times as long, also where it is one word."""
    for unit in ("some words and some more of them ", "x"):
        spent = []
        for size in (400_000, 4_000_000):
            text = (unit * (size // len(unit) + 1))[:size]
            started = time.process_time()
            signature = ENGINE.signature(text)
            spent.append(time.process_time() - started)
            assert len(signature) == SIGNATURE_WORDS
        assert spent[1] < 25 * spent[0] + 0.05


@given(st.text(max_size=300))
@settings(max_examples=60)
def test_any_text_has_a_signature(text: str) -> None:
    """No text makes the engine raise, and a text is like itself with more space in it."""
    one = ENGINE.signature(text).copy()
    assert np.array_equal(one, ENGINE.signature(f" {text} "))
