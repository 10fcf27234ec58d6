"""CharacterTable: what the compiled signer has to know of a character under a normal form, learnt as texts bring it."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np

from weaver.dedupe.characters import FIRST_UNSPACED, LAST_LETTER, letter_of, unspaced
from weaver.dedupe.words import Form

# As in native/signature.c. An entry has its letter in the low 21 bits.
_IS_PLAIN, _IS_KNOWN, _IS_UNSPACED = 1 << 31, 1 << 30, 1 << 29
_MORE_SHIFT, _MOST_MORE = 24, 7
_BLOCK = 64
# Besides marks, what a character before it may merge with: vowels and finals of Hangul and of Kirat Rai.
_JOINERS = frozenset([*range(0x1160, 0x1200), *range(0x16D63, 0x16D6B)])


class CharacterTable:
    """Entries by code point, in blocks that are filled where a text has one of their characters.

    A character is *plain* where the normal form puts one character in its place whatever stands beside it: the entry
    has that one's letter. Where the form puts some that make no words in its place, the entry counts how many more.
    """

    def __init__(self, form: Form) -> None:
        self._form = form
        self.entries = np.zeros(LAST_LETTER + 2, np.uint32)
        # Beyond the last letter nothing makes words, and nothing has another form.
        self.entries[LAST_LETTER + 1] = _IS_KNOWN | _IS_PLAIN
        for code in range(0, 128, _BLOCK):
            self.fill(code)

    def fill(self, code: int) -> None:
        """Learn the block of a character."""
        start = code - code % _BLOCK
        end = min(start + _BLOCK, LAST_LETTER + 1)
        self.entries[start:end] = [self._entry(chr(other)) for other in range(start, end)]

    def normalised(self, text: str) -> str:
        """The text's normal form."""
        return unicodedata.normalize(self._form, text) if self._form else text

    def _entry(self, character: str) -> int:
        spelled = self.normalised(character)
        if spelled == character:
            is_plain = not self._form or not _joins(character)
            return _IS_KNOWN | is_plain * _IS_PLAIN | letter_of(character) | _unspaced_bit(character)
        joins = [one for one in spelled if _joins(one)]
        if len(spelled) == 1 and not joins:
            return _IS_KNOWN | _IS_PLAIN | letter_of(spelled) | _unspaced_bit(spelled)
        more = len(spelled) - 1
        if joins or more > _MOST_MORE or any(map(letter_of, spelled)):
            return _IS_KNOWN | letter_of(character) | _unspaced_bit(character)
        return _IS_KNOWN | more << _MORE_SHIFT


@cache
def character_table(form: Form) -> CharacterTable:
    """The process's table for a form."""
    return CharacterTable(form)


def _joins(character: str) -> bool:
    return unicodedata.category(character)[0] == "M" or ord(character) in _JOINERS


def _unspaced_bit(character: str) -> int:
    code = ord(character)
    return _IS_UNSPACED if FIRST_UNSPACED <= code <= LAST_LETTER and unspaced()[code] else 0
