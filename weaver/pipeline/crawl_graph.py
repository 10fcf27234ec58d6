"""CrawlGraph: the link graph of a crawl while it is open, asked as one: what is in RAM, and the rest on disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from weaver.base.errors import DirectoryError, NotResident
from weaver.base.page import EdgeKind
from weaver.base.url import Canonicalizer, url_key
from weaver.codec import Row, Targets
from weaver.graph import GraphStore
from weaver.persistence import Archive, CrawlDirectory
from weaver.pipeline.graph_on_disk import Kinds, counted, distinct, ids_at, rows_of, sources_of
from weaver.pipeline.journal import Journal

ROWS_AT_ONCE = 4_096
"""Rows that a query reads from RAM before the crawl has its turn: some 5 ms."""

Node = int | str
"""An id, or a URL that the crawl knows."""

NO_EDGES: Row = (np.zeros(0, np.uint32), np.zeros(0, np.uint8))

T = TypeVar("T")


class CrawlGraph:
    """The whole link graph of an open crawl, asked by the way; `resident` is the part of it that is in RAM.

    Rows are taken from RAM where they are there. The others are read from disk in a thread, after what the crawl has
    found so far was committed, so that an answer misses nothing; or, with `resident_only`, they are not read, and an
    answer for which they are needed is a NotResident error that carries it as far as RAM goes. Pages that
    the crawl meets while a query waits may be in the answer or not. Questions about the graph as a whole, and many
    questions one after the other, are `weaver.open_graph`'s, beside the crawl.

    Node ids count from 1 in the order of discovery; a URL does as well. All queries raise DirectoryError for a node
    that the crawl doesn't know, and PersistenceError if the disk fails.
    """

    def __init__(
        self,
        resident: GraphStore,
        journal: Journal,
        archive: Archive,
        directory: CrawlDirectory,
        canonicalizer: Canonicalizer,
    ) -> None:
        self.resident = resident
        self._journal = journal
        self._archive = archive
        self._directory = directory
        self._canonicalizer = canonicalizer

    def __repr__(self) -> str:
        return f"CrawlGraph(nodes={self.nodes}, edges={self.edges}, {self.resident!r})"

    @property
    def nodes(self) -> int:
        """Nodes ever discovered: every known URL is one."""
        return self.resident.nodes

    @property
    def edges(self) -> int:
        """Edges ever found, each (source, target, kind) once."""
        return self.resident.edges

    @property
    def is_partial(self) -> bool:
        """Whether links left the disk too, for the sake of `graph.disk_limit`: an answer may lack them."""
        return self._archive.dropped_links() > 0

    async def id_of(self, node: Node) -> int:
        """The id of a URL, or of an id itself."""
        if isinstance(node, str):
            canonical = self._canonicalizer.canonical(node)
            await self._commit()
            key = url_key(canonical, self._directory.crawl_seed) if canonical else 0
            found = self._archive.ids_of_keys([key]).get(key, 0)
            if not found:
                raise DirectoryError(f"expected a URL that the crawl knows, or a node's id, got {node}")
            return found
        if not 0 < node <= self.nodes:
            raise DirectoryError(f"expected an id from 1 to {self.nodes}, got {node}")
        return node

    async def edges_of(self, node: Node, *, resident_only: bool = False) -> list[tuple[int, EdgeKind]]:
        """The node's links, each with its kind; none for a page that was not fetched. O(links)."""
        number = await self.id_of(node)
        row = self.resident.neighbours(number)
        if row is None and resident_only:
            raise _not_resident([], 1)
        if row is None:
            found = await self._on_disk(partial(rows_of, nodes=[number]))
            row = found[0][1] if found else NO_EDGES
        return [(target, EdgeKind(kind)) for target, kind in zip(row[0].tolist(), row[1].tolist(), strict=True)]

    async def neighbours(self, node: Node, *, kinds: Kinds = None, resident_only: bool = False) -> list[int]:
        """The nodes that it links to, rising. O(links)."""
        edges = await self.edges_of(node, resident_only=resident_only)
        return sorted({target for target, kind in edges if kinds is None or kind in kinds})

    async def predecessors(self, node: Node, *, kinds: Kinds = None, resident_only: bool = False) -> list[int]:
        """The nodes that link to it, rising. One pass over all edges on disk, or over those in RAM."""
        number = await self.id_of(node)
        if resident_only:
            return self._as_far_as_resident(self._resident_sources([number], kinds))
        return await self._on_disk(partial(sources_of, targets=[number], kinds=kinds))

    async def k_hop(
        self, node: Node, hops: int, *, backwards: bool = False, kinds: Kinds = None, resident_only: bool = False
    ) -> dict[int, int]:
        """The nodes within so many links of it, itself at 0, and how far away each is.

        Forwards it reads the rows of the nodes that it meets; against the links it makes a pass over all edges for
        each hop, in RAM only those of `resident_only`.
        """
        levels = {await self.id_of(node): 0}
        frontier, missing = list(levels), 0
        for hop in range(1, hops + 1):
            if backwards and resident_only:
                found = self._resident_sources(frontier, kinds)
            elif backwards:
                found = await self._on_disk(partial(sources_of, targets=frontier, kinds=kinds))
            else:
                found, missed = await self._targets(frontier, kinds, resident_only)
                missing += missed
            frontier = [number for number in found if number not in levels]
            levels.update(dict.fromkeys(frontier, hop))
            if not frontier:
                break
        if missing:
            raise _not_resident(levels, missing)
        return self._as_far_as_resident(levels) if backwards and resident_only else levels

    async def shortest_path(
        self, source: Node, target: Node, *, kinds: Kinds = None, resident_only: bool = False
    ) -> list[int]:
        """One of the shortest ways, both ends in it; empty where there is none. O(edges of all that is nearer)."""
        first, last = await self.id_of(source), await self.id_of(target)
        parents, frontier, missing = {first: first}, [first], 0
        while frontier and last not in parents:
            reached: list[int] = []
            async for number, row in self._rows(frontier, resident_only):
                if row is None:
                    missing += 1
                    continue
                for found in counted(row, kinds).tolist():
                    if found not in parents:
                        parents[found] = number
                        reached.append(found)
            frontier = reached
        path = _traced(parents, first, last)
        if missing:
            raise _not_resident(path, missing)
        return path

    async def at_host(self, origin: str) -> list[int]:
        """The ids of a host's URLs, rising; `origin` as in `https://example.org`, with the port if it is its own."""
        return await self._on_disk(partial(ids_at, origin=origin))

    async def _targets(self, frontier: Sequence[int], kinds: Kinds, resident_only: bool) -> tuple[list[int], int]:
        """Where these nodes lead, rising; and how many of their rows were not to be had."""
        found, missing = list[Targets](), 0
        async for _, row in self._rows(frontier, resident_only):
            if row is None:
                missing += 1
            else:
                found.append(counted(row, kinds))
        return distinct(found), missing

    def _resident_sources(self, frontier: Sequence[int], kinds: Kinds) -> list[int]:
        edges = self.resident.links_to(np.array(frontier, np.uint32))
        return distinct([counted((sources, found), kinds) for sources, _, found in edges])

    async def _rows(self, nodes: Sequence[int], resident_only: bool) -> AsyncIterator[tuple[int, Row | None]]:
        """The nodes' rows, those in RAM first; None for one that may not be read."""
        elsewhere = []
        for index, number in enumerate(nodes, start=1):
            row = self.resident.neighbours(number)
            if row is not None or resident_only:
                yield number, row
            else:
                elsewhere.append(number)
            if index % ROWS_AT_ONCE == 0:
                await asyncio.sleep(0)
        for begin in range(0, len(elsewhere), ROWS_AT_ONCE):
            wanted = elsewhere[begin : begin + ROWS_AT_ONCE]
            for number, row in await self._on_disk(partial(rows_of, nodes=wanted)):
                yield number, row

    async def _on_disk(self, question: Callable[[Path], T]) -> T:
        await self._commit()
        return await asyncio.to_thread(question, self._directory.path)

    async def _commit(self) -> None:
        """What left RAM was submitted before, and is on disk when this is done."""
        if self._journal.waiting:
            await self._journal.flush()

    def _as_far_as_resident(self, answer: T) -> T:
        """An answer to which any edge might belong: whole only where all are in RAM."""
        if self.resident.resident_edges < self.resident.edges:
            raise _not_resident(answer, None)
        return answer


def _traced(parents: dict[int, int], first: int, last: int) -> list[int]:
    if last not in parents:
        return []
    path = [last]
    while path[-1] != first:
        path.append(parents[path[-1]])
    return path[::-1]


def _not_resident(partial: object, missing: int | None) -> NotResident:
    rows = (
        "links that left RAM" if missing is None else f"the links of {missing} pages that left RAM, or are not fetched"
    )
    return NotResident(f"the answer needs {rows}: `partial` is without them, resident_only=False reads them", partial)
