"""The byte budget and its accounts."""

from __future__ import annotations

import pytest

from weaver.base.errors import BudgetExceeded
from weaver.memory import Account, Budget
from weaver.memory.budget import DEFAULT_SHARES


def test_the_default_shares_leave_a_tenth_to_nobody() -> None:
    """A tenth of the budget is in no account, for what none can see, so that `--memory` is what it says."""
    assert sum(DEFAULT_SHARES.values()) == pytest.approx(0.9)
    budget = Budget(100 << 20)
    assert budget.account("seen").limit == 15 << 20
    assert budget.slack == pytest.approx(10 << 20, abs=len(DEFAULT_SHARES))
    budget.check()


def test_scaling_moves_every_limit_and_loses_none() -> None:
    """Under pressure each limit falls to a share of its base, what is held stays charged, and limits come back."""
    budget = Budget(1000, {"a": 0.5, "b": 0.3})
    account = budget.account("a")
    account.charge(450)
    budget.scale(0.5)
    budget.check()
    assert (account.limit, account.base_limit, account.used) == (250, 500, 450)
    assert budget.account("b").limit == 150
    assert not account.try_charge(1)
    account.release(300)
    assert account.try_charge(100)
    budget.scale(1.0)
    assert account.statistics().limit == account.statistics().base_limit == 500
    budget.check()


@pytest.mark.parametrize("share", [0.0, -0.5, 1.01])
def test_a_scale_is_a_share(share: float) -> None:
    """A budget never grows by scaling, nor falls to nothing."""
    with pytest.raises(ValueError, match="expected a share above 0"):
        Budget(100).scale(share)


def test_every_tag_has_one_account() -> None:
    """The same tag always gives the same account; an unknown tag is refused with the known ones."""
    budget = Budget(1000)
    assert budget.account("graph") is budget.account("graph")
    with pytest.raises(ValueError, match="expected one of the tags seen, graph"):
        budget.account("gaph")


def test_a_charge_over_the_limit_is_refused() -> None:
    """`charge` raises with what was asked and what was left, `try_charge` says False; neither takes anything."""
    account = Account("graph", 100)
    account.charge(60)
    with pytest.raises(BudgetExceeded, match="'graph': expected a charge of at most 40 bytes, got 41"):
        account.charge(41)
    assert not account.try_charge(41)
    assert (account.used, account.refused) == (60, 2)
    assert account.would_fit(40)
    assert not account.would_fit(41)
    assert account.try_charge(40)
    account.check()


def test_an_account_remembers_its_high_water_and_its_totals() -> None:
    """Charged and released totals and the high-water mark survive a release."""
    account = Account("bodies", 100)
    account.charge(70)
    account.release(50)
    account.charge(10)
    account.record_evicted(3)
    figures = account.statistics()
    assert (figures.used, figures.high_water, figures.charged, figures.released, figures.evicted) == (30, 70, 80, 50, 3)
    account.check()


def test_what_must_not_be_forgotten_may_pass_the_limit_and_is_counted() -> None:
    """`hold` never refuses; past the limit it is an overdraft, and other charges are refused until that is over."""
    account = Account("hosts", 100)
    account.hold(90)
    assert account.overdrafts == 0
    account.hold(20)
    assert (account.used, account.overdrafts, account.statistics().overdrawn) == (110, 1, 10)
    assert not account.try_charge(0)
    account.check()


def test_releasing_more_than_was_charged_is_a_bug() -> None:
    """An account's use never goes below zero."""
    account = Account("hosts", 100)
    account.charge(10)
    with pytest.raises(AssertionError, match="release of 11 with 10 in use"):
        account.release(11)


@pytest.mark.parametrize("shares", [{"a": 0.7, "b": 0.4}, {"a": -0.1}])
def test_shares_that_promise_too_much_are_refused(shares: dict[str, float]) -> None:
    """Shares are at least zero and at most one together."""
    with pytest.raises(ValueError, match="expected shares >= 0 that add up to at most 1"):
        Budget(100, shares)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_budget_has_bytes(limit: int) -> None:
    """A budget of no bytes is refused."""
    with pytest.raises(ValueError, match="expected a budget > 0"):
        Budget(limit)
    with pytest.raises(ValueError, match="expected a limit >= 0"):
        Account("a", -1)


def test_a_budget_reports_all_accounts_at_once() -> None:
    """The budget's statistics hold its limit, its use and each account's figures."""
    budget = Budget(1000, {"a": 0.5, "b": 0.5})
    budget.account("a").charge(10)
    budget.account("b").charge(20)
    figures = budget.statistics()
    assert (figures.limit, figures.used) == (1000, 30)
    assert figures.accounts["b"].used == 20
    assert repr(budget) == "Budget(30 of 1000, 2 accounts)"
