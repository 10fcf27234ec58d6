"""SoakWeb: a web of any size that is computed from its URLs, as a transport: no sockets, no files, nothing kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from weaver.base.page import Fetched, Response
from weaver.fetch import TransportStatistics
from weaver.memory.admission import Admission

Numbers = NDArray[np.uint64]

LINKS = 100
# Links of an original to pages that nothing else need lead to: 2 from each of 7 in 10 pages reach every page.
CHILDREN = 2
HOSTS = 3_000
SKEW = 3
# What a page number's last two digits say of it, where copies are the share that they are at most; the rest are plain.
ORIGINALS = (0, 1, 2, 4, 5, 7, 8)
COPIES = frozenset({3, 6, 9})
COPIES_SHARE = 0.3
NEAR_SHARE = 0.5
# Words at the end of a near duplicate that its original does not have, at most: with so many to 100, two pages with the
# text of one have a Jaccard index of 0.93 and more.
OTHER_WORDS = 3
MISSING = frozenset({9, 59})
PRIVATE = 6
ALIASED = frozenset({20, 40, 60, 80})
# One host in so many has no robots.txt.
HOSTS_WITHOUT_ROBOTS = 7
LEAF = "/x/"
_PLACES = ["/private/" if n == PRIVATE else "/r/" if n in ALIASED else "/p/" for n in range(100)]
_GOLDEN = 0x9E3779B97F4A7C15
_HTML = {"content-type": "text/html; charset=utf-8"}
_PLAIN = {"content-type": "text/plain"}
_ROBOTS = b"User-agent: *\nDisallow: /private/\n"


class SoakWeb:
    """Pages 0 to `pages` - 1 on thousands of hosts, each with 100 links and 5 kB, all reachable from page 0.

    Targets, hosts and the originals of copies follow a power law. Of 100 pages 30 are exact copies of an original (2 of
    these are missing, 1 is disallowed), 4 are linked by an address that redirects; with fewer `duplicates` than a
    share of 0.3 the others have a text of their own. `leaves` of an original's links lead to leaf URLs that nothing
    else names: known URLs in any number, for a crawl that excludes them. A share `near` of all pages has links of its
    own and the text of an earlier page, but for a few words at the end: a near duplicate, as `near_original` tells.
    """

    def __init__(
        self, pages: int, hosts: int = HOSTS, leaves: int = 0, *, duplicates: float = COPIES_SHARE, near: float = 0.0
    ) -> None:
        if not (0 <= duplicates <= COPIES_SHARE and 0 <= near <= NEAR_SHARE):
            raise ValueError(f"expected duplicates up to {COPIES_SHARE} and near up to {NEAR_SHARE}")
        self._copies_share = duplicates / COPIES_SHARE
        self._near_share = near / (1 - COPIES_SHARE)
        self.pages = pages
        self.leaves = leaves
        self.served = 0
        self.asked = asyncio.Event()
        self._hosts = hosts
        self._links = np.arange(LINKS - CHILDREN - leaves, dtype=np.uint64)

    def __repr__(self) -> str:
        return f"SoakWeb(pages={self.pages}, hosts={self._hosts}, served={self.served})"

    async def get(
        self,
        url: str,
        headers: Mapping[str, str],  # noqa: ARG002 - the transport's protocol
        max_body_bytes: int,  # noqa: ARG002
        room: Admission,  # noqa: ARG002
        *,
        is_fresh: bool = False,  # noqa: ARG002
    ) -> Fetched:
        """The answer, after one turn of the event loop."""
        self.asked.set()
        await asyncio.sleep(0)
        _, _, host, place, *name = url.split("/", 4)
        if place == "robots.txt":
            is_missing = not int(host[1:].partition(".")[0]) % HOSTS_WITHOUT_ROBOTS
            return _answer(url, 404) if is_missing else _answer(url, 200, _ROBOTS, _PLAIN)
        number = int(name[0])
        if place == "r":
            return _answer(url, 301, headers={**_HTML, "location": self.address(number)})
        self.served += 1
        if number % 100 in MISSING:
            return _answer(url, 404)
        return _answer(url, 200, self.body(number))

    async def close(self) -> None:
        """Nothing is open."""

    def release_memory(self) -> int:
        """Nothing is kept."""
        return 0

    def statistics(self) -> TransportStatistics:
        """Nothing is counted."""
        return TransportStatistics()

    def address(self, number: int) -> str:
        """Where a page answers itself, though links may lead to its alias."""
        (host,) = self._hosts_of(np.array([number], np.uint64))
        return f"http://h{host}.soak.test{_place(number)}{number}"

    def body(self, number: int) -> bytes:
        """A page's HTML: its own, or its original's."""
        original = self.original_of(number)
        shown = self.near_original(original)
        text = f"<!doctype html><title>Page {shown}</title><body>{''.join(self._anchors(original, shown))}"
        return text.encode()

    def original_of(self, number: int) -> int:
        """The page whose content this is: for a copy an earlier one, the first ones most often."""
        if number % 10 not in COPIES or (self._copies_share < 1 and _share(number * LINKS + 2) >= self._copies_share):
            return number
        return self._earlier(number, number * LINKS)

    def near_original(self, original: int) -> int:
        """The page whose text this one has but for some words; itself for most, for those of the copies always."""
        found = original
        while found % 10 not in COPIES and found >= 10 and _share(found * LINKS + 3) < self._near_share:
            found = self._earlier(found, found * LINKS + 4)
        return found

    def _earlier(self, number: int, seed: int) -> int:
        index = int(_share(seed) ** SKEW * (number // 10 * len(ORIGINALS)))
        return index // len(ORIGINALS) * 10 + ORIGINALS[index % len(ORIGINALS)]

    def _anchors(self, number: int, shown: int) -> Iterator[str]:
        """The page's links, under the words of another where that one's text is shown; last, words of its own."""
        targets = self._targets(number)
        words = targets.tolist() if shown == number else self._targets(shown).tolist()
        for target, host, word in zip(targets.tolist(), self._hosts_of(targets), words, strict=False):
            yield f'<a href="http://h{host}.soak.test{_PLACES[target % 100]}{target}">{word}</a> '
        # A page near the end of the web has no children, and so fewer links than an earlier one has words.
        yield from (f"{word} " for word in words[len(targets) :])
        if self.leaves:
            first = number * self.leaves
            leaves = np.arange(first, first + self.leaves, dtype=np.uint64)
            for leaf, host in zip(leaves.tolist(), self._hosts_of(leaves), strict=True):
                yield f'<a href="http://h{host}.soak.test{LEAF}{leaf}">leaf</a> '
        if shown != number:
            yield " ".join(f"w{number}x{other}" for other in range(1 + number % OTHER_WORDS))

    def _targets(self, number: int) -> Numbers:
        """The children, and others by the power law."""
        children: list[int] = []
        if number % 10 not in COPIES:
            child = (number // 10 * len(ORIGINALS) + ORIGINALS.index(number % 10)) * CHILDREN + 1
            children = [page for page in range(child, child + CHILDREN) if page < self.pages]
        others = _shares(self._links + np.uint64(number * LINKS + 1)) ** SKEW * self.pages
        return np.concatenate([np.array(children, np.uint64), others.astype(np.uint64)])

    def _hosts_of(self, numbers: Numbers) -> list[int]:
        hosts: list[int] = (_shares(numbers ^ np.uint64(_GOLDEN)) ** SKEW * self._hosts).astype(np.uint64).tolist()
        return hosts


def _place(number: int) -> str:
    return "/private/" if number % 100 == PRIVATE else "/p/"


def _shares(numbers: Numbers) -> NDArray[np.float64]:
    """A number in [0, 1) for each, as good as random: splitmix64 (Steele, Lea, Flood 2014)."""
    mixed = numbers * np.uint64(_GOLDEN)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ (mixed >> np.uint64(31))) / np.float64(2**64)


def _share(number: int) -> float:
    return float(_shares(np.array([number], np.uint64))[0])


def _answer(url: str, status: int, body: bytes = b"", headers: Mapping[str, str] = _HTML) -> Response:
    return Response(url, status, headers, body, len(body), 0.0)
