"""What one pass over a page finds."""

from __future__ import annotations

import pytest

from tests.parse.pages import URL, parsed, response
from weaver.base.settings import ParseSettings
from weaver.parse import parse_page


def test_links_come_in_document_order_with_repeats() -> None:
    """The hrefs of a and area come in document order, raw but for white space around them, repeats included."""
    page = parsed(b'<a href="b">1</a><map><area href=" a?x&amp;y "></map><a href="b">2</a><a name="n">no link</a>')
    assert page.hrefs == ["b", "a?x&y", "b"]


@pytest.mark.parametrize("tag", ["<a href>", '<a href="">', "<a href=' '>"])
def test_an_empty_href_is_kept(tag: str) -> None:
    """An empty href is a link to the page itself and stays an empty text."""
    assert parsed(tag.encode()).hrefs == [""]


@pytest.mark.parametrize("rel", ["nofollow", "noopener NoFollow", "ugc", "sponsored me"])
def test_links_that_are_not_vouched_for_are_kept_apart(rel: str) -> None:
    """A link marked nofollow, ugc or sponsored is in nofollow_hrefs, and there only."""
    page = parsed(f'<a href="a" rel="{rel}"></a><a href="b" rel="next"></a>'.encode())
    assert (page.hrefs, page.nofollow_hrefs) == (["b"], ["a"])


def test_what_is_no_markup_holds_no_links() -> None:
    """Comments, scripts, raw text and templates hold no links; noscript does, since no script is run."""
    hidden = (
        b"<!--<a href=1>--><script>'<a href=2>'</script><style><a href=3></style><textarea><a href=4></textarea>"
        b"<iframe><a href=5></iframe><template><a href=6></template><noscript><a href=7>7</a></noscript>"
    )
    assert parsed(hidden).hrefs == ["7"]


def test_links_of_drawings_are_none() -> None:
    """An SVG or MathML `a` is no link of the page, an HTML one inside a drawing is."""
    page = parsed(
        b"<svg><a href=1></a><foreignObject><a href=2></a></foreignObject></svg><math><mi><a href=3></a></mi></math>"
        b'<math><annotation-xml encoding="text/html"><a href=4></a></annotation-xml><annotation-xml><a href=5></math>'
    )
    assert page.hrefs == ["2", "3", "4"]


def test_links_are_capped() -> None:
    """A page with more links than the setting allows gives the first ones, and says so."""
    page = parse_page(response(b"<a href=x rel=ugc></a>" + b"<a href=y></a>" * 9), ParseSettings(max_links=4))
    assert (page.hrefs, page.nofollow_hrefs, page.note) == (["y"] * 3, ["x"], "links_capped")
    exact = parse_page(response(b"<a href=y></a>" * 4), ParseSettings(max_links=4))
    assert exact.note == ""


@pytest.mark.parametrize(
    ("markup", "base"),
    [
        (b"<base href=/x/>", "http://site.test/x/"),
        (b"<base target=a><base href=../y/><base href=/z/>", "http://site.test/y/"),
        (b"<p><base href=/late/>", "http://site.test/late/"),
        (b"<base href=javascript:x><base href=/z/>", URL),
        (b"<base href='http://['><base href=/z/>", URL),
        (b"<base href='data:text/html,x'>", URL),
        (b"<base href>", URL),
        (b"<template><base href=/no/></template>", URL),
    ],
)
def test_the_first_base_with_an_href_counts(markup: bytes, base: str) -> None:
    """The first base with an href in document order counts, wherever it stands, unless it is refused."""
    assert parsed(markup).base_url == base


def test_a_canonical_counts_in_the_head_only() -> None:
    """A canonical link is believed in the head, not in the body, and the first one counts."""
    page = parsed(b"<link rel='alternate CANONICAL' href=' one '><link rel=canonical href=two><body>")
    assert page.canonical == "one"
    assert parsed(b"<body><p><link rel=canonical href=x>").canonical is None


def test_a_canonical_of_the_header_counts_after_the_page() -> None:
    """The Link header's canonical is resolved and counts where the page has none, even where it is no HTML."""
    header = '<../a,b>; rel="next", <c>; title="x, <d>; rel=canonical"; rel=Canonical'
    assert parsed(b"<p>", link=header).canonical == "http://site.test/dir/c"
    assert parsed(b"<link rel=canonical href=x>", link=header).canonical == "x"
    assert parsed(b"%PDF", "application/pdf", link=header).canonical == "http://site.test/dir/c"


@pytest.mark.parametrize(
    ("markup", "headers", "expected"),
    [
        (b"<meta name=robots content='NOINDEX, follow'>", {}, (True, False)),
        (b"<meta name=Weaver content=nofollow>", {}, (False, True)),
        (b"<meta name=robots content=none>", {}, (True, True)),
        (b"<meta name=otherbot content=none>", {}, (False, False)),
        (b"<p><meta name=robots content=noindex>", {}, (True, False)),
        (b"", {"x_robots_tag": "noarchive, NoIndex"}, (True, False)),
        (b"", {"x_robots_tag": "otherbot: noindex, nofollow"}, (False, False)),
        (b"", {"x_robots_tag": "otherbot: noindex, weaver: nofollow"}, (False, True)),
        (b"", {"x_robots_tag": "max-snippet: 20, noindex"}, (True, False)),
        (b"", {"x_robots_tag": "unavailable_after: Sunday, 25-Jun-10 15:00:00 GMT, nofollow"}, (False, True)),
    ],
)
def test_robots_directives_of_page_and_header_add_up(
    markup: bytes, headers: dict[str, str], expected: tuple[bool, bool]
) -> None:
    """Meta robots and X-Robots-Tag, for all robots or for weaver by name, forbid indexing and following."""
    page = parsed(markup, **headers)
    assert (page.noindex, page.nofollow) == expected


def test_a_refresh_names_the_next_page() -> None:
    """A meta refresh with a URL is found anywhere on the page, the first one counts; the header goes before it."""
    markup = b"<p><meta http-equiv=Refresh content='0; url= \"next\"'><meta http-equiv=refresh content='0; url=b'>"
    assert parsed(markup).refresh == "next"
    assert parsed(markup, refresh="5; /h").refresh == "http://site.test/h"
    assert parsed(b"<meta http-equiv=refresh content=30>").refresh is None


def test_the_title_is_that_of_the_document() -> None:
    """The first title of the document counts, its white space collapsed; a drawing's title is none."""
    assert parsed(b"<title>\n a &amp;  b </title><title>c</title>").title == "a & b"
    assert parsed(b"<body><svg><title>no</title></svg><title>late</title>").title == "late"
    assert parsed(b"<svg><title>no</title></svg>").title == ""


def test_text_is_what_a_reader_without_scripts_sees() -> None:
    """The text is the body's, without scripts, styles and frames, with noscript; text nodes stay apart."""
    page = parsed(
        b"<title>t</title><table><td>a<td>b</table><script>s</script><style>s</style><iframe>s</iframe>"
        b"<template>s</template><noscript>n</noscript>&lt;c"
    )
    assert page.text.split() == ["a", "b", "n", "<c"]


@pytest.mark.parametrize("max_tree", [0, ParseSettings().max_tree], ids=["flat", "as ever"])
@pytest.mark.parametrize("refused", ["", "<math></math>"], ids=["plain", "treed"])
@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("a<b>b</b>c<p>d<p>e", "a b c\nd\ne"),
        ("<ul><li>a<li><i>b</i> c</ul>d", "a\nb  c\nd"),
        ("<table><tr><td>a<td>b<tr><th>c</table>d", "a\nb\nc\nd"),
        ("a<br>b<hr>c</br>d<!-- -->e", "a\nb\nc\nd e"),
        ("<select><option>a<option>b</select><legend>c</LEGEND>d", "a\nb\nc\nd"),
        ("<div>a<div></div></div>\n<p>b\nc</p>", "a\nb\nc"),
    ],
)
def test_blocks_end_lines_of_the_text(markup: str, text: str, refused: str, max_tree: int) -> None:
    """Texts that a block's border parts are on lines of their own, however the page is read; others a space apart."""
    page = parse_page(response(f"<body>{refused}{markup}".encode()), ParseSettings(max_tree=max_tree))
    assert [line for line in page.text.split("\n") if line] == text.split("\n")


def test_a_page_that_is_no_html_is_not_parsed() -> None:
    """Bodies of other types give no links and no text."""
    page = parsed(b"<a href=x>", "text/plain")
    assert (page.is_html, page.hrefs, page.text, page.base_url) == (False, [], "", URL)


@pytest.mark.parametrize(
    ("body", "content_type", "is_html"),
    [
        (b"\n <!doctype html><a href=x>", None, True),
        (b"\xef\xbb\xbf<HTML>", None, True),
        (b"<?xml version='1.0'?><!DOCTYPE html><html xmlns='x'>", None, True),
        (b"<a href=x>", "nonsense", True),
        (b"plain text about <html>", None, False),
        (b"<?xml version='1.0'?><rss>", None, False),
        (b"<abc>", None, False),
    ],
)
def test_a_body_of_no_named_type_is_sniffed(body: bytes, content_type: str | None, is_html: bool) -> None:
    """Where the server names no type, HTML is told by what the body opens with."""
    assert parsed(body, content_type).is_html is is_html


def test_a_query_is_encoded_in_the_charset_of_the_page() -> None:
    """On a page of a legacy charset a link's query is percent-encoded in it, its path left as text."""
    page = parsed('<a href="ü?q=ü">'.encode("latin-1"), "text/html; charset=iso-8859-1")
    assert (page.hrefs, page.charset) == (["ü?q=%FC"], "windows-1252")
