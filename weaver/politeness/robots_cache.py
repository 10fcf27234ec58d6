"""The hosts' robots rules in RAM, capped in bytes; what leaves is read again from the stored robots.txt."""

from __future__ import annotations

import zstandard

from weaver.memory.bounded import BoundedLRU, StoreStatistics
from weaver.memory.budget import Account
from weaver.memory.ghost import GhostFilter
from weaver.politeness.host_state import HostStore
from weaver.politeness.robots import MAX_BODY_BYTES, RobotsRules, parse_rules

# An entry of the map, without what it adds for a size; with both, hosts of six rules take 432-473 B by tracemalloc.
ENTRY_BYTES = 105


def packed_body(body: bytes) -> bytes:
    """A robots.txt as it is stored: what is read of it, compressed; one byte more says that there was more."""
    if not body:
        return b""
    return zstandard.ZstdCompressor(level=3).compress(body[: MAX_BODY_BYTES + 1])


def unpacked_body(packed: bytes) -> bytes:
    """The robots.txt that was packed; empty if the bytes are none of ours."""
    if not packed:
        return b""
    try:
        return zstandard.ZstdDecompressor().decompress(packed, max_output_size=MAX_BODY_BYTES + 1)
    except zstandard.ZstdError:
        return b""


class RobotsCache:
    """Rules by host, for one product token; a miss costs a look-up in the store and a parse."""

    def __init__(self, token: str, capacity: int, store: HostStore, account: Account | None) -> None:
        self._token = token
        self._store = store
        self._rules: BoundedLRU[int, RobotsRules] = BoundedLRU(
            "robots", capacity, account=account, entry_bytes=ENTRY_BYTES, bytes_of=_bytes_of,
            ghost=GhostFilter.within(account),
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"RobotsCache({len(self._rules)} hosts)"

    def rules(self, host_id: int) -> RobotsRules:
        """The rules of the newest robots.txt that the host gave; none at all where it never gave one."""
        rules = self._rules.get(host_id)
        if rules is None:
            record = self._store.load_host(host_id)
            rules = self.learn(host_id, unpacked_body(record.robots_body) if record else b"")
        return rules

    def learn(self, host_id: int, body: bytes) -> RobotsRules:
        """Read a host's newest robots.txt and keep its rules; those too large to be kept are given all the same."""
        rules = parse_rules(body, self._token)
        self._rules.put(host_id, rules)
        return rules

    def forget(self, host_id: int) -> None:
        """Drop the rules of a host that has none any more."""
        self._rules.pop(host_id)

    def shrink(self) -> int:
        """Let go what is over the account's present limit; bytes let go."""
        return self._rules.shrink()

    def statistics(self) -> StoreStatistics:
        """The cache's counts, capacity and bytes."""
        return self._rules.statistics()

    def check(self) -> None:
        """Assert the cache's invariants."""
        self._rules.check()


def _bytes_of(_host_id: int, rules: RobotsRules) -> int:
    return rules.resident_bytes
