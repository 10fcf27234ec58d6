"""Large pages: read for their links and text without a tree, and while the event loop goes on."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.parse.pages import HOSTILE, response
from weaver.base.page import Response, Task
from weaver.base.settings import DedupeSettings, ParseSettings
from weaver.memory.admission import Admission, ByteGate
from weaver.memory.budget import Account
from weaver.native import compiled
from weaver.parse import flat, parse_page
from weaver.parse.guard import has_few_tags
from weaver.parse.open_elements import is_linear
from weaver.reading.reading import LARGE_BYTES, LocalReader, Reading

_NESTED = b"<title>t &amp; u</title><base href=/b/><p><b>one<p><a href=x rel=ugc>two</b></a><a href=y>three</a>"


def test_a_page_longer_than_the_setting_has_no_tree() -> None:
    """Links, text, title and head are read as ever, and the note says how."""
    short, long = (
        parse_page(response(_NESTED), ParseSettings(max_tree=most)) for most in (len(_NESTED), len(_NESTED) - 1)
    )
    assert (short.note, long.note) == ("", "large_page")
    for name in ("title", "base_url", "hrefs", "nofollow_hrefs"):
        assert getattr(short, name) == getattr(long, name)
    assert short.text.split() == long.text.split()


@pytest.mark.slow
@pytest.mark.skipif(compiled is None, reason="the compiled module isn't there: nothing to compare")
@pytest.mark.parametrize("name", HOSTILE)
def test_large_hostile_pages_read_alike(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found in a large page is the same with and without the compiled module."""
    page, few = response(HOSTILE[name](40_000)), ParseSettings(max_tree=10_000)
    found = parse_page(page, few)
    monkeypatch.setattr(flat, "compiled", None)
    assert parse_page(page, few) == found


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2_000), st.sampled_from([b"<p %s>", b"<svg><g %s></g></svg>", b"<title %s></title>", b"</p %s>"]))
def test_whoever_has_too_many_attributes_would_not_pass_the_guard(count: int, tag: bytes) -> None:
    """What is refused at a glance is refused by the long look too, so that results don't hang on who looks."""
    markup = tag % b" ".join(b"a%d" % number for number in range(count)) + b" " * LARGE_BYTES
    assert has_few_tags(markup) or not is_linear(markup, 1_000)


@dataclass
class _Fetcher:
    """Answers with one body."""

    body: bytes

    async def get(self, task: Task, room: Admission) -> Response:
        return response(self.body)


class _WatchedReader(LocalReader):
    """Notes which thread reads."""

    thread = ""

    def _read(self, task: Task, answer: Response) -> Reading:
        self.thread = threading.current_thread().name
        return super()._read(task, answer)


@pytest.mark.parametrize(("size_bytes", "is_aside"), [(LARGE_BYTES, False), (LARGE_BYTES + 1, True)])
async def test_large_bodies_are_read_in_a_thread(size_bytes: int, is_aside: bool) -> None:
    """The loop goes on while a large body is read, with the same result; small ones cost no change of thread."""
    body = b"<a href=x>y</a>".ljust(size_bytes)
    reader = _WatchedReader(_Fetcher(body), ParseSettings(), DedupeSettings(), 0)  # type: ignore[arg-type]
    gate = ByteGate(Account("bodies", 1 << 30))
    with await gate.admit(1) as room:
        reading = await reader.read(Task(1, "http://site.test/", 1), room)
    assert reading.parsed is not None
    assert reading.parsed.hrefs == ["x"]
    assert (reader.thread != threading.current_thread().name) == is_aside


@pytest.mark.skipif(compiled is None, reason="only the compiled reader does")
@pytest.mark.slow
def test_other_threads_run_while_a_large_page_is_read() -> None:
    """The compiled reader gives Python's lock up: what another thread does in Python goes on at once."""
    page, begun, ended = response(b"<p>x<a b='" * 800_000), threading.Event(), threading.Event()
    turns = 0

    def read() -> None:
        begun.set()
        for _ in range(5):
            parse_page(page, ParseSettings())
        ended.set()

    reader = threading.Thread(target=read)
    reader.start()
    begun.wait()
    while not ended.is_set():
        turns += 1
    reader.join()
    assert turns > 1_000
