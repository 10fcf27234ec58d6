"""The report of duplicates: their clusters, what they cost each host and URL template, and what a site owner can do."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.directory import open_reader
from weaver.analysis.duplicate_variants import REDIRECT, remedy_of, variant_of
from weaver.analysis.edge_stream import EdgeStream
from weaver.analysis.tables import Row, Table
from weaver.base.page import EdgeKind, PageState
from weaver.base.url import origin_of, template_of
from weaver.persistence.crawl_rows import DuplicatePair
from weaver.persistence.near_rows import near_pairs
from weaver.persistence.reader import CrawlReader

BATCH_PAIRS = 1_000
EXAMPLES = 3
MOST_TEMPLATES = 50_000
"""Of hosts and templates each: beyond it those that cost least are added up as others."""
OTHERS = "(others)"
CONSOLIDATED, MISSING, SELF, ELSEWHERE = "consolidated", "add_canonical", "canonical_to_itself", "canonical_elsewhere"
ADVICE = {
    CONSOLIDATED: "the canonical says already that these are one page",
    MISSING: "name the first URL as rel=canonical on the second, which names none",
    SELF: "the second URL names itself as canonical, though it is a copy of the first: name the first",
    ELSEWHERE: "the canonical of the second URL is neither itself nor the first, whose copy it is: look which is meant",
    REDIRECT: "redirect the second URL to the first for good (301): two spellings of one address",
}
COLUMNS = (
    "representative_url", "url", "same", "variant", "advice", "target_url", "body_bytes", "host", "template",
)  # fmt: skip

Document = dict[str, Any]
Canonicals = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class DuplicatePage:
    """A page that is a copy of its representative; `target` is the URL that it should lead to, or be named by."""

    url: str
    representative_url: str
    representative_id: int
    same: str
    body_bytes: int
    variant: str
    advice: str
    target: str

    @property
    def host(self) -> str:
        return origin_of(self.url).partition("://")[2]

    @property
    def template(self) -> str:
        return template_of(self.url)


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


@dataclass(slots=True)
class _Found:
    """What one pass adds up."""

    same: Counter[str] = field(default_factory=Counter)
    size_bytes: int = 0
    hosts: Costs = field(default_factory=Costs)
    templates: Costs = field(default_factory=Costs)
    variants: Counter[str] = field(default_factory=Counter)
    advice: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Document]] = field(default_factory=dict)

    def add(self, page: DuplicatePage) -> None:
        self.same[page.same] += 1
        self.size_bytes += page.body_bytes
        self.hosts.add(page.host, page.body_bytes)
        self.templates.add(page.template, page.body_bytes)
        self.variants[page.variant] += 1
        self.advice[page.advice] += 1
        shown = self.examples.setdefault(page.advice, [])
        if len(shown) < EXAMPLES:
            shown.append({"target": page.target, "url": page.url})


def duplicates_document(directory: Path, top: int) -> Document:
    """The `weaver duplicates --json` document: totals, and the first `top` clusters, hosts and templates.

    Three passes, over the edges, the duplicates and the near pairs. Memory: 4 B a known URL for its canonical, and at
    most MOST_TEMPLATES names of hosts and of templates. Raises DirectoryError.
    """
    with open_reader(directory) as reader:
        found, sizes = _Found(), _Largest(top)
        for page in _pages(reader):
            found.add(page)
            sizes.add(page)
        states = reader.pages_by_state()
        copies = sum(found.same.values())
        return {
            "directory": str(directory),
            "pages": states.get(PageState.FETCHED, 0) + copies,
            "duplicates": {"pages": copies, "by": dict(found.same), "clusters": sizes.clusters},
            "wasted": {"requests": copies, "bytes": found.size_bytes},
            "hosts": found.hosts.top(top),
            "templates": found.templates.top(top),
            "clusters": sizes.document(),
            "variants": dict(found.variants.most_common()),
            "advice": [
                {"code": code, "pages": pages, "advice": ADVICE[code], "examples": found.examples[code]}
                for code, pages in found.advice.most_common()
            ],
            "similarities": similarity_counts(directory, found.same),
        }


def duplicates_table(reader: CrawlReader) -> Table:
    """One row for each duplicate, cluster by cluster, with what it differs by and what to do."""
    return Table(COLUMNS, map(_row, _pages(reader)))


def similarity_counts(directory: Path, exact: Counter[str]) -> Document:
    """How many pages are copies byte for byte and by their text, and near pairs by hundredths of similarity."""
    near: Counter[int] = Counter()
    for window in near_pairs(directory):
        near.update(int(similarity * 100 + 1e-9) for _, _, similarity in window)
    return {
        "same_body": exact["body"],
        "same_text": exact["text"],
        "near": [[hundredths / 100, count] for hundredths, count in sorted(near.items())],
    }


class _Largest:
    """The largest clusters of what comes cluster by cluster."""

    def __init__(self, top: int) -> None:
        self._top = top
        self._heap: list[tuple[int, int, Document]] = []
        self._cluster: Document | None = None
        self._representative = 0
        self.clusters = 0

    def add(self, page: DuplicatePage) -> None:
        if self._cluster is None or page.representative_id != self._representative:
            self._close()
            self._representative = page.representative_id
            self._cluster = {"url": page.representative_url, "copies": 0, "bytes": 0, "examples": []}
            self.clusters += 1
        self._cluster["copies"] += 1
        self._cluster["bytes"] += page.body_bytes
        if len(self._cluster["examples"]) < EXAMPLES:
            self._cluster["examples"].append({"url": page.url, "variant": page.variant})

    def document(self) -> list[Document]:
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


def _pages(reader: CrawlReader) -> Iterator[DuplicatePage]:
    """All duplicates, cluster by cluster."""
    canonicals = _canonicals(reader)
    pairs = reader.duplicates()
    while batch := list(islice(pairs, BATCH_PAIRS)):
        ids = {number for pair in batch for number in (pair.representative_id, pair.member_id)}
        ids |= {int(canonicals[number]) for number in ids if number < len(canonicals)}
        urls = reader.urls_of(ids - {0})
        for pair in batch:
            yield _page(reader, pair, canonicals, urls)


def _page(reader: CrawlReader, pair: DuplicatePair, canonicals: Canonicals, urls: dict[int, str]) -> DuplicatePage:
    known = reader.known_url(pair.member_id)
    url, other = urls.get(pair.member_id, ""), urls.get(pair.representative_id, "")
    variant = variant_of(url, other)
    advice, target_id = _judged(pair, canonicals)
    if advice in (MISSING, SELF) and remedy_of(variant) == REDIRECT:
        advice = REDIRECT
    return DuplicatePage(
        url=url,
        representative_url=other,
        representative_id=pair.representative_id,
        same="body" if pair.same_body else "text",
        body_bytes=(known.body_bytes or 0) if known else 0,
        variant=variant,
        advice=advice,
        target=urls.get(target_id, other),
    )


def _judged(pair: DuplicatePair, canonicals: Canonicals) -> tuple[str, int]:
    """What the site says of the two, and which page should stand for both: 1. as one page already 2. what is missing.

    The representative is only the page that was seen first; where it names a canonical, that is the one that is meant.
    """
    named, of_first = int(canonicals[pair.member_id]), int(canonicals[pair.representative_id])
    meant = of_first or pair.representative_id
    if meant in (named, pair.member_id):
        return CONSOLIDATED, meant
    if not named:
        return MISSING, meant
    return (SELF if named == pair.member_id else ELSEWHERE), meant


def _canonicals(reader: CrawlReader) -> Canonicals:
    """The page that each page names as its canonical, by its id; 0 for none."""
    last_id = reader.last_url_id()
    canonicals = np.zeros(last_id + 1, np.uint32)
    for window in EdgeStream(reader, last_id):
        is_canonical = window.kinds == EdgeKind.CANONICAL
        canonicals[window.sources[is_canonical]] = window.targets[is_canonical]
    return canonicals


def _row(page: DuplicatePage) -> Row:
    return (
        page.representative_url, page.url, page.same, page.variant, page.advice, page.target, page.body_bytes,
        page.host, page.template,
    )  # fmt: skip
