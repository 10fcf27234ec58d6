"""Names to addresses: looked up in threads of its own, remembered in a bounded cache, filtered by the address guard."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from weaver.base.clock import Clock
from weaver.fetch.address_guard import AddressGuard
from weaver.fetch.descriptors import LOCAL_ERRNOS
from weaver.memory.bounded import BoundedLRU, StoreStatistics
from weaver.memory.budget import Account
from weaver.memory.ghost import GhostFilter

NEGATIVE_TTL_S = 30.0  # how long a name that does not exist is remembered
TEMPORARY_TTL_S = 5.0  # ... and one whose servers gave no answer
_TTL_S = {"dns_temporary": TEMPORARY_TTL_S, "local_limit": 0.0}
# A dead address is tried again with each that is left, so n of them cost n * n / 2 attempts.
MAX_ADDRESSES = 4
# A name of 35 characters with two addresses in RSS (benchmarks/bodies.py); 386 with one, 697 with four.
ENTRY_BYTES = 492
# The event loop's own pool has six threads on two cores: a few names with dead servers would stop all look-ups.
_THREADS = 16


class ResolutionError(OSError):
    """No usable address; `reason` is one of `dns`, `dns_temporary`, `blocked_private`, `local_limit`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


Lookup = Callable[[str], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class _Entry:
    addresses: tuple[str, ...]
    reason: str
    expires_at: float


class CachingResolver:
    """Resolves names, each at most once at a time and once per `ttl_s`.

    Invariants: at most `capacity` names are kept, the oldest used leave first; every address handed out is
    one that the guard allows: of a name with public and private ones, the public ones only.
    """

    def __init__(
        self,
        guard: AddressGuard,
        clock: Clock,
        account: Account,
        *,
        capacity: int,
        ttl_s: float,
        lookup: Lookup | None = None,
    ) -> None:
        self._guard = guard
        self._clock = clock
        self._ttl_s = ttl_s
        self._threads: ThreadPoolExecutor | None = None
        self._lookup = lookup or self._look_up_in_thread
        # Ages are the entries' own: what failed is forgotten sooner than what was found.
        self._entries: BoundedLRU[str, _Entry] = BoundedLRU(
            "dns", capacity, account=account, entry_bytes=ENTRY_BYTES, ghost=GhostFilter.within(account)
        )
        self._under_way: dict[str, asyncio.Task[_Entry]] = {}

    def __repr__(self) -> str:
        return f"CachingResolver({self._entries!r}, under_way={len(self._under_way)})"

    def statistics(self) -> StoreStatistics:
        """The cache's figures; an entry that was found but had expired counts as a hit."""
        return self._entries.statistics()

    async def resolve(self, host: str) -> tuple[str, ...]:
        """The addresses of `host` that may be visited, at least one. Raises ResolutionError."""
        entry = self._remembered(host) or await self._looked_up(host)
        if entry.reason:
            raise ResolutionError(entry.reason, f"{host}: {_WORDS[entry.reason]}")
        return entry.addresses

    def shrink(self) -> int:
        """Forget what is over the account's limit, the oldest first; the bytes that went."""
        return self._entries.shrink()

    async def close(self) -> None:
        """Give up what is under way; a thread that waits for a name server is left to end by itself."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _remembered(self, host: str) -> _Entry | None:
        entry = self._entries.get(host)
        return entry if entry is not None and entry.expires_at > self._clock.monotonic() else None

    async def _looked_up(self, host: str) -> _Entry:
        task = self._under_way.get(host)
        if task is None:
            task = asyncio.ensure_future(self._look_up(host))
            self._under_way[host] = task
        # One waiter's deadline must not take the answer from the others.
        return await asyncio.shield(task)

    async def _look_up(self, host: str) -> _Entry:
        try:
            entry = await self._answer(host)
        finally:
            del self._under_way[host]
        self._entries.put(host, entry)
        return entry

    async def _answer(self, host: str) -> _Entry:
        now = self._clock.monotonic()
        try:
            found = await self._lookup(host)
        except socket.gaierror as error:
            is_temporary = error.errno in {socket.EAI_AGAIN, socket.EAI_FAIL}
            return _refused("dns_temporary" if is_temporary else "dns", now)
        # The idna codec raises UnicodeError for labels that no name server was ever asked for.
        except (UnicodeError, ValueError):
            return _refused("dns", now)
        except OSError as error:
            return _refused("local_limit" if error.errno in LOCAL_ERRNOS else "dns_temporary", now)
        allowed = [address for address in dict.fromkeys(found) if self._guard.allows(address)]
        if not allowed:
            return _refused("blocked_private" if found else "dns", now)
        return _Entry(tuple(allowed[:MAX_ADDRESSES]), "", now + self._ttl_s)

    async def _look_up_in_thread(self, host: str) -> Sequence[str]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="weaver-dns")
        return await asyncio.get_running_loop().run_in_executor(self._threads, _system_lookup, host)


_WORDS = {
    "dns": "no such name, or no address",
    "dns_temporary": "the name servers gave no answer",
    "blocked_private": "its addresses are private",
    "local_limit": "this machine is out of descriptors",
}


def _refused(reason: str, now: float) -> _Entry:
    return _Entry((), reason, now + _TTL_S.get(reason, NEGATIVE_TTL_S))


def _system_lookup(host: str) -> list[str]:
    answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [str(sockaddr[0]) for *_, sockaddr in answers]
