"""Uncommitted: what is not on disk yet is held, and nothing of it is lost or outlives its commit."""

from __future__ import annotations

from weaver.memory.uncommitted import Uncommitted


def test_an_entry_is_held_until_its_record_is_on_disk() -> None:
    """Between add and commit the entry is found; the commit gives it back and forgets it."""
    held: Uncommitted[str, int] = Uncommitted()
    held.add("a", 1)
    held.submitted(5)
    assert held.committed(4) == []
    assert held.get("a") == 1
    assert held.committed(5) == [("a", 1)]
    assert held.get("a") is None
    assert len(held) == 0


def test_the_newest_value_stays_until_its_own_record_is_on_disk() -> None:
    """A key that a later record carries anew is not forgotten when the earlier one is committed."""
    held: Uncommitted[str, int] = Uncommitted()
    held.add("a", 1)
    held.submitted(1)
    held.add("a", 2)
    held.submitted(2)
    assert held.committed(1) == []
    assert held.get("a") == 2
    assert held.committed(2) == [("a", 2)]


def test_a_record_without_entries_changes_nothing() -> None:
    """Records that carry nothing of this store may come in between."""
    held: Uncommitted[str, int] = Uncommitted()
    held.submitted(1)
    held.add("a", 1)
    held.submitted(3)
    assert held.committed(2) == []
    assert held.committed(9) == [("a", 1)]
