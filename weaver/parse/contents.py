"""Contents: what is in a page, however it was read."""

from __future__ import annotations

from dataclasses import dataclass

from weaver.parse.head import HeadFacts


@dataclass(frozen=True, slots=True)
class Contents:
    """A page's head, title (as written), links and visible text; `is_capped` says that there were more links."""

    facts: HeadFacts
    title: str
    hrefs: list[str]
    nofollow_hrefs: list[str]
    is_capped: bool
    text: str
