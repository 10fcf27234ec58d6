"""The one byte budget, and the accounts that it is split into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from weaver.base.errors import BudgetExceeded

# A tenth of the budget is nobody's: for what no account can see, such as temporary objects, and the memory between
# small survivors that the allocator can't give back.
DEFAULT_SHARES: Mapping[str, float] = MappingProxyType({
    "seen": 0.15,
    "graph": 0.18,
    "edge_health": 0.01,
    "content": 0.12,
    "near": 0.08,
    "boilerplate": 0.01,
    "frontier": 0.08,
    "bodies": 0.09,
    "database": 0.10,
    "hosts": 0.05,
    "robots": 0.02,
    "events": 0.01,
})


@dataclass(frozen=True, slots=True)
class AccountStatistics:
    """An account at one moment; all in bytes, but `evicted` (entries), `refused` and `overdrafts` (calls).

    `base_limit` is the limit without pressure, `overdrawn` the most that `hold` ever took beyond the limit of its time.
    """

    tag: str
    used: int
    limit: int
    base_limit: int
    high_water: int
    charged: int
    released: int
    evicted: int
    refused: int
    overdrafts: int
    overdrawn: int


class Account:
    """The bytes that one tag may use; the stores of the tag share it, all on one thread.

    Charges are coarse: a slab, a buffer, an entry at its measured constant. `limit` is the present one, and falls under
    pressure; `base_limit` is the account's share. Invariants: `used` is `charged` less `released` and never below
    zero; it passes `limit` only through `hold`, or stays above one that has fallen until the stores have shrunk;
    `high_water` is the highest `used`. Every call is O(1).
    """

    __slots__ = (
        "base_limit", "charged", "evicted", "high_water", "limit", "overdrafts", "overdrawn", "refused", "released",
        "tag", "used",
    )  # fmt: skip

    def __init__(self, tag: str, limit: int) -> None:
        if limit < 0:
            raise ValueError(f"expected a limit >= 0 for account {tag!r}, got {limit}")
        self.tag = tag
        self.limit = self.base_limit = limit
        self.used = 0
        self.high_water = 0
        self.charged = 0
        self.released = 0
        self.evicted = 0
        self.refused = 0
        self.overdrafts = 0
        self.overdrawn = 0

    def __repr__(self) -> str:
        return f"Account({self.tag}: {self.used} of {self.limit}, high water {self.high_water})"

    def would_fit(self, size_bytes: int) -> bool:
        """Whether a charge of this size would be taken now."""
        return self.used + size_bytes <= self.limit

    def try_charge(self, size_bytes: int) -> bool:
        """Take the charge if it fits; False, and counted as refused, if not."""
        if self.used + size_bytes > self.limit:
            self.refused += 1
            return False
        self._take(size_bytes)
        return True

    def charge(self, size_bytes: int) -> None:
        """Take the charge, or raise BudgetExceeded: the caller sheds load first."""
        if not self.try_charge(size_bytes):
            raise BudgetExceeded(
                f"account {self.tag!r}: expected a charge of at most {self.limit - self.used} bytes, got {size_bytes}"
            )

    def hold(self, size_bytes: int) -> None:
        """Take a charge that can't be refused, for what must not be forgotten; past the limit it counts as overdraft.

        The caller bounds it by other means, such as the number of requests under way; `overdrawn` is how far it went.
        """
        self._take(size_bytes)
        if self.used > self.limit:
            self.overdrafts += 1
            self.overdrawn = max(self.overdrawn, self.used - self.limit)

    def release(self, size_bytes: int) -> None:
        """Give back what was charged earlier."""
        assert 0 <= size_bytes <= self.used, f"account {self.tag!r}: release of {size_bytes} with {self.used} in use"
        self.used -= size_bytes
        self.released += size_bytes

    def record_evicted(self, entries: int) -> None:
        """Count entries that left because of a cap."""
        self.evicted += entries

    def statistics(self) -> AccountStatistics:
        """The account's figures now."""
        return AccountStatistics(
            self.tag,
            self.used,
            self.limit,
            self.base_limit,
            self.high_water,
            self.charged,
            self.released,
            self.evicted,
            self.refused,
            self.overdrafts,
            self.overdrawn,
        )

    def check(self) -> None:
        """Assert the invariants."""
        assert self.used == self.charged - self.released, self
        assert 0 <= self.used <= self.high_water <= self.charged, self
        assert 0 <= self.limit <= self.base_limit, self
        assert self.high_water <= self.base_limit or self.overdrafts, self
        assert bool(self.overdrawn) == bool(self.overdrafts), self

    def _take(self, size_bytes: int) -> None:
        assert size_bytes >= 0, f"account {self.tag!r}: charge of {size_bytes}"
        self.used += size_bytes
        self.charged += size_bytes
        if self.used > self.high_water:
            self.high_water = self.used


@dataclass(frozen=True, slots=True)
class BudgetStatistics:
    """The budget at one moment, in bytes, with its accounts by tag."""

    limit: int
    used: int
    accounts: Mapping[str, AccountStatistics]


class Budget:
    """The one limit in bytes, split into accounts by tag; the shares of all tags together are at most 1.

    Invariant: the limits of all accounts together never pass the budget's. The split is fixed: an account that
    is full evicts, however empty its neighbours are, so that what one stage keeps never depends on another. What the
    shares leave over (`slack`) is for what no account can see.
    """

    def __init__(self, limit_bytes: int, shares: Mapping[str, float] = DEFAULT_SHARES) -> None:
        if limit_bytes <= 0:
            raise ValueError(f"expected a budget > 0 bytes, got {limit_bytes}")
        if min(shares.values(), default=0.0) < 0 or sum(shares.values()) > 1 + 1e-9:
            raise ValueError(f"expected shares >= 0 that add up to at most 1, got {dict(shares)}")
        self.limit = limit_bytes
        self.accounts: Mapping[str, Account] = MappingProxyType({
            tag: Account(tag, int(limit_bytes * share)) for tag, share in shares.items()
        })

    def __repr__(self) -> str:
        return f"Budget({self.used} of {self.limit}, {len(self.accounts)} accounts)"

    @property
    def slack(self) -> int:
        """Bytes of the budget that are in no account."""
        return self.limit - sum(account.base_limit for account in self.accounts.values())

    @property
    def used(self) -> int:
        """Bytes in use, all accounts together."""
        return sum(account.used for account in self.accounts.values())

    def account(self, tag: str) -> Account:
        """The account of a tag; ValueError for a tag that has no share."""
        if tag not in self.accounts:
            raise ValueError(f"expected one of the tags {', '.join(self.accounts)}, got {tag!r}")
        return self.accounts[tag]

    def scale(self, share: float) -> None:
        """Set each account's limit to this share (above 0, at most 1) of its base limit.

        Stores that are over theirs take nothing more, and `shrink` gives back what they hold beyond it.
        """
        if not 0 < share <= 1:
            raise ValueError(f"expected a share above 0 and at most 1, got {share}")
        for account in self.accounts.values():
            account.limit = int(account.base_limit * share)

    def statistics(self) -> BudgetStatistics:
        """The figures of the budget and of each account now."""
        accounts = {tag: account.statistics() for tag, account in self.accounts.items()}
        return BudgetStatistics(self.limit, self.used, MappingProxyType(accounts))

    def check(self) -> None:
        """Assert the invariants of the budget and of each account."""
        for account in self.accounts.values():
            account.check()
        assert sum(account.base_limit for account in self.accounts.values()) <= self.limit
