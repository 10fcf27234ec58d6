"""Refused: a set of ids, however many there are, charged for what it takes."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from weaver.frontier import Refused
from weaver.frontier import refused as module
from weaver.memory.budget import Account

IDS = st.integers(1, 40)


@given(st.lists(st.tuples(st.booleans(), IDS)), st.lists(st.integers(-1, 50)))
def test_it_holds_what_a_plain_set_would_hold(changes: list[tuple[bool, int]], asked: list[int]) -> None:
    """After any additions and removals it tells the same ids from a page's links as a set does."""
    account, model = Account("seen", 1 << 30), set[int]()
    with patch.object(module, "FEW", 5):
        refused = Refused(account)
        for is_added, url_id in changes:
            (refused.add if is_added else refused.discard)(url_id)
            (model.add if is_added else model.discard)(url_id)
    assert len(refused) == len(model)
    assert refused.among(asked) == model.intersection(asked)
    assert all((url_id in refused) == (url_id in model) for url_id in range(1, 50))
    account.check()


def test_what_was_held_as_few_is_given_back_when_they_are_many() -> None:
    """Many ids take their bits alone; ids that left are charged no longer."""
    account = Account("seen", 1 << 30)
    refused = Refused(account)
    for url_id in range(1, module.FEW + 1):
        refused.add(url_id)
    assert account.used == module.GROWTH_BYTES + module.FEW * module.FEW_BYTES
    refused.discard(1)
    assert account.used == module.GROWTH_BYTES + (module.FEW - 1) * module.FEW_BYTES
    refused.add(1)
    refused.add(module.FEW + 1)
    assert account.used == module.GROWTH_BYTES
