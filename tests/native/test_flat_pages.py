"""What the compiled reader says of a page as mere markup is what its twin says; references mean what they do there."""

from __future__ import annotations

import json
from html.entities import html5

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from tests.conformance.cases import conformance_root, skip_reason
from tests.native.markup import pages
from tests.native.test_plain_pages import differences, facts
from weaver.base.settings import ParseSettings
from weaver.native import compiled
from weaver.parse import flat
from weaver.parse.flat import decoded, flat_contents, flat_in_python

SETTINGS = ParseSettings()
needs_compiled = pytest.mark.skipif(compiled is None, reason="the compiled module isn't there: nothing to compare")


def _differences(markup: bytes, max_links: int = SETTINGS.max_links) -> dict[str, object]:
    markup = markup.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    got = facts(flat_contents(markup, ParseSettings(max_links=max_links)))
    expected = facts(flat_in_python(markup, max_links))
    return {name: (got[name], expected[name]) for name in got if got[name] != expected[name]}


@needs_compiled
@settings(max_examples=600, deadline=None)
@given(pages, st.binary(max_size=9), st.integers(1, 4))
@example("<svg>" + "<g>" * 1_000 + "</svg><a href=x>", b"", 4)
@example("<svg>" + "<g>" * 999 + "</svg><a href=x>", b"", 4)
@example("<a href='x>", b"", 4)
@example("<title>t", b"", 4)
@example("a", b"\xc2\x00\x80", 4)
@example("x<plaintext>&amp;<a href=x>", b"", 4)
def test_flat_pages_read_as_in_python(markup: str, tail: bytes, max_links: int) -> None:
    """Links, head, title and text of any bytes as mere markup are the twin's."""
    body = markup.encode()
    assert not _differences(body + tail + body[: len(body) // 2], max_links)


@needs_compiled
@pytest.mark.slow
@pytest.mark.parametrize("times", [599_999, 600_000, 600_001])
def test_flat_pages_end_at_the_same_token(times: int) -> None:
    """Where a page has more tokens than are read, both readers stop at the same one."""
    assert not _differences(b"<p>" * (times - 1) + b"<title>t</title>x<i>y<a href=z>w")


@needs_compiled
def test_the_conformance_sets_read_alike() -> None:
    """Every piece of markup in the conformance sets reads alike, flat, plain and as a tree."""
    root, found = conformance_root(), list[bytes]()
    if root is None:
        pytest.skip(skip_reason())
    for file in sorted(root.rglob("*.json")):
        _gather(json.loads(file.read_text("utf-8")), found)
    assert found
    assert not [markup for markup in found if _differences(markup) or differences(markup)]


def _gather(value: object, into: list[bytes]) -> None:
    if isinstance(value, str) and "<" in value:
        into.append(value.encode("utf-8", "surrogatepass"))
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _gather(item, into)


_references = st.lists(
    st.one_of(
        st.sampled_from(sorted(html5)).map("&".__add__),
        st.integers(0, 0x120000).map("&#{};".format),
        st.integers(0, 0x120000).map("&#x{:x}".format),
        st.sampled_from(["&", ";", "=", "a", "1", " ", "&#", "&#x", "é", "&#X0041;", "&#0000000000065", "x" * 33]),
    ),
    max_size=6,
).map("".join)


@settings(max_examples=500, deadline=None)
@given(_references)
def test_references_are_decoded_as_in_a_tree(text: str) -> None:
    """Named and numeric references, in text and in attributes, mean what they mean to the tree builder."""
    body = LexborHTMLParser(f"<!DOCTYPE html><body><p title='{text}'>x{text}".encode()).body
    assert body is not None
    paragraph = body.first_child
    assert paragraph is not None
    assert f"x{decoded(text, is_attribute=False)}" == paragraph.text()
    assert decoded(text, is_attribute=True) == (paragraph.attributes["title"] or "")


def test_a_large_page_is_read_without_the_compiled_module_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the compiled module the same is read, with carriage returns as line feeds."""
    markup = b"<title>a\r\nb</title>x\ry<a href=z rel=UGC>"
    monkeypatch.setattr(flat, "compiled", None)
    contents = flat_contents(markup, SETTINGS)
    assert (contents.title, contents.text, contents.nofollow_hrefs) == ("a\nb", "x\ny", ["z"])
