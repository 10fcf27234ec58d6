"""The reader of this process: what takes long is done aside, and comes to the same."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from weaver.base.clock import ManualClock
from weaver.base.page import Response, Task
from weaver.base.settings import DedupeSettings, FetchSettings, ParseSettings
from weaver.dedupe import LargeTexts, NearPages, SignatureEngine
from weaver.dedupe.large_text import LARGE_CHARS
from weaver.dedupe.sketch import Words
from weaver.fetch import ScriptedTransport, build_fetcher
from weaver.memory.budget import Account
from weaver.reading import Reading
from weaver.reading.reading import LocalReader

URL = "http://a.test/"
SEED = 5
LONG = " ".join(f"word{number % 9_999}" for number in range(160_000))


class NoDisk:
    """Nothing was ever on disk."""

    def lookup(self, _band_keys: Words) -> Sequence[int]:
        return ()

    def get(self, _doc_ids: Sequence[int]) -> Words:
        return np.zeros((0, 9), np.uint64)


async def _read(text: str, *, truncated_by: str = "", is_near: bool = True) -> Reading:
    body = f"<!DOCTYPE html><p>{text}".encode()
    response = Response(URL, 200, {"content-type": "text/html"}, body, len(body), 0.1, truncated_by)
    fetcher = build_fetcher(FetchSettings(), "agent", 1, frozenset(), ManualClock(), ScriptedTransport({URL: response}))
    reader = LocalReader(fetcher, ParseSettings(), DedupeSettings(near=is_near), 0, SEED)
    task = Task(1, URL, 1)
    with await reader.room_for(task) as room:
        return await reader.read(task, room)


async def test_a_long_text_is_signed_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop's thread signs no text of megabytes; the signature is that of the whole text."""
    threads: list[threading.Thread] = []
    sign = SignatureEngine.signature

    def watched(engine: SignatureEngine, text: str) -> Words:
        threads.append(threading.current_thread())
        return sign(engine, text)

    monkeypatch.setattr(SignatureEngine, "signature", watched)
    reading = await _read(LONG)
    assert reading.parsed is not None
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()
    assert reading.signature == SignatureEngine(seed=SEED).signature(reading.parsed.text).tobytes()


@pytest.mark.parametrize(
    ("text", "truncated_by", "is_near"),
    [(LONG[:LARGE_CHARS], "", True), (LONG, "max_body", True), (LONG, "", False), ("." * (LARGE_CHARS + 1), "", True)],
    ids=["short enough", "a part", "nobody compares", "no words"],
)
async def test_no_other_text_is_signed(text: str, truncated_by: str, is_near: bool) -> None:
    """A text that is not long waits for its turn; one that is not compared is not signed at all."""
    assert (await _read(text, truncated_by=truncated_by, is_near=is_near)).signature == b""


def test_a_signature_made_aside_is_as_good() -> None:
    """A long text is kept and found the same, whether it was signed as it was read or in its turn."""
    settings = DedupeSettings()
    near = [
        NearPages(settings, Account("near", 1 << 20), Account("boilerplate", 1 << 20), NoDisk(), seed=SEED)
        for _ in range(2)
    ]
    signer = LargeTexts(settings, SEED)
    rows = []
    for page_id, text in enumerate((LONG, LONG + " and more"), 1):
        rows.append([near[0].observe(page_id, text, URL), near[1].observe(page_id, text, URL, signer.signature(text))])
    assert all(here == aside for here, aside in rows)
    assert rows[1][1] is not None
    assert rows[1][1].other_id == 1
