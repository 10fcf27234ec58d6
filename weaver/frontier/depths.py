"""Depths: how many links each known URL is from the nearest seed, kept exact where the crawl is limited by it."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable

from weaver.memory.budget import Account

DEEPEST = (1 << 16) - 1
GROWTH = 4096
_UNKNOWN = array("H", [DEEPEST])

# The followed out-edges of a page that was fetched: (target id, 1 for a link, 0 for a redirect).
EdgesOf = Callable[[int], Iterable[tuple[int, int]]]


class Depths:
    """Depth by dense URL id, 2 bytes each; O(1) per call, a lowering O(what it reaches)."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._depths = array("H")

    def __len__(self) -> int:
        return len(self._depths)

    def of(self, url_id: int) -> int:
        """The URL's depth, as far as is known now."""
        return self._depths[url_id] if url_id < len(self._depths) else DEEPEST

    def note(self, url_id: int, depth: int) -> None:
        """Set a URL's depth."""
        missing = url_id + 1 - len(self._depths)
        if missing > 0:
            growth = max(missing, GROWTH, len(self._depths) // 8)
            self._account.hold(2 * growth)
            self._depths.extend(_UNKNOWN * growth)
        self._depths[url_id] = min(depth, DEEPEST)

    def nearer(self, url_ids: Iterable[int], depth: int) -> list[tuple[int, int]]:
        """Those of the URLs that are known as deeper than `depth`, with it."""
        depths, known = self._depths, len(self._depths)
        return [(url_id, depth) for url_id in url_ids if 0 < url_id < known and depths[url_id] > depth]
