"""The nesting guard: no page costs more than in proportion to its length, and honest pages keep their tree."""

from __future__ import annotations

import random
import time

import pytest
from selectolax.lexbor import LexborHTMLParser

from tests.parse.pages import HOSTILE, HOSTILE_XHTML, parsed, response
from weaver.base.settings import ParseSettings
from weaver.parse import parse_page
from weaver.parse.census import census_of
from weaver.parse.guard import is_treeable
from weaver.parse.open_elements import is_linear

_DEPTH = 1_000
_SMALL_BYTES, _LARGE_BYTES = 250_000, 1_000_000
_NAMES = [
    "a", "b", "i", "font", "nobr", "code", "span", "q", "div", "p", "li", "ul", "dd", "dl", "table", "tr", "td", "br",
    "caption", "select", "option", "optgroup", "button", "form", "object", "template", "h1", "h2", "section", "ruby",
    "rt", "svg", "math", "input", "noscript", "x-y", "menu",
]  # fmt: skip
_OTHERS = (
    "x",
    "<!--x-->",
    "<svg><g/></svg>",
    "<script>x</script>",
    "<br/>",
    "</p>",
    "<svg><p></svg>",
    "<svg><desc></svg>",
)


def _seconds(body: bytes, content_type: str) -> float:
    """The lesser of two: what shares the machine makes a page slower, never faster."""
    page, taken = response(body, content_type), []
    for _ in range(2):
        started = time.process_time()
        parse_page(page, ParseSettings())
        taken.append(time.process_time() - started)
    return min(taken)


# A quadratic body takes sixteen times as long here; the constant is what a shared machine may add.
@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_html_costs_time_in_proportion(name: str) -> None:
    """Four times a hostile body takes no more than some four times as long."""
    make = HOSTILE[name]
    small, large = (_seconds(make(size), "text/html") for size in (_SMALL_BYTES, _LARGE_BYTES))
    assert large <= 7 * small + 0.15


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE_XHTML)
def test_hostile_xhtml_costs_time_in_proportion(name: str) -> None:
    """Four times a hostile XML body takes no more than some four times as long."""
    make = HOSTILE_XHTML[name]
    small, large = (_seconds(make(size), "application/xhtml+xml") for size in (_SMALL_BYTES, _LARGE_BYTES))
    assert large <= 7 * small + 0.15


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_short_hostile_html_costs_little(name: str) -> None:
    """No body of 100 kB takes half a second, even where it is too short for a long look."""
    assert _seconds(HOSTILE[name](100_000), "text/html") < 0.5


@pytest.mark.parametrize(
    "markup",
    [
        b"<div>" * 1_100,
        b"<div><object></div></object>" * 1_100,
        b"<span><p></span><div></div>" * 1_100,
        b"<p a b c d>x</p>" * 60_000,
        b"<svg><g a b c d></g></svg>" * 60_000,
        b"<p><a href=" + b"x" * 100_000 + b">" + b"<p>x" * 5_000,
        b"<p><b><i>" + b"".join(b"<font size=%d>" % size for size in range(500)) + b"<p>x" * 2_000,
    ],
)
def test_what_is_not_proven_harmless_gets_no_tree(markup: bytes) -> None:
    """A page of a thousand open elements, thousands to open again, or little but attributes isn't called linear."""
    assert not is_linear(markup, _DEPTH)


@pytest.mark.parametrize(
    "markup",
    [
        b"<ul>" + b"<li><p>one<p>two" * 3_000 + b"</ul>",
        b"<table>" + b"<tr><td>x<td><b>y</b>" * 3_000 + b"</table>",
        b"<dl>" + b"<dt>x<dd>y" * 3_000 + b"</dl>",
        b"<p>x <b><i>misnested</b></i> y</p>" * 3_000,
        b"<div><p>x</div>" * 3_000,
        b"<select>" + b"<option>x" * 3_000 + b"</select>",
        b"<h1>x</h2><a name=x>y" * 3_000,
        b"<p><svg width=1><title>t</title><path d='M0 0'/><g><a href=x><circle r='1'></circle></a></g></svg>" * 3_000,
        b"<p>x<br><img src=y alt='a > b'><a href=z title=\"it's\">w</a>" * 3_000,
    ],
)
def test_honest_disorder_keeps_its_tree(markup: bytes) -> None:
    """End tags that may be left out, elements closed in the wrong order, drawings: all common, all linear."""
    assert is_linear(markup, _DEPTH)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_called_linear_never_gets_deep(seed: int) -> None:
    """However tags are shuffled and repeated: where the simulation says linear, the real tree is not deep."""
    chance = random.Random(seed)
    names = chance.sample(_NAMES, 4)
    pattern = "".join(
        chance.choice(_OTHERS) if chance.random() < 0.15 else f"<{chance.choice(['', '/'])}{chance.choice(names)}>"
        for _ in range(chance.randint(1, 8))
    )
    markup = pattern.encode() * (60_000 // len(pattern))
    if is_linear(markup, _DEPTH):
        node, depth = LexborHTMLParser(markup).root, 0
        while node is not None:
            node, depth = node.last_child, depth + 1
        assert depth <= 3 * _DEPTH, pattern


def test_a_deep_page_keeps_its_links_and_text() -> None:
    """A page that is read without a tree gives links, text, title and head as ever, and says what it was."""
    page = parsed(
        b"<title>t</title><base href=/b/><meta name=robots content=noindex><link rel=canonical href=c>"
        b"<script>'<a href=no>'</script><template><a href=no></template>" + b"<div>" * 1_200
        + b"<a href='x&amp;y' rel=ugc>one</a><a href=z>two &lt; three</a><area href=w><link rel=canonical href=no>"
    )  # fmt: skip
    assert (page.note, page.hrefs, page.nofollow_hrefs) == ("deep_nesting", ["z", "w"], ["x&y"])
    assert (page.title, page.base_url, page.canonical, page.noindex) == ("t", "http://site.test/b/", "c", True)
    assert page.text.split() == ["one", "two", "<", "three"]


def test_the_depth_that_is_allowed_is_a_setting() -> None:
    """Pages deeper than the setting are read without a tree, others with one."""
    body = b"<div>" * 40
    assert parse_page(response(body), ParseSettings(max_depth=16)).note == "deep_nesting"
    assert parse_page(response(body), ParseSettings(max_depth=64)).note == ""


def test_small_pages_are_not_simulated() -> None:
    """A page's census is proof enough where even the worst order of its tags is cheap."""
    markup = b"<p>x</p>" * 100
    assert is_treeable(markup, census_of(markup), _DEPTH)
