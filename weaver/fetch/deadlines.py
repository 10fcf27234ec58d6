"""Deadlines: one timeout for many requests, kept by one timer instead of one each.

With `asyncio.timeout` a request cost 5 us of CPU more (benchmarks/fetch.py). Since all have the same timeout, the first
that began is the first that expires, and one timer for it will do.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

_TIMER_GRAIN_S = 0.001  # the resolution of uvloop's timers


class Deadlines:
    """Ends what runs longer than `timeout_s` with TimeoutError, as `asyncio.timeout` does.

        with deadlines.watch():
            await something()

    Invariants: watches leave in any order, and stand in the order in which they expire; while there is a watch
    there is a timer, at the expiry of the first one or before.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._watches: dict[_Watch, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"Deadlines(timeout_s={self._timeout_s}, watches={len(self._watches)})"

    def __len__(self) -> int:
        return len(self._watches)

    def watch(self) -> _Watch:
        """A block whose awaits end with TimeoutError once the time is over; entered in a task, at once."""
        return _Watch(self)

    def close(self) -> None:
        """Stop the timer; blocks that are still open have no deadline any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def add(self, watch: _Watch) -> float:
        """Begin a watch; when it expires, in the loop's seconds."""
        loop = asyncio.get_running_loop()
        expires_at = loop.time() + self._timeout_s
        self._watches[watch] = None
        if self._timer is None:
            self._timer = loop.call_at(expires_at, self._expire, loop)
        return expires_at

    def remove(self, watch: _Watch) -> None:
        """End a watch; one that expired is gone already."""
        self._watches.pop(watch, None)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for watch in list(self._watches):
            # A timer may fire a grain early: what is due within it is due now, or it would be set again at once.
            if watch.expires_at > now + _TIMER_GRAIN_S:
                self._timer = loop.call_at(watch.expires_at, self._expire, loop)
                return
            del self._watches[watch]
            watch.expire()


class _Watch:
    """One block's stay under a deadline; the counting of cancellations is `asyncio.timeout`'s."""

    __slots__ = ("_cancelling", "_has_expired", "_owner", "_task", "expires_at")

    def __init__(self, owner: Deadlines) -> None:
        self._owner = owner
        self._task: asyncio.Task[Any] | None = None
        self._cancelling = 0
        self._has_expired = False
        self.expires_at = 0.0

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        assert self._task is not None, "a deadline needs a task that it can cancel"
        self._cancelling = self._task.cancelling()
        self.expires_at = self._owner.add(self)

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if not self._has_expired:
            self._owner.remove(self)
            return
        assert self._task is not None
        # Someone else's cancellation goes on as such.
        if self._task.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error

    def expire(self) -> None:
        """The time is over: cancel what the block waits for."""
        assert self._task is not None
        self._has_expired = True
        self._task.cancel()
