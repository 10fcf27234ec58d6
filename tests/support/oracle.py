"""An independent walk of a site: plain breadth-first, standard library only, none of weaver's code.

It is what weaver's crawl is judged by: which pages are reached from an entry, and which links they hold. URLs are
normalised by the WHATWG parser (ada), the fragment cut off; everything else is urllib and html.parser.
"""

from __future__ import annotations

import http.client
import json
import sys
from collections import deque
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlsplit

import ada_url

_REDIRECTS = (301, 302, 303, 307, 308)
_HTML = ("text/html", "application/xhtml+xml")

Edge = tuple[str, str]


@dataclass
class Walk:
    """What a walk saw: all URLs answered with 200, the links and redirects as edges, and other answers."""

    pages: set[str] = field(default_factory=set)
    links: set[Edge] = field(default_factory=set)
    redirects: set[Edge] = field(default_factory=set)
    others: dict[str, int] = field(default_factory=dict)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.hrefs: list[str] = []
        self.base: str | None = None
        self.refresh: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in reversed(attrs)}
        if tag in ("a", "area") and "href" in attributes:
            self.hrefs.append(attributes["href"])
        elif tag == "base" and "href" in attributes and self.base is None:
            self.base = attributes["href"]
        elif tag == "meta" and attributes.get("http-equiv", "").lower() == "refresh" and self.refresh is None:
            self.refresh = _refresh_target(attributes.get("content", ""))


def _refresh_target(content: str) -> str | None:
    """`0; url=x` in its plain spellings, which is all that the documents hold."""
    _, separator, rest = content.partition(";")
    name, equals, target = rest.strip().partition("=")
    if not separator or not equals or name.strip().lower() != "url":
        return None
    return target.strip().strip("'\"")


def resolved(base: str, href: str) -> str | None:
    """The http(s) URL of an href without its fragment; None where there is none."""
    try:
        url = str(ada_url.join_url(base, href))
    except ValueError:
        return None
    url = url.partition("#")[0]
    return url.removesuffix("?") if url.startswith(("http://", "https://")) else None


def walk(*entries: str) -> Walk:
    """Walk from the entries, on their hosts only, to the last page."""
    seen = Walk()
    origins = {_origin(entry) for entry in entries}
    connections: dict[str, http.client.HTTPConnection] = {}
    known = set(entries)
    queue = deque(entries)
    while queue:
        source = queue.popleft()
        for target in _visit(source, connections, seen):
            if target not in known and _origin(target) in origins:
                known.add(target)
                queue.append(target)
    for connection in connections.values():
        connection.close()
    return seen


def _visit(source: str, connections: dict[str, http.client.HTTPConnection], seen: Walk) -> list[str]:
    status, headers, body = _get(source, connections)
    if status in _REDIRECTS and "Location" in headers:
        target = resolved(source, headers["Location"])
        seen.others[source] = status
        seen.redirects |= {(source, target)} if target else set()
        return [target] if target else []
    if status != http.HTTPStatus.OK:
        seen.others[source] = status
        return []
    seen.pages.add(source)
    if (headers.get("Content-Type") or "").partition(";")[0].strip().lower() not in _HTML:
        return []
    return _read(source, body, seen)


def _read(source: str, body: bytes, seen: Walk) -> list[str]:
    parser = _Links()
    parser.feed(body.decode("utf-8", "replace"))
    parser.close()
    base = resolved(source, parser.base) or source if parser.base is not None else source
    targets = [target for href in parser.hrefs if (target := resolved(base, href))]
    seen.links.update((source, target) for target in targets)
    if parser.refresh and (target := resolved(base, parser.refresh)):
        seen.redirects.add((source, target))
        targets.append(target)
    return targets


def _get(url: str, connections: dict[str, http.client.HTTPConnection]) -> tuple[int, http.client.HTTPMessage, bytes]:
    parts = urlsplit(url)
    connection = connections.setdefault(parts.netloc, http.client.HTTPConnection(parts.netloc, timeout=30))
    connection.request("GET", url[len(_origin(url)) :], headers={"User-Agent": "oracle"})
    response = connection.getresponse()
    return response.status, response.headers, response.read()


def _origin(url: str) -> str:
    return url[: url.index("/", 8)]


if __name__ == "__main__":
    found = walk(*sys.argv[1:])
    json.dump({"pages": sorted(found.pages), "links": sorted(found.links), "others": found.others}, sys.stdout)
