"""What a page says of itself: base, canonical, refresh, robots directives and title, read off its elements."""

from __future__ import annotations

from collections.abc import Mapping

from weaver.parse.links import ASCII_WHITESPACE, directives_for_us, refresh_of

Attributes = Mapping[str, str | None]


class HeadFacts:
    """Gathers from elements in document order; of most things the first counts.

    `metas`, `scripts` and `styles` are counts, by which the reader knows if there are more in the body.
    """

    def __init__(self) -> None:
        self.canonical: str | None = None
        self.refresh: str | None = None
        self.directives: set[str] = set()
        self.base_hrefs: list[str | None] = []
        self.metas = 0
        self.scripts = 0
        self.styles = 0
        self._has_refresh = False

    def take(self, tag: str | None, attributes: Attributes) -> None:
        """One child of the head other than its title."""
        if tag == "meta":
            self.take_meta(attributes)
        elif tag == "link":
            self._take_link(attributes)
        elif tag == "base":
            self.take_base(attributes)
        elif tag == "script":
            self.scripts += 1
        elif tag == "style":
            self.styles += 1

    def take_base(self, attributes: Attributes) -> None:
        self.base_hrefs.append((attributes["href"] or "") if "href" in attributes else None)

    def take_meta(self, attributes: Attributes) -> None:
        self.metas += 1
        content = attributes.get("content")
        if content is None:
            return
        name, pragma = attributes.get("name"), attributes.get("http-equiv")
        if name is not None:
            self.directives |= directives_for_us(name, content)
        if pragma is not None and pragma.lower() == "refresh":
            self._take_refresh(content)

    def _take_refresh(self, content: str) -> None:
        refresh = refresh_of(content)
        if refresh is not None and not self._has_refresh:
            self._has_refresh = True
            self.refresh = (refresh[1] or "").strip(ASCII_WHITESPACE) or None

    def _take_link(self, attributes: Attributes) -> None:
        href, rel = attributes.get("href"), attributes.get("rel")
        if self.canonical is None and href and rel and "canonical" in rel.lower().split():
            self.canonical = href.strip(ASCII_WHITESPACE) or None
