"""MemoryHistory: what the crawl held over time, by account, one line a sample."""

from __future__ import annotations

from collections.abc import Callable

from weaver.base.clock import Clock
from weaver.memory.budget import Budget
from weaver.memory.governor import Rung
from weaver.memory.meter import Reading
from weaver.persistence import MemoryLog


class MemoryHistory:
    """Writes the samples of one run; closed with the crawl.

    `interval_s` apart at least, so that an hour of pressure does not push a week of calm out of the rotated log; a
    change of rung, and what is `due` in any case, is always written.
    """

    def __init__(
        self,
        log: MemoryLog,
        budget: Budget,
        baseline_bytes: int,
        interval_s: float,
        clock: Clock,
        pages_and_urls: Callable[[], tuple[int, int]],
    ) -> None:
        self._log = log
        self._budget = budget
        self._baseline_bytes = baseline_bytes
        self._interval_s = interval_s
        self._clock = clock
        self._pages_and_urls = pages_and_urls
        self._began_at = clock.monotonic()
        self._next_at = self._began_at
        self._rung = Rung.CALM

    def __repr__(self) -> str:
        return f"MemoryHistory({self._log!r})"

    def write(self, reading: Reading, rung: Rung, *, due: bool = False) -> None:
        """Append one sample, if it is due. Raises PersistenceError."""
        now_s = self._clock.monotonic()
        if not due and rung is self._rung and now_s < self._next_at:
            return
        self._rung = rung
        self._next_at = now_s + self._interval_s
        self._log.append(self._line(reading, now_s))

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def _line(self, reading: Reading, now_s: float) -> dict[str, object]:
        pages, known_urls = self._pages_and_urls()
        return {
            "at": round(self._clock.wall(), 3),
            "run_s": round(now_s - self._began_at, 3),
            "pages": pages,
            "known_urls": known_urls,
            "rss": reading.rss,
            "baseline": self._baseline_bytes,
            "budget": self._budget.limit,
            "limit": reading.group_limit,
            "untracked": untracked_bytes(reading.rss, self._baseline_bytes, self._budget),
            "rung": self._rung.label,
            "accounts": {account.tag: account.used for account in self._budget.accounts.values()},
        }


def untracked_bytes(rss: int, baseline: int, budget: Budget) -> int:
    """What is resident beyond the baseline and the accounts; negative where accounts count what was never touched."""
    return rss - baseline - budget.used
