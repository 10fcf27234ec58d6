"""Shingles: a text as the 64-bit hashes of its runs of k words, a piece at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from weaver.dedupe.words import PIECE, Form, Hashes, WordHasher, mix, odd_constants

SHINGLE_WORDS = 5
MOST_WORDS = 64


class Shingles:
    """The hashes of all runs of `words` words of a text (Broder 1997); one shorter run where a text has fewer words.

    All arrays belong to the instance; what `of` yields is overwritten by the next piece.
    """

    def __init__(
        self, words: int = SHINGLE_WORDS, seed: int = 0, *, form: Form = "NFKC", characters: bool = True
    ) -> None:
        if not 1 <= words <= MOST_WORDS:
            raise ValueError(f"expected shingles of 1 to {MOST_WORDS} words, got {words}")
        self.words = words
        self._hasher = WordHasher(seed, form=form, characters=characters)
        self._factors = odd_constants(seed, "shingle", words)
        self._mixer = odd_constants(seed, "shingles", 1)[0]
        self._run = np.zeros(PIECE + words, np.uint64)
        self._hashes = np.zeros(PIECE + words, np.uint64)
        self._scratch = np.zeros(PIECE + words, np.uint64)

    def of(self, text: str) -> Iterator[Hashes]:
        """The shingles in order, with repeats, in views that hold until the next one is asked for."""
        held, has_any = 0, False
        for words in self._hasher.of(text):
            size = held + len(words)
            self._run[held:size] = words
            if size < self.words:
                held = size
                continue
            has_any = True
            yield self._combined(size - self.words + 1)
            held = self.words - 1
            self._run[:held] = self._run[size - held : size]
        if held and not has_any:
            self._run[held : self.words] = 0
            yield self._combined(1)

    def set_of(self, text: str) -> Hashes:
        """The distinct shingles in ascending order, in an array of the caller's: for exact similarity."""
        pieces = [np.unique(piece) for piece in self.of(text)]
        return np.unique(np.concatenate(pieces)) if pieces else np.zeros(0, np.uint64)

    def _combined(self, count: int) -> Hashes:
        hashes, scratch = self._hashes[:count], self._scratch[:count]
        np.multiply(self._run[:count], self._factors[0], out=hashes)
        for word in range(1, self.words):
            np.multiply(self._run[word : word + count], self._factors[word], out=scratch)
            np.add(hashes, scratch, out=hashes)
        return mix(hashes, scratch, self._mixer)


def jaccard(ones: Hashes, others: Hashes) -> float:
    """|A and B| / |A or B| of two sets in ascending order; 0 where both are empty."""
    common = len(np.intersect1d(ones, others, assume_unique=True))
    union = len(ones) + len(others) - common
    return common / union if union else 0.0
