"""What the event stream keeps, counts and tells."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from weaver.base.clock import ManualClock
from weaver.base.events import Event, Events


def test_an_event_carries_its_kind_time_and_facts() -> None:
    """An emitted event holds the wall time of its emission and the facts given."""
    clock = ManualClock(wall_s=100)
    events = Events(clock)
    events.emit("robots_failed", host="http://h", status=503)
    clock.advance(1)
    events.emit("paused")
    assert events.newest() == [
        Event("robots_failed", 100, {"host": "http://h", "status": 503}),
        Event("paused", 101, {}),
    ]


def test_listeners_hear_every_later_event_in_order() -> None:
    """A listener hears what is emitted after it came, after earlier listeners, none twice."""
    events = Events(ManualClock())
    heard: list[tuple[str, str]] = []
    events.emit("before")
    events.listen(lambda event: heard.append(("first", event.kind)))
    events.listen(lambda event: heard.append(("second", event.kind)))
    events.emit("after")
    assert heard == [("first", "after"), ("second", "after")]


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=40), st.integers(1, 10), st.integers(1, 50))
def test_the_ring_keeps_the_newest_and_counts_all(kinds: list[str], capacity: int, limit: int) -> None:
    """However many are emitted, the ring holds the newest `capacity`, oldest first, and the counts stay exact."""
    events = Events(ManualClock(), capacity)
    for kind in kinds:
        events.emit(kind)
    assert [event.kind for event in events.newest(limit)] == kinds[-capacity:][-limit:]
    assert events.counts == Counter(kinds)
    assert repr(events) == f"Events(emitted={len(kinds)}, kept={min(len(kinds), capacity)})"


def test_asking_for_none_gives_none() -> None:
    """A limit of 0 is an empty list, not the whole ring."""
    events = Events(ManualClock())
    events.emit("x")
    assert events.newest(0) == []
