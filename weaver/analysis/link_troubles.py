"""Link troubles: the known URLs that failed, moved or are blocked, and where the redirects among them end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from weaver.base.page import PageState
from weaver.graph.health import PERMANENT_STATUSES
from weaver.persistence.crawl_rows import PageOutcome
from weaver.persistence.reader import CrawlReader

BYTES_PER_TROUBLE = 60
"""Its columns, 18 B, and what following the redirects takes for a moment."""
_OURS = frozenset({"blocked_private"})
"""Failures that are no word of the server's: weaver did not ask."""
_STATES = (PageState.FAILED, PageState.REDIRECT, PageState.BLOCKED, PageState.SKIPPED)

Ids = NDArray[np.uint32]
Sections = NDArray[np.uint8]


class Section(IntEnum):
    """What is wrong with a link target; each is in one section only, a redirect by the whole way from it to its end."""

    BROKEN = 0
    PERMANENT = 1
    TEMPORARY = 2
    CHAIN = 3
    LOOP = 4
    BLOCKED = 5


MOVED = (Section.PERMANENT, Section.TEMPORARY, Section.CHAIN, Section.LOOP)


@dataclass(frozen=True, slots=True)
class Troubles:
    """Columns in rising order of `ids`.

    `next_ids` is where a redirect leads, 0 for what is none; `ends` where it leads in the end, 0 for a loop; `hops` how
    many redirects that takes (0 for a loop).
    """

    ids: Ids
    sections: Sections
    next_ids: Ids
    ends: Ids
    hops: Ids

    def __len__(self) -> int:
        return len(self.ids)

    def chain(self, index: int, most: int) -> list[int]:
        """The ids that a redirect leads through, its own first; ends where they repeat, or after `most`."""
        chain = [int(self.ids[index])]
        while len(chain) < most:
            index = int(np.searchsorted(self.ids, chain[-1]))
            is_redirect = index < len(self.ids) and self.ids[index] == chain[-1] and self.next_ids[index] > 0
            if not is_redirect:
                break
            chain.append(int(self.next_ids[index]))
            if chain[-1] in chain[:-1]:
                break
        return chain


def read_troubles(reader: CrawlReader, last_id: int) -> Troubles:
    """All troubles up to page `last_id`; one pass over the pages, BYTES_PER_TROUBLE for each."""
    parts = [_columns(window) for window in reader.pages_in(_STATES, last_id)]
    parts.append((np.zeros(0, np.uint32), np.zeros(0, np.uint8), np.zeros(0, np.uint32)))
    ids, sections, next_ids = (np.concatenate(column) for column in zip(*parts, strict=True))
    at = np.flatnonzero(next_ids)
    redirect_ends, redirect_hops = followed(ids[at], next_ids[at])
    ends, hops = np.zeros(len(ids), np.uint32), np.zeros(len(ids), np.uint32)
    ends[at], hops[at] = redirect_ends, redirect_hops
    sections[at[redirect_hops > 1]] = Section.CHAIN
    sections[at[redirect_ends == 0]] = Section.LOOP
    return Troubles(ids, sections, next_ids, ends, hops)


def followed(ids: Ids, next_ids: Ids) -> tuple[Ids, Ids]:
    """Where each of the redirects `ids` (rising) ends, and after how many hops; both 0 for one that never does.

    Every jump is doubled in each round, so that O(n log n) is enough for a chain of any length (Wyllie 1979).
    """
    at = np.minimum(np.searchsorted(ids, next_ids), max(0, len(ids) - 1))
    is_last = ids[at] != next_ids
    jumps = np.where(is_last, np.arange(len(ids)), at)
    hops = np.where(is_last, 0, 1)
    for _ in range(len(ids).bit_length()):
        hops += hops[jumps]
        jumps = jumps[jumps]
    ends_at_all = is_last[jumps]
    ends = np.where(ends_at_all, next_ids[jumps], 0).astype(np.uint32)
    return ends, np.where(ends_at_all, hops + 1, 0).astype(np.uint32)


def _columns(window: list[PageOutcome]) -> tuple[Ids, Sections, Ids]:
    rows = list(_rows(window))
    ids, sections, next_ids = zip(*rows, strict=True)
    return np.array(ids, np.uint32), np.array(sections, np.uint8), np.array(next_ids, np.uint32)


def _rows(window: list[PageOutcome]) -> Iterator[tuple[int, Section, int]]:
    for page in window:
        if page.state == PageState.REDIRECT:
            section = Section.PERMANENT if page.http_status in PERMANENT_STATUSES else Section.TEMPORARY
            yield page.id, section, page.moved_to
        elif page.state == PageState.FAILED and page.reason not in _OURS:
            yield page.id, Section.BROKEN, 0
        else:
            yield page.id, Section.BLOCKED, 0
