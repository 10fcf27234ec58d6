"""Variants: by what two URLs of one content differ, in words that a site owner knows, and what mends it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from weaver.base.settings import UrlSettings

SESSION_NAMES = frozenset({
    "jsessionid", "phpsessid", "aspsessionid", "sessionid", "session_id", "session", "sid", "s_id", "cfid", "cftoken",
    "osid", "zenid", "xtcsid", "oscsid",
})  # fmt: skip
_CAMPAIGN_NAMES = frozenset(UrlSettings().drop_parameters)
_PATH_SESSION = re.compile(r";(?:jsessionid|phpsessid|sid|sessionid)=[^/?;]*", re.IGNORECASE)
_ASP_SESSION = re.compile(r"/\(S\([0-9a-z]+\)\)", re.IGNORECASE)
_INDEX = re.compile(r"/(?:index|default|home)\.(?:html?|php|aspx?|jsp|cgi)$", re.IGNORECASE)
_SLASHES = re.compile(r"//+")

REDIRECT = "redirect"
CANONICAL = "canonical"
REMEDIES = {
    "scheme": REDIRECT, "www": REDIRECT, "trailing_slash": REDIRECT, "index_page": REDIRECT, "case": REDIRECT,
    "double_slash": REDIRECT, "mirror": REDIRECT,
}  # fmt: skip
"""Where two names are never both wanted, a permanent redirect; for all other variants rel=canonical."""


class Parts(NamedTuple):
    """A URL as it is compared."""

    scheme: str
    host: str
    path: str
    query: tuple[str, ...]


def _query_without(names: frozenset[str]) -> Callable[[Parts], Parts]:
    def without(parts: Parts) -> Parts:
        kept = tuple(item for item in parts.query if item.partition("=")[0].lower() not in names)
        return parts._replace(query=kept)

    return without


def _without_session(parts: Parts) -> Parts:
    path = _ASP_SESSION.sub("", _PATH_SESSION.sub("", parts.path))
    return _query_without(SESSION_NAMES)(parts._replace(path=path))


# Each makes two URLs alike that differ by its name alone; tried in this order, and then all together.
_STEPS: dict[str, Callable[[Parts], Parts]] = {
    "scheme": lambda parts: parts._replace(scheme=""),
    "www": lambda parts: parts._replace(host=parts.host.removeprefix("www.")),
    "trailing_slash": lambda parts: parts._replace(path=parts.path.rstrip("/")),
    "index_page": lambda parts: parts._replace(path=_INDEX.sub("/", parts.path)),
    "case": lambda parts: parts._replace(path=parts.path.lower()),
    "double_slash": lambda parts: parts._replace(path=_SLASHES.sub("/", parts.path)),
    "parameter_order": lambda parts: parts._replace(query=tuple(sorted(parts.query))),
    "session_id": _without_session,
    "campaign": _query_without(_CAMPAIGN_NAMES),
    "parameters": lambda parts: parts._replace(query=()),
    "mirror": lambda parts: parts._replace(scheme="", host=""),
}


def variant_of(url: str, other: str) -> str:
    """By what the URLs differ: a name, several joined by `+`, or `path` where they have little in common."""
    ones, others = _parts(url), _parts(other)
    for name, step in _STEPS.items():
        if step(ones) == step(others):
            return name
    # Next: several at once, without the last two, that would hide what the difference is.
    names = []
    for name, step in list(_STEPS.items())[:-2]:
        before = (ones, others)
        ones, others = step(ones), step(others)
        if (ones, others) != before:
            names.append(name)
        if ones == others:
            return "+".join(_needed(url, other, names))
    return "parameters" if ones._replace(query=()) == others._replace(query=()) else "path"


def remedy_of(variant: str) -> str:
    """What mends a variant: `redirect` where every part of it asks for one, else `canonical`."""
    return REDIRECT if all(REMEDIES.get(name) == REDIRECT for name in variant.split("+")) else CANONICAL


def _needed(url: str, other: str, names: list[str]) -> list[str]:
    """The names without those that make no difference to the two being alike."""
    needed = list(names)
    for name in names:
        rest = [kept for kept in needed if kept != name]
        if rest and _through(_parts(url), rest) == _through(_parts(other), rest):
            needed = rest
    return needed


def _through(parts: Parts, names: list[str]) -> Parts:
    for name in names:
        parts = _STEPS[name](parts)
    return parts


def _parts(url: str) -> Parts:
    split = urlsplit(url)
    query = tuple(item for item in split.query.split("&") if item)
    return Parts(split.scheme, split.netloc.lower(), split.path or "/", query)
