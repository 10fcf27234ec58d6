"""A flat page: the links, head elements and text of a page as markup without nesting, for what no tree is built of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.entities import html5
from itertools import islice

from weaver.base.settings import ParseSettings
from weaver.native import compiled
from weaver.parse.contents import BLOCKS, Contents
from weaver.parse.head import HeadFacts
from weaver.parse.links import ASCII_WHITESPACE, is_nofollow
from weaver.parse.tokens import CLOSED_TAG, NAME_AND_VALUE, TOKEN

_MOST_HEAD_ELEMENTS = 1_000
# No honest page has more; what comes after them isn't read.
_MOST_TOKENS = 600_000
_LINKS = frozenset((b"a", b"area"))
_HEAD_ELEMENTS = frozenset((b"base", b"meta", b"link"))
_OF_THE_HEAD = _HEAD_ELEMENTS | {b"html", b"head", b"title", b"script", b"style", b"noscript", b"template"}
_BLOCKS = frozenset(name.encode() for name in BLOCKS)
_WANTED = frozenset((b"href", b"rel", b"name", b"http-equiv", b"content"))
_REPLACEMENT = "\ufffd"
# What numeric references of 0x80 to 0x9F mean (WHATWG HTML, section 13.2.5.80): windows-1252, where it has a character.
_WINDOWS = {code: bytes((code,)).decode("cp1252", "ignore") or chr(code) for code in range(0x80, 0xA0)}

_is_closed = re.compile(CLOSED_TAG).fullmatch
_opening = re.compile(CLOSED_TAG).match
_names_and_values = re.compile(NAME_AND_VALUE).findall
_title = re.compile(rb"<(?i:title)(?=[\t\n\f\r />])").match
_reference = re.compile(r"&(?:#(?:[xX]([0-9a-fA-F]++)|([0-9]++));?|([0-9a-zA-Z]{1,32}+;?))")
_bare_names = tuple(frozenset(name for name in html5 if name[-1] != ";" and len(name) == length) for length in range(7))


class FlatPage:
    """Gathers what is in a page in its order; links and head elements are capped."""

    def __init__(self, max_links: int) -> None:
        self._links_left = max_links
        self._head_left = _MOST_HEAD_ELEMENTS
        self._facts = HeadFacts()
        self._title: str | None = None
        self._hrefs: list[str] = []
        self._nofollow_hrefs: list[str] = []
        self._is_capped = False
        self._texts: list[str] = []
        self._separator = " "

    def add_link(self, attributes: Mapping[str, str]) -> None:
        if "href" not in attributes:
            return
        if not self._links_left:
            self._is_capped = True
            return
        self._links_left -= 1
        hrefs = self._nofollow_hrefs if is_nofollow(attributes.get("rel", "")) else self._hrefs
        hrefs.append(attributes["href"].strip(ASCII_WHITESPACE))

    def add_to_head(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._head_left:
            self._head_left -= 1
            self._facts.take(tag, attributes)

    def add_title(self, title: str) -> None:
        """The first one counts."""
        if self._title is None:
            self._title = title

    def add_border(self) -> None:
        """Where a block begins or ends: the texts before and after are on lines of their own."""
        self._separator = "\n"

    def add_text(self, text: str) -> None:
        if self._texts:
            self._texts.append(self._separator)
        self._texts.append(text)
        self._separator = " "

    def contents(self) -> Contents:
        text = "".join(self._texts)
        return Contents(self._facts, self._title or "", self._hrefs, self._nofollow_hrefs, self._is_capped, text)


def flat_contents(markup: bytes, settings: ParseSettings) -> Contents:
    """What is in HTML that no tree is built of; linear in its length."""
    if b"\r" in markup:
        markup = markup.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if compiled is None:
        return flat_in_python(markup, settings.max_links)
    return Contents.of(compiled.read_flat(markup, settings.max_links))


def flat_in_python(markup: bytes, max_links: int) -> Contents:
    """The same without the compiled module; line feeds only."""
    return _Flattening(max_links).page_of(markup).contents()


def decoded(text: str, *, is_attribute: bool) -> str:
    """Text of markup with its character references decoded (WHATWG HTML, sections 13.2.5.72 to 13.2.5.80)."""
    return _reference.sub(_in_attribute if is_attribute else _in_text, text) if "&" in text else text


def _in_text(match: re.Match[str]) -> str:
    name = match[3]
    if name is None:
        return _numbered(match)
    if name in html5:
        return html5[name]
    bare = _bare_name(name)
    return html5[bare] + name[len(bare) :] if bare else match[0]


def _in_attribute(match: re.Match[str]) -> str:
    name = match[3]
    if name is None:
        return _numbered(match)
    if name.endswith(";") and name in html5:
        return html5[name]
    # A name without a semicolon is none where a letter, a digit or `=` follows.
    bare = _bare_name(name)
    rest = name[len(bare) :] or match.string[match.end() : match.end() + 1]
    if not bare or rest.startswith("=") or (rest[:1].isascii() and rest[:1].isalnum()):
        return match[0]
    return html5[bare] + name[len(bare) :]


def _bare_name(name: str) -> str:
    """The longest name at its front of those that need no semicolon; empty where there is none."""
    lengths = range(min(len(name), len(_bare_names) - 1), 1, -1)
    return next((name[:length] for length in lengths if name[:length] in _bare_names[length]), "")


def _numbered(match: re.Match[str]) -> str:
    digits, base = (match[1], 16) if match[1] else (match[2], 10)
    digits = digits.lstrip("0") or "0"
    code = int(digits, base) if len(digits) <= 7 else -1
    if code in _WINDOWS:
        return _WINDOWS[code]
    return chr(code) if 0 < code < 0xD800 or 0xDFFF < code <= 0x10FFFF else _REPLACEMENT


class _Flattening:
    def __init__(self, max_links: int) -> None:
        self.page = FlatPage(max_links)
        self.templates = 0
        self.is_in_head = True

    def page_of(self, markup: bytes) -> FlatPage:
        text_from = 0
        for token in islice(TOKEN.finditer(markup), _MOST_TOKENS):
            self._add_text(markup[text_from : token.start()])
            text_from = token.end()
            name = token[1].lower() if token[1] else b""
            if name == b"plaintext":
                self._add_text(markup[text_from:], is_markup=False)
                break
            if name:
                self._add_tag(name, token[0], is_last=text_from == len(markup))
            elif _title(token[0]):
                self._add_title(token[0])
        else:
            unread = TOKEN.search(markup, text_from)
            self._add_text(markup[text_from : unread.start() if unread else None])
        return self.page

    def _add_text(self, text: bytes, *, is_markup: bool = True) -> None:
        if self.templates or not text or text.isspace():
            return
        self.is_in_head = False
        plain = text.decode("utf-8", "replace")
        self.page.add_text((decoded(plain, is_attribute=False) if is_markup else plain).replace("\0", ""))

    def _add_title(self, element: bytes) -> None:
        opening = _opening(element)
        if opening:
            title = element[opening.end() :].decode("utf-8", "replace")
            self.page.add_title(decoded(title, is_attribute=False).replace("\0", _REPLACEMENT))

    def _add_tag(self, name: bytes, tag: bytes, *, is_last: bool) -> None:
        if name.removeprefix(b"/") in _BLOCKS:
            self.page.add_border()
        if name.startswith(b"/"):
            self._end(name[1:])
            return
        self.templates += name == b"template"
        self.is_in_head = self.is_in_head and name in _OF_THE_HEAD
        # The last tag may have no end.
        if self.templates or (is_last and not _is_closed(tag)):
            return
        if name in _LINKS:
            self.page.add_link(_attributes(name, tag))
        elif name in _HEAD_ELEMENTS and (self.is_in_head or name != b"link"):
            self.page.add_to_head(name.decode(), _attributes(name, tag))

    def _end(self, name: bytes) -> None:
        if name == b"template" and self.templates:
            self.templates -= 1
        elif name == b"head":
            self.is_in_head = False


def _attributes(name: bytes, tag: bytes) -> dict[str, str]:
    """The attributes that matter, the first of each name."""
    kept: dict[str, str] = {}
    for key, *values in _names_and_values(tag[len(name) + 1 : -1]):
        if key.lower() in _WANTED:
            value = next(filter(None, values), b"").decode("utf-8", "replace")
            kept.setdefault(key.lower().decode(), decoded(value, is_attribute=True).replace("\0", _REPLACEMENT))
    return kept
