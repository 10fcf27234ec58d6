"""The report of broken and moved links: each target with its answer, where it leads, and the pages that carry it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from weaver.analysis.carriers import Carriers
from weaver.analysis.directory import open_reader
from weaver.analysis.edge_stream import EdgeStream
from weaver.analysis.link_troubles import MOVED, Section, Troubles, read_troubles
from weaver.analysis.tables import Row, Table, iso_time, state_of
from weaver.base.errors import DirectoryError
from weaver.persistence.reader import CrawlReader

EXAMPLES = 3
CHAIN_SHOWN = 12
EDGES_PER_WINDOW = 1 << 18
"""8 MiB."""
NAMES = {
    Section.BROKEN: "broken",
    Section.PERMANENT: "moved_permanently",
    Section.TEMPORARY: "moved_temporarily",
    Section.CHAIN: "redirect_chains",
    Section.LOOP: "redirect_loops",
    Section.BLOCKED: "blocked",
}
COLUMNS = (
    "section", "url", "status", "reason", "pages", "kinds", "checked_at", "hops", "end_url", "end_state", "end_status",
    "examples",
)  # fmt: skip

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class BrokenQuestion:
    """Which links are asked for: all, those on the pages of `host`, those that lead to `target_host`, the moved only.

    A host is a name (all its schemes and ports), a name with a port, or an origin.
    """

    directory: Path
    host: str | None = None
    target_host: str | None = None
    moved_only: bool = False


@dataclass(frozen=True, slots=True)
class _Report:
    reader: CrawlReader
    troubles: Troubles
    carriers: Carriers
    is_shown: NDArray[np.bool_]
    sections: tuple[Section, ...]
    nodes: int

    def indices(self, section: Section) -> NDArray[np.intp]:
        """The section's targets, those carried by most pages first."""
        found = np.flatnonzero(self.is_shown & (self.troubles.sections == section))
        return found[np.argsort(-self.carriers.counts[found].astype(np.int64), kind="stable")]

    def entry(self, index: int) -> Document:
        """All that is told of one target."""
        url_id = int(self.troubles.ids[index])
        examples = [int(node) for node in self.carriers.examples[index] if node]
        return {
            "id": url_id,
            **self._outcome(url_id),
            "pages": int(self.carriers.counts[index]),
            "kinds": [kind.name.lower() for kind in self.carriers.kinds_of(index)],
            "examples": self._named(examples),
            **self._way(index),
        }

    def _way(self, index: int) -> Document:
        if not self.troubles.next_ids[index]:
            return {}
        end = int(self.troubles.ends[index])
        return {
            "hops": int(self.troubles.hops[index]) or None,
            "chain": self._named(self.troubles.chain(index, CHAIN_SHOWN)),
            "end": {"id": end, **self._outcome(end)} if end else None,
        }

    def _outcome(self, url_id: int) -> Document:
        known = self.reader.known_url(url_id)
        if known is None:
            return {"url": "", "state": "", "status": None, "reason": None, "checked_at": None}
        return {
            "url": known.url,
            "state": state_of(known),
            "status": known.http_status or None,
            "reason": known.reason or known.refusal or None,
            "checked_at": iso_time(known.fetched_at),
        }

    def _named(self, ids: list[int]) -> list[Document]:
        urls = self.reader.urls_of(ids)
        return [{"id": node, "url": urls.get(node, "")} for node in ids]


def broken_document(question: BrokenQuestion, limit: int) -> Document:
    """Each section with the number of its targets, of the links to them, and the first `limit` targets.

    Two passes, over the pages and over the edges. Memory: a window of edges, 2 B a node, and 35 B a target in trouble
    (60 while redirects are followed). Raises DirectoryError for a host that the crawl doesn't know.
    """
    with _report(question) as report:
        return {
            "directory": str(question.directory),
            "host": question.host,
            "target_host": question.target_host,
            "nodes": report.nodes,
        } | {NAMES[section]: _section(report, section, limit) for section in report.sections}


@contextmanager
def broken_table(question: BrokenQuestion) -> Iterator[Table]:
    """All targets as rows, section by section, made while they are read."""
    with _report(question) as report:
        yield Table(COLUMNS, _rows(report))


def _section(report: _Report, section: Section, limit: int) -> Document:
    indices = report.indices(section)
    return {
        "targets": len(indices),
        "links": int(report.carriers.counts[indices].sum(dtype=np.int64)),
        "top": [report.entry(index) for index in indices[:limit].tolist()],
    }


def _rows(report: _Report) -> Iterator[Row]:
    for section in report.sections:
        for index in report.indices(section):
            yield _row(NAMES[section], report.entry(int(index)))


def _row(section: str, entry: Document) -> Row:
    end = entry.get("end") or {}
    return (
        section, entry["url"], entry["status"], entry["reason"], entry["pages"], " ".join(entry["kinds"]),
        entry["checked_at"], entry.get("hops"), end.get("url"), end.get("state"), end.get("status"),
        " ".join(page["url"] for page in entry["examples"]),
    )  # fmt: skip


@contextmanager
def _report(question: BrokenQuestion) -> Iterator[_Report]:
    with open_reader(question.directory) as reader:
        stream = EdgeStream(reader, edges_per_window=EDGES_PER_WINDOW)
        troubles = read_troubles(reader, stream.nodes)
        carrier_flags = _flags_of(reader, question.host, stream.nodes)
        target_flags = _flags_of(reader, question.target_host, stream.nodes)
        carriers = Carriers(stream, troubles.ids, EXAMPLES, carrier_flags)
        is_shown = np.ones(len(troubles), np.bool_) if target_flags is None else target_flags[troubles.ids]
        if carrier_flags is not None:
            is_shown &= carriers.counts > 0
        sections = MOVED if question.moved_only else tuple(Section)
        yield _Report(reader, troubles, carriers, is_shown, sections, stream.nodes)


def _flags_of(reader: CrawlReader, host: str | None, last_id: int) -> NDArray[np.bool_] | None:
    """Which nodes are of a host; None where none is asked for."""
    if host is None:
        return None
    wanted = host.lower().rstrip("/")
    ids = [host_id for host_id, name in reader.hosts_by_name(_namer(wanted)) if name == wanted]
    if not ids:
        raise DirectoryError(f"expected a host that the crawl knows, such as example.org, got {host}")
    flags = np.zeros(last_id + 1, np.bool_)
    for host_id in ids:
        for window in reader.urls_at(host_id, last_id):
            flags[window] = True
    return flags


def _namer(wanted: str) -> Callable[[str], str]:
    """What of an origin is compared with a host as it was written."""
    if "://" in wanted:
        return str
    if ":" in wanted:
        return lambda origin: urlsplit(origin).netloc
    return lambda origin: urlsplit(origin).hostname or ""
