"""A budget that refuses: the n-th question whether something fits, or every one from there on."""

from __future__ import annotations

from types import MappingProxyType

from weaver.memory import Account, Budget


class Doubt:
    """Counts the questions asked of all accounts, and says which are answered with no.

    `first` is the number of the first one refused, `times` how many in a row are; 0 refuses none.
    """

    def __init__(self, first: int, times: int = 1) -> None:
        self._first = first
        self._times = times
        self.asked = 0
        self.refused = 0

    def refuses(self) -> bool:
        """Whether this question is one to be refused."""
        self.asked += 1
        is_refused = 0 < self._first <= self.asked < self._first + self._times
        self.refused += is_refused
        return is_refused


class RefusingAccount(Account):
    """An account that is full when doubt says so, and honest otherwise."""

    __slots__ = ("_doubt",)

    def __init__(self, tag: str, limit: int, doubt: Doubt) -> None:
        super().__init__(tag, limit)
        self._doubt = doubt

    def would_fit(self, size_bytes: int) -> bool:
        """As any account, but in doubt no."""
        return not self._doubt.refuses() and super().would_fit(size_bytes)

    def try_charge(self, size_bytes: int) -> bool:
        """As any account, but in doubt no; so does `charge`, which asks here."""
        if self._doubt.refuses():
            self.refused += 1
            return False
        return super().try_charge(size_bytes)


class RefusingBudget(Budget):
    """A budget of refusing accounts, all with one doubt."""

    def __init__(self, limit_bytes: int, doubt: Doubt) -> None:
        super().__init__(limit_bytes)
        self.accounts = MappingProxyType({
            tag: RefusingAccount(tag, account.limit, doubt) for tag, account in self.accounts.items()
        })
