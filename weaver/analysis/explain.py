"""Why: the whole story of one URL in a crawl, from the page where it was found to what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from weaver.analysis.directory import is_at_work, open_reader
from weaver.analysis.report import newest_events, stored_settings
from weaver.analysis.robots_reason import blocking_line, tries_in_words
from weaver.analysis.tables import EDGE_KINDS, iso_time, state_of
from weaver.base.errors import SeedError
from weaver.base.page import EdgeKind, PageState
from weaver.base.settings import Settings
from weaver.base.sources import settings_from
from weaver.base.url import Canonicalizer, origin_of, redacted, target_of, url_key
from weaver.frontier import Scope
from weaver.persistence.crawl_rows import KnownUrl
from weaver.persistence.reader import CrawlReader
from weaver.politeness import Decision
from weaver.politeness.opt_out import OptOut
from weaver.politeness.robots_answer import RobotsStatus
from weaver.politeness.robots_cache import unpacked_body

CHAIN_SHOWN = 100
EXAMPLES_SHOWN = 10
_ANSWERED = frozenset({RobotsStatus.OK, RobotsStatus.UNAVAILABLE})

Story = dict[str, Any]


class _Book(NamedTuple):
    """What a story is read from."""

    reader: CrawlReader
    settings: Settings
    scope: Scope
    directory: Path
    is_at_work: bool


def explain(directory: Path, text: str) -> Story:
    """The story of a URL as a document; raises SeedError where the text is no http(s) URL."""
    settings = settings_from(stored_settings(directory))
    canonical = Canonicalizer(settings.url).canonical
    url = canonical(text)
    if url is None:
        raise SeedError(f"expected an absolute http(s) URL, got {redacted(text)!r}")
    seeds = filter(None, map(canonical, settings.crawl.seeds))
    scope = Scope(settings.scope, seeds, settings.crawl.max_depth)
    with open_reader(directory) as reader:
        book = _Book(reader, settings, scope, directory, is_at_work(directory))
        url_id = reader.id_of(url_key(url, int(reader.meta("crawl_seed") or 0)), url)
        known = reader.known_url(url_id) if url_id else None
        story = _unknown(book, url) if known is None else _known(book, known)
    return {"asked": redacted(text), "url": url, **story}


def _unknown(book: _Book, url: str) -> Story:
    refusal = book.scope.refusal(url, 0)
    verdict = f"would be left out ({refusal})" if refusal else "would be in scope"
    return {
        "known": False,
        "state": "unknown",
        "because": f"no page that was fetched links to it; it {verdict}",
        "scope": _verdict(refusal),
        "robots": _robots(book, url),
    }


def _known(book: _Book, known: KnownUrl) -> Story:
    state = state_of(known)
    story: Story = {
        "known": True,
        "id": known.id,
        "state": state,
        "because": _because(book, known, state),
        "depth": known.depth,
        "found_by": _chain(book.reader, known),
        "scope": _verdict(known.refusal or book.scope.refusal(known.url, known.depth)),
        "robots": _robots(book, known.url),
        "in_links": _in_links(book.reader, known.id),
        "out_links": _out_links(book.reader, known),
    }
    if known.state is not None:
        story["visit"] = _visit(known)
    if state == PageState.QUEUED:
        story["queue"] = _queue(book.reader, known)
    if state == PageState.DUPLICATE and known.duplicate_of:
        story["duplicate_of"] = _duplicate_of(book.reader, known)
    if copies := book.reader.duplicates_of(known.id, EXAMPLES_SHOWN):
        story["copies"] = [url for _, url in copies]
    if near := book.reader.near_pages(known.id, EXAMPLES_SHOWN):
        story["near"] = [{"url": url, "similarity": round(similarity, 2)} for url, similarity in near]
    return story


def _because(book: _Book, known: KnownUrl, state: str) -> str:
    """The verdict in one sentence's half."""
    reason = known.reason or known.refusal
    match state:
        case PageState.QUEUED:
            return _queued_because(book, known)
        case PageState.SKIPPED:
            return _skipped_because(known)
        case PageState.BLOCKED:
            return _blocked_because(book, known)
        case PageState.FAILED:
            return f"the request failed: {reason}"
        case PageState.REDIRECT:
            return f"the server answered {known.http_status} and named another URL"
        case PageState.DUPLICATE:
            return "its content is that of another page"
    return f"the server answered {known.http_status}" + (f" ({reason})" if reason else "")


def _queued_because(book: _Book, known: KnownUrl) -> str:
    """What it waits for: 1. nothing any more 2. its host's robots.txt 3. what comes before it 4. its host."""
    politeness = book.settings.politeness
    resumed = "" if book.is_at_work else "; the crawl is not at work: `weaver resume` goes on with it"
    if OptOut(politeness.opt_out).covers(known.origin):
        return f"its turn has not come; it will be left out then, by the opt-out list (politeness.opt_out){resumed}"
    if politeness.robots == "obey" and (wait := _robots_wait(_robots(book, known.url))):
        return f"it waits for its host's robots.txt, {wait}{resumed}"
    place = book.reader.place_in_queue(known.host_id, known.id)
    if place and place[1]:
        return f"it waits for its turn: {place[1]:,} of {place[2]:,} URLs queued at its host come before it{resumed}"
    ready_at = iso_time(book.reader.host_timing(known.host_id)[0])
    host = f", which may be asked from {ready_at}" if ready_at else ""
    return f"it waits for its host{host}: it is the next there{resumed}"


def _robots_wait(robots: Story) -> str:
    """Why the host's rules are not known yet; empty where they are."""
    if robots["status"] is None:
        return "which has not been answered yet"
    if robots["status"] != RobotsStatus.UNREACHABLE:
        return ""
    tries = f", try {tries_in_words(robots['tries'])}" if robots["tries"] else ""
    how = f" ({robots['why']}{tries})" if robots["why"] else ""
    return f"unreachable since {robots['unreachable_since']}{how}"


def _skipped_because(known: KnownUrl) -> str:
    """A URL with a page was judged at its turn, one without when it was found."""
    if known.state is None:
        return f"it was left out when it was found: {known.refusal}"
    if known.reason == Decision.OPT_OUT:
        return "it was left out at its turn by the opt-out list (politeness.opt_out)"
    return f"it was left out at its turn: {known.reason}"


def _blocked_because(book: _Book, known: KnownUrl) -> str:
    if known.reason == "robots_unreachable":
        return "its host's robots.txt could not be had, and until it is, nothing may be fetched (RFC 9309, 2.3.1.4)"
    if known.reason != "robots":
        return f"politeness kept the crawl away: {known.reason}"
    rule = _robots(book, known.url).get("blocked_by")
    return f"robots.txt forbids it in line {rule['line']}: {rule['text']}" if rule else "robots.txt forbade it then"


def _verdict(refusal: str) -> Story:
    return {"in_scope": not refusal, "reason": refusal or None}


def _chain(reader: CrawlReader, known: KnownUrl) -> list[Story]:
    """From the seed to the URL: each page with the kind of the link that led on to it."""
    chain: list[Story] = []
    current: KnownUrl | None = known
    while current is not None and len(chain) < CHAIN_SHOWN:
        source = reader.known_url(current.source_id) if current.source_id else None
        chain.append({"url": current.url, "depth": current.depth, "by": _kinds(reader, source, current.id)})
        current = source
    return chain[::-1]


def _kinds(reader: CrawlReader, source: KnownUrl | None, target_id: int) -> str:
    """The kinds of the edges from `source` to the target in words; `seed` where there is no source."""
    if source is None:
        return "seed"
    names = [name for target, name in _edges(reader, source.id) if target == target_id]
    return " and ".join(names) or "link"


def _edges(reader: CrawlReader, page_id: int) -> list[tuple[int, str]]:
    targets, kinds = reader.edges_of(page_id) or (np.zeros(0, np.uint32), np.zeros(0, np.uint8))
    return list(zip(targets.tolist(), map(_name, kinds.tolist()), strict=True))


def _name(kind: int) -> str:
    return EDGE_KINDS.get(kind, str(kind))


def _robots(book: _Book, url: str) -> Story:
    """What is known of the host's robots.txt, and the line that forbids the URL, if one does."""
    origin = origin_of(url)
    status, packed, fetched_at = book.reader.host_robots(origin) or ("", b"", 0.0)
    told = [] if status in _ANSWERED else _told_unreachable(book, origin)
    if told or status == RobotsStatus.UNREACHABLE:
        return _unreachable(book, origin, told)
    if not status:
        return {"status": None}
    body = unpacked_body(packed)
    line = blocking_line(body, book.settings.politeness.robots_token, target_of(url)) if body else None
    return {
        "status": status,
        "fetched_at": iso_time(fetched_at),
        "blocked_by": {"line": line.number, "text": line.text} if line else None,
    }


def _told_unreachable(book: _Book, origin: str) -> list[Story]:
    """The newest events of the host's robots.txt: its row is committed with the next page only, which waits for it."""
    events = newest_events(book.directory)
    return [event for event in events if (event.get("kind"), event.get("origin")) == ("robots_unreachable", origin)]


def _unreachable(book: _Book, origin: str, told: list[Story]) -> Story:
    """Since when the host's robots.txt is unreachable, why, and at which try; the last two only where it was told."""
    first, newest = (told[0], told[-1]) if told else ({}, {})
    return {
        "status": RobotsStatus.UNREACHABLE.value,
        "unreachable_since": iso_time(book.reader.robots_unreachable_since(origin) or first.get("at")),
        "why": newest.get("why"),
        "tries": newest.get("tries"),
    }


def _visit(known: KnownUrl) -> Story:
    return {
        "at": iso_time(known.fetched_at),
        "http_status": known.http_status or None,
        "content_type": known.content_type or None,
        "body_bytes": known.body_bytes,
        "title": known.title or None,
        "reason": known.reason or None,
    }


def _queue(reader: CrawlReader, known: KnownUrl) -> Story:
    ready_at, crawl_delay_s, failures = reader.host_timing(known.host_id)
    place = reader.place_in_queue(known.host_id, known.id)
    story: Story = {"host": known.origin, "host_ready_at": iso_time(ready_at), "crawl_delay_s": crawl_delay_s}
    if failures:
        story["host_failures_in_a_row"] = failures
    if place:
        story |= {"priority": place[0], "before_it_at_its_host": place[1], "queued_at_its_host": place[2]}
    return story


def _duplicate_of(reader: CrawlReader, known: KnownUrl) -> Story:
    other = reader.known_url(known.duplicate_of or 0)
    is_same_body = other is not None and other.body_digest == known.body_digest
    return {"url": other.url if other else None, "same": "body" if is_same_body else "text"}


def _in_links(reader: CrawlReader, url_id: int) -> Story:
    """How many edges lead here, by kind, and some of the pages that they come from."""
    counts: dict[str, int] = {}
    sources: list[int] = []
    for source_id, kinds in reader.in_links(url_id):
        for name in map(_name, kinds.tolist()):
            counts[name] = counts.get(name, 0) + 1
        if len(sources) < EXAMPLES_SHOWN:
            sources.append(source_id)
    texts = reader.urls_of(sources)
    return {"count": sum(counts.values()), "kinds": counts, "some": [texts.get(source_id) for source_id in sources]}


def _out_links(reader: CrawlReader, known: KnownUrl) -> Story:
    """How many edges lead away, and where those lead that are no mere links."""
    edges = _edges(reader, known.id)
    plain = (EdgeKind.HYPERLINK.name.lower(), EdgeKind.NOFOLLOW.name.lower())
    special = [(target, name) for target, name in edges if name not in plain]
    texts = reader.urls_of({target for target, _ in special})
    return {"count": len(edges), "special": [{"kind": name, "url": texts.get(target)} for target, name in special]}
