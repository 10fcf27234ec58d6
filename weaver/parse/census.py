"""A count of what opens with `<` in a page, by kind: what the guard judges first, and which walks a tree needs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from weaver.native import compiled

# A kind is read off the two bytes after `<`, so that one table look-up sorts all of them: every kind may count a few
# elements too many (`<article>` as an area), never one too few.
(_OTHER, _END, _DECLARATION, _PLAIN, _ANCHOR, _FORMATTING, _STYLE, _FRAME, _SCRIPT, _ROOT, _AREA, _BASE, _META,
 _TITLE, _FOREIGN, _INPUT, _KIND_COUNT) = range(17)  # fmt: skip
_TWO_LETTERS = {
    "ht": _ROOT, "bo": _ROOT, "ar": _AREA, "ba": _BASE, "me": _META, "ti": _TITLE, "sv": _FOREIGN, "ma": _FOREIGN,
    "sc": _SCRIPT, "st": _STYLE, "no": _FRAME, "if": _FRAME, "in": _INPUT,
    "bi": _FORMATTING, "co": _FORMATTING, "em": _FORMATTING, "fo": _FORMATTING, "sm": _FORMATTING, "tt": _FORMATTING,
}  # fmt: skip
_ONE_LETTER = {"a": _ANCHOR, "b": _FORMATTING, "i": _FORMATTING, "s": _FORMATTING, "u": _FORMATTING}
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NAME_ENDS = "\t\n\f\r />"


def _kinds_by_pair() -> NDArray[np.uint8]:
    kinds = np.zeros((256, 256), np.uint8)
    for letter in _LETTERS + _LETTERS.upper():
        kinds[ord(letter)] = _PLAIN
    kinds[ord("/")] = _END
    kinds[[ord("!"), ord("?")]] = _DECLARATION
    for (letter, kind), end in product(_ONE_LETTER.items(), _NAME_ENDS):
        kinds[[ord(letter), ord(letter.upper())], ord(end)] = kind
    for pair, kind in _TWO_LETTERS.items():
        for one, two in product(*((letter, letter.upper()) for letter in pair)):
            kinds[ord(one), ord(two)] = kind
    return kinds.reshape(-1)


KIND_BY_PAIR = _kinds_by_pair()
_KINDS = KIND_BY_PAIR.tobytes()
_LESS_THAN = ord("<")


@dataclass(frozen=True, slots=True)
class Census:
    """How many tags of each kind a page has at most, comments and scripts counted as if they were markup.

    `starts` counts all start tags, `roots` those of `<html>` and `<body>`, `styles` those of `<strong>` too, `frames`
    those of `<noscript>` and `<nobr>` too. `formatting_at` and `anchors_at` are where the tags stand that a tree
    builder may open again.
    """

    starts: int
    ends: int
    declarations: int
    inputs: int
    roots: int
    areas: int
    bases: int
    metas: int
    titles: int
    foreign: int
    scripts: int
    styles: int
    frames: int
    formatting_at: list[int]
    anchors_at: list[int]


def census_of(markup: bytes) -> Census:
    """Count the tags of UTF-8 markup; linear, some 0.7 us a kilobyte, compiled 0.2 (benchmarks/parse.py)."""
    count, formatting_at, anchors_at = counted_in_numpy(markup) if compiled is None else compiled.census(markup, _KINDS)
    return Census(
        starts=sum(count[_PLAIN:]),
        ends=count[_END],
        declarations=count[_DECLARATION],
        inputs=count[_INPUT],
        roots=count[_ROOT],
        areas=count[_AREA],
        bases=count[_BASE],
        metas=count[_META],
        titles=count[_TITLE],
        foreign=count[_FOREIGN],
        scripts=count[_SCRIPT],
        styles=count[_STYLE],
        frames=count[_FRAME],
        formatting_at=formatting_at,
        anchors_at=anchors_at,
    )


def counted_in_numpy(markup: bytes) -> tuple[list[int], list[int], list[int]]:
    """How many tags there are of each kind, and where formatting elements and anchors stand."""
    codes = np.frombuffer(markup, np.uint8)
    at = (codes[:-2] == _LESS_THAN).nonzero()[0]
    pairs = codes.take(at + 1).astype(np.uint16)
    pairs <<= 8
    pairs |= codes.take(at + 2)
    kinds = KIND_BY_PAIR.take(pairs)
    count = np.bincount(kinds, minlength=_KIND_COUNT).tolist()
    formatting_at = at[(kinds >= _FORMATTING) & (kinds <= _FRAME)].tolist()
    return count, formatting_at, at[kinds == _ANCHOR].tolist()
