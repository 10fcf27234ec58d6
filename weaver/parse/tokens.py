"""The HTML tokenizer's grammar as linear regular expressions: attributes, tags, and everything that opens with `<`."""

from __future__ import annotations

import re

# Every repeat is possessive and every opener that is never closed runs to the end of the input, as the standard's
# tokenizer does (WHATWG HTML, section 13.2.5): so no input makes a match start over, and time is linear.

WHITESPACE = rb"\t\n\f\r "
_SPACES = rb"[\t\n\f\r ]*+"
_NAME_ENDS = rb"(?=[\t\n\f\r />])"
_VALUE_TEXT = rb"""(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^\t\n\f\r >"'][^\t\n\f\r >]*+)?+"""
# An attribute's name may open with `=`, and holds quotes as letters.
VALUE = rb"(?:" + _SPACES + rb"=" + _SPACES + _VALUE_TEXT + rb")?+"
ATTRIBUTE = rb"[^\t\n\f\r />][^\t\n\f\r />=]*+" + VALUE
# Most tags close without a quote, or have plain double-quoted values: two short cuts before the full grammar.
_PLAIN = rb"""[^"'>]*+>"""
_QUOTED = rb"""(?:[\t\n\f\r /]*+[^\t\n\f\r />="']++="[^"]*+")*+[\t\n\f\r /]*+>"""
_FULL = rb"(?:[\t\n\f\r /]++|" + ATTRIBUTE + rb")*+(?:>|\Z)"
_REST_OF_TAG = rb"(?:" + _PLAIN + rb"|" + _QUOTED + rb"|" + _FULL + rb")"

# A tag that is closed before the input ends.
CLOSED_TAG = rb"<[A-Za-z][^\t\n\f\r />]*+(?:[\t\n\f\r /]++|" + ATTRIBUTE + rb")*+>"
# Groups: an attribute's name, and its value in double, single or no quotes.
NAME_AND_VALUE = (
    rb"([^\t\n\f\r />][^\t\n\f\r />=]*+)(?:" + _SPACES + rb"=" + _SPACES
    + rb"""(?:"([^"]*+)(?:"|\Z)|'([^']*+)(?:'|\Z)|([^\t\n\f\r >"'][^\t\n\f\r >]*+))?+)?+"""
)  # fmt: skip

_COMMENT = rb"!--(?:-?>|(?s:.*?)(?:--!?>|\Z))"
_BOGUS_COMMENT = rb"[!?/][^>]*+(?:>|\Z)"

# Elements whose content is text up to their own end tag; markup in there is none.
RAW_TEXT_NAMES = (b"script", b"style", b"title", b"textarea", b"iframe", b"noframes", b"noembed", b"xmp")


def _raw_text(name: bytes) -> bytes:
    any_case = rb"(?i:" + name + rb")" + _NAME_ENDS
    return any_case + _REST_OF_TAG + rb"(?:[^<]++|<(?!/" + any_case + rb"))*+"


# Plain drawings and formulas are taken whole: in them the rules of HTML don't hold (section 13.2.6.5), and only
# elements that neither break out to HTML nor let it in may stand there.
_SVG_NAMES = (
    rb"a|animate|animatemotion|animatetransform|circle|clippath|defs|ellipse|feblend|fecolormatrix|fecomposite|feflood"
    rb"|fegaussianblur|femerge|femergenode|feoffset|filter|g|image|line"
    rb"|lineargradient|marker|mask|metadata|path|pattern|polygon|polyline|radialgradient|rect|set|stop|switch|symbol"
    rb"|text|textpath|tspan|use|view"
)
_MATH_NAMES = (
    rb"maction|menclose|merror|mfenced|mfrac|mmultiscripts|mover|mpadded|mphantom|mprescripts|mroot|mrow|mspace"
    rb"|msqrt|mstyle|msub|msubsup|msup|mtable|mtd|mtr|munder|munderover|none|semantics"
)
_SVG_LEAVES = (b"title", b"desc", b"style")
_MATH_LEAVES = (b"mi", b"mn", b"mo", b"ms", b"mtext", b"annotation")
_ISLAND_TAGS = rb"1000"


def _island(root: bytes, names: bytes, leaves: tuple[bytes, ...]) -> bytes:
    tag = rb"</?(?i:" + names + rb")" + _NAME_ENDS + _REST_OF_TAG
    leaf_tags = [
        rb"<(?i:" + leaf + rb")" + _NAME_ENDS + _REST_OF_TAG + rb"[^<]*+</(?i:" + leaf + rb")" + _SPACES + rb">"
        for leaf in leaves
    ]
    content = rb"|".join([rb"[^<]++", tag, *leaf_tags])
    opening = rb"(?i:" + root + rb")" + _NAME_ENDS + _REST_OF_TAG
    return opening + rb"(?:" + content + rb"){0," + _ISLAND_TAGS + rb"}+</(?i:" + root + rb")" + _SPACES + rb">"


_RAW_TEXT = [_raw_text(name) for name in RAW_TEXT_NAMES]
_ISLANDS = [_island(b"svg", _SVG_NAMES, _SVG_LEAVES), _island(b"math", _MATH_NAMES, _MATH_LEAVES)]
_TAG = rb"(/?[A-Za-z][^\t\n\f\r />]*+)" + _REST_OF_TAG

# One token of markup. Group 1 is a tag's name, with `/` before it at an end tag; comments, raw text elements (up to,
# not including, their end tag) and islands have none.
TOKEN = re.compile(rb"<(?:" + rb"|".join([_COMMENT, *_RAW_TEXT, *_ISLANDS, _TAG, _BOGUS_COMMENT]) + rb")")

# A start tag of few attributes, plainly written: nothing in it can hide its end.
_ITEM = rb"""[\t\n\f\r /]++[^\t\n\f\r />="']++(?:=(?:"[^"]*+"|'[^']*+'|[^\t\n\f\r >"'=]++))?+"""
_SHORT_REST = rb"(?:" + _ITEM + rb"){0,8}+[\t\n\f\r /]*+>"
SHORT_TAG = rb"<[A-Za-z]++" + _SHORT_REST


def _short_element(group: int, content: bytes) -> bytes:
    opening = rb"<([A-Za-z]++)" + _SHORT_REST
    return opening + rb"[^<]*+" + content + rb"</\%d[\t\n\f\r ]*+>" % group


def _repeated(element: bytes) -> bytes:
    return rb"(?:" + element + rb"[^<]*+)*+"


# An element of such tags that holds text and, two deep, elements of the same kind.
SHORT_ELEMENT = _short_element(1, _repeated(_short_element(2, _repeated(_short_element(3, b"")))))
