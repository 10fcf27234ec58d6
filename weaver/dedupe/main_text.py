"""BoilerplateMemory: the part of a page's text that its host does not repeat on page after page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh64_intdigest

from weaver.memory.bounded import StoreStatistics
from weaver.memory.budget import Account
from weaver.memory.reserve import discard, reserved_zeros
from weaver.native import compiled

Tags = NDArray[np.uint32]
Counts = NDArray[np.uint16]
Indices = NDArray[np.intp]

WAYS = 8
# A tag and a count.
CELL_BYTES = 4 + 2
BUCKET_BYTES = WAYS * CELL_BYTES
# A block that this share of a host's pages has is repeated; but not before FEWEST_PAGES have it, and from MOST_PAGES on
# whatever the share is, for large sites have sections.
SHARE = 0.1
FEWEST_PAGES = 5
MOST_PAGES = 50
# Fewer words in a row are left in: a term in a sentence is no navigation because other pages have it too.
FEWEST_WORDS = 4
# Where less than this share of a text is the page's own, what it repeats is what it is: it is compared whole.
LEAST_OWN = 0.2
# Of so many new blocks one halves the counts of its bucket.
HALVED_BY = 64
# Blocks of one page that are looked at; the rest counts as its own.
MOST_BLOCKS = 4_096
_COUNT_LIMIT = (1 << 16) - 1


class MainText(NamedTuple):
    """A page's own text, and the share of its characters that the host repeats, 0 to 1."""

    text: str
    boilerplate: float


def blocks_of(text: str) -> list[str]:
    """The blocks of a text: its lines without the white space around them, empty ones left out.

    Text as the parse stage has it breaks lines at the borders of block elements: items of a menu are lines.
    """
    return [block for line in text.splitlines() if (block := line.strip())]


class BoilerplateMemory:
    """On how many pages of its host each block of text was seen, for the blocks seen most, in a fixed number of bytes.

    Buckets of eight counts under a tag of 32 bits, shared by all hosts. A new block takes the place of the one counted
    least, and where that was counted more than once the bucket ages instead, so that what a site no longer shows leaves
    in time. Two blocks of one bucket are confused in one of 4 * 10^9 cases.

    A page's blocks are judged by what was seen before it: on a host's first FEWEST_PAGES pages all text is their own.
    Invariant: `used` bytes are those of the buckets, charged at once. A page is O(its blocks).
    """

    def __init__(self, account: Account, max_blocks: int = 65_536, seed: int = 0) -> None:
        if max_blocks < WAYS:
            raise ValueError(f"expected max_blocks >= {WAYS}, got {max_blocks}")
        affordable = max(1, (account.limit - account.used) // BUCKET_BYTES)
        self._account = account
        self._seed = seed
        self._buckets = min(max_blocks // WAYS, affordable)
        # A bucket's tags and its counts beside each other: a page's blocks are in buckets that lie anywhere.
        self._cells: Counts = reserved_zeros(self._buckets * BUCKET_BYTES // 2, np.uint16)
        by_bucket = self._cells.reshape(self._buckets, -1)
        self._tags: Tags = by_bucket[:, : 2 * WAYS].view(np.uint32)
        self._counts: Counts = by_bucket[:, 2 * WAYS :]
        self._view = self._cells.data
        account.hold(self._buckets * BUCKET_BYTES)
        self._work = np.zeros(0 if compiled is None else compiled.OWN_TEXT_WORK_BYTES, np.uint8).data
        self._last_host = "", xxh64_intdigest(b"", seed)
        self._held = self._peak = self._evicted = 0

    def __repr__(self) -> str:
        return f"BoilerplateMemory({self._held} of {self.capacity})"

    def __len__(self) -> int:
        return self._held

    @property
    def capacity(self) -> int:
        """Blocks whose counts it holds at most."""
        return self._buckets * WAYS

    def main_text(self, text: str | Sequence[str], host: str) -> str:
        """The text without what the host repeats, its blocks joined by line breaks; and count the page's blocks."""
        return self.split(text, host).text

    def split(self, text: str | Sequence[str], host: str) -> MainText:
        """The main text, and how much was left out; whole where too little would be left."""
        if compiled is None or not isinstance(text, str):
            return self.split_in_numpy(text, host)
        of_host = self._key_of_host(host)
        own, boilerplate, entered, left = compiled.own_text(text, of_host, self._view, self._buckets, self._work)
        if entered or left:
            self._note(entered, left)
        return MainText(own, boilerplate)

    def split_in_numpy(self, text: str | Sequence[str], host: str) -> MainText:
        """The same, by the twin."""
        blocks = blocks_of(text) if isinstance(text, str) else [block for block in text if block]
        counts = self._count(blocks[:MOST_BLOCKS], host)
        pages = counts.pop()
        least = min(max(FEWEST_PAGES, SHARE * pages), MOST_PAGES)
        own = _own_blocks(blocks, [count >= least for count in counts])
        total = sum(map(len, blocks))
        left = sum(map(len, own))
        boilerplate = 1 - left / total if total else 0.0
        return MainText("\n".join(blocks if left < LEAST_OWN * total else own), boilerplate)

    def evict(self, n: int) -> list[int]:
        """Let the `n` blocks counted least go; their tags. Frees cells, not bytes."""
        buckets, ways = self._counts.nonzero()
        least = np.argsort(self._counts[buckets, ways], kind="stable")[: max(0, n)]
        cells = buckets[least], ways[least]
        tags: list[int] = self._tags[cells].tolist()
        self._counts[cells] = 0
        self._leave(len(tags))
        return tags

    def shrink(self) -> int:
        """Under a lower limit, halve the memory, and forget it, for what repeats is soon seen again; bytes released."""
        if self._account.used <= self._account.limit or self._buckets == 1:
            return 0
        before = self._buckets
        self._buckets = max(1, self._buckets // 2)
        self._leave(self._held)
        discard(self._cells, 0)
        released = (before - self._buckets) * BUCKET_BYTES
        self._account.release(released)
        return released

    def statistics(self) -> StoreStatistics:
        """The figures now."""
        return StoreStatistics(
            "boilerplate", self._held, self.capacity, self._peak, self._buckets * BUCKET_BYTES, evicted=self._evicted
        )

    def check(self) -> None:
        """Assert the invariants; O(capacity)."""
        assert int(np.count_nonzero(self._counts)) == self._held <= self._peak, self
        assert not self._counts[self._buckets :].any(), self
        assert self._account.used >= self._buckets * BUCKET_BYTES, self
        self._account.check()

    def _count(self, blocks: list[str], host: str) -> list[int]:
        """How often each block was seen before, and at the end how many pages of the host; and count one more."""
        of_host = self._key_of_host(host)
        keys = [xxh64_intdigest(block.encode("utf-8", "surrogatepass"), of_host) for block in blocks]
        distinct = dict.fromkeys([*keys, of_host])
        seen: list[int] = self._seen(np.fromiter(distinct, np.uint64, len(distinct))).tolist()
        if len(distinct) == len(keys) + 1:
            return seen
        counts = dict(zip(distinct, seen, strict=True))
        return [counts[key] for key in keys] + [counts[of_host]]

    def _key_of_host(self, host: str) -> int:
        """The last one is kept, for a page is often followed by another of its host."""
        if host != self._last_host[0]:
            self._last_host = host, xxh64_intdigest(host.encode("utf-8", "surrogatepass"), self._seed)
        return self._last_host[1]

    def _seen(self, keys: NDArray[np.uint64]) -> Counts:
        """The counts of different keys, each of which is one higher from now on."""
        tags = keys.astype(np.uint32)
        buckets = ((keys >> np.uint64(32)) % np.uint64(self._buckets)).astype(np.intp)
        counts = self._counts.take(buckets, axis=0)
        hits = (self._tags.take(buckets, axis=0) == tags[:, None]) & (counts != 0)
        found, ways = hits.nonzero()
        seen = np.zeros(len(keys), np.uint16)
        seen[found] = counts[found, ways]
        self._counts[buckets[found], ways] = np.minimum(seen[found], _COUNT_LIMIT - 1) + np.uint16(1)
        is_new = np.ones(len(keys), np.bool_)
        is_new[found] = False
        self._enter(tags[is_new], buckets[is_new])
        return seen

    def _enter(self, tags: Tags, buckets: Indices) -> None:
        """Each new block takes the place of its bucket's least counted one; or, that one counted well, ages it.

        One in 64 that comes in halves the counts of its bucket besides, so that no count stands for ever.
        """
        counts = self._counts.take(buckets, axis=0)
        ways = counts.argmin(axis=1)
        least = counts.min(axis=1, initial=_COUNT_LIMIT)
        # Once a bucket, however many of the page's blocks are in it.
        self._counts[buckets[least > 1]] -= np.uint16(1)
        halved = buckets[tags % np.uint32(HALVED_BY) == 0]
        self._counts[halved] -= self._counts[halved] >> np.uint16(1)
        enters = least <= 1
        # Of two for one place the last has it.
        self._tags[buckets[enters], ways[enters]] = tags[enters]
        places = np.divmod(np.unique((buckets * WAYS + ways)[enters]), WAYS)
        left = int(np.count_nonzero(self._counts[places]))
        self._counts[places] = 1
        self._note(len(places[0]), left)

    def _note(self, entered: int, left: int) -> None:
        self._leave(left)
        self._held += entered
        self._peak = max(self._peak, self._held)

    def _leave(self, blocks: int) -> None:
        self._held -= blocks
        self._evicted += blocks
        self._account.record_evicted(blocks)


def _own_blocks(blocks: list[str], repeated: list[bool]) -> list[str]:
    """The blocks without runs of repeated ones; a run of few words stays."""
    own: list[str] = []
    at, flags = 0, bytes(repeated)
    while (start := flags.find(1, at)) >= 0:
        end = flags.find(0, start)
        run = blocks[start : end if end >= 0 else len(flags)]
        own += blocks[at:start]
        if len(run) < FEWEST_WORDS and sum(block.count(" ") + 1 for block in run) < FEWEST_WORDS:
            own += run
        at = start + len(run)
    return own + blocks[at:]
