"""Where a page points: hrefs and rel, the base, the canonical, refreshes, and the robots directives beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from weaver.base.url import join

ASCII_WHITESPACE = "\t\n\f\r "
# Directives for these names are for us: all robots, and weaver itself.
_OUR_NAMES = frozenset({"*", "robots", "weaver"})
_words = re.compile(r"[^\t\n\f\r ]++").findall
_NOFOLLOW_RELS = frozenset({"nofollow", "ugc", "sponsored"})
# A base of these schemes would make a link run code or hold the page (WHATWG HTML, "set the frozen base URL").
_REFUSED_BASES = ("data:", "javascript:")
_MOST_DELAY_DIGITS = 9

# WHATWG HTML, "shared declarative refresh steps": a time, then a separator, then `url=` or not, then quotes or not.
_refresh_time = re.compile(r"[\t\n\f\r ]*+(?:([0-9]++)|(?=\.))[0-9.]*+(?=[;,\t\n\f\r ]|\Z)").match
_refresh_separator = re.compile(r"[\t\n\f\r ]*+[;,]?[\t\n\f\r ]*+").match
_refresh_url = re.compile(r"[Uu][Rr][Ll][\t\n\f\r ]*+=[\t\n\f\r ]*+").match
# `name: directive, directive`: but a directive may have a value too.
_robot_name = re.compile(r"\s*+(?!unavailable_after|max-(?:snippet|image-preview|video-preview))([^\s:]+)\s*+:").match
_link_value = re.compile(r'<([^<>]*+)>((?:[^,"]|"(?:[^"\\]|\\.)*+(?:"|\Z))*+)').finditer
_link_rel = re.compile(r';[\t ]*rel[\t ]*=[\t ]*(?:"([^"]*)"|([^;"\t ]+))', re.IGNORECASE).search


def is_nofollow(rel: str) -> bool:
    """Whether a link's `rel` says that its target isn't vouched for: nofollow, ugc or sponsored."""
    return not _NOFOLLOW_RELS.isdisjoint(_words(rel.lower()))


def effective_base(document_url: str, hrefs: Iterable[str | None]) -> str:
    """The base URL of a page whose `<base>` elements have these hrefs: the first one that has any counts.

    Source: WHATWG HTML, section 4.2.3; an href that doesn't parse, or is a data: or javascript: URL, is ignored.
    """
    href = next((href for href in hrefs if href is not None), None)
    base = join(href, document_url) if href is not None else None
    return document_url if base is None or base.startswith(_REFUSED_BASES) else base


def refresh_of(content: str) -> tuple[int, str | None] | None:
    """Delay in seconds and raw URL of a refresh (header or `<meta>`); the URL is None where the page itself is meant.

    None where the text is no refresh. Source: WHATWG HTML, section 4.2.5.3, "shared declarative refresh steps".
    """
    time = _refresh_time(content)
    if time is None:
        return None
    digits = (time[1] or "0").lstrip("0") or "0"
    delay_s = int(digits) if len(digits) <= _MOST_DELAY_DIGITS else 10**_MOST_DELAY_DIGITS
    separator = _refresh_separator(content, time.end())
    text = content[separator.end() if separator else time.end() :]
    return delay_s, _refresh_target(text) if text else None


def _refresh_target(text: str) -> str:
    named = _refresh_url(text)
    target = text[named.end() :] if named else text
    # The steps look at quotes after `url=`, or where the text doesn't begin with a `u` at all.
    if target[:1] in ("'", '"') and target:
        return target[1:].partition(target[0])[0]
    return target


def header_refresh(headers: Mapping[str, str], document_url: str) -> str | None:
    """The absolute URL that a Refresh header sends on to; None where there is none but the page itself."""
    text = headers.get("refresh")
    refresh = refresh_of(text) if text else None
    return join(refresh[1], document_url) if refresh and refresh[1] else None


def header_canonical(headers: Mapping[str, str], document_url: str) -> str | None:
    """The absolute URL of `Link: <...>; rel="canonical"` (RFC 8288, RFC 6596)."""
    text = headers.get("link")
    for match in _link_value(text) if text else ():
        rel = _link_rel(match[2])
        if rel and "canonical" in (rel[1] or rel[2] or "").lower().split():
            return join(match[1], document_url)
    return None


def directives_for_us(name: str, content: str) -> set[str]:
    """The directives of a `<meta name content>`, where the name is `robots` or weaver's own."""
    return set(re.split(r"[\s,;]+", content.lower())) if name.strip().lower() in _OUR_NAMES else set()


def header_directives(headers: Mapping[str, str]) -> set[str]:
    """The directives of X-Robots-Tag that are for all robots or for weaver by name; a name holds until the next."""
    directives: set[str] = set()
    is_ours = True
    text = headers.get("x-robots-tag")
    for part in text.lower().split(",") if text else ():
        robot = _robot_name(part)
        if robot:
            is_ours = robot.group(1) in _OUR_NAMES
        if is_ours:
            directives.update(part[robot.end() if robot else 0 :].split())
    return directives


def noindex_nofollow(directives: set[str]) -> tuple[bool, bool]:
    """What a set of directives forbids; `none` is both. The most restrictive counts."""
    return bool(directives & {"noindex", "none"}), bool(directives & {"nofollow", "none"})
