"""What parsing a page costs, stage by stage: CPU us a page, as JSON lines.

`python -m benchmarks.parse [DIR]`: the HTML files below DIR (default: cppreference's, else pages made up here), each
page through all stages in turn as in a crawl; then the whole, and beside it the bare tree with its links and text;
then what hostile bodies of 1 MiB cost, and what the guard's bounds let pass at their worst.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

from tests.parse.pages import HOSTILE, response
from weaver.base.page import Response
from weaver.base.settings import ParseSettings
from weaver.parse import html, parse_page
from weaver.parse.census import census_of
from weaver.parse.guard import is_treeable

_DEFAULT = Path("/usr/share/cppreference/doc/html/en")
_MOST_PAGES = 1_000
_ROUNDS = 5
_SETTINGS = ParseSettings()


def _bodies(root: Path) -> list[bytes]:
    files = sorted(root.rglob("*.html"))[:_MOST_PAGES] if root.is_dir() else []
    made_up = (
        b"<title>t</title>"
        + b'<div class="c"><p>Some text and <a href="../x/y.html" title="t">a link</a>.</p></div>' * 94
    )
    return [body for file in files if (body := file.read_bytes())] or [made_up] * 200


def _stages(page: Response, spent: Counter[str]) -> None:
    clock = time.perf_counter_ns
    started = clock()
    _charset, markup = html._markup_of(page, _SETTINGS, html.kind_of(page))
    decoded = clock()
    census = census_of(markup)
    counted = clock()
    is_treeable(markup, census, _SETTINGS.max_depth)
    guarded = clock()
    tree = LexborHTMLParser(markup, options=html._OPTIONS)
    built = clock()
    facts, _title = html._head_facts(tree, census)
    read = clock()
    html._links(tree, census, _SETTINGS.max_links)
    linked = clock()
    html._visible_text(tree, html._unseen_tags(census, facts))
    texted = clock()
    del tree
    freed = clock()
    spent.update(
        charset=decoded - started, census=counted - decoded, guard=guarded - counted, tree=built - guarded,
        head=read - built, links=linked - read, text=texted - linked, free=freed - texted,
    )  # fmt: skip


def _bare(page: Response) -> None:
    tree = LexborHTMLParser(page.body)
    [node.attributes.get("href") for node in tree.tags("a")]
    if tree.body is not None:
        tree.body.text(separator=" ")


def _us_a_page(read: Callable[[Response], object], pages: list[Response]) -> float:
    rounds = []
    for _ in range(_ROUNDS):
        started = time.process_time()
        for page in pages:
            read(page)
        rounds.append((time.process_time() - started) / len(pages) * 1e6)
    return round(min(rounds), 1)


def _hostile() -> dict[str, float]:
    costs = {}
    for name, make in HOSTILE.items():
        page = response(make(1 << 20), "text/html")
        started = time.process_time()
        parse_page(page, _SETTINGS)
        costs[name] = round((time.process_time() - started) * 1e3, 1)
    return costs


def main(arguments: list[str]) -> None:
    """Print one JSON line for the pages, one for hostile bodies."""
    bodies = _bodies(Path(arguments[0]) if arguments else _DEFAULT)
    pages = [response(body, "text/html") for body in bodies]
    spent: Counter[str] = Counter()
    for page in pages:
        _stages(page, spent)
    whole, bare = _us_a_page(lambda page: parse_page(page, _SETTINGS), pages), _us_a_page(_bare, pages)
    parsed = [parse_page(page, _SETTINGS) for page in pages]
    facts = {
        "pages": len(pages),
        "bytes_a_page": sum(map(len, bodies)) // len(bodies),
        "links_a_page": round(sum(len(page.hrefs) + len(page.nofollow_hrefs) for page in parsed) / len(pages), 1),
        "deep_nesting": sum(page.note == "deep_nesting" for page in parsed),
    }
    stages = {name: round(ns / len(pages) / 1e3, 1) for name, ns in spent.items()}
    print(json.dumps({"benchmark": "parse", **facts, "parse_page_us": whole, "bare_us": bare, "stages_us": stages}))
    print(json.dumps({"benchmark": "parse_hostile_1MiB", "ms": _hostile()}))


if __name__ == "__main__":
    main(sys.argv[1:])
