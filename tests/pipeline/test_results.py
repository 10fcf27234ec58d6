"""Results on their way to a listener: charged until they are handed out, whatever the listener does."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from weaver.base.page import PageState
from weaver.memory.admission import ByteGate
from weaver.memory.budget import Account
from weaver.pipeline.page_run import PageResult
from weaver.pipeline.results import End, Results


def _page(body: bytes) -> PageResult:
    return PageResult(1, "http://a.test/", PageState.FETCHED, 0, body=body, text="text")


async def test_a_page_is_charged_until_it_is_handed_out() -> None:
    """Body and text take room from the pages in flight while nobody has taken them."""
    gate = ByteGate(Account("bodies", 100))
    results = Results(4, gate, str)
    await results.put(_page(b"x" * 96))
    assert gate.account.used == 100
    with await gate.admit(1):
        waiting = asyncio.ensure_future(gate.admit(1))
        await asyncio.sleep(0)
        assert not waiting.done()
        await results.get()
        (await waiting).release()
    assert gate.account.used == 0


async def test_the_end_weighs_nothing() -> None:
    """The mark at the end of a run is no page."""
    gate = ByteGate(Account("bodies", 100))
    results = Results(1, gate, str)
    await results.put(End())
    assert gate.account.used == 0
    assert isinstance(await results.get(), End)


async def test_what_nobody_takes_is_dropped_with_its_charge() -> None:
    """A listener that leaves, and a worker that is stopped while it waits for one, leave no byte charged."""
    gate = ByteGate(Account("bodies", 100))
    results = Results(1, gate, str)
    await results.put(_page(b"one"))
    waiting = asyncio.ensure_future(results.put(_page(b"two")))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    results.drop_all()
    assert gate.account.used == 0


async def test_a_copy_names_its_original_when_it_is_handed_out() -> None:
    """The address of the page that a duplicate repeats is looked up for a listener, and for nobody else."""
    asked: list[int] = []

    def url_of(page_id: int) -> str:
        asked.append(page_id)
        return f"http://a.test/{page_id}"

    results = Results(2, ByteGate(Account("bodies", 100)), url_of)
    await results.put(replace(_page(b""), duplicate_id=7))
    assert not asked
    handed_out = await results.get()
    assert isinstance(handed_out, PageResult)
    assert handed_out.duplicate_of == "http://a.test/7"
