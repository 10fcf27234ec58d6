"""What holds of every page, whatever bytes and headers a stranger sends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.parse.pages import URL
from weaver.base.page import Response
from weaver.base.settings import ParseSettings
from weaver.base.url import join
from weaver.parse import parse_page

_SETTINGS = ParseSettings(max_links=50)
_PIECES = [
    b"<a href=", b"<a href='x'>", b"<area href=y>", b"<base href=/b/>", b"<b>", b"</b>", b"<p>", b"<table>", b"<td>",
    b"</table>", b"<svg>", b"</svg>", b"<template>", b"</template>", b"<script>", b"</script>", b"<!--", b"-->",
    b"<title>", b"<meta charset=utf-16>", b"<meta name=robots content=none>", b"<link rel=canonical href=",
    b"<meta http-equiv=refresh content='1;url=", b"&amp;", b"&#xD800;", b"\xff\xfe", b"\xef\xbb\xbf", b"\x00",
    b'"', b"'", b">", b"<", b"/", b"=", b"<?xml version='1.0'?>", b"<html xmlns='http://www.w3.org/1999/xhtml'>",
    b"</html>", b"<plaintext>", b"<frameset>",
]  # fmt: skip
_BODIES = st.binary(max_size=300) | st.lists(st.sampled_from(_PIECES) | st.binary(max_size=6), max_size=40).map(
    b"".join
)
_TYPES = st.sampled_from([
    "text/html",
    "application/xhtml+xml",
    "text/html; charset=shift_jis",
    "text/html;charset=utf-16",
    "",
    "*/*",
    "a/b",
])
_HEADERS = st.dictionaries(st.sampled_from(["content-type", "link", "refresh", "x-robots-tag"]), st.text(max_size=40))


@given(body=_BODIES, content_type=_TYPES, headers=_HEADERS)
def test_parsing_never_raises_and_gives_clean_values(body: bytes, content_type: str, headers: dict[str, str]) -> None:
    """Any bytes with any headers give a value: links capped and stripped, text that encodes, a base that parses."""
    response = Response(URL, 200, {"content-type": content_type} | headers, body, len(body), 0.0)
    page = parse_page(response, _SETTINGS)
    links = page.hrefs + page.nofollow_hrefs
    assert len(links) <= 50
    assert all(href == href.strip("\t\n\f\r ") for href in links)
    assert join(page.base_url) is not None
    "".join([page.text, page.title, *links]).encode()


@given(body=_BODIES, headers=_HEADERS)
def test_parsing_is_a_function_of_the_response(body: bytes, headers: dict[str, str]) -> None:
    """The same response gives the same page."""
    response = Response(URL, 200, {"content-type": "text/html"} | headers, body, len(body), 0.0)
    assert parse_page(response, _SETTINGS) == parse_page(response, _SETTINGS)


@given(names=st.lists(st.sampled_from(["x", "y?q", "z#f"]), max_size=20), depth=st.integers(0, 30))
def test_links_do_not_depend_on_the_way_a_page_is_read(names: list[str], depth: int) -> None:
    """With a tree or without one, the links of a page are the same."""
    body = b"<div>" * depth + b"".join(b"<a href='%s'>t</a> " % name.encode() for name in names)
    response = Response(URL, 200, {"content-type": "text/html"}, body, len(body), 0.0)
    with_tree, without = (parse_page(response, ParseSettings(max_depth=limit)) for limit in (1_000, 16))
    assert with_tree.hrefs == without.hrefs == names
