"""Which characters make words, how they fold, and which stand alone in scripts that put no spaces between words."""

from __future__ import annotations

import string
import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray

# Beyond it are emoji tags, variation selectors and private use: no word has them.
LAST_LETTER = 0x323AF
FIRST_UNSPACED = 0x0E00
# Thai and Lao, Myanmar, Khmer, kana, Han with its extensions. Hangul puts spaces between words.
_UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0xF900, 0xFAFF), (0x1B000, 0x1B16F), (0x20000, LAST_LETTER),
)  # fmt: skip
_WORD_CHARACTERS = string.ascii_letters + string.digits + "_"
# For `bytes.translate`: lower case for what makes words, zero for what stands between them.
ASCII_LETTERS = bytes(ord(chr(code).lower()) if chr(code) in _WORD_CHARACTERS else 0 for code in range(256))


@cache
def letters() -> NDArray[np.uint32]:
    """For each code point its simple case folding where it makes words, 0 where it does not; 0 at the end too.

    Letters, digits, marks and `_` make words, as `\\w` of Unicode TS 18 has it. Made at first use: 0.1 s, 0.8 MB.
    """
    table = np.zeros(LAST_LETTER + 2, np.uint32)
    for code in range(LAST_LETTER + 1):
        table[code] = letter_of(chr(code))
    return table


def letter_of(character: str) -> int:
    """The character's simple case folding where it makes words, 0 where it does not."""
    if not (character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"):
        return 0
    folded = character.casefold()
    return ord(folded if len(folded) == 1 else character)


@cache
def unspaced() -> NDArray[np.uint8]:
    """For each code point 1 where it counts as a word by itself."""
    table = np.zeros(LAST_LETTER + 2, np.uint8)
    for first, last in _UNSPACED:
        table[first : last + 1] = 1
    return table
