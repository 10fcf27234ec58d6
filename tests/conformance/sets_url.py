"""Judges of the URL sets: WHATWG behaviour through `join` and `Canonicalizer`, other crawlers' profiles for the score.

weaver's policy, against which the `canon_*` sets are only scored: a URL is what a browser's parser makes of it. Then
the fragment, the userinfo, an empty query and parameters that name a campaign are dropped; the query is sorted
only where the user asks for it. Nothing is guessed about a server: percent-escapes stay as written, session ids,
`index.html`, `www.`, a last dot, doubled slashes and the scheme stay; texts without a scheme are no URLs. What these
profiles would merge, the content digests find. A profile that expects a failure is met by a refusal.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.conformance.cases import Case
from weaver.base.settings import Settings
from weaver.base.url import Canonicalizer, host_of, join, origin_of, port_of, refusal, target_of, with_query_in

_HTTP = ("http://", "https://")
_PORTS = {"http:": 80, "https:": 443}
_CANONICALIZER = Canonicalizer(Settings().url)

# The encodings of the percent-encoding cases under the names that Python has for what WHATWG means by them.
_CODECS = {
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "gb18030": "gb18030",
    "iso-2022-jp": "iso2022_jp",
    "shift_jis": "cp932",
    "utf-8": "utf-8",
    "windows-1252": "cp1252",
}


def _judge_parse(case: Case) -> bool:
    text, base, href = case["input"], case.get("base"), case.get("href")
    if href is None:
        return join(text, base) is None and refusal(text, base) == "invalid"
    if not href.startswith(_HTTP):
        return _CANONICALIZER.canonical(text, base) is None and refusal(text, base) == "scheme"
    return join(text, base) == href and _has_canonical_parts(_CANONICALIZER.canonical(text, base), case.get("parts"))


def _has_canonical_parts(url: str | None, parts: dict[str, str] | None) -> bool:
    if url is None or _CANONICALIZER.canonical(url) != url:
        return False
    return parts is None or _parts_of(url) == _expected_parts(parts)


def _parts_of(url: str) -> tuple[str, str, int, str]:
    return origin_of(url), host_of(url), port_of(url), target_of(url)


def _expected_parts(parts: dict[str, str]) -> tuple[str, str, int, str]:
    origin = f"{parts['protocol']}//{parts['host']}"
    port = int(parts["port"] or _PORTS[parts["protocol"]])
    return origin, parts["hostname"], port, parts["pathname"] + parts["search"]


def _judge_host(case: Case) -> bool:
    return bool(_host(case["input"]) == case["ascii"])


def _judge_ipv4(case: Case) -> bool:
    return bool(_host(case["input"]) == case["canonical"])


def _host(text: str) -> str | None:
    url = join(f"http://{text}/x")
    return host_of(url) if url is not None else None


def _judge_query_encoding(case: Case) -> bool:
    base = "http://host/"
    outputs = case["output"].items()
    return all(
        join(with_query_in(f"?{case['input']}", _CODECS[encoding]), base) == f"{base}?{output}"
        for encoding, output in outputs
    )


def _judge_resolve(case: Case) -> bool:
    base, text, href = (_unquoted(case[key]) for key in ("base", "input", "href"))
    if base and not href.startswith(_HTTP):
        return _CANONICALIZER.canonical(text, base) is None
    return join(text, base or None) == href


def _unquoted(field: str) -> str:
    # The upstream file is CSV: some of its fields kept their quotes.
    return field[1:-1] if len(field) > 1 and field[0] == field[-1] == '"' else field


def _judge_path(case: Case) -> bool:
    origin = "http://host" if case["kind"] == "special" else "other://host"
    href = join(origin + case["input"])
    return href is not None and bool(href.removeprefix(origin) == case["canonical"])


def _judge_whatwg_entry(case: Case) -> bool:
    return _judge_parse({"input": case["input"], "href": case["by_source"]["whatwg:node_ada"]})


def _judge_profile(case: Case) -> bool:
    # Where upstream raises there is no canonical form: weaver refuses.
    return bool(_CANONICALIZER.canonical(case["input"]) == case.get("canonical"))


def explain(name: str, case: Case) -> str | None:
    """Why a case does not say what WHATWG says."""
    if name == "path_dots_urlcanon" and "\\" in case["input"]:
        return "urlcanon's dot step leaves backslashes to a later step; WHATWG reads them as slashes of an http(s) URL"
    return None


SETS: dict[str, Callable[[Case], bool]] = {
    "whatwg_urltestdata": _judge_parse,
    "whatwg_urltestdata_javascript_only": _judge_parse,
    "whatwg_ada_extra_urltestdata": _judge_parse,
    "whatwg_toascii": _judge_host,
    "whatwg_idnatestv2": _judge_host,
    "whatwg_idnatestv2_removed": _judge_host,
    "whatwg_percent_encoding": _judge_query_encoding,
    "resolve_crawler_commons": _judge_resolve,
    "path_dots_urlcanon": _judge_path,
    "ipv4_urlcanon": _judge_ipv4,
    "disagreements": _judge_whatwg_entry,
    "canon_crawler_commons": _judge_profile,
    "canon_heritrix_session_ids": _judge_profile,
    "canon_nutch_basic": _judge_profile,
    "canon_nutch_regex_session_ids": _judge_profile,
    "canon_surt_python": _judge_profile,
    "canon_urlcanon_aggressive": _judge_profile,
    "canon_urlcanon_semantic_precise": _judge_profile,
    "canon_urlcanon_supplemental_whatwg": _judge_profile,
    "canon_urlcanon_surt_and_ia": _judge_profile,
    "canon_w3lib_canonicalize_url": _judge_profile,
    "canon_w3lib_safe_url_string": _judge_profile,
}

POLICY = frozenset(name for name in SETS if name.startswith("canon_"))

NOT_COVERED = {
    "whatwg_setters": "weaver never changes a part of a URL in place",
    "ssurt_urlcanon": "weaver has no sort-friendly form of a URL",
    "w3lib_url_query_cleaner": "weaver drops parameters by a list of the crawl, not per call, and never keeps by one",
}
