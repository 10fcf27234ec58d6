"""The registry of links that failed or moved: what it knows of a link, and what it lets go."""

from __future__ import annotations

import pytest

from weaver.base.page import PageState
from weaver.base.record import PageRow
from weaver.base.settings import GraphSettings
from weaver.graph import EdgeHealth
from weaver.graph.health import ENTRY_BYTES
from weaver.memory import Account

AT = 1_700_000_000.7


def _registry(capacity: int = 100, policy: str = "active_set") -> EdgeHealth:
    return EdgeHealth(
        GraphSettings.model_validate({"edge_health": policy, "max_edge_health": capacity}),
        Account("edge_health", 1 << 20),
    )


def _found(url_id: int, at: float = AT) -> PageRow:
    return PageRow(url_id, PageState.FETCHED, at, 200)


def _failed(url_id: int, status: int = 404, reason: str = "", at: float = AT) -> PageRow:
    return PageRow(url_id, PageState.FAILED, at, status, reason=reason or f"http_{status}")


def _moved(url_id: int, status: int = 301, at: float = AT) -> PageRow:
    return PageRow(url_id, PageState.REDIRECT, at, status)


def test_a_link_that_fails_is_known_with_its_status_and_its_failures_in_a_row() -> None:
    """Each failure adds its requests to those in a row; first and last check stay in whole seconds."""
    health = _registry()
    health.note(_failed(7, 503), tries=3)
    health.note(_failed(7, 404, at=AT + 60))
    known = health.get(7)
    assert known is not None
    assert (known.status, known.reason, known.failures) == (404, "http_404", 4)
    assert (known.first_checked_at, known.last_checked_at) == (int(AT), int(AT + 60))
    assert known.is_failing
    assert not known.has_moved
    assert (health.failing, health.moved, len(health)) == (1, 0, 1)


def test_a_failure_without_an_answer_keeps_its_reason() -> None:
    """A reason that is no HTTP status is kept by name."""
    health = _registry()
    health.note(_failed(7, 0, "timeout"))
    health.note(_failed(8, 302, "redirect_invalid"))
    assert [getattr(health.get(url_id), "reason", None) for url_id in (7, 8)] == ["timeout", "redirect_invalid"]


@pytest.mark.parametrize(
    ("status", "is_permanent"), [(301, True), (302, False), (303, False), (307, False), (308, True)]
)
def test_a_redirect_is_known_with_its_target(status: int, is_permanent: bool) -> None:
    """A link that moved names where to, and whether for good (301 and 308)."""
    health = _registry()
    health.note(_moved(7, status), moved_to=9)
    known = health.get(7)
    assert known is not None
    assert (known.moved_to, known.has_moved, known.is_permanent, known.is_failing) == (9, True, is_permanent, False)
    assert (health.failing, health.moved) == (0, 1)


def test_an_answer_ends_the_failures_in_a_row() -> None:
    """A link that works again is healthy, and begins at one when it fails the next time."""
    health = _registry()
    health.note(_failed(7, 500), tries=2)
    health.note(_found(7))
    assert health.failing == 0
    assert getattr(health.get(7), "failures", None) == 0
    health.note(_failed(7, 500))
    assert getattr(health.get(7), "failures", None) == 1


def test_what_was_not_asked_for_says_nothing() -> None:
    """A page that robots.txt or the user keeps weaver from leaves the registry as it was."""
    health = _registry()
    health.note(_failed(7))
    for state in (PageState.BLOCKED, PageState.SKIPPED):
        health.note(PageRow(7, state, AT))
        health.note(PageRow(8, state, AT))
    assert getattr(health.get(7), "failures", None) == 1
    assert health.get(8) is None


def test_the_active_set_takes_no_room_for_links_that_always_worked() -> None:
    """Healthy links enter only with the strict LRU."""
    for policy, entries in (("active_set", 0), ("strict_lru", 50)):
        health = _registry(policy=policy)
        for url_id in range(1, 51):
            health.note(_found(url_id))
        assert len(health) == entries


def test_of_the_active_set_the_recovered_leave_first() -> None:
    """Over the cap what works again leaves before what fails, however long ago it was checked."""
    health = _registry(3)
    for url_id in (1, 2, 3):
        health.note(_failed(url_id))
    health.note(_found(3))
    health.note(_failed(4))
    assert [url_id for url_id in range(1, 5) if health.get(url_id)] == [1, 2, 4]
    health.note(_failed(1))
    health.note(_moved(5), moved_to=1)
    assert [url_id for url_id in range(1, 6) if health.get(url_id)] == [1, 4, 5]
    assert health.statistics().evicted == 2
    health.check()


def test_the_strict_lru_lets_the_link_checked_least_lately_go() -> None:
    """Over the cap the age of the last check alone counts."""
    health = _registry(3, "strict_lru")
    for row in (_failed(1), _found(2), _failed(3), _failed(1), _found(4), _found(5)):
        health.note(row)
    assert [url_id for url_id in range(1, 6) if health.get(url_id)] == [1, 4, 5]
    health.check()


def test_reasons_are_bounded() -> None:
    """However many reasons there are, a few hundred names are kept; beyond, the status has to do."""
    health = _registry(1_000)
    for number in range(1, 600):
        health.note(_failed(number, 0, f"reason {number}"))
    assert getattr(health.get(1), "reason", None) == "reason 1"
    assert getattr(health.get(599), "reason", None) == "http_0"
    health.check()


def test_times_and_counts_at_their_ends_are_kept_within_their_columns() -> None:
    """A clock before 1970 or after 2106, and ever more failures, are cut and raise nothing."""
    health = _registry()
    health.note(_failed(1, at=-5.0), tries=65_000)
    health.note(_failed(1, at=1e12), tries=65_000)
    known = health.get(1)
    assert known is not None
    assert (known.first_checked_at, known.last_checked_at, known.failures) == (0, (1 << 32) - 1, 65_535)


def test_an_account_without_room_takes_no_entry() -> None:
    """Where not even the first step fits, notes are refused and counted."""
    account = Account("edge_health", 100 * ENTRY_BYTES)
    health = EdgeHealth(GraphSettings.model_validate({}), account)
    account.limit = 100
    health.note(_failed(1))
    assert (len(health), health.statistics().refused, account.used) == (0, 1, 0)
