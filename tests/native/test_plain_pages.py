"""What the compiled reader says of a page is what the tree says, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.native.markup import pages
from tests.support.sites import CPPREFERENCE, POSTGRESQL, PYTHON, SQLITE, DebianSite
from weaver.base.settings import ParseSettings
from weaver.native import compiled
from weaver.parse.census import census_of
from weaver.parse.contents import Contents
from weaver.parse.guard import is_treeable
from weaver.parse.html import read_tree
from weaver.parse.plain import plain_contents

pytestmark = pytest.mark.skipif(compiled is None, reason="the compiled module isn't there: nothing to compare")

SETTINGS = ParseSettings()
_MOST_FILES = 150
_MOST_BYTES = 300_000

_TABLES = st.lists(
    st.sampled_from([
        "<table>", "<table>", "<tr>", "<tr>", "<td>", "</td>", "</table>", "<p>", "<p>", "</p>", "<br>", "\n", " ", "x",
        "<p><br>\n</p>", "<p> </p>", "<p></p>", "<P class=x> <br/>\n</P >", "<tbody>", "<caption>", "<b>", "</b>",
        "<div>", "</div>", "<!-- c -->", "<a href=q>", "</a>", "<select>", "<colgroup>", "<svg>",
    ]),
    max_size=16,
).map("".join)  # fmt: skip


def facts(contents: Contents) -> dict[str, object]:
    """All that the crawl takes from a page."""
    head = contents.facts
    return {
        "title": contents.title,
        "hrefs": contents.hrefs,
        "nofollow": contents.nofollow_hrefs,
        "is_capped": contents.is_capped,
        "text": contents.text,
        "head": (head.canonical, head.refresh, head.directives, [href or "" for href in head.base_hrefs]),
    }


def differences(markup: bytes) -> dict[str, object] | None:
    """What plain and treed reading say differently; None where the page isn't plain."""
    plain = plain_contents(markup, SETTINGS)
    if plain is None:
        return None
    treed, is_treed = read_tree(markup, SETTINGS)
    assert is_treed, markup
    expected, got = facts(treed), facts(plain)
    return {name: (got[name], expected[name]) for name in got if got[name] != expected[name]}


@settings(max_examples=600, deadline=None)
@given(pages)
@example("<!DOCTYPE html><table><tr><td>a<td>b</table>c")
@example("<body>x<a href=1>y</a></body>\n<!-- c -->\n</html>\n")
@example("<p><svg viewBox='0'><title>t</title><path d=z/><a href=q>w</a></svg>v")
@example("a<table><tr>\n<td>b</td></tr><p><br>\n</p>\n<tr><p> <br> </p><td>c<table><p>\n</p><tr><td>d</table></table>e")
@example("<table><p><br>\n</p>\n<tr><td>c</table>")
@example("<p><a href=q></p><table><p> </p>")
def test_plain_pages_read_as_their_tree(markup: str) -> None:
    """A page that is read without a tree has the links, head, title and text that its tree has."""
    assert not differences(markup.encode())


@settings(max_examples=600, deadline=None)
@given(_TABLES)
def test_what_is_moved_out_of_a_table_reads_as_in_the_tree(markup: str) -> None:
    """Paragraphs between the cells of a table come before it where nothing but white space is in them."""
    assert not differences(markup.encode())


def test_blank_paragraphs_between_cells_need_no_tree() -> None:
    """A common slip of page makers costs no tree, but where there are so many that to move them takes long."""
    slip, body = "<p><br>\n</p>", "<!DOCTYPE html><body>a"
    assert plain_contents(f"{body}<table>{slip}<tr><td>b</td></tr></table>".encode(), SETTINGS) is not None
    assert plain_contents(f"{body}<table>{slip * 20_000}</table>".encode(), SETTINGS) is None


@settings(max_examples=200, deadline=None)
@given(pages)
def test_a_page_cut_anywhere_reads_as_its_tree(markup: str) -> None:
    """A page that ends in the middle of anything is read as its tree, or not at all."""
    body = markup.encode()
    for end in range(0, len(body), 1 + len(body) // 20):
        assert not differences(body[:end])


@settings(max_examples=150, deadline=None)
@given(pages, st.integers(20, 3_000))
def test_a_long_plain_page_would_have_had_its_tree(markup: str, times: int) -> None:
    """However often its parts repeat, the guard lets a plain page's tree be built: with and without C alike."""
    body = (markup.encode() * times)[:_MOST_BYTES]
    if plain_contents(body, SETTINGS) is not None:
        assert is_treeable(body, census_of(body), SETTINGS.max_depth)


@pytest.mark.slow
@pytest.mark.parametrize("site", [CPPREFERENCE, POSTGRESQL, PYTHON, SQLITE], ids=lambda site: site.package)
def test_real_pages_are_plain_and_read_as_their_tree(site: DebianSite) -> None:
    """Most pages of real sites are plain, and all of those read as their trees."""
    root = Path(site.folder)
    if not root.is_dir():
        pytest.skip(f"{site.package} isn't installed")
    files = sorted(root.rglob("*.html"))
    found = [differences(file.read_bytes()) for file in files[:: 1 + len(files) // _MOST_FILES]]
    assert not [one for one in found if one]
    assert sum(one is not None for one in found) > len(found) // 2


@pytest.mark.parametrize(
    ("markup", "hrefs", "text"),
    [
        (b"<p><b>x<p>y</b>z", [], "x\ny z"),
        (b"<h3><a name=n></h3><p>t<a href=1>u</a>v", ["1"], "t u v"),
        (b"<p><small><i>x</small></i> y<p>z", [], "x  y\nz"),
        (b"<p><a href=1>x<p>y<p>z</a>", ["1", "1", "1"], "x\ny\nz"),
        (b"<a href=1>x<a href=2>y", ["1", "2"], "x y"),
        (b"<table><tr><td><b>x<td>y</table>z", [], "x\ny\nz"),
    ],
)
def test_elements_that_are_opened_again_are_plain(markup: bytes, hrefs: list[str], text: str) -> None:
    """Formatting elements and links that are closed with a block around them go on in the next, as in the tree."""
    contents = plain_contents(b"<body>" + markup, SETTINGS)
    assert contents is not None
    assert (contents.hrefs, contents.text) == (hrefs, text)
    assert differences(b"<body>" + markup) == {}


def test_a_plain_page_whose_tree_would_cost_much_is_left_to_the_guard() -> None:
    """Elements that are opened again as often as the guard would not let pass are no plain page."""
    assert plain_contents(b"<p><a href=" + b"x" * 100 + b">" + b"<p>x" * 5_000, SETTINGS) is not None
    assert plain_contents(b"<p><a href=" + b"x" * 100_000 + b">" + b"<p>x" * 5_000, SETTINGS) is None


def test_a_plain_page_is_read_at_all() -> None:
    """A well-formed page with nested tables, forms, lists and a drawing is plain."""
    markup = (
        b"<!DOCTYPE html><html lang=en><head><meta charset=utf-8><title>A &amp; B</title><script>if (a < b) {}</script>"
        b"</head><body><form><p>one<p>two <b>bold</b><ul><li>x<li>y</ul><table><tr><td><table><tr><th>z</table></table>"
        b"<select><option>1<option>2</select></form><svg><g><path d='m'/></g></svg><img src=i></img><br/></body></html>"
    )
    assert differences(markup) == {}


@pytest.mark.parametrize(
    "markup",
    [
        b"<body><b><p>x</b>y</p>",
        b"<body><table>x<tr><td>y</table>",
        b"<body><template><a href=1>x</a></template>",
        b"<body><math><mi>x</mi></math>",
        b"<body>a\x00b",
        b"<body>\xff\xfe",
        b"<title>\xff</title><body>\xff",
        b"<body><svg><g>",
        b"<base>" * 1_001,
        b"<body><script>x",
        b"<body><a href='x",
        b"<frameset><frame src=x></frameset>",
    ],
)
def test_what_needs_the_tree_is_left_to_it(markup: bytes) -> None:
    """Elements opened again, content moved out of tables, formulas and bad bytes are no plain page."""
    assert plain_contents(markup, SETTINGS) is None


def test_links_are_capped_as_in_a_tree() -> None:
    """The cap counts followed and nofollow links together, and says that there were more."""
    markup = b"<body>" + b"<a href=x>1</a><a rel=nofollow href=y>2</a>" * 3
    contents = plain_contents(markup, ParseSettings(max_links=3))
    assert contents is not None
    assert (contents.hrefs, contents.nofollow_hrefs, contents.is_capped) == (["x", "x"], ["y"], True)
