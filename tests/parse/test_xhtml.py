"""XHTML is read as XML, and hostile XML is harmless."""

from __future__ import annotations

import pytest

from tests.parse.pages import XHTML, parsed

TYPE = "application/xhtml+xml"


def test_self_closing_elements_close() -> None:
    """Elements close where XML says: a link or script that closes itself hides nothing after it."""
    page = parsed(
        XHTML + b'<head><script src="x"/><title/></head><body><a href="a"/>t<a href="b">u</a></body></html>', TYPE
    )
    assert (page.hrefs, page.text.split(), page.note, page.is_html) == (["a", "b"], ["t", "u"], "", True)


def test_blocks_end_lines_of_the_text() -> None:
    """Texts that a block's border parts are on lines of their own, others are a space apart."""
    assert parsed(XHTML + b"<p>a<b>b</b></p><div/>c<br/>d<x:p>e</x:p></html>", TYPE).text == "a b\nc\nd e"


def test_the_head_is_read() -> None:
    """Base, canonical, robots and title mean in XHTML what they mean in HTML."""
    page = parsed(
        b'<?xml version="1.0"?>' + XHTML + b'<head><title>a &amp; b&nbsp;c</title><base href="/b/"/>'
        b'<link rel="canonical" href="c&amp;d"/><meta name="robots" content="noindex"/></head><body/></html>',
        TYPE,
    )
    assert (page.title, page.base_url, page.canonical, page.noindex) == (
        "a & b\xa0c",
        "http://site.test/b/",
        "c&d",
        True,
    )


def test_only_xhtml_elements_are_links() -> None:
    """An `a` of another namespace is no link; a prefix that means XHTML makes one; case counts."""
    page = parsed(
        XHTML + b'<svg xmlns="http://www.w3.org/2000/svg"><a href="1"/></svg><A href="2"/>'
        b'<h:a xmlns:h="http://www.w3.org/1999/xhtml" href="3"/><template><a href="4"/></template><a href="5"/></html>',
        TYPE,
    )
    assert page.hrefs == ["3", "5"]


@pytest.mark.parametrize(
    "body",
    [
        XHTML + b'<a href="x">',
        b'<!DOCTYPE h [<!ENTITY e "x">]>' + XHTML + b'<a href="x"/>&e;</html>',
        b'<!DOCTYPE h [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + XHTML + b'<a href="x"/>&e;</html>',
        XHTML + b'<a href="x"/>&bogus;</html>',
    ],
)
def test_what_is_no_safe_xml_is_read_as_html(body: bytes) -> None:
    """A document that isn't well-formed, or declares entities, is read as HTML, without any entity."""
    page = parsed(body, TYPE)
    assert (page.hrefs, page.note) == (["x"], "malformed_xml")
    assert "root:" not in page.text


def test_the_declared_encoding_is_read() -> None:
    """The XML declaration names the charset."""
    body = b'<?xml version="1.0" encoding="iso-8859-1"?>' + XHTML + "<p>ü</p></html>".encode("latin-1")
    assert parsed(body, TYPE).text.strip() == "ü"
