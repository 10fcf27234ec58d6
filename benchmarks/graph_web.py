"""GraphWeb: a deterministic link graph of any size, made like the web's, in the order in which a crawl meets it.

Uniform random edges would say nothing: no code can store them in fewer bits than their entropy, log2(e N / d) a link
(17 bits at a million pages of 20 links), and no crawl meets such a graph. This is a copying model (Kleinberg et al.
1999, "The web as a graph"; Kumar et al. 2000, "Stochastic models for the web graph"), kept to hosts:

- a page discovers its share of the ids that are new, and most of them are of its own host;
- about half of its other links are a template, which pages of a host nearly always share as a whole;
- most of the rest are, each by itself, that of the earlier page in the same place;
- what is no copy leads to the host's navigation, to a sibling near by, to a page that the host links to often, to one
  that all hosts link to often (a power law of in-degrees), or, rarely, anywhere.

The hosts' pages are interleaved, as a polite crawler meets them, so that gaps are wider than in a graph of one site.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weaver.base.page import EdgeKind

Ids = NDArray[np.int64]
Column = NDArray[Any]

# How fast new URLs turn up: so many a page at first, none at the end.
DISCOVERY = 4
STAYS_AT_HOST = 0.95
PAGES_PER_HOST = 150
TEMPLATE_SHARE = 0.65
COPIES_TEMPLATE = 0.98
COPIES_LINK = 0.75
NAVIGATION_PAGES = 24
NEAR_PAGES = 3
# Where a link leads that is not a copy: navigation, near by, popular at the host, popular everywhere, anywhere.
PLACES = (0.4, 0.8, 0.93, 0.99)
NOFOLLOW = 0.1
# Links of a page are log-normal about their mean, at most so many.
DEGREE_SIGMA = 0.8
MOST_LINKS = 1_000
# A page names some targets twice, and each counts once.
REPEATS = 2.2
WINDOW_EDGES = 1 << 18


class Window(NamedTuple):
    """Some pages, of ids from `first` on: their hosts, where the links of each begin, the targets, a byte of kind."""

    first: int
    hosts: list[int]
    begins: list[int]
    targets: NDArray[np.uint32]
    kinds: bytes


@dataclass(frozen=True, slots=True)
class GraphWeb:
    """Pages 1 to `nodes`: their hosts, how many links each has, and the targets page by page, in a page's order."""

    hosts: NDArray[np.uint32]
    degrees: NDArray[np.uint32]
    targets: NDArray[np.uint32]
    kinds: NDArray[np.uint8]

    @property
    def nodes(self) -> int:
        return len(self.degrees)

    @property
    def edges(self) -> int:
        return len(self.targets)

    def write(self, folder: Path) -> None:
        """As files that EdgeFiles reads."""
        for name in ("hosts", "degrees", "targets", "kinds"):
            getattr(self, name).tofile(folder / name)


class EdgeFiles:
    """A web in files, read a window of pages at a time: whoever is measured holds nothing of it."""

    def __init__(self, folder: Path, most_edges: int | None = None) -> None:
        self.folder = folder
        self._degrees = np.fromfile(folder / "degrees", np.uint32)
        ends = np.cumsum(self._degrees, dtype=np.int64)
        if most_edges is not None:
            self._degrees = self._degrees[: np.searchsorted(ends, most_edges, side="right")]
        self.pages = len(self._degrees)
        self.edges = int(ends[self.pages - 1]) if self.pages else 0
        self._ends = ends[: self.pages]

    def __repr__(self) -> str:
        return f"EdgeFiles({self.folder}, pages={self.pages}, edges={self.edges})"

    def windows(self, most_edges: int = WINDOW_EDGES) -> Iterator[Window]:
        """All pages in order."""
        page = begin = 0
        with ExitStack() as stack:
            hosts, targets, kinds = (
                stack.enter_context((self.folder / name).open("rb")) for name in ("hosts", "targets", "kinds")
            )
            while page < self.pages:
                end_page = max(page + 1, int(np.searchsorted(self._ends, begin + most_edges, side="right")))
                end = int(self._ends[end_page - 1])
                begins = [0, *(self._ends[page:end_page] - begin).tolist()]
                size, of_hosts = end - begin, np.fromfile(hosts, np.uint32, end_page - page).tolist()
                yield Window(page + 1, of_hosts, begins, np.fromfile(targets, np.uint32, size), kinds.read(size))
                page, begin = end_page, end


def made_web(nodes: int, edges: int, seed: int = 1) -> GraphWeb:
    """A web of so many pages and, if they can have as many, so many links; the same one for the same numbers."""
    random = np.random.default_rng(seed)
    known = _known(nodes)
    parents = _parents(known, nodes)
    hosts = _hosts(parents, random)
    template, degrees = _degrees(hosts, edges, random)
    targets, is_outer = _Links(hosts, known, template, degrees, random).made()
    # A page's new links first, so that of two to one target it is this one that stays.
    sources = np.concatenate((parents[1:], np.repeat(np.arange(nodes), degrees)))
    targets = np.concatenate((np.arange(1, nodes), targets))
    is_outer = np.concatenate((np.zeros(nodes - 1, np.bool_), is_outer))
    kept = _chosen(sources, targets, edges, nodes - 1, degrees)
    sources, targets, is_outer = sources[kept], targets[kept], is_outer[kept]
    kinds = np.where(is_outer & (random.random(len(kept)) < NOFOLLOW), EdgeKind.NOFOLLOW, EdgeKind.HYPERLINK)
    return GraphWeb(
        hosts.astype(np.uint32) + np.uint32(1),
        np.bincount(sources, minlength=nodes).astype(np.uint32),
        targets.astype(np.uint32) + np.uint32(1),
        kinds.astype(np.uint8),
    )


def uniform_bound_bytes_per_edge(nodes: int, edges: int) -> float:
    """What a link of a uniform random graph takes at least, in any code: its entropy."""
    return math.log2(math.e * nodes * nodes / max(1, edges)) / 8


def _known(nodes: int) -> Ids:
    """How many ids are known once each page was read; each page is known before it is."""
    left = 1 - np.arange(1, nodes + 1) / nodes
    return np.maximum(np.ceil(nodes * (1 - left**DISCOVERY)), np.minimum(np.arange(2, nodes + 2), nodes)).astype(
        np.int64
    )


def _parents(known: Ids, nodes: int) -> Ids:
    """The page that discovers each id; the first one is its own."""
    parents = np.searchsorted(known, np.arange(nodes), side="right")
    parents[0] = 0
    return parents


def _hosts(parents: Ids, random: np.random.Generator) -> Ids:
    """A page's host: that of the page which discovered it, or one by a power law."""
    nodes = len(parents)
    hosts = max(1, nodes // PAGES_PER_HOST)
    drawn = (hosts ** random.random(nodes)).astype(np.int64) - 1
    pointers = np.where(random.random(nodes) < STAYS_AT_HOST, parents, np.arange(nodes))
    pointers[0] = 0
    return drawn[_ends_of(pointers)]


def _degrees(hosts: Ids, edges: int, random: np.random.Generator) -> tuple[Ids, Ids]:
    """Links of each page's template, and all but those to what it discovers; more than enough for the repeats."""
    nodes = len(hosts)
    mean = REPEATS * max(0, edges - nodes) / nodes
    template = _log_normal(int(hosts.max()) + 1, TEMPLATE_SHARE * mean, random)[hosts]
    return template, template + _log_normal(nodes, (1 - TEMPLATE_SHARE) * mean, random)


def _log_normal(count: int, mean: float, random: np.random.Generator) -> Ids:
    shape = random.lognormal(0.0, DEGREE_SIGMA, count).clip(max=60)
    return np.rint(shape * (mean / shape.mean())).astype(np.int64).clip(1, MOST_LINKS)


class _Links:
    """The links of all pages but those to what they discover."""

    def __init__(self, hosts: Ids, known: Ids, template: Ids, degrees: Ids, random: np.random.Generator) -> None:
        self._random = random
        self._known = known
        self._template = template
        self._degrees = degrees
        self._begins = np.cumsum(degrees) - degrees
        self._members = np.argsort(hosts, kind="stable")
        keys = hosts[self._members] << 32 | self._members
        self._host_begins = np.searchsorted(keys, hosts << 32)
        ranks = np.empty(len(hosts), np.int64)
        ranks[self._members] = np.arange(len(hosts))
        self._ranks = ranks - self._host_begins
        self._siblings = np.searchsorted(keys, hosts << 32 | known) - self._host_begins

    def made(self) -> tuple[Ids, NDArray[np.bool_]]:
        """The targets, and which of them lead anywhere but within the host."""
        pages = np.repeat(np.arange(len(self._degrees)), self._degrees)
        targets, is_outer = self._fresh(pages)
        pointers = self._pointers(pages)
        origins = _ends_of(pointers)
        return targets[origins], is_outer[origins]

    def _fresh(self, pages: Ids) -> tuple[Ids, NDArray[np.bool_]]:
        random, count = self._random, len(pages)
        place, share = random.random(count), random.random(count)
        siblings, rank = self._siblings[pages], self._ranks[pages]
        gap = random.geometric(1 / NEAR_PAGES, count) * random.choice((-1, 1), count)
        of_host = np.select(
            [place < PLACES[0], place < PLACES[1]],
            [(NAVIGATION_PAGES * share).astype(np.int64), rank + gap],
            siblings**share - 1,
        )
        within = self._members[self._host_begins[pages] + of_host.astype(np.int64).clip(0, siblings - 1)]
        everywhere = np.where(place < PLACES[3], self._known[pages] ** share - 1, self._known[pages] * share)
        is_outer = place >= PLACES[2]
        return np.where(is_outer, everywhere.astype(np.int64), within), is_outer

    def _pointers(self, pages: Ids) -> Ids:
        """For each link the one that it copies, of an earlier page of the host; itself where it copies none."""
        degrees, links = self._degrees, np.arange(len(pages))
        ranks = self._ranks - self._random.geometric(1 / 3, len(degrees))
        prototypes = self._members[self._host_begins + ranks.clip(min=0)]
        place = links - self._begins[pages]
        is_of_template = place < self._template[pages]
        copies_template = (self._random.random(len(degrees)) < COPIES_TEMPLATE)[pages]
        is_copy = np.where(is_of_template, copies_template, self._random.random(len(pages)) < COPIES_LINK)
        is_copy &= (ranks >= 0)[pages] & (place < degrees[prototypes][pages])
        return np.where(is_copy, self._begins[prototypes][pages] + place, links)


def _ends_of(pointers: Ids) -> Ids:
    """Where following the pointers ends; each points to itself or to an earlier one."""
    while True:
        further = pointers[pointers]
        if np.array_equal(further, pointers):
            return pointers
        pointers = further


def _chosen(sources: Ids, targets: Ids, edges: int, needed: int, degrees: Ids) -> Ids:
    """Which links stay: each (source, target) once and `edges` of them in all, by page, in a page's own order.

    The first `needed` stay in any case: without them pages would not be found.
    """
    keys = sources << 32 | targets
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    once = order[np.concatenate(([True], keys[1:] != keys[:-1]))]
    once.sort()
    if len(once) > edges:
        # Pages lose their last links, about the same share each: what they have in common with others stays.
        others = once[once >= needed]
        depth = (others - needed - (np.cumsum(degrees) - degrees)[sources[others]]) / degrees[sources[others]]
        kept = np.argpartition(depth, max(0, edges - needed))[: max(0, edges - needed)]
        once = np.sort(np.concatenate((once[once < needed], others[kept])))
    return once[np.argsort(sources[once], kind="stable")]
