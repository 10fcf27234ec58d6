"""Words and shingles: what counts as one, and that it hashes to the same wherever it stands."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weaver.dedupe.shingles import Shingles, jaccard
from weaver.dedupe.words import PIECE, Form, WordHasher

ASCII_TEXTS = st.text(st.characters(codec="ascii"), max_size=300)


def hashes(text: str, *, form: Form = "NFKC", characters: bool = True) -> list[int]:
    hasher = WordHasher(form=form, characters=characters)
    return [word for piece in hasher.of(text) for word in piece.tolist()]


@given(ASCII_TEXTS)
def test_words_are_runs_of_letters_digits_and_underscores(text: str) -> None:
    """Equal words, whatever their case and what stands between them, have equal hashes, and others have others."""
    words = re.findall(r"\w+", text.lower())
    numbers: dict[str, int] = {}
    assert hashes(text) == [numbers.setdefault(word, number) for word, number in zip(words, hashes(text), strict=True)]
    assert len(set(numbers.values())) == len(numbers)


@given(ASCII_TEXTS)
def test_a_word_is_the_same_in_a_text_with_other_letters(text: str) -> None:
    """A sign that is not ASCII changes the hash of no ASCII word beside it."""
    assert hashes(text + " é")[:-1] == hashes(text)
    assert hashes(text + " ©") == hashes(text)


@given(st.text(max_size=200))
def test_any_text_has_words(text: str) -> None:
    """No text, lone surrogates included, makes the hasher raise, and spaces around it change nothing."""
    assert hashes(f"  {text}\n") == hashes(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße", "STRAßE"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("café", "cafe\u0301"),
        ("ﬁle", "file"),
        ("ｗｉｄｅ", "wide"),
        ("İ", "İ"),
    ],
)
def test_spellings_of_one_word_are_folded(one: str, other: str) -> None:
    """Case, composition and width are not what tells words apart."""
    assert hashes(one) == hashes(other)


def test_digits_stay() -> None:
    """Version 1 and version 2 are different words."""
    assert hashes("version 1") != hashes("version 2")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("日本語", 3),
        ("ภาษาไทย", 7),
        ("abc日本def", 4),
        ("日x", 2),
        ("x日", 2),
        ("한국어 문장", 2),
        ("हिन्दी में", 2),
        ("😀", 0),
    ],
)
def test_scripts_without_spaces_count_by_character(text: str, words: int) -> None:
    """Where a script puts no spaces between words, each character is one; elsewhere marks belong to their word."""
    assert len(hashes(text)) == words


def test_characters_are_words_only_where_asked() -> None:
    """Without `characters` a run of any letters is one word, as regular expressions have it."""
    assert len(hashes("日本語 テスト", characters=False)) == 2


def test_without_a_form_spellings_stay() -> None:
    """With no normal form, what is composed and what is not are two words."""
    assert hashes("café", form="") != hashes("cafe\u0301", form="")


def test_a_long_text_has_the_words_of_its_parts() -> None:
    """Cutting a text into pieces loses and makes no word."""
    words = [f"word{number}" for number in range(PIECE)]
    text = " ".join(words)
    assert hashes(text) == hashes(text.replace(" ", "  "))
    assert len(hashes(text)) == len(words)
    accented = text.replace("word", "wörd")
    assert len(hashes(accented)) == len(words)
    assert len(hashes("\ufdfa" * PIECE)) > PIECE


@given(st.lists(st.sampled_from("abcdefg"), max_size=40), st.integers(1, 6))
@settings(max_examples=50)
def test_shingles_are_the_runs_of_words(words: list[str], k: int) -> None:
    """The distinct shingles are as many as the distinct runs of k words, one shorter run where there are fewer."""
    runs = {tuple(words[at : at + k]) for at in range(max(1, len(words) - k + 1))} if words else set()
    assert len(Shingles(k).set_of(" ".join(words))) == len(runs)


def test_shingles_go_on_across_pieces() -> None:
    """No run of words is lost where a text is cut."""
    text = " ".join(f"w{number}" for number in range(20_000))
    assert len(Shingles().set_of(text)) == 20_000 - 4


@pytest.mark.parametrize("words", [0, 65])
def test_shingles_of_no_words_are_refused(words: int) -> None:
    """A shingle has from 1 to 64 words."""
    with pytest.raises(ValueError, match="shingles of 1 to 64 words"):
        Shingles(words)


def test_jaccard_is_common_over_all() -> None:
    """Two sets of which half is common have a third in common, and two empty ones nothing."""
    shingles = Shingles(1)
    assert jaccard(shingles.set_of("a b"), shingles.set_of("b c")) == pytest.approx(1 / 3)
    assert jaccard(shingles.set_of(""), shingles.set_of("")) == 0.0
