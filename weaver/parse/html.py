"""One pass over one tree: all that the crawl wants to know of a page."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode

from weaver.base.page import Parsed, Response
from weaver.base.settings import ParseSettings
from weaver.base.url import with_query_in
from weaver.native import compiled
from weaver.parse.census import Census, census_of
from weaver.parse.charset import UTF_8, charset_of, query_codec, utf8_of
from weaver.parse.contents import BLOCKS, Contents
from weaver.parse.flat import flat_contents
from weaver.parse.guard import has_few_tags, is_treeable
from weaver.parse.head import HeadFacts
from weaver.parse.kind import Kind, kind_of
from weaver.parse.links import (
    ASCII_WHITESPACE,
    effective_base,
    header_canonical,
    header_directives,
    header_refresh,
    is_nofollow,
    noindex_nofollow,
)
from weaver.parse.plain import plain_contents
from weaver.parse.xhtml import xhtml_contents

# What a page's tree, links and text take at their peak for each byte of its body: articles 18, mere text 4 to 12, tags
# without text up to 68 (benchmarks/bodies.py).
_PEAK_BYTES_PER_BYTE = 18
# Of a page that is too long for a tree, read in C: its text twice, wide characters and other charsets counted in.
_FLAT_PEAK_BYTES_PER_BYTE = 8
_MOST_TITLE_CHARACTERS = 1_024
_FRAMES = ("iframe", "noframes", "noembed")
# Mutation events only mirror the choice of a <select>, in quadratic time.
_OPTIONS = LexborDocumentOptions.WO_EVENTS
# Elements of drawings and formulas in which HTML goes on (WHATWG HTML, section 13.2.6, integration points).
_HTML_INSIDE = frozenset(("foreignObject", "desc", "title", "mi", "mo", "mn", "ms", "mtext"))
_HTML_ANNOTATIONS = ("text/html", "application/xhtml+xml")
_FOREIGN = frozenset(("svg", "math", "mglyph", "malignmark"))
# Who puts more elements than this between a drawing and a link in it does no harm by being missed.
_FOREIGN_REACH = 64

# A text node ends with a NUL, of which none has any; the borders of blocks are empty text nodes.
_NODE_END = "\0"
_line_ends = re.compile("\0\0+").sub
_whitespace_runs = re.compile(f"[{ASCII_WHITESPACE}]+").sub


def parse_page(response: Response, settings: ParseSettings) -> Parsed:
    """What one pass over a response finds; never raises, whatever the bytes and headers.

    `hrefs` are those of `a` and `area` that are followed, `nofollow_hrefs` those marked nofollow, ugc or sponsored: a
    link is in one of the two. Links in drawings (SVG `a`) and in templates are none, as in a browser's list of links.
    On a page that isn't UTF-8, a query with other than ASCII comes percent-encoded in the page's charset.
    `text` is the body as a reader without scripts sees it: `noscript` is in, scripts, styles and frames are not; text
    nodes are joined by a line feed where a border of one of `BLOCKS` is between them, else by a space. A header's
    refresh goes before the page's, its canonical after it.
    `note`: `deep_nesting` and `large_page` (read without a tree), `malformed_xml` (XHTML read as HTML), `links_capped`.
    """
    kind = kind_of(response)
    if kind is Kind.OTHER:
        return _unparsed(response)
    charset, markup = _markup_of(response, settings, kind)
    note, contents = "", None
    if kind is Kind.XHTML:
        contents = xhtml_contents(markup.decode(UTF_8, "replace"), settings.max_links)
        note = "" if contents else "malformed_xml"
    if contents is None:
        contents, odd = _read(markup, settings)
        note = odd or note
    return _parsed(response, contents, charset, note)


def _read(markup: bytes, settings: ParseSettings) -> tuple[Contents, str]:
    """What is in a page of HTML, and why no tree of it counts, if none does."""
    if len(markup) > settings.max_tree:
        return flat_contents(markup, settings), "large_page"
    plain = plain_contents(markup, settings)
    if plain is not None:
        return plain, ""
    treed, is_treed = read_tree(markup, settings)
    return treed, "" if is_treed else "deep_nesting"


def peak_bytes(response: Response, settings: ParseSettings) -> int:
    """What `parse_page` takes for an ordinary page while it runs, in bytes, the body itself not counted."""
    kind, length = kind_of(response), len(response.body)
    if kind is Kind.OTHER:
        return 0
    is_flat = compiled is not None and kind is Kind.HTML and length > settings.max_tree
    return length * (_FLAT_PEAK_BYTES_PER_BYTE if is_flat else _PEAK_BYTES_PER_BYTE)


def _unparsed(response: Response) -> Parsed:
    noindex, nofollow = noindex_nofollow(header_directives(response.headers))
    return Parsed(
        base_url=response.url,
        canonical=header_canonical(response.headers, response.url),
        refresh=header_refresh(response.headers, response.url),
        noindex=noindex,
        nofollow=nofollow,
    )


def _markup_of(response: Response, settings: ParseSettings, kind: Kind) -> tuple[str, bytes]:
    """The page's charset, and the page in UTF-8."""
    content_type = response.headers.get("content-type", "")
    charset = charset_of(response.body, content_type, settings.default_charset, is_xml=kind is Kind.XHTML)
    return charset, utf8_of(response.body, charset)


def read_tree(markup: bytes, settings: ParseSettings) -> tuple[Contents, bool]:
    """What is in the tree of a page, and True; what is in its markup, and False, where a tree would cost too much."""
    if not has_few_tags(markup):
        return flat_contents(markup, settings), False
    census = census_of(markup)
    if not is_treeable(markup, census, settings.max_depth):
        return flat_contents(markup, settings), False
    tree = LexborHTMLParser(markup, options=_OPTIONS)
    facts, title = _head_facts(tree, census)
    hrefs, nofollow_hrefs, is_capped = _links(tree, census, settings.max_links)
    text = _visible_text(tree, _unseen_tags(census, facts))
    return Contents(facts, title, hrefs, nofollow_hrefs, is_capped, text), True


def _parsed(response: Response, contents: Contents, charset: str, note: str) -> Parsed:
    headers, url, facts = response.headers, response.url, contents.facts
    noindex, nofollow = noindex_nofollow(facts.directives | header_directives(headers))
    return Parsed(
        base_url=effective_base(url, facts.base_hrefs),
        hrefs=_in_charset(contents.hrefs, charset),
        nofollow_hrefs=_in_charset(contents.nofollow_hrefs, charset),
        canonical=facts.canonical or header_canonical(headers, url),
        refresh=header_refresh(headers, url) or facts.refresh,
        title=_collapsed(contents.title),
        text=contents.text,
        charset=charset,
        noindex=noindex,
        nofollow=nofollow,
        is_html=True,
        note=note or ("links_capped" if contents.is_capped else ""),
    )


def _head_facts(tree: LexborHTMLParser, census: Census) -> tuple[HeadFacts, str]:
    """Facts and title: of the head's children, and by a walk of the tree where the census knows of more elements."""
    facts = HeadFacts()
    title: LexborNode | None = None
    head = tree.head
    for node in head.iter() if head is not None else ():
        tag = node.tag
        if tag == "title":
            title = title or node
        else:
            facts.take(tag, node.attributes)
    if census.bases > len(facts.base_hrefs):
        facts.base_hrefs.clear()
        for node in tree.tags("base"):
            facts.take_base(node.attributes)
    if census.metas > facts.metas:
        for node in tree.tags("meta")[facts.metas :]:
            facts.take_meta(node.attributes)
    if title is None and census.titles:
        title = next((node for node in tree.tags("title") if not _is_foreign(node)), None)
    return facts, title.text() if title is not None else ""


def _collapsed(title: str) -> str:
    return _whitespace_runs(" ", title).strip(" ")[:_MOST_TITLE_CHARACTERS]


def _links(tree: LexborHTMLParser, census: Census, max_links: int) -> tuple[list[str], list[str], bool]:
    """Followed hrefs, nofollow hrefs, and whether there were more links than are taken."""
    nodes = tree.css("a[href],area[href]") if census.areas else tree.tags("a")
    foreign = _foreign_links(tree) if census.foreign else frozenset[int]()
    followed: list[str] = []
    nofollow: list[str] = []
    room = max_links
    for node in nodes:
        attributes = node.attributes
        if "href" not in attributes or (foreign and node.mem_id in foreign):
            continue
        if not room:
            return followed, nofollow, True
        room -= 1
        href, rel = attributes["href"], attributes.get("rel")
        links = nofollow if rel and is_nofollow(rel) else followed
        links.append(href.strip(ASCII_WHITESPACE) if href else "")
    return followed, nofollow, False


def _foreign_links(tree: LexborHTMLParser) -> frozenset[int]:
    return frozenset(node.mem_id for node in tree.css("svg a,math a") if _is_foreign(node))


def _is_foreign(node: LexborNode) -> bool:
    """Whether an element is part of a drawing or formula, and no HTML element that stands in one."""
    parent = node.parent
    for _ in range(_FOREIGN_REACH):
        tag = parent.tag if parent is not None else None
        if parent is None or tag in _HTML_INSIDE:
            return False
        if tag in _FOREIGN:
            return True
        if tag == "annotation-xml":
            return (parent.attributes.get("encoding") or "").lower() not in _HTML_ANNOTATIONS
        parent = parent.parent
    return True


def _in_charset(hrefs: list[str], charset: str) -> list[str]:
    if charset == UTF_8:
        return hrefs
    codec = query_codec(charset)
    return [href if href.isascii() else with_query_in(href, codec) for href in hrefs]


def _unseen_tags(census: Census, facts: HeadFacts) -> tuple[str, ...]:
    """The elements in the body whose text nobody sees: those that the census knows to be there."""
    scripts = ("script",) if census.scripts > facts.scripts else ()
    styles = ("style",) if census.styles > facts.styles else ()
    return scripts + styles + (_FRAMES if census.frames else ())


def _visible_text(tree: LexborHTMLParser, unseen_tags: tuple[str, ...]) -> str:
    """The text of the body; takes what nobody sees out of the tree, so it is read last."""
    body = tree.body
    if body is None:
        return ""
    for node in body.css(",".join(unseen_tags)) if unseen_tags else ():
        node.decompose(recursive=False)
    for node in body.css("*"):
        if node.tag in BLOCKS:
            node.insert_before(b"")
            node.insert_after(b"")
    nodes: str = body.text(separator=_NODE_END)
    return _line_ends("\n", nodes.strip(_NODE_END)).replace(_NODE_END, " ")
