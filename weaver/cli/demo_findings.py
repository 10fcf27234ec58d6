"""What was planted in the demo web against what the crawl made of it and what the server saw, one line a trick."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from weaver.analysis.directory import open_reader
from weaver.analysis.tables import state_of
from weaver.base.page import PageState
from weaver.cli import demo_sites
from weaver.cli.demo_text import TOPICS
from weaver.cli.demo_web import Asked, DemoWeb
from weaver.persistence.crawl_rows import KnownUrl

GAP_TOLERANCE_S = 0.005
"""The server notes a request some milliseconds after the crawler sent it."""

Finding = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All URLs that the crawl knows, by their text, the ids of pages that are nearly the same as another, and all
    requests that the server saw, oldest first."""

    origins: demo_sites.Origins
    known: dict[str, KnownUrl]
    near: frozenset[int]
    asked: list[Asked]

    def page(self, site: str, path: str) -> KnownUrl | None:
        """One URL of a host."""
        return self.known.get(self.origins[site] + path)

    def below(self, site: str, prefix: str) -> list[KnownUrl]:
        """The URLs of a host that begin with `prefix`."""
        start = self.origins[site] + prefix
        return [known for url, known in self.known.items() if url.startswith(start)]

    def requests(self, site: str, prefix: str = "/") -> list[Asked]:
        """What the server was asked for below `prefix`."""
        return [asked for asked in self.asked if asked.site == site and asked.target.startswith(prefix)]


def findings(place: Path, web: DemoWeb) -> list[Finding]:
    """One finding for each trick: `planted`, `found`, and `ok` where they agree."""
    with open_reader(place) as reader:
        known = {row.url: row for window in reader.known_urls(reader.last_url_id()) for row in window}
        near = frozenset(page for pair in reader.near_duplicates() for page in (pair.member_id, pair.other_id))
    asked = sorted(web.log, key=lambda request: request.started_at)
    evidence = Evidence(web.origins, known, near, asked)
    return [finding(evidence) for finding in _FINDINGS]


def _finding(planted: str, found: str, is_as_planted: bool) -> Finding:
    return {"planted": planted, "found": found, "ok": is_as_planted}


def _states(rows: Iterable[KnownUrl | None]) -> Counter[str]:
    return Counter(state_of(row) if row else "unknown" for row in rows)


def _told(states: Counter[str]) -> str:
    return ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in states.most_common())


def _articles(evidence: Evidence) -> Finding:
    rows = [row for topic in TOPICS for row in evidence.below("almanac", f"/{topic.slug}/")]
    states = _states(rows)
    planted = len(TOPICS) * (demo_sites.ARTICLES + 1)
    reached = states[PageState.FETCHED] + states[PageState.DUPLICATE]
    return _finding(f"{planted} articles and indexes, linked every which way", _told(states), reached == planted)


def _copies(evidence: Evidence) -> Finding:
    rows = evidence.below("almanac", "/print/") + [evidence.page("almanac", "/index.html")]
    states = _states(rows)
    planted = demo_sites.PRINT_COPIES + 1
    return _finding(
        f"{planted} pages that are other pages byte for byte",
        f"{_told(states)}; the shorter URL of each pair represents it",
        states[PageState.DUPLICATE] == planted,
    )


def _same_text(evidence: Evidence) -> Finding:
    states = _states(evidence.below("almanac", "/mobile/"))
    planted = demo_sites.MOBILE_COPIES
    return _finding(
        f"{planted} pages with another's text in other markup", _told(states), states[PageState.DUPLICATE] == planted
    )


def _near_copies(evidence: Evidence) -> Finding:
    rows = evidence.below("almanac", "/reprint/")
    states, planted = _states(rows), demo_sites.NEAR_COPIES
    near = sum(row.id in evidence.near for row in rows)
    return _finding(
        f"{planted} pages that differ from another in one line",
        f"{_told(states)}; {near} known to be nearly the same as another",
        states[PageState.FETCHED] == near == planted,
    )


def _redirects(evidence: Evidence) -> Finding:
    paths = ("/old/1", "/old/2", "/old/3", "/loop/a", "/loop/b", "/moved")
    states = _states(evidence.page("almanac", path) for path in paths)
    most = max(Counter(asked.target for asked in evidence.requests("almanac")).values(), default=0)
    return _finding(
        "a chain of 3 redirects, a loop of 2, one to another host",
        f"{_told(states)}; each URL was asked for at most {most} time(s)",
        states[PageState.REDIRECT] == len(paths) and most == 1,
    )


def _canonicals(evidence: Evidence) -> Finding:
    rows = [row for row in evidence.below("almanac", "/share/") if "?" in row.url]
    return _finding(
        f"{demo_sites.SHARED_PAGES} pages that name another as canonical",
        f"{_told(_states(rows))}; each has a canonical edge in the graph",
        len(rows) == demo_sites.SHARED_PAGES,
    )


def _robots(evidence: Evidence) -> Finding:
    states = _states(evidence.below("almanac", "/private/"))
    asked = [request for request in evidence.requests("almanac", "/private/") if "open" not in request.target]
    return _finding(
        f"robots.txt: /private/ ({demo_sites.PRIVATE_PAGES} pages) forbidden, one page in it allowed",
        f"{_told(states)}; the server saw {len(asked)} requests for the forbidden ones",
        not asked and states[PageState.BLOCKED] == demo_sites.PRIVATE_PAGES and states[PageState.FETCHED] == 1,
    )


def _nofollow(evidence: Evidence) -> Finding:
    states = _states(evidence.below("almanac", "/sponsored/"))
    asked = evidence.requests("almanac", "/sponsored/")
    return _finding(
        f"{demo_sites.SPONSORED_PAGES} links marked sponsored",
        f"{_told(states)}, edges kept; the server saw {len(asked)} requests",
        not asked and states[PageState.SKIPPED] == demo_sites.SPONSORED_PAGES,
    )


def _odd_answers(evidence: Evidence) -> Finding:
    rows = {path: evidence.page("almanac", path) for path in ("/missing.html", "/broken")}
    told = ", ".join(f"{path} {row.reason if row else 'unknown'}" for path, row in rows.items())
    whole = ("/gzip.html", "/latin1.html", "/logo.png", "/noindex.html", "/refresh.html")
    states = _states(evidence.page("almanac", path) for path in whole)
    latin = evidence.page("almanac", "/latin1.html")
    title = latin.title if latin else None
    return _finding(
        "a missing page, a broken one, gzip, Latin-1, an image, noindex, meta refresh",
        f"{told}; the others {_told(states)}; the Latin-1 title reads {title}",
        states[PageState.FETCHED] == len(whole) and title == "Über Brot",
    )


def _crawl_delay(evidence: Evidence) -> Finding:
    asked = evidence.requests("observatory")
    # The delay that robots.txt names can hold from the answer that carries it.
    gaps = [later.started_at - earlier.ended_at for earlier, later in pairwise(asked)]
    least = min(gaps, default=0.0)
    return _finding(
        f"a host whose robots.txt asks for {demo_sites.OBSERVATORY_DELAY_S} s between requests",
        f"{len(asked)} requests, by the server's clock never closer than {least:.3f} s",
        len(asked) > 1 and least >= demo_sites.OBSERVATORY_DELAY_S - GAP_TOLERANCE_S,
    )


def _slow_host(evidence: Evidence) -> Finding:
    asked = evidence.requests("lighthouse")
    overlaps = sum(later.started_at < earlier.ended_at for earlier, later in pairwise(asked))
    others = _asked_meanwhile(evidence, asked)
    return _finding(
        f"a host that takes {demo_sites.LIGHTHOUSE_ANSWER_S} s for each answer",
        f"{len(asked)} requests, {overlaps} at once; meanwhile the other hosts answered {others}",
        bool(asked) and not overlaps,
    )


def _asked_meanwhile(evidence: Evidence, asked: list[Asked]) -> int:
    if not asked:
        return 0
    first_s, last_s = asked[0].started_at, asked[-1].ended_at
    return sum(first_s <= other.started_at <= last_s for other in evidence.asked if other.site != asked[0].site)


def _calendar(evidence: Evidence) -> Finding:
    states = _states(evidence.below("maze", "/calendar/"))
    return _finding(
        "a trap: a calendar without an end",
        f"{_told(states)}: the depth limit of 8 ends it",
        0 < states[PageState.FETCHED] < 100 and states[PageState.SKIPPED] > 0,
    )


def _echo(evidence: Evidence) -> Finding:
    states = _states(evidence.below("maze", "/echo/"))
    return _finding(
        "a trap: one page under endless names",
        f"{_told(states)}: the first is the page, the rest its copies",
        states[PageState.FETCHED] == 1,
    )


_FINDINGS: tuple[Callable[[Evidence], Finding], ...] = (
    _articles, _copies, _same_text, _near_copies, _redirects, _canonicals, _robots, _nofollow, _odd_answers,
    _crawl_delay, _slow_host, _calendar, _echo,
)  # fmt: skip
