"""The nodes of an edge list: how ids and URLs become the dense ids of a crawl."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.edge_list import EdgeList
from weaver.analysis.edge_stream import sorted_distinct
from weaver.analysis.scratch_file import ScratchFile
from weaver.base.errors import SettingsError
from weaver.base.record import MAX_NODE_ID, CommitRecord, HostRecord, UrlRow
from weaver.base.settings import UrlSettings
from weaver.base.units import format_count, format_size
from weaver.base.url import Canonicalizer, origin_of, url_key
from weaver.memory.budget import Account
from weaver.memory.table import SLOT_BYTES, WAYS, KeyTable

NODE_ORIGIN = "https://node.invalid"
"""Whose pages nodes without a URL are: RFC 2606 (2) keeps .invalid from ever being anyone's."""
IMPORTED_REASON = "imported"
URLS_PER_RECORD = 512
# A list of up to so many ids an edge holds the numbers from 0 on, with some that no edge names.
MOST_IDS_PER_EDGE = 8
FEW_IDS = 1 << 10

Ids = NDArray[np.uint32]
Edges = Iterator[tuple[Ids, Ids]]
Submit = Callable[[CommitRecord], None]


class ImportedIds:
    """Numbers as nodes: number k is the page https://node.invalid/k.

    1. Where the highest number is below MOST_IDS_PER_EDGE times the edges, as in lists that count from 0 or 1, number k
       becomes id k + 1, and numbers up to the highest that no edge names are nodes without links.
    2. Where numbers are sparse, those that occur become ids 1, 2, ... in their order: 16 B of memory each.
    """

    def __init__(self, edge_list: EdgeList, memory_bytes: int, directory: Path) -> None:
        self._list = edge_list
        self._memory_bytes = memory_bytes
        self._directory = directory
        self.count = 0

    def __repr__(self) -> str:
        return f"ImportedIds({self.count} nodes of {self._list.path})"

    def edges(self, submit: Submit, crawl_seed: int) -> Edges:
        """Hand over all nodes, then give the edges in windows, by their ids."""
        parsed = ScratchFile(self._directory)
        try:
            highest = -1
            for pairs in self._list.id_pairs():
                highest = max(highest, int(pairs.max()))
                parsed.append(pairs.astype(np.uint64))
            edges = parsed.size_bytes // 16
            is_dense = highest < max(FEW_IDS, MOST_IDS_PER_EDGE * edges)
            numbers = None if is_dense else self._distinct(parsed)
            self.count = highest + 1 if numbers is None else len(numbers)
            _check_count(self.count)
            self._submit_nodes(numbers, submit, crawl_seed)
            for ends in _pairs_of(parsed):
                ids = (ends.astype(np.int64) if numbers is None else np.searchsorted(numbers, ends)) + 1
                yield ids[:, 0].astype(np.uint32), ids[:, 1].astype(np.uint32)
        finally:
            parsed.close()

    def _distinct(self, parsed: ScratchFile) -> NDArray[np.uint64]:
        numbers = np.zeros(0, np.uint64)
        for pairs in _pairs_of(parsed):
            numbers = sorted_distinct(np.concatenate((numbers, sorted_distinct(pairs.reshape(-1)))))
            if 2 * numbers.nbytes > self._memory_bytes:
                raise SettingsError(
                    f"{format_count(len(numbers))} sparse ids and more need over twice --memory"
                    f" {format_size(2 * numbers.nbytes)}; number the nodes from 0 on, or give more"
                )
        return numbers

    def _submit_nodes(self, numbers: NDArray[np.uint64] | None, submit: Submit, crawl_seed: int) -> None:
        submit(CommitRecord(hosts=(HostRecord(1, NODE_ORIGIN),)))
        for first in range(0, self.count, URLS_PER_RECORD):
            end = min(first + URLS_PER_RECORD, self.count)
            named: Iterable[int] = range(first, end) if numbers is None else numbers[first:end].tolist()
            urls = (f"{NODE_ORIGIN}/{number}" for number in named)
            submit(CommitRecord(urls=tuple(_url_row(first + at, url, 1, crawl_seed) for at, url in enumerate(urls, 1))))


class ImportedUrls:
    """URLs as nodes, canonical as in a crawl with default settings, numbered as they appear: 15 B of memory each."""

    def __init__(self, edge_list: EdgeList, memory_bytes: int, crawl_seed: int) -> None:
        self._list = edge_list
        self._memory_bytes = memory_bytes
        capacity = max(FEW_IDS, memory_bytes // SLOT_BYTES // WAYS * WAYS)
        self._known = KeyTable("imported", capacity, Account("imported", memory_bytes))
        self._hosts: dict[str, int] = {}
        self._seed = crawl_seed
        self.count = 0

    def __repr__(self) -> str:
        return f"ImportedUrls({self.count} nodes of {self._list.path})"

    def edges(self, submit: Submit, crawl_seed: int) -> Edges:
        """Give the edges in windows, by their ids; the nodes that a window is the first to name are handed over."""
        canonical = Canonicalizer(UrlSettings()).canonical
        for pairs in self._list.url_pairs(canonical):
            urls = [url for pair in pairs for url in pair]
            keys = np.array([url_key(url, crawl_seed) for url in urls], np.uint64)
            ids = self._known.get_many(keys)
            if not ids.all():
                self._submit_new(urls, keys, ids, submit)
                ids = self._known.get_many(keys)
            yield ids[0::2], ids[1::2]

    def _submit_new(self, urls: list[str], keys: NDArray[np.uint64], ids: Ids, submit: Submit) -> None:
        """Number the URLs that have no id, in the order in which they appear."""
        absent = np.flatnonzero(ids == 0)
        _, firsts = np.unique(keys[absent], return_index=True)
        absent = absent[np.sort(firsts)]
        for at in range(0, len(absent), URLS_PER_RECORD):
            batch = [urls[index] for index in absent[at : at + URLS_PER_RECORD].tolist()]
            submit(self._record(self.count + at, batch))
        self._known.put_many(keys[absent], np.arange(self.count + 1, self.count + 1 + len(absent), dtype=np.uint32))
        self.count += len(absent)
        _check_count(self.count)
        if self._known.has_evicted:
            raise SettingsError(
                f"the keys of {format_count(self.count)} URLs and more don't fit --memory: half of it is"
                f" {format_size(self._memory_bytes)}"
            )

    def _record(self, before: int, urls: list[str]) -> CommitRecord:
        hosts, rows = [], []
        for url_id, url in enumerate(urls, start=before + 1):
            origin = origin_of(url)
            host_id = self._hosts.get(origin)
            if host_id is None:
                host_id = self._hosts[origin] = len(self._hosts) + 1
                hosts.append(HostRecord(host_id, origin))
            rows.append(_url_row(url_id, url, host_id, self._seed))
        return CommitRecord(urls=tuple(rows), hosts=tuple(hosts))


def _url_row(url_id: int, url: str, host_id: int, crawl_seed: int) -> UrlRow:
    return UrlRow(url_id, url_key(url, crawl_seed), url, host_id, depth=0, source_id=0, reason=IMPORTED_REASON)


def _pairs_of(parsed: ScratchFile) -> Iterator[NDArray[np.uint64]]:
    values, window = parsed.size_bytes // 8, 1 << 18
    for at in range(0, values, window):
        yield parsed.read(np.uint64, at, min(at + window, values)).reshape(-1, 2)


def _check_count(count: int) -> None:
    if count > MAX_NODE_ID - 1:
        raise SettingsError(f"expected at most {MAX_NODE_ID - 1} nodes, got {count}")
