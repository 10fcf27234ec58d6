"""XHTML: what is in a well-formed XML document, whose elements close where XML says, not where HTML would.

Expat reads it with no entity of the document's own and no outside resource: what declares one is no XHTML for us.
"""

from __future__ import annotations

import re
from html.entities import html5
from xml.parsers import expat

from weaver.parse.contents import BLOCKS, Contents
from weaver.parse.flat import FlatPage

_NAMESPACE = "http://www.w3.org/1999/xhtml"
_XML_ENTITIES = frozenset(("amp", "lt", "gt", "quot", "apos"))
_UNSEEN = frozenset(("script", "style", "iframe", "noframes", "noembed", "template"))
_named_reference = re.compile(r"&([A-Za-z][A-Za-z0-9]*+);")


class _DeclaresEntity(Exception):
    """Raised inside expat's callback only, to end the parse."""


def xhtml_contents(text: str, max_links: int) -> Contents | None:
    """What is in an XHTML document; None where it isn't well-formed or declares entities."""
    reader = _Reader(max_links)
    # Without expat's namespaces, whose time is quadratic in the prefixes that are open.
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.EntityDeclHandler = reader.refuse_entity
    try:
        parser.Parse(_with_numeric_references(text).encode("utf-8", "replace"), True)  # noqa: FBT003 -- positional in C
    except (expat.ExpatError, _DeclaresEntity):
        return None
    return reader.page.contents()


def _with_numeric_references(text: str) -> str:
    # XHTML's DTDs declare HTML's entities; nothing outside the page is read to learn that.
    return _named_reference.sub(_numeric_reference, text)


def _numeric_reference(match: re.Match[str]) -> str:
    characters = html5.get(f"{match[1]};")
    if characters is None or match[1] in _XML_ENTITIES:
        return match[0]
    return "".join(f"&#{ord(character)};" for character in characters)


class _Names:
    """Which prefixes mean XHTML, element by element (Namespaces in XML 1.0, section 6)."""

    def __init__(self) -> None:
        self._is_xhtml: dict[str, list[bool]] = {}
        self._declared: list[tuple[str, ...]] = []

    def open(self, qualified_name: str, attributes: dict[str, str]) -> str:
        """The element's name if it is one of XHTML, else nothing."""
        declared = tuple(key for key in attributes if key.startswith("xmlns"))
        for key in declared:
            self._is_xhtml.setdefault(key, []).append(attributes[key] == _NAMESPACE)
        self._declared.append(declared)
        return self._local_name(qualified_name)

    def close(self, qualified_name: str) -> str:
        """The same name again, as the element is left."""
        name = self._local_name(qualified_name)
        for key in self._declared.pop():
            self._is_xhtml[key].pop()
        return name

    def _local_name(self, qualified_name: str) -> str:
        prefix, colon, name = qualified_name.rpartition(":")
        meanings = self._is_xhtml.get(f"xmlns{colon}{prefix}")
        return name if meanings and meanings[-1] else ""


class _Reader:
    """Expat's callbacks; `unseen` is how many open elements hide what is in them, `heads` how many heads are open."""

    def __init__(self, max_links: int) -> None:
        self.page = FlatPage(max_links)
        self.names = _Names()
        self.unseen = 0
        self.heads = 0
        self.title: list[str] | None = None
        self.has_title = False

    def start(self, qualified_name: str, attributes: dict[str, str]) -> None:
        name = self.names.open(qualified_name, attributes)
        self._end_line(name)
        self.unseen += name in _UNSEEN
        self.heads += name == "head"
        if name == "title" and not self.has_title:
            self.title = []
        elif not self.unseen:
            self._add(name, attributes)

    def _end_line(self, name: str) -> None:
        if name in BLOCKS:
            self.page.add_border()

    def _add(self, name: str, attributes: dict[str, str]) -> None:
        if name in ("a", "area"):
            self.page.add_link(attributes)
        elif name in ("base", "meta") or (name == "link" and self.heads):
            self.page.add_to_head(name, attributes)

    def end(self, qualified_name: str) -> None:
        name = self.names.close(qualified_name)
        self._end_line(name)
        self.unseen -= name in _UNSEEN
        self.heads -= name == "head"
        if name == "title" and self.title is not None:
            self.page.add_title("".join(self.title))
            self.title, self.has_title = None, True

    def text(self, text: str) -> None:
        if self.title is not None:
            self.title.append(text)
        elif not self.unseen and not self.heads:
            self.page.add_text(text)

    def refuse_entity(self, *_declaration: object) -> None:
        raise _DeclaresEntity
