"""LargeTexts: signatures of texts so long that they are signed where they are read, aside from all that waits."""

from __future__ import annotations

from functools import cached_property

from weaver.base.settings import DedupeSettings
from weaver.dedupe.signature import SignatureEngine
from weaver.dedupe.sketch import is_empty

# A longer text takes 4 ms and more, too long for a loop to stand still. What a host repeats is little of it, so that it
# is compared whole, and its signature depends on nothing that was seen before.
LARGE_CHARS = 1 << 20


class LargeTexts:
    """Signs long texts as `NearPages` of the same seed compares them. Used by one thread at a time."""

    def __init__(self, settings: DedupeSettings, seed: int) -> None:
        self._is_wanted = settings.near
        self._seed = seed

    def __repr__(self) -> str:
        return f"LargeTexts(is_wanted={self._is_wanted})"

    def signature(self, text: str) -> bytes:
        """The signature of a text that is longer than LARGE_CHARS; empty for any other, and for one without words."""
        if not self._is_wanted or len(text) <= LARGE_CHARS:
            return b""
        signature = self._engine.signature(text)
        return b"" if is_empty(signature) else signature.tobytes()

    @cached_property
    def _engine(self) -> SignatureEngine:
        return SignatureEngine(seed=self._seed)
