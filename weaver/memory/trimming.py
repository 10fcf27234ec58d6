"""Trimming: when it is worth asking the allocator to give back what was freed."""

from __future__ import annotations

MIB = 1 << 20
# Below both, what the accounts don't see is the interpreter's ordinary working memory.
UNTRACKED_BYTES = 32 * MIB
UNTRACKED_SHARE = 0.12
# Under pressure the same trim is the cheapest way down.
PRESSED_BYTES = 8 * MIB
# Large pages leave so much each second, and a crawl that is paused for it waits for nothing else.
PRESSED_INTERVAL_SHARE = 1 / 15
# malloc_trim holds the arenas' locks for 16-54 ms at 200 MB: seldom enough that nobody notices.
INTERVAL_S = 30.0
MAX_INTERVAL_S = 600.0
WORTHWHILE_BYTES = 4 * MIB


class Trimming:
    """Says when a trim is due, and asks less often while trims give little back."""

    __slots__ = ("_interval_s", "_last_at", "released_bytes", "trims")

    def __init__(self) -> None:
        self._interval_s = INTERVAL_S
        self._last_at = float("-inf")
        self.trims = 0
        self.released_bytes = 0

    def __repr__(self) -> str:
        return f"Trimming({self.trims} trims, {self.released_bytes} B, every {self._interval_s:.0f} s at most)"

    @property
    def interval_s(self) -> float:
        """The least time between two trims, as things stand."""
        return self._interval_s

    def is_due(self, untracked_bytes: int, budget_bytes: int, now_s: float, *, is_pressed: bool = False) -> bool:
        """Whether so much is resident outside the accounts that a trim is worth its pause now."""
        allowed = PRESSED_BYTES if is_pressed else max(UNTRACKED_BYTES, UNTRACKED_SHARE * budget_bytes)
        return untracked_bytes > allowed and self.may_trim(now_s, is_pressed=is_pressed)

    def may_trim(self, now_s: float, *, is_pressed: bool = False) -> bool:
        """Whether the last trim is long enough ago; under pressure that is a fifteenth of the interval."""
        wait_s = self._interval_s * (PRESSED_INTERVAL_SHARE if is_pressed else 1.0)
        return now_s - self._last_at >= wait_s

    def trimmed(self, released_bytes: int, now_s: float) -> None:
        """A trim was made and gave so much back: one that gave little doubles the wait for the next."""
        self.trims += 1
        self.released_bytes += max(0, released_bytes)
        self._last_at = now_s
        is_worthwhile = released_bytes >= WORTHWHILE_BYTES
        self._interval_s = INTERVAL_S if is_worthwhile else min(2 * self._interval_s, MAX_INTERVAL_S)
