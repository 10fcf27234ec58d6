"""Text from strangers on its way to a terminal: what would move the cursor or turn the text round is made visible."""

from __future__ import annotations

import re
import unicodedata

# C0 and C1 controls (CVE-2004-1488: terminal escapes in file names), line separators, and the signs that reorder text.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_ELLIPSIS = "…"


def printable(text: str) -> str:
    """The text with each such character as an escape: `\\x1b`, `\\u202e`."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def shortened(text: str, columns: int) -> str:
    """The printable text within so many columns, its middle left out where it is longer: both ends of a URL tell."""
    if len(text) > 4 * columns:
        text = text[: 2 * columns] + text[-2 * columns :]
    text = printable(text)
    if columns_of(text) <= columns:
        return text
    keep = max(1, columns - 1)
    while columns_of(text) > keep:
        middle = len(text) * 2 // 3
        text = text[:middle] + text[middle + 1 :]
    cut = len(text) * 2 // 3
    return text[:cut] + _ELLIPSIS + text[cut:]


def columns_of(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
