"""Judges the html/* sets: links, base and refresh of a page against browsers and Python's link extractors."""

from __future__ import annotations

import ast
import base64
import re
from typing import Any

from tests.conformance.cases import Case
from weaver.base.page import Parsed, Response
from weaver.base.settings import ParseSettings
from weaver.base.url import join
from weaver.parse import parse_page
from weaver.parse.links import refresh_of

_SETTINGS = ParseSettings()
_EXTRACTOR_OPTIONS = ("restrict_xpaths", "restrict_css", "tags", "attrs", "process_value")
_ANY = "http://document.test/"


def _page(case: Case, url: str, encoding: str | None = "utf-8") -> Parsed:
    body = (
        base64.b64decode(case["html_b64"])
        if "html_b64" in case
        else case["html"].encode(encoding or "utf-8", "replace")
    )
    charset = f"; charset={encoding}" if encoding else ""
    headers = {"content-type": f"text/html{charset}"}
    return parse_page(Response(url, 200, headers, body, len(body), 0.0), _SETTINGS)


def _resolved(hrefs: list[str], base_url: str) -> list[str]:
    return [url for href in hrefs if (url := join(href, base_url)) is not None]


def _url_of(value: Any) -> str:
    return base64.b64decode(value["b64"]).decode() if isinstance(value, dict) else value


def judge_tree(case: Case) -> bool:
    """The links that Chromium has in its tree, in its order, and its base."""
    parsed = _page(case, case["document_url"])
    expected = [link["href"] for link in case["links"] if link["href"]]
    return _resolved(parsed.hrefs, parsed.base_url) == expected and parsed.base_url == case["base_url"]


def judge_scrapy(case: Case) -> bool:
    """The set of (URL, nofollow), fragments cut as no crawler fetches them, and filtered as the options say."""
    parsed = _page(case, case["base"], case["encoding"])
    found = {
        (url, nofollow)
        for hrefs, nofollow in ((parsed.hrefs, False), (parsed.nofollow_hrefs, True))
        for url in _resolved(hrefs, parsed.base_url)
        if _is_wanted(url, case)
    }
    expected = {(join(link["url"]) or link["url"], link["nofollow"]) for link in case["links"]}
    return _without_fragments(found) == _without_fragments(expected)


def _without_fragments(links: set[tuple[str, bool]]) -> set[tuple[str, bool]]:
    return {(url.partition("#")[0], nofollow) for url, nofollow in links}


def _options(case: Case) -> dict[str, Any]:
    kwargs = case["options"].get("kwargs", {})
    return {name: None if text.startswith("<") else ast.literal_eval(text) for name, text in kwargs.items()}


def _as_tuple(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _is_wanted(url: str, case: Case) -> bool:
    """Scrapy's filters of URLs: in weaver they belong to the scope of a crawl."""
    options = _options(case)
    host = url.partition("://")[2].partition("/")[0]
    is_denied = any(re.search(pattern, url) for pattern in _as_tuple(options.get("deny", ())))
    is_denied |= any(host == name or host.endswith("." + name) for name in _as_tuple(options.get("deny_domains", ())))
    is_denied |= url.rpartition(".")[2] in _as_tuple(options.get("deny_extensions", ("jpg", "pdf")))
    allowed, domains = _as_tuple(options.get("allow", ())), _as_tuple(options.get("allow_domains", ()))
    is_allowed = not allowed or any(re.search(pattern, url) for pattern in allowed)
    is_inside = not domains or any(host == name or host.endswith("." + name) for name in domains)
    return is_allowed and is_inside and not is_denied


def judge_base(case: Case) -> bool:
    """The base, once both are written the WHATWG way."""
    document_url = _url_of(case["document_url"]) or _ANY
    expected = _url_of(case["base_url"]) or _ANY
    return join("", _page(case, document_url, case["encoding"]).base_url) == join(expected, document_url)


def judge_refresh_page(case: Case) -> bool:
    """The target of the page's refresh, resolved."""
    document_url = _url_of(case["document_url"])
    parsed = _page(case, document_url, None if "html_b64" in case else "utf-8")
    found = join(parsed.refresh, parsed.base_url) if parsed.refresh is not None else None
    return found == (None if case["target"] is None else join(case["target"], document_url))


def judge_refresh_content(case: Case) -> bool:
    """Delay and URL of a refresh's content."""
    refresh = refresh_of(case["content"])
    if not case["refresh"]:
        return refresh is None
    if refresh is None or refresh[0] != case["delay"]:
        return False
    return (join(refresh[1], _ANY) if refresh[1] else None) == (join(case["url"], _ANY) if case["url"] else None)


SETS = {
    "html5lib_tree_construction_chromium": judge_tree,
    "scrapy_link_extractor": judge_scrapy,
    "w3lib_base_url": judge_base,
    "w3lib_meta_refresh": judge_refresh_page,
    "wpt_meta_refresh": judge_refresh_content,
}
NOT_COVERED = {"wpt_srcset": "images are no links of the crawl"}
EXCEPTIONS: dict[str, str] = {}


def explain(set_name: str, case: Case) -> str | None:
    """Why a case that fails isn't ours to pass; None where it is."""
    if set_name == "html5lib_tree_construction_chromium":
        return _explain_tree(case)
    if set_name == "scrapy_link_extractor":
        chosen = [name for name in _EXTRACTOR_OPTIONS if name in case["options"].get("kwargs", {})]
        return f"an option of Scrapy's extractor: {', '.join(chosen)}" if chosen else None
    return _explain_refresh(case) if set_name == "w3lib_meta_refresh" else None


def _explain_tree(case: Case) -> str | None:
    parsed = _page(case, case["document_url"])
    is_same_set = set(_resolved(parsed.hrefs, parsed.base_url)) == {link["href"] for link in case["links"]}
    if "selectedcontent" in case["html"] and is_same_set:
        return "a browser shows the chosen option a second time; the links are the same"
    return None


def _explain_refresh(case: Case) -> str | None:
    if "ignore_tags" in case["options"]:
        return "an option of w3lib: markup in scripts, comments or noscript taken for the page's own"
    if "<noscript" in case.get("html", "") and case["target"] is None:
        return "weaver runs no scripts, so that noscript is meant for it (as in a browser without scripts)"
    return None
