"""Contents: what is in a page, however it was read."""

from __future__ import annotations

from weaver.base.value import value
from weaver.native.loading import Found
from weaver.parse.head import HeadFacts

# What the standard's style sheet displays as a block, a list item or a part of a table (WHATWG HTML, section 15.3), and
# `br`: their borders end lines of the text.
BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "br", "caption", "center", "dd", "details", "dialog", "dir", "div",
    "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header",
    "hgroup", "hr", "legend", "li", "listing", "main", "menu", "nav", "ol", "optgroup", "option", "p", "plaintext",
    "pre", "search", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul", "xmp",
))  # fmt: skip


@value
class Contents:
    """A page's head, title (as written), links and visible text; `is_capped` says that there were more links."""

    facts: HeadFacts
    title: str
    hrefs: list[str]
    nofollow_hrefs: list[str]
    is_capped: bool
    text: str

    @classmethod
    def of(cls, found: Found) -> Contents:
        """What the compiled readers found."""
        hrefs, nofollow_hrefs, is_capped, heads, title, text = found
        facts = HeadFacts()
        for tag, attributes in heads:
            facts.take(tag, attributes)
        # Not before the text was decoded: bytes that a NUL parts are no character.
        return cls(facts, title or "", hrefs, nofollow_hrefs, is_capped, text.replace("\0", ""))
