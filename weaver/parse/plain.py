"""A plain page: one whose links, head and text need no tree, for its markup alone says what the tree would.

The compiled reader follows the tree builder's rules tag by tag, and gives up at the first thing that takes the tree
itself to know: elements that are moved, content moved out of tables, formulas, templates, bad bytes.
"""

from __future__ import annotations

from weaver.base.settings import ParseSettings
from weaver.native import compiled
from weaver.parse.census import KIND_BY_PAIR, census_of
from weaver.parse.contents import Contents
from weaver.parse.guard import has_few_tags, is_treeable

_KINDS = KIND_BY_PAIR.tobytes()


def plain_contents(markup: bytes, settings: ParseSettings) -> Contents | None:
    """What a plain page holds, the same as its tree's; None where the page isn't plain, or nothing is compiled."""
    if compiled is None:
        return None
    if b"\r" in markup:
        markup = markup.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    answer = compiled.read_page(markup, _KINDS, settings.max_links, settings.max_depth)
    if answer is None:
        return None
    found, is_sure = answer
    # What is read must not hang on whether anything is compiled: without it, the guard decides.
    return Contents.of(found) if is_sure or _passes_guard(markup, settings) else None


def _passes_guard(markup: bytes, settings: ParseSettings) -> bool:
    return has_few_tags(markup) and is_treeable(markup, census_of(markup), settings.max_depth)
