"""Shingles: a text as the 64-bit hashes of its runs of k words, a piece at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from weaver.dedupe.character_table import character_table
from weaver.dedupe.words import PIECE, Form, Hashes, WordHasher, mix, odd_constants
from weaver.native import compiled

Halves = NDArray[np.uint32]

SHINGLE_WORDS = 5
MOST_WORDS = 64
_HALF = np.uint64(32)


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
        self._table = character_table(form)
        self._plan = shingle_plan(words, seed, characters=characters)
        self._compiled_run = np.zeros(0 if compiled is None else compiled.SHINGLE_RUN_BYTES, np.uint8)
        self._views = self._plan.data, self._compiled_run.data, self._table.entries.data
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

    def halves_of(self, text: str) -> Halves:
        """The distinct upper halves of the shingles' hashes in ascending order; half the room, for sets to be kept."""
        if compiled is None:
            return self.halves_in_numpy(text)
        table = self._table
        return np.frombuffer(compiled.shingle_set(text, *self._views, table.normalised, table.fill), np.uint32)

    def halves_in_numpy(self, text: str) -> Halves:
        """The same, by the twin."""
        pieces = [(piece >> _HALF).astype(np.uint32) for piece in self.of(text)]
        return np.unique(np.concatenate(pieces)) if pieces else np.zeros(0, np.uint32)

    def _combined(self, count: int) -> Hashes:
        hashes, scratch = self._hashes[:count], self._scratch[:count]
        np.multiply(self._run[:count], self._factors[0], out=hashes)
        for word in range(1, self.words):
            np.multiply(self._run[word : word + count], self._factors[word], out=scratch)
            np.add(hashes, scratch, out=hashes)
        return mix(hashes, scratch, self._mixer)


def shingle_plan(words: int, seed: int, *, characters: bool) -> Hashes:
    """The constants as native/words.h has them."""
    names = ("base", "word", "shingles")
    factors = np.zeros(MOST_WORDS, np.uint64)
    factors[:words] = odd_constants(seed, "shingle", words)
    single = [np.array([words, characters], np.uint64), *(odd_constants(seed, name, 1) for name in names)]
    return np.concatenate([*single, factors])


def jaccard(ones: Hashes, others: Hashes) -> float:
    """|A and B| / |A or B| of two sets in ascending order; 0 where both are empty."""
    common = len(np.intersect1d(ones, others, assume_unique=True))
    union = len(ones) + len(others) - common
    return common / union if union else 0.0
