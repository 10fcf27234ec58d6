"""Judges the oracle/* sets: the links, base, charset and title that Chromium saw on real pages."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from functools import cache

from tests.conformance.cases import Case, conformance_root
from weaver.base.page import Parsed, Response
from weaver.base.settings import ParseSettings
from weaver.base.url import join
from weaver.parse import parse_page

_SETTINGS = ParseSettings()
_PAGES = "oracle/pages.jsonl.gz"


@cache
def _pages() -> dict[str, bytes]:
    root = conformance_root()
    if root is None or not (root / _PAGES).is_file():
        return {}
    with gzip.open(root / _PAGES, "rt", encoding="utf-8") as lines:
        return {page["page"]: base64.b64decode(page["bytes_b64"]) for page in map(json.loads, lines)}


def parsed_page(case: Case) -> Parsed:
    """Our reading of the page of a case."""
    body = _pages()[case["page"]]
    headers = {"content-type": case["served_content_type"]}
    return parse_page(Response(case["final_url"], 200, headers, body, len(body), 0.0), _SETTINGS)


def missing_and_extra(case: Case, parsed: Parsed) -> tuple[Counter[str], Counter[str]]:
    """Links that Chromium has and we haven't, and the other way round; each as often as it stands on the page."""
    expected = Counter(link["href"] for link in case["links"] if link["tag"] in ("a", "area") and link["href"])
    hrefs = (join(href, parsed.base_url) for href in (*parsed.hrefs, *parsed.nofollow_hrefs))
    found = Counter(url for url in hrefs if url is not None)
    return expected - found, found - expected


def judge(case: Case) -> bool:
    """Every link, no other; the same base, charset, title and canonical."""
    parsed = parsed_page(case)
    missing, extra = missing_and_extra(case, parsed)
    canonical = next((link["href"] for link in case["links"] if link["tag"] == "link"), None)
    found_canonical = join(parsed.canonical, parsed.base_url) if parsed.canonical is not None else None
    return (
        not missing
        and not extra
        and parsed.base_url == case["baseURI"]
        and found_canonical == canonical
        and parsed.title == case["title"]
    )


SETS = {"chromium_nojs": judge, "chromium_js": judge}
# Pages as scripts leave them: no goal of a crawler that runs none.
POLICY = frozenset({"chromium_js"})
EXCEPTIONS: dict[str, str] = {}
