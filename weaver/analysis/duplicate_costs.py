"""What duplicates cost each host and URL template, and what a site owner can do about each of them."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from weaver.analysis.duplicate_variants import REDIRECT, remedy_of
from weaver.base.url import origin_of, template_of

EXAMPLES = 3
MOST_TEMPLATES = 50_000
"""Of hosts and templates each: beyond it those that cost least are added up as others."""
OTHERS = "(others)"
CONSOLIDATED, MISSING, SELF, ELSEWHERE = "consolidated", "add_canonical", "canonical_to_itself", "canonical_elsewhere"
NEAR_MISSING, NEAR_SELF, THIN = "near_add_canonical", "near_canonical_to_itself", "little_text_of_its_own"
ADVICE = {
    CONSOLIDATED: "the canonical says already that these are one page",
    MISSING: "name the first URL as rel=canonical on the second, which names none",
    SELF: "the second URL names itself as canonical, though it is a copy of the first: name the first",
    ELSEWHERE: "the canonical of the second URL is neither itself nor the first, whose copy it is: look which is meant",
    REDIRECT: "redirect the second URL to the first for good (301): two spellings of one address",
    NEAR_MISSING: "nearly the same text, and the second names no canonical: name the first if one page is meant",
    NEAR_SELF: "nearly the same text, and the second names itself as canonical: name the first if one page is meant",
    THIN: "pages of one URL template with little text of their own: give them some, or keep them out of search",
}
_OF_NEAR = {MISSING: NEAR_MISSING, SELF: NEAR_SELF}

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DuplicatePage:
    """A page that is a copy of its representative, or nearly so; `target` is the URL that it should lead to, or be
    named by. `same` is body, text or near, `similarity` the Jaccard index, `cluster` content or template."""

    url: str
    representative_url: str
    representative_id: int
    same: str
    body_bytes: int
    variant: str
    advice: str
    target: str
    similarity: float = 1.0
    cluster: str = "content"

    @property
    def host(self) -> str:
        return origin_of(self.url).partition("://")[2]

    @property
    def template(self) -> str:
        return template_of(self.url)


def judged(page_id: int, named: int, meant: int, variant: str) -> str:
    """What is to be done about a page that names `named` as its canonical (0: none), where `meant` stands for it."""
    if meant in (named, page_id):
        return CONSOLIDATED
    if named and named != page_id:
        return ELSEWHERE
    if remedy_of(variant) == REDIRECT:
        return REDIRECT
    return SELF if named else MISSING


def judged_near(page_id: int, named: int, meant: int, variant: str, *, is_template: bool) -> str:
    """The same for one that is only nearly the same as others, which it may well be meant to be."""
    advice = judged(page_id, named, meant, variant)
    if is_template and advice in _OF_NEAR:
        return THIN
    return _OF_NEAR.get(advice, advice)


@dataclass(slots=True)
class Costs:
    """Pages and bytes by name, for at most MOST_TEMPLATES names; what is beyond goes to OTHERS."""

    pages: Counter[str] = field(default_factory=Counter)
    size_bytes: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, size_bytes: int) -> None:
        """One more page."""
        self.pages[name] += 1
        self.size_bytes[name] += size_bytes
        if len(self.pages) > MOST_TEMPLATES:
            self._fold()

    def top(self, limit: int) -> list[Document]:
        """Those with most pages."""
        found = heapq.nlargest(limit, self.pages, key=lambda name: (self.pages[name], self.size_bytes[name]))
        return [{"name": name, "requests": self.pages[name], "bytes": self.size_bytes[name]} for name in found]

    def _fold(self) -> None:
        least = heapq.nsmallest(MOST_TEMPLATES // 2, self.pages, key=self.pages.__getitem__)
        for name in least:
            if name != OTHERS:
                self.pages[OTHERS] += self.pages.pop(name)
                self.size_bytes[OTHERS] += self.size_bytes.pop(name)


class Found:
    """What a pass over duplicates, cluster by cluster, adds up."""

    def __init__(self, top: int) -> None:
        self._top = top
        self.same: Counter[str] = Counter()
        self.clusters: Counter[str] = Counter()
        self.pages_in: Counter[str] = Counter()
        self.size_bytes = 0
        self._hosts, self._templates = Costs(), Costs()
        self._variants: Counter[str] = Counter()
        self._advice: Counter[str] = Counter()
        self._examples: dict[str, list[Document]] = {}
        self._largest = _Largest(top)

    @property
    def pages(self) -> int:
        """All of them, without those that stand for them."""
        return self.same.total()

    def add(self, page: DuplicatePage) -> None:
        """One more; those of one representative come one after the other."""
        self.same[page.same] += 1
        self.size_bytes += page.body_bytes
        self._hosts.add(page.host, page.body_bytes)
        self._templates.add(page.template, page.body_bytes)
        self._variants[page.variant] += 1
        self._advice[page.advice] += 1
        self.clusters[page.cluster] += self._largest.add(page)
        self.pages_in[page.cluster] += 1
        shown = self._examples.setdefault(page.advice, [])
        if len(shown) < EXAMPLES:
            shown.append({"target": page.target, "url": page.url})

    def document(self) -> Document:
        """Costs by host and template, the largest clusters, variants, and advice with examples."""
        return {
            "hosts": self._hosts.top(self._top),
            "templates": self._templates.top(self._top),
            "clusters": self._largest.document(),
            "variants": dict(self._variants.most_common()),
            "advice": [
                {"code": code, "pages": pages, "advice": ADVICE[code], "examples": self._examples[code]}
                for code, pages in self._advice.most_common()
            ],
        }


class _Largest:
    """The largest clusters of what comes cluster by cluster."""

    def __init__(self, top: int) -> None:
        self._top = top
        self._heap: list[tuple[int, int, Document]] = []
        self._cluster: Document | None = None
        self._representative = 0

    def add(self, page: DuplicatePage) -> bool:
        """One more page; whether a cluster begins with it."""
        is_first = self._cluster is None or page.representative_id != self._representative
        if is_first:
            self._close()
            self._representative = page.representative_id
            self._cluster = {"url": page.representative_url, "copies": 0, "bytes": 0, "examples": []}
            if page.same == "near":
                self._cluster |= {"kind": page.cluster, "least_similarity": page.similarity}
        assert self._cluster is not None
        self._cluster["copies"] += 1
        self._cluster["bytes"] += page.body_bytes
        if page.same == "near":
            self._cluster["least_similarity"] = min(self._cluster["least_similarity"], page.similarity)
        if len(self._cluster["examples"]) < EXAMPLES:
            self._cluster["examples"].append({"url": page.url, "variant": page.variant})
        return is_first

    def document(self) -> list[Document]:
        """The clusters with most copies."""
        self._close()
        self._cluster = None
        return [cluster for _, _, cluster in sorted(self._heap, key=lambda entry: (-entry[0], -entry[1]))]

    def _close(self) -> None:
        if self._cluster is None:
            return
        entry = (int(self._cluster["copies"]), -self._representative, self._cluster)
        if len(self._heap) < self._top:
            heapq.heappush(self._heap, entry)
        elif self._heap:
            heapq.heappushpop(self._heap, entry)
