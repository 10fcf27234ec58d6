"""A flat page: the links, head elements and text of a page as markup without nesting, for what no tree is built of.

It is read by the same code as any page, so that attributes and character references mean the same.
"""

from __future__ import annotations

import re
from itertools import islice

from weaver.parse.tokens import ATTRIBUTE, TOKEN

_MOST_HEAD_ELEMENTS = 1_000
# No honest page has more; what comes after them isn't read.
_MOST_TOKENS = 600_000
_attributes = re.compile(ATTRIBUTE).findall
_wanted_name = re.compile(rb"(?i:href|rel|name|http-equiv|content)(?=[\t\n\f\r =]|\Z)").match
_LINKS = frozenset((b"a", b"area"))
_HEAD_ELEMENTS = frozenset((b"base", b"meta", b"link"))
_OF_THE_HEAD = _HEAD_ELEMENTS | {b"html", b"head", b"title", b"script", b"style", b"noscript", b"template"}
_END_TAG = {b"a": b"</a>", b"area": b""}
_title = re.compile(rb"<(?i:title)[\t\n\f\r />]").match


class FlatPage:
    """What a page without a tree is made of; links and head elements are capped."""

    def __init__(self, max_links: int) -> None:
        # One more than the cap, so that the reader sees that there were more.
        self._links_left = max_links + 1
        self._head_left = _MOST_HEAD_ELEMENTS
        self._head: list[bytes] = []
        self._body: list[bytes] = []

    def add_link(self, name: bytes, tag: bytes) -> None:
        if self._links_left:
            self._links_left -= 1
            self._body.append(tag + _END_TAG[name])

    def add_to_head(self, element: bytes) -> None:
        if self._head_left:
            self._head_left -= 1
            self._head.append(element)

    def add_text(self, text: bytes) -> None:
        """Text as it is in markup: its character references are still to be read."""
        self._body.append(text)

    def markup(self) -> bytes:
        return b"<!DOCTYPE html><head>" + b"".join(self._head) + b"</head><body>" + b" ".join(self._body)


def flattened(markup: bytes, max_links: int) -> bytes:
    """The flat page of HTML that is nested too deeply; linear in its length."""
    return _Flattening(max_links).page_of(markup).markup()


class _Flattening:
    def __init__(self, max_links: int) -> None:
        self.page = FlatPage(max_links)
        self.templates = 0
        self.is_in_head = True

    def page_of(self, markup: bytes) -> FlatPage:
        text_from = 0
        for token in islice(TOKEN.finditer(markup), _MOST_TOKENS):
            if token.start() > text_from:
                self._add_text(markup[text_from : token.start()])
            text_from = token.end()
            name = token[1].lower() if token[1] else b""
            if name == b"plaintext":
                self._add_text(_escaped(markup[text_from:]))
                break
            if name:
                self._add_tag(name, token[0])
            elif _title(token[0]):
                self.page.add_to_head(token[0] + b"</title>")
        else:
            unread = TOKEN.search(markup, text_from)
            self._add_text(markup[text_from : unread.start() if unread else None])
        return self.page

    def _add_text(self, text: bytes) -> None:
        if not self.templates and not text.isspace():
            self.is_in_head = False
            self.page.add_text(text)

    def _add_tag(self, name: bytes, tag: bytes) -> None:
        if name.startswith(b"/"):
            self._end(name[1:])
            return
        self.templates += name == b"template"
        self.is_in_head = self.is_in_head and name in _OF_THE_HEAD
        if self.templates or not tag.endswith(b">"):
            return
        if name in _LINKS:
            self.page.add_link(name, _plain(name, tag))
        elif name in _HEAD_ELEMENTS and (self.is_in_head or name != b"link"):
            self.page.add_to_head(_plain(name, tag))

    def _end(self, name: bytes) -> None:
        if name == b"template" and self.templates:
            self.templates -= 1
        elif name == b"head":
            self.is_in_head = False


def _escaped(text: bytes) -> bytes:
    return text.replace(b"&", b"&amp;").replace(b"<", b"&lt;")


def _plain(name: bytes, tag: bytes) -> bytes:
    """The tag with the attributes that matter, the first of each name."""
    kept: dict[bytes, bytes] = {}
    for attribute in _attributes(tag[len(name) + 1 :].removesuffix(b">")):
        wanted = _wanted_name(attribute)
        if wanted:
            kept.setdefault(wanted[0].lower(), attribute)
    return b"<%s %s>" % (name, b" ".join(kept.values()))
