"""The nesting guard: whether a tree of a page's markup costs time and memory linear in the length of the page.

An HTML tree builder walks its stack of open elements at most tags, compares each attribute of a tag with all before
it, and opens formatting elements that were closed in the wrong order again in every block that follows: three ways
to make a short page cost minutes or gigabytes. The guard proves that a page has none of them, in two steps:

1. bounds from a census of the tags (every page): where even their worst order is cheap, the tree is built;
2. a simulation of the stack (`open_elements`, one pass over the tokens): large pages only.
"""

from __future__ import annotations

import re
from itertools import repeat

from weaver.native import compiled
from weaver.parse.census import Census
from weaver.parse.open_elements import is_linear
from weaver.parse.tokens import SHORT_ELEMENT, SHORT_TAG

# What the bounds let pass costs lexbor at most some 100 ms and 100 MB, whatever its order (benchmarks/parse.py).
_SURE_BYTES = 256 << 10
_SURE_STEPS = 50_000_000
_SURE_CLONES = 150_000
_SURE_CLONED_BYTES = 32 << 20
_SURE_MOVED_BYTES = 400_000_000
_MOST_ROOTS = 50
# No tree is built of more tags than these, for its nodes would take tens of megabytes, and building it is one long call
# that nothing else in the process can run beside. The flat page is read in parts, or compiled without Python's lock.
_MOST_OPENINGS = 100_000
# Below this, no tag holds enough attributes to matter.
_SMALL_BYTES = 4_096
_WINDOW_TRIES = 16

_short_tag = re.compile(SHORT_TAG).match
_short_element = re.compile(SHORT_ELEMENT).match


def has_few_tags(markup: bytes) -> bool:
    """Whether a look at the tree is worth while: tags and attributes are few enough, whatever their order."""
    if markup.count(b"<") > _MOST_OPENINGS:
        return False
    return compiled is None or len(markup) <= _SURE_BYTES or not compiled.is_wide(markup)


def is_treeable(markup: bytes, census: Census, max_depth: int) -> bool:
    """Whether a tree of `markup` costs time and memory linear in its length; False where that isn't proven."""
    if census.roots > _MOST_ROOTS:
        return False
    return _is_bounded(markup, census, max_depth) or is_linear(markup, max_depth)


def _is_bounded(markup: bytes, census: Census, max_depth: int) -> bool:
    length, starts, ends = len(markup), census.starts, census.ends
    return (
        length <= _SURE_BYTES
        and starts <= ends + max_depth
        and starts * (starts // 2 + ends) <= _SURE_STEPS
        and (census.declarations + census.inputs) * length <= _SURE_MOVED_BYTES
        and _has_few_clones(markup, census)
        and (length <= _SMALL_BYTES or _has_short_tags(markup))
    )


def _has_few_clones(markup: bytes, census: Census) -> bool:
    """Whether few elements can be opened again, and those with few and short attributes, for each clone has them all.

    A formatting element that is closed in sight isn't opened again; of `<a>` there is never more than one.
    """
    left_open = [at for at in census.formatting_at if not _short_element(markup, at)]
    formatting, anchors = _short_lengths(markup, left_open), _short_lengths(markup, census.anchors_at)
    if not all(formatting) or (len(markup) > _SMALL_BYTES and not all(anchors)):
        return False
    clones = census.starts + 1
    cloned_bytes = sum(formatting) + max(anchors, default=0)
    return len(left_open) * clones <= _SURE_CLONES and cloned_bytes * clones <= _SURE_CLONED_BYTES


def _short_lengths(markup: bytes, places: list[int]) -> list[int]:
    """How long each tag is; 0 where it isn't short."""
    return [tag.end() - tag.start() if tag else 0 for tag in map(_short_tag, repeat(markup), places)]


def _has_short_tags(markup: bytes) -> bool:
    """Whether no tag has so many attributes that comparing each with all costs much.

    A tag lies between two `>` that no quoted attribute value can hide, so that what could be attributes is counted
    there; where they are close together, their number is small anyway.
    """
    start, length, steps = 0, len(markup), 0
    while length - start > _SMALL_BYTES and steps < _SURE_STEPS:
        end = _last_sure_end(markup, start, start, start + _SMALL_BYTES)
        if not end:
            end = _first_sure_end(markup, start)
            steps += _most_attributes(markup[start:end]) ** 2
        start = end
    return steps < _SURE_STEPS


def _last_sure_end(markup: bytes, sure: int, start: int, stop: int) -> int:
    """The place after the last sure `>` from start to stop; 0 if a few tries find none. `sure` is the one before."""
    for _ in range(_WINDOW_TRIES):
        stop = markup.rfind(b">", start, stop)
        if stop < 0:
            return 0
        if not any(_may_open(markup, sure, markup.rfind(quote, sure, stop)) for quote in (b'"', b"'")):
            return stop + 1
    return 0


def _first_sure_end(markup: bytes, sure: int) -> int:
    """The place after a sure `>`, found by looks at ever wider windows; the end of the markup if there is none."""
    start, reach = sure + _SMALL_BYTES, _SMALL_BYTES
    while start < len(markup):
        end = _last_sure_end(markup, sure, start, start + reach)
        if end:
            return end
        start, reach = start + reach, 2 * reach
    return len(markup)


def _may_open(markup: bytes, sure: int, quote_at: int) -> bool:
    # A quote that follows neither `=` nor white space opens no value, so that nothing is open after it.
    return quote_at == sure or (quote_at > sure and markup[quote_at - 1] in b"=\t\n\f\r ")


def _most_attributes(text: bytes) -> int:
    """Attributes are separated by white space, slashes or closing quotes."""
    return len(text.split()) + text.count(b"/") + (text.count(b'"') + text.count(b"'")) // 2
