"""Admission: who may take bytes of an account now, and who waits for them and in which order."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from types import TracebackType

from weaver.memory.budget import Account


@dataclass(frozen=True, slots=True)
class GateStatistics:
    """A gate at one moment: admissions that are open and those that wait, and totals since the start.

    `waits` admissions and growths had to wait; `overdrawn` times one was let past the limit.
    """

    open: int
    waiting: int
    held_bytes: int
    waits: int
    overdrawn: int


class Admission:
    """The bytes that one holder was admitted with; give them back by `release`, or by leaving its `with` block.

    Owned by one task: nobody else grows or releases it.
    """

    __slots__ = ("_gate", "gave_up_waiting", "has_waited", "held_bytes", "number")

    def __init__(self, gate: ByteGate, number: int, held_bytes: int) -> None:
        self._gate = gate
        self.number = number
        self.held_bytes = held_bytes
        self.has_waited = False  # to be let in
        self.gave_up_waiting = False  # for more: it was cancelled

    def __repr__(self) -> str:
        return f"Admission({self.number}: {self.held_bytes} B)"

    def __enter__(self) -> Admission:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._gate.release(self)

    def try_grow(self, total_bytes: int) -> bool:
        """Hold `total_bytes` in all, if that can be now; less than what is held changes nothing."""
        return total_bytes <= self.held_bytes or self._gate.try_grow(self, total_bytes)

    async def grow(self, total_bytes: int) -> None:
        """Hold `total_bytes` in all, as soon as there is room."""
        if not self.try_grow(total_bytes):
            await self._gate.wait_to_grow(self, total_bytes)

    def settle(self, total_bytes: int) -> None:
        """Hold exactly so much, for it is there already: what was held beyond goes back, what is missing is taken."""
        self._gate.settle(self, total_bytes)

    def release(self) -> None:
        """Give all of it back."""
        self._gate.release(self)


class ByteGate:
    """A semaphore in bytes over an account: first come, first served, and never a deadlock.

    Those who hold bytes and need more come before newcomers, the oldest of them first: what they hold comes free only
    when they are done. One at a time may pass the limit, the oldest that waits, so that somebody can always go on;
    and whoever comes while nobody else holds anything is admitted, however much it is. Other users of the
    account are no business of the gate's, but that they `hold` and `give_back` through it, so that it hears of room.

    Invariants: newcomers wait only while an admission is open; holders wait only while another one is past the limit.
    So `used` passes the limit by at most what one holder takes in all, beyond what others `hold`. Cancelling a
    waiter leaves all as it was. O(1) while nobody waits, O(those who wait) for each who is let in.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self._numbers = 0
        self._open: dict[int, Admission] = {}
        self._newcomers: deque[tuple[int, asyncio.Future[Admission]]] = deque()
        self._growers: dict[int, tuple[int, asyncio.Future[None]]] = {}
        self._overdrawer: Admission | None = None
        self._waits = self._overdrawn = 0

    def __repr__(self) -> str:
        return f"ByteGate({len(self._open)} open, {self._waiting} waiting, {self.account!r})"

    @property
    def _waiting(self) -> int:
        return len(self._newcomers) + len(self._growers)

    def admit_nowait(self, size_bytes: int) -> Admission | None:
        """An admission with so many bytes, or None where one would have to wait."""
        if self._newcomers or self._growers:
            return None
        return self._admit(size_bytes)

    async def admit(self, size_bytes: int) -> Admission:
        """An admission with so many bytes, as soon as there is room and all who came before are in."""
        admission = self.admit_nowait(size_bytes)
        if admission is not None:
            return admission
        self._waits += 1
        waiter: asyncio.Future[Admission] = asyncio.get_running_loop().create_future()
        self._newcomers.append((size_bytes, waiter))
        try:
            return await waiter
        except asyncio.CancelledError:
            self._leave(size_bytes, waiter)
            raise

    def admit_at_once(self, size_bytes: int) -> Admission:
        """An admission for one whom another gate has let in already; past the limit it counts as an overdraft."""
        self.account.hold(size_bytes)
        self._numbers += 1
        admission = self._open[self._numbers] = Admission(self, self._numbers, size_bytes)
        return admission

    def hold(self, size_bytes: int) -> None:
        """Take bytes of the account that can't wait; others bound them."""
        self.account.hold(size_bytes)

    def give_back(self, size_bytes: int) -> None:
        """Give back what was taken by `hold`."""
        self.account.release(size_bytes)
        if self._newcomers or self._growers:
            self.wake()

    def statistics(self) -> GateStatistics:
        """The figures now."""
        held_bytes = sum(admission.held_bytes for admission in self._open.values())
        return GateStatistics(len(self._open), self._waiting, held_bytes, self._waits, self._overdrawn)

    def check(self) -> None:
        """Assert the invariants."""
        assert self._open or not self._newcomers, self
        assert not self._growers or self._overdrawer is not None, self
        assert self._overdrawer is None or self._overdrawer.number in self._open, self
        assert self._overdrawer is None or self._overdrawer.number not in self._growers, self
        assert self.account.used >= self.statistics().held_bytes, self
        self.account.check()

    def wake(self) -> None:
        """Let in who fits now: holders that need more, the oldest first, then newcomers in their order."""
        while self._growers:
            number = min(self._growers)
            total_bytes, waiter = self._growers[number]
            if not waiter.done() and not self._may_grow(self._open[number], total_bytes):
                return
            del self._growers[number]
            if not waiter.done():
                waiter.set_result(None)
        while self._newcomers:
            size_bytes, newcomer = self._newcomers[0]
            # Cancelled, but its task has not run since.
            if not newcomer.done():
                admission = self._admit(size_bytes)
                if admission is None:
                    return
                admission.has_waited = True
                newcomer.set_result(admission)
            self._newcomers.popleft()

    def try_grow(self, admission: Admission, total_bytes: int) -> bool:
        """Whether the admission holds `total_bytes` now; a younger one than those who wait never goes before them."""
        if self._growers and admission is not self._overdrawer:
            return False
        return self._may_grow(admission, total_bytes)

    async def wait_to_grow(self, admission: Admission, total_bytes: int) -> None:
        """Wait until the admission holds `total_bytes`."""
        self._waits += 1
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._growers[admission.number] = total_bytes, waiter
        try:
            await waiter
        except asyncio.CancelledError:
            # What it was granted in the same moment, if anything, leaves with the admission.
            admission.gave_up_waiting = True
            if self._growers.pop(admission.number, None) is not None:
                self.wake()
            raise

    def settle(self, admission: Admission, total_bytes: int) -> None:
        """Make the admission hold exactly `total_bytes`."""
        more_bytes = total_bytes - admission.held_bytes
        admission.held_bytes = total_bytes
        if more_bytes > 0:
            self.account.hold(more_bytes)
        elif more_bytes < 0:
            self.account.release(-more_bytes)
            if self._newcomers or self._growers:
                self.wake()

    def release(self, admission: Admission) -> None:
        """Close the admission; a second time changes nothing."""
        if self._open.pop(admission.number, None) is None:
            return
        if self._overdrawer is admission:
            self._overdrawer = None
        self.account.release(admission.held_bytes)
        if self._newcomers or self._growers:
            self.wake()

    def _admit(self, size_bytes: int) -> Admission | None:
        """1. it fits 2. nobody else holds anything, so that waiting would be for ever."""
        if self._open and not self.account.would_fit(size_bytes):
            return None
        self.account.hold(size_bytes)
        self._numbers += 1
        admission = self._open[self._numbers] = Admission(self, self._numbers, size_bytes)
        if len(self._open) == 1 and self.account.used > self.account.limit:
            self._overdraw(admission)
        return admission

    def _may_grow(self, admission: Admission, total_bytes: int) -> bool:
        """1. it fits 2. it is the one that may overdraw 3. nobody overdraws yet."""
        more_bytes = total_bytes - admission.held_bytes
        if not self.account.would_fit(more_bytes) and admission is not self._overdrawer:
            if self._overdrawer is not None:
                return False
            self._overdraw(admission)
        self.account.hold(more_bytes)
        admission.held_bytes = total_bytes
        return True

    def _overdraw(self, admission: Admission) -> None:
        self._overdrawer = admission
        self._overdrawn += 1

    def _leave(self, size_bytes: int, waiter: asyncio.Future[Admission]) -> None:
        """A newcomer was cancelled: what it was granted in the same moment goes back, or its place is given up."""
        if not waiter.cancelled():
            self.release(waiter.result())
        elif (size_bytes, waiter) in self._newcomers:
            self._newcomers.remove((size_bytes, waiter))
            self.wake()


class Expectation:
    """How large the next of a kind will be, from those before: mean and mean deviation, as TCP expects the time of an
    answer (RFC 6298, section 2). Two numbers, whatever was seen; O(1)."""

    __slots__ = ("_deviation", "_mean", "most_bytes")

    def __init__(self, first_bytes: int, most_bytes: int) -> None:
        self._mean = float(first_bytes)
        self._deviation = 0.0
        self.most_bytes = most_bytes

    def __repr__(self) -> str:
        return f"Expectation({self.size_bytes} B)"

    @property
    def size_bytes(self) -> int:
        """Most of those to come will not be larger."""
        return min(int(self._mean + 2 * self._deviation), self.most_bytes)

    def observe(self, size_bytes: int) -> None:
        """One came, of this size."""
        error = size_bytes - self._mean
        self._mean += error / 8
        self._deviation += (abs(error) - self._deviation) / 4
