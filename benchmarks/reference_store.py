"""Reference store: weaver's graph and seen table beside what plain Python would keep: dicts of sets, a set of str.

`python -m benchmarks.reference_store` prints JSON: each side's figures, then ratios against the aims of half the
allocations, 30 % more graph operations a second and twice the locality.

- Allocations: memory blocks and bytes that are alive when all is in, by tracemalloc; of mappings, which it can't see,
  by what is charged for them.
- Operations: pages added, neighbours read and in-degrees asked for, in turns, a second.
- Locality: cache lines of 64 bytes that reading one page's neighbours touches, found from the addresses of what is
  read; and the time to scan all edges. Ids are no small ints: their objects are made by the crawl that met them.

Ids come in the order of discovery, as a crawl gives them; the reference shares each id's object among all its sets, and
each URL's text among its keys, which is the best that plain Python can do; and it keeps no kinds of edges.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from statistics import median
from sys import getsizeof
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from weaver.base.settings import GraphSettings
from weaver.graph import GraphStore
from weaver.memory import Account, KeyTable

PAGES = 20_000
LINKS = 100
ROUNDS = 3
BATCH = 100
LINE_BYTES = 64
ROOM = 1 << 28
AIMS = {"allocations_saved": 0.5, "graph_operations": 1.3, "locality": 2.0}

Figures = dict[str, Any]
Row = tuple[int, list[int]]


def rows(pages: int, links: int) -> Iterator[Row]:
    """Pages with their out-edges, each target once, skewed towards old ids, as a crawl of a web meets them."""
    random = np.random.default_rng(1)
    for page in range(1, pages + 1):
        drawn = (random.random(2 * links) ** 3 * (page * 10 + links)).astype(np.uint32) + 1
        yield page, np.unique(drawn)[:links].tolist()


class Store(Protocol):
    """What both sides can do."""

    def add(self, page: int, targets: list[int]) -> None:
        """Take a page with its out-edges."""
        ...

    def scan(self, page: int) -> int:
        """The sum of a page's targets: all its neighbours are read."""
        ...

    def in_degree(self, page: int) -> int:
        """How many pages link there."""
        ...

    def lines_of(self, page: int) -> int:
        """Cache lines that reading the page's neighbours touches, the look-up of the page apart."""
        ...


class Reference:
    """A dict of sets, with one int object for each id, and a dict of in-degrees; edges have no kinds."""

    def __init__(self) -> None:
        self._sets: dict[int, set[int]] = {}
        self._ids: dict[int, int] = {}
        self._in_degrees: dict[int, int] = {}

    def add(self, page: int, targets: list[int]) -> None:
        ids, in_degrees = self._ids, self._in_degrees
        kept = self._sets[page] = {ids.setdefault(target, target) for target in targets}
        for target in kept:
            in_degrees[target] = in_degrees.get(target, 0) + 1

    def scan(self, page: int) -> int:
        return sum(self._sets[page])

    def in_degree(self, page: int) -> int:
        return self._in_degrees.get(page, 0)

    def lines_of(self, page: int) -> int:
        """The set's table is read from end to end, and each int where it happens to lie."""
        kept = self._sets[page]
        table = getsizeof(kept)
        scattered = {id(target) // LINE_BYTES for target in kept}
        return table // LINE_BYTES + 1 + len(scattered)


class Slabs:
    """Weaver's graph store: a page's edges lie side by side, 5 bytes each, with their kinds."""

    def __init__(self) -> None:
        self.account = Account("graph", ROOM)
        self._store = GraphStore(GraphSettings(), self.account)

    def add(self, page: int, targets: list[int]) -> None:
        self._store.add_page(page, np.array(targets, np.uint32), bytes(len(targets)))

    def scan(self, page: int) -> int:
        found = self._store.neighbours(page)
        assert found is not None
        return int(found[0].sum(dtype=np.uint64))

    def in_degree(self, page: int) -> int:
        return self._store.in_degree(page) or 0

    def lines_of(self, page: int) -> int:
        """Targets and kinds are two runs of bytes, each with a partial line at its ends."""
        found = self._store.neighbours(page)
        assert found is not None
        return sum(part.nbytes // LINE_BYTES + 2 for part in found)


SIDES: dict[str, Callable[[], Store]] = {"reference": Reference, "weaver": Slabs}


def allocations(make: Callable[[], Store], pages: int, links: int) -> Figures:
    """Blocks and bytes alive with all pages in."""
    edges = 0
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.take_snapshot()
        store = make()
        for page, targets in rows(pages, links):
            store.add(page, targets)
            edges += len(targets)
        del page, targets
        gc.collect()
        grown = tracemalloc.take_snapshot().compare_to(before, "filename")
    finally:
        tracemalloc.stop()
    blocks, traced = sum(entry.count_diff for entry in grown), sum(entry.size_diff for entry in grown)
    held = max(traced, store.account.used) if isinstance(store, Slabs) else traced
    return {"blocks": blocks, "bytes": held, "bytes_an_edge": round(held / edges, 2)}


def operations(make: Callable[[], Store], pages: int, links: int) -> Figures:
    """Thousands of operations a second: each page is added, then an earlier one read and its in-degree asked for."""
    given = list(rows(pages, links))
    earlier = np.random.default_rng(2).random(pages).tolist()
    store = make()
    began_s = time.process_time()
    for (page, targets), share in zip(given, earlier, strict=True):
        store.add(page, targets)
        other = int(share * page) + 1
        store.scan(other)
        store.in_degree(other)
    mixed_s = time.process_time() - began_s
    order = np.random.default_rng(3).permutation(pages) + 1
    began_s = time.process_time()
    for page in order.tolist():
        store.scan(page)
    scan_s = time.process_time() - began_s
    sampled = order[:: max(1, pages // 1_000)].tolist()
    return {
        "mixed_k_a_s": round(3 * pages / mixed_s / 1e3, 1),
        "scans_k_a_s": round(pages / scan_s / 1e3, 1),
        "lines_a_neighbourhood": round(float(np.mean([store.lines_of(page) for page in sampled])), 1),
    }


def texts(urls: int) -> Iterable[str]:
    """URLs of a usual length."""
    return (f"https://www.example-{number % 977}.org/articles/{number}/some-words-of-a-title" for number in range(urls))


def asked_for(urls: int) -> list[list[str]]:
    """Every URL once, in batches in no order, as texts that were just made: none has been hashed yet."""
    fresh = list(texts(urls))
    order = np.random.default_rng(4).permutation(urls).tolist()
    return [[fresh[number] for number in order[at : at + BATCH]] for at in range(0, urls, BATCH)]


def seen_reference(urls: int) -> Figures:
    """A set of URL texts: what it holds, and look-ups a second."""
    tracemalloc.start()
    seen = set(texts(urls))
    traced, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    batches = asked_for(urls)
    began_s = time.process_time()
    found = sum(url in seen for batch in batches for url in batch)
    return _seen_figures(found, traced, time.process_time() - began_s)


def seen_table(urls: int) -> Figures:
    """The table of 64-bit keys: hashed and asked in batches, as a page's links are."""
    account = Account("seen", ROOM)
    table = KeyTable("seen", urls * 2, account)
    for batch in asked_for(urls):
        table.put_many(_keys(batch), np.arange(1, len(batch) + 1, dtype=np.uint32))
    batches = asked_for(urls)
    began_s = time.process_time()
    found = sum(int(np.count_nonzero(table.get_many(_keys(batch)))) for batch in batches)
    return _seen_figures(found, account.used, time.process_time() - began_s)


def _keys(batch: list[str]) -> NDArray[np.uint64]:
    return np.array([xxh3_64_intdigest(url.encode()) for url in batch], np.uint64)


def _seen_figures(urls: int, held: int, asked_s: float) -> Figures:
    return {"urls": urls, "bytes_a_url": round(held / urls, 1), "look_ups_k_a_s": round(urls / asked_s / 1e3)}


def measure(pages: int, links: int, rounds: int) -> Figures:
    """Both sides' figures and the ratios; operations are medians of the rounds, in which the sides take turns."""
    kept = {name: allocations(make, pages, links) for name, make in SIDES.items()}
    found = [{name: operations(make, pages, links) for name, make in SIDES.items()} for _ in range(rounds)]
    graph = {
        name: kept[name] | {figure: median(one[name][figure] for one in found) for figure in found[0][name]}
        for name in SIDES
    }
    urls = pages * 10
    seen = {"reference": seen_reference(urls), "weaver": seen_table(urls)}
    plain, ours = graph["reference"], graph["weaver"]
    ratios = {
        "allocations_saved": round(1 - ours["blocks"] / plain["blocks"], 4),
        "bytes_saved": round(1 - ours["bytes"] / plain["bytes"], 3),
        "graph_operations": round(ours["mixed_k_a_s"] / plain["mixed_k_a_s"], 2),
        "scans": round(ours["scans_k_a_s"] / plain["scans_k_a_s"], 2),
        "locality": round(plain["lines_a_neighbourhood"] / ours["lines_a_neighbourhood"], 2),
        "seen_bytes_saved": round(1 - seen["weaver"]["bytes_a_url"] / seen["reference"]["bytes_a_url"], 3),
        "seen_look_ups": round(seen["weaver"]["look_ups_k_a_s"] / seen["reference"]["look_ups_k_a_s"], 2),
    }
    met = {name: ratios[name] >= aim for name, aim in AIMS.items()}
    return {"pages": pages, "links": links, "graph": graph, "seen": seen, "ratios": ratios, "aims": AIMS, "met": met}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=PAGES)
    parser.add_argument("--links", type=int, default=LINKS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.pages, arguments.links, arguments.rounds), indent=1))


if __name__ == "__main__":
    main()
