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


class Purse:
    """An allowance that counts what is held of it."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def hold(self, size_bytes: int) -> None:
        self.used += size_bytes

    def release(self, size_bytes: int) -> None:
        self.used -= size_bytes


@given(st.lists(st.text(max_size=300), max_size=30), st.integers(0, 5_000))
def test_the_ring_stays_within_its_bytes(texts: list[str], limit: int) -> None:
    """What the ring takes is charged, what no longer fits leaves it, oldest first; the newest event always stays."""
    events, purse = Events(ManualClock()), Purse(limit)
    events.emit("before")
    events.keep_within(purse)
    for text in texts:
        events.emit("x", text=text)
    kept = events.newest()
    assert purse.used == events.bytes
    assert purse.used <= limit or len(kept) == 1
    assert [event.facts.get("text") for event in kept] == [None, *texts][-len(kept) :]


def test_the_ring_follows_a_limit_that_falls() -> None:
    """After its limit fell, the ring gives back what is over it."""
    events, purse = Events(ManualClock()), Purse(100_000)
    events.keep_within(purse)
    for number in range(50):
        events.emit("x", number=number)
    purse.limit = 5_000
    assert events.shrink() > 0
    assert 0 < purse.used <= 5_000
    assert events.newest()[-1].facts == {"number": 49}


def test_facts_that_nobody_would_read_to_the_end_are_cut() -> None:
    """A text or a list of any length takes bounded room, and says how long it was."""
    events = Events(ManualClock())
    events.emit("x", text="y" * 100_000, many=list(range(10_000)), short="as it is")
    (event,) = events.newest()
    assert len(str(event.facts["text"])) < 5_000
    assert "100000 characters" in str(event.facts["text"])
    assert str(event.facts["many"]).endswith("98, 99, '... (10000 in all)']")
    assert event.facts["short"] == "as it is"
    assert events.bytes < 20_000
