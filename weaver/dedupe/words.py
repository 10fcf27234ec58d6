"""WordHasher: a text as the 64-bit hashes of its words, a piece at a time, in arrays that it keeps."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from weaver.dedupe.characters import ASCII_LETTERS, FIRST_UNSPACED, LAST_LETTER, letters, unspaced

Hashes = NDArray[np.uint64]
Form = Literal["NFC", "NFKC", ""]

# Characters of one piece: arrays of 64 KiB, which stay in the processor's cache however long the text is.
PIECE = 8_192
_MASK = (1 << 64) - 1
_SHIFT = np.uint64(29)


def odd_constants(seed: int, name: str, count: int) -> Hashes:
    """Odd numbers of 64 bits that depend on seed and name alone (SplitMix64: Steele, Lea and Flood 2014)."""
    state = (seed * 0x9E3779B97F4A7C15 + int.from_bytes(name.encode(), "little")) & _MASK
    numbers = np.empty(count, np.uint64)
    for index in range(count):
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        mixed = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ mixed >> 27) * 0x94D049BB133111EB) & _MASK
        numbers[index] = (mixed ^ mixed >> 31) | 1
    return numbers


class WordHasher:
    """Words by rule, and their hashes by polynomials modulo 2^64 over the code points (Karp and Rabin 1987).

    - *Form*: text that is not ASCII is put into a Unicode normal form (NFKC, NFC, or left alone), then each character
      takes its simple case folding. Digits stay.
    - *Words* are runs of letters, digits, marks and `_`; all else, runs of white space included, only parts them.
    - With `characters`, each character of a script without spaces between words is a word.

    A piece is cut at a space where there is one, so a cut word is one of thousands of characters. All arrays belong to
    the instance; what `of` yields is overwritten by the next piece. O(characters) numpy work.
    """

    def __init__(self, seed: int = 0, *, form: Form = "NFKC", characters: bool = True) -> None:
        self._form = form
        self._characters = characters
        base = int(odd_constants(seed, "base", 1)[0])
        self._powers = _powers(base)
        self._inverses = _powers(pow(base, -1, 1 << 64))
        self._mixer = odd_constants(seed, "word", 1)[0]
        self._units = np.zeros(PIECE + 1, np.uint64)
        self._codes = np.zeros(PIECE, np.intp)
        self._folded = np.zeros(PIECE, np.uint32)
        self._flags = np.zeros(PIECE, np.uint8)
        self._in_word = np.zeros(PIECE + 1, np.bool_)
        self._starts = np.zeros(PIECE + 1, np.bool_)
        self._numbers = np.zeros(PIECE + 1, np.intp)
        self._positions = np.arange(PIECE + 1, dtype=np.intp)
        self._ends = np.zeros(PIECE + 2, np.intp)
        self._hashes = np.zeros(PIECE + 1, np.uint64)
        self._scratch = np.zeros(PIECE + 1, np.uint64)

    def of(self, text: str) -> Iterator[Hashes]:
        """The hashes of the text's words in order, in views that hold until the next one is asked for."""
        start = 0
        while start < len(text):
            end = _cut(text, start)
            piece = text[start:end]
            if not piece.isascii() and self._form:
                piece = unicodedata.normalize(self._form, piece)
            # A normal form may be longer than what it is of.
            for at in range(0, len(piece), PIECE):
                yield self._words_of(piece[at : at + PIECE])
            start = end

    def _words_of(self, piece: str) -> Hashes:
        size = len(piece)
        units = self._units[: size + 1]
        has_unspaced = False
        if piece.isascii():
            np.copyto(units[1:], np.frombuffer(piece.encode("ascii").translate(ASCII_LETTERS), np.uint8))
        else:
            has_unspaced = self._fold(piece, units[1:])
        in_word, starts = self._in_word[: size + 1], self._starts[: size + 1]
        np.not_equal(units, 0, out=in_word)
        np.greater(in_word[1:], in_word[:-1], out=starts[1:])
        if has_unspaced:
            self._start_at_characters(in_word[1:], starts[1:])
        return self._hash(units, starts)

    def _fold(self, piece: str, units: Hashes) -> bool:
        """Put the folded letters into `units`; whether there are characters that are words."""
        size = len(piece)
        codes, folded = self._codes[:size], self._folded[:size]
        np.copyto(codes, np.frombuffer(piece.encode("utf-32-le", "surrogatepass"), "<u4"))
        np.minimum(codes, LAST_LETTER + 1, out=codes)
        np.take(letters(), codes, out=folded, mode="clip")
        np.copyto(units, folded)
        return self._characters and int(codes.max()) >= FIRST_UNSPACED

    def _start_at_characters(self, in_word: NDArray[np.bool_], starts: NDArray[np.bool_]) -> None:
        flags = self._flags[: len(in_word)]
        np.take(unspaced(), self._codes[: len(in_word)], out=flags, mode="clip")
        alone = flags.view(np.bool_)
        np.logical_and(alone, in_word, out=alone)
        np.logical_or(starts, alone, out=starts)
        # A word begins after a character that is one, too.
        np.logical_and(alone[:-1], in_word[1:], out=alone[:-1])
        np.logical_or(starts[1:], alone[:-1], out=starts[1:])

    def _hash(self, units: Hashes, starts: NDArray[np.bool_]) -> Hashes:
        """Each word's polynomial is a difference of two prefixes, brought down to the power 0."""
        size = len(units)
        numbers, scratch = self._numbers[:size], self._scratch[:size]
        np.copyto(numbers, starts)
        np.cumsum(numbers, out=numbers)
        count = int(numbers[-1])
        # The last character that has a word's number is its end, or in the gap after it: the prefix is the same.
        self._ends[numbers] = self._positions[:size]
        np.multiply(units, self._powers[:size], out=units)
        np.cumsum(units, out=scratch)
        units[0] = 0
        ends, hashes = self._ends[: count + 1], self._hashes[: count + 1]
        np.take(scratch, ends, out=hashes, mode="clip")
        hashes, factors = hashes[1:], self._units[1 : count + 1]
        np.take(scratch, ends[:-1], out=factors, mode="clip")
        np.subtract(hashes, factors, out=hashes)
        np.take(self._inverses, ends[:-1], out=factors, mode="clip")
        np.multiply(hashes, factors, out=hashes)
        return mix(hashes, factors, self._mixer)


def mix(hashes: Hashes, scratch: Hashes, factor: np.uint64) -> Hashes:
    """Spread what each bit knows over all of them, in place; the scratch is as long."""
    np.right_shift(hashes, _SHIFT, out=scratch)
    np.bitwise_xor(hashes, scratch, out=hashes)
    np.multiply(hashes, factor, out=hashes)
    np.right_shift(hashes, _SHIFT, out=scratch)
    np.bitwise_xor(hashes, scratch, out=hashes)
    return hashes


def _powers(base: int) -> Hashes:
    powers = np.full(PIECE + 1, base, np.uint64)
    powers[0] = 1
    return np.cumprod(powers, out=powers)


def _cut(text: str, start: int) -> int:
    """Where a piece ends: at its last space, unless there is none."""
    end = start + PIECE
    if end >= len(text):
        return len(text)
    space = text.rfind(" ", start + 1, end)
    return space if space > start else end
