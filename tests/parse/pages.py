"""Pages for the tests of the parse stage: a response in one line, and bodies made to cost a parser dearly."""

from __future__ import annotations

from collections.abc import Callable

from weaver.base.page import Parsed, Response
from weaver.base.settings import ParseSettings
from weaver.parse import parse_page

URL = "http://site.test/dir/page.html"
XHTML = b'<html xmlns="http://www.w3.org/1999/xhtml">'


def response(body: bytes, content_type: str | None = "text/html; charset=utf-8", **headers: str) -> Response:
    """An answer with this body; keyword names are header names with `_` for `-`."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if content_type is not None:
        fields["content-type"] = content_type
    return Response(URL, 200, fields, body, len(body), 0.0)


def parsed(body: bytes, content_type: str | None = "text/html; charset=utf-8", **headers: str) -> Parsed:
    """What the parse stage makes of such an answer under the default settings."""
    return parse_page(response(body, content_type, **headers), ParseSettings())


def _numbered(text: str) -> Callable[[int], bytes]:
    return lambda size: "".join(text.replace("#", str(number)) for number in range(size // len(text) + 1)).encode()


def _repeated(text: bytes, first: bytes = b"") -> Callable[[int], bytes]:
    return lambda size: first + text * (size // len(text) + 1)


def _halves(first: Callable[[int], bytes], second: Callable[[int], bytes]) -> Callable[[int], bytes]:
    return lambda size: first(size // 2) + second(size // 2)


# Name -> body of about so many bytes. Each costs a plain tree builder time or memory beyond any proportion.
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "open blocks": _repeated(b"<div>"),
    "open list items": _repeated(b"<ul><li>"),
    "items and definitions": _repeated(b"<li><dd>"),
    "links in blocks": _repeated(b"<a href=x><div>"),
    "stray end tags": _repeated(b"<div></x>"),
    "end tags over open inline elements": _halves(_repeated(b"<q>"), _repeated(b"</x>")),
    "an end tag out of scope": _repeated(b"<div><object></div></object>"),
    "an end tag behind a block": _repeated(b"<span><div></span></div>"),
    "an end tag behind a paragraph": _repeated(b"<span><p></span><div></div>"),
    "an end tag in a comment": _repeated(b"<div><!--</div>-->"),
    "an end tag in a value": _repeated(b"<div a='</div>'>"),
    "an end tag behind a quoted greater-than sign": _repeated(b'<div a="></div><p b=">'),
    "an end tag in a script that goes on": _repeated(b"<div><script><!--<script></script></div></script>"),
    "an end tag in a drawing": _repeated(b"<div><svg><g></div></svg>"),
    "drawings in drawings": _repeated(b"<svg><g>"),
    "drawings with text that stays open": _repeated(b"<svg><title></svg>"),
    "formatting opened again": _halves(_numbered("<b a=#>"), _repeated(b"<p>x")),
    "formatting opened again, three of a kind": _repeated(b"<p>x", b"<p><b><b><b><i><i><i><u><u><u><s><s><s>"),
    "wide formatting opened again": lambda size: b"<p><b " + _numbered("a# ")(size // 4) + b">" + b"<p>x" * (size // 8),
    "a wide link opened again": lambda size: b"<p><a " + _numbered("a# ")(size // 4) + b">" + b"<p>x" * (size // 8),
    "a long link opened again": lambda size: b"<p><a href=" + b"x" * (size // 2) + b">" + b"<p>x" * (size // 8),
    "attributes": lambda size: b"<a " + _numbered("a# ")(size) + b"href=x>",
    "attributes with greater-than signs": lambda size: b"<a " + _numbered('a#=">" ')(size) + b"href=x>",
    "attributes with tags": lambda size: b"<a " + _numbered('a#="<b>" ')(size) + b"href=x>",
    "attributes of the root": _numbered("<html a#>"),
    "unheard-of elements": _numbered("<x#></x#>"),
    "unheard-of attributes": _numbered("<br a#>"),
    "text moved out of a table": _repeated(b"x<!---->", b"<table>"),
    "text after the body": lambda size: b"x" * (size // 2) + b"x</body><!---->" * (size // 30),
    "options": _repeated(b"<option>x", b"<select>"),
    "comments that never end": _repeated(b"<!--"),
    "scripts that never end": _repeated(b"<script>"),
    "quotes that never end": _repeated(b'<a b="'),
    "tags in tags": _repeated(b"<a "),
    "less-than signs": _repeated(b"<"),
    "ampersands": _repeated(b"&"),
    "bytes that are no text": _repeated(b"\xff\x00"),
    "templates": _repeated(b"<template>"),
    "tables": _repeated(b"<table><tr><td>"),
    "links": _repeated(b"<a href=x>"),
    "white space in a tag": lambda size: b"<a " + b" " * size + b"href=x>",
    "one long href": lambda size: b'<a href="' + b"x" * size + b'">',
    "a refresh of blanks": lambda size: b'<meta http-equiv=refresh content="0;' + b" " * size + b'">',
}
HOSTILE_XHTML: dict[str, Callable[[int], bytes]] = {
    "open elements": _repeated(b"<p>", XHTML),
    "prefixes": lambda size: XHTML + _numbered('<p xmlns:a#="x">')(size),
    "attributes": lambda size: XHTML[:-1] + b" " + _numbered('a#="x" ')(size) + b"/>",
    "entities of entities": lambda size: b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "' + b"&a;" * (size // 3)
    + b'">]>' + XHTML + b"&b;&b;</html>",
    "named characters": _repeated(b"&nbsp;", XHTML),
    "links": _repeated(b'<a href="x"/>', XHTML),
}  # fmt: skip
