"""Judges the encoding/* sets: labels, and the charset of pages, against browsers, w3lib and feedparser.

Two names count as one charset where they read the bytes at hand the same (ASCII read as UTF-8 is ASCII).
"""

from __future__ import annotations

import base64
import codecs
import re

from tests.conformance.cases import Case
from weaver.parse.charset import charset_of, declared_charset, header_charset, utf8_of
from weaver.parse.labels import codec_of, encoding_of

_DEFAULT = "windows-1252"


def _bytes_of(case: Case) -> bytes:
    return base64.b64decode(case["bytes_b64"])


def _is_same(found: str, expected: str, body: bytes) -> bool:
    """Whether two charsets are one, or read this body alike; `expected` may be a name that only Python knows."""
    known = encoding_of(expected)
    if known:
        return found == known or utf8_of(body, found) == utf8_of(body, known)
    if _is_same_codec(found, expected):
        return True
    try:
        return utf8_of(body, found).decode("utf-8", "replace") == body.decode(expected, "replace")
    except LookupError:
        return False


def _is_same_codec(found: str, expected: str) -> bool:
    try:
        return codecs.lookup(codec_of(found)).name == codecs.lookup(expected).name
    except LookupError:
        return False


def judge_label(case: Case) -> bool:
    """The encoding of a label."""
    return encoding_of(case["label"]) == case["encoding"]


def judge_page(case: Case) -> bool:
    """The charset of an HTML page, as Chromium or as html5lib has it."""
    body = _bytes_of(case)
    found = charset_of(body, case["content_type"], _DEFAULT)
    return any(_is_same(found, expected.lower(), body) for expected in (case["chromium"], case["encoding"]) if expected)


def judge_w3lib(case: Case) -> bool:
    """What header, body, or both declare."""
    body, expected = _bytes_of(case), case["encoding"]
    content_type = case["content_type"] or ""
    if case["kind"] == "html_to_unicode":
        return _is_same(charset_of(body, content_type, _DEFAULT), expected, body)
    found = header_charset(content_type) if case["kind"] == "content_type_only" else declared_charset(body)
    if not expected or not found:
        return not expected and not found
    return encoding_of(expected) == found or _is_same_codec(found, expected)


def judge_xml(case: Case) -> bool:
    """The charset of an XML document."""
    body = _bytes_of(case)
    return _is_same(charset_of(body, case["content_type"] or "", _DEFAULT, is_xml=True), case["encoding"], body)


SETS = {
    "whatwg_labels": judge_label,
    "html5lib": judge_page,
    "w3lib": judge_w3lib,
    "feedparser_xml": judge_xml,
}
# Feeds are another stage's; RFC 7303 as feedparser reads it (us-ascii for text/xml, UTF-32) is not a browser's way.
POLICY = frozenset({"feedparser_xml"})
EXCEPTIONS: dict[str, str] = {}
_UNCLOSED_OR_MORE = re.compile(r'charset="[^"]*(?:\Z|"[^;,\s])')
_OPEN_META = re.compile(rb"<meta[\s/]", re.IGNORECASE)
_PRAGMA = re.compile(rb"http-equiv\s*=\s*[\"']?content-type[\"'\s>]|<meta[^>\"']*\scharset\s*=", re.IGNORECASE)


def explain(set_name: str, case: Case) -> str | None:
    """Why a case that fails isn't ours to pass; None where it is."""
    return _explain_w3lib(case) if set_name == "w3lib" else None


def _explain_w3lib(case: Case) -> str | None:
    if (case["encoding"] or "").startswith("utf-32"):
        return "UTF-32 is no encoding of the web (WHATWG Encoding, section 4.2)"
    if case["kind"] == "content_type_only" and _UNCLOSED_OR_MORE.search(case["content_type"] or ""):
        return "WHATWG MIME Sniffing (section 4.4) takes a quoted value that is not closed, or goes on behind the quote"
    body = _bytes_of(case)
    if case["kind"] == "declared_in_body_only" and not (_OPEN_META.search(body) and _PRAGMA.search(body)):
        return "no <meta> tag, or of no Content-Type, for the standard's prescan (WHATWG HTML, section 13.2.3.2)"
    return None
