"""Scratch: arenas that hold the bytes of one page while it is in flight, and are emptied at once at its end."""

from __future__ import annotations

import threading
import weakref
from types import TracebackType

from weaver.memory.buffers import Pool

_arenas: weakref.WeakSet[Arena] = weakref.WeakSet()
_arenas_lock = threading.Lock()


class Arena:
    """Scratch bytes of one page: written once, read back as views, gone at the end of the `with` block.

        with arena:
            arena.append(part)
            whole = arena.joined(limit_bytes)

    It writes from front to back through blocks of its pool: the first one stays with it from page to page (reset, not
    freed), further ones are an overflow chain that goes back at the end of the page; where the pool refuses, a
    block is allocated for the page alone. A reader sees only what was written since the scope began, whatever a
    block held before. Owned by one page at a time; only `release` may be called from other threads.

    Invariants: `size_bytes` fill the blocks without a gap; the pool's come first; outside a scope there are none.
    """

    __slots__ = (
        "__weakref__",
        "_blocks",
        "_home",
        "_kept",
        "_pool",
        "_pooled",
        "_position",
        "name",
        "peak_bytes",
        "size_bytes",
    )

    def __init__(self, name: str, pool: Pool, home: list[Arena] | None = None) -> None:
        self.name = name
        self._home = home
        self.size_bytes = 0
        self.peak_bytes = 0
        self._pool = pool
        self._blocks: list[bytearray] = []
        self._pooled = 0  # so many of the blocks, the first ones, are the pool's
        # At most one; a list, for its pop is atomic and `release` may race with the next page.
        self._kept: list[bytearray] = []
        self._position = pool.buffer_bytes
        with _arenas_lock:
            _arenas.add(self)

    def __repr__(self) -> str:
        return f"Arena({self.name}: {self.size_bytes} B in {len(self._blocks)} blocks, peak {self.peak_bytes} B)"

    def __enter__(self) -> Arena:
        assert not self.size_bytes, f"{self}: a second page in one arena"
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.reset()
        if self._home is not None:
            self._home.append(self)

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Copy bytes to the end."""
        view, written = memoryview(data), 0
        while written < len(view):
            if self._position == self._pool.buffer_bytes:
                self._add_block()
            count = min(self._pool.buffer_bytes - self._position, len(view) - written)
            self._blocks[-1][self._position : self._position + count] = view[written : written + count]
            self._position += count
            written += count
        self.size_bytes += len(view)
        self.peak_bytes = max(self.peak_bytes, self.size_bytes)

    def views(self, limit_bytes: int) -> list[memoryview]:
        """What was written, up to `limit_bytes`, in order; valid until the scope ends."""
        size_bytes = min(limit_bytes, self.size_bytes)
        block_bytes = self._pool.buffer_bytes
        return [
            memoryview(block)[: size_bytes - start]
            for start, block in zip(range(0, size_bytes, block_bytes), self._blocks, strict=False)
        ]

    def joined(self, limit_bytes: int) -> bytes:
        """A copy of what was written, up to `limit_bytes`: it may outlive the scope."""
        return b"".join(self.views(limit_bytes))

    def reset(self) -> None:
        """Forget all that was written; one block stays for the next page."""
        pooled = self._blocks[: self._pooled]
        self._blocks, self._pooled = [], 0
        self.size_bytes, self._position = 0, self._pool.buffer_bytes
        self._kept.extend(pooled[:1])
        for block in pooled[1:]:
            self._pool.give_back(block)

    def release(self) -> None:
        """Give the block that is kept for the next page back to the pool; what a page is using stays its own."""
        block = self._take_kept()
        if block is not None:
            self._pool.give_back(block)

    def _take_kept(self) -> bytearray | None:
        try:
            return self._kept.pop()
        except IndexError:
            return None

    def _add_block(self) -> None:
        block = None
        # After the pool's first refusal the page goes on by itself, so that the pool's blocks come first.
        if self._pooled == len(self._blocks):
            block = self._take_kept() or self._pool.acquire()
        if block is None:
            block = bytearray(self._pool.buffer_bytes)
        else:
            self._pooled += 1
        self._blocks.append(block)
        self._position = 0


class Arenas:
    """The arenas of one use, as many as there ever were pages in flight at once; who was last used is used next.

    An arena costs 200 bytes until its first byte. `open` belongs to one thread, `release` to any.
    """

    def __init__(self, name: str, pool: Pool) -> None:
        self.name = name
        self._pool = pool
        self._idle: list[Arena] = []

    def __repr__(self) -> str:
        return f"Arenas({self.name}: {len(self._idle)} idle)"

    def open(self) -> Arena:
        """An arena for one page, empty; it comes back at the end of its `with` block."""
        return self._idle.pop() if self._idle else Arena(self.name, self._pool, self._idle)

    def release(self) -> None:
        """Give back what the idle arenas keep for their next pages."""
        for arena in tuple(self._idle):
            arena.release()


def release_all() -> None:
    """Give back the kept blocks of every arena of the process; from any thread, at a shutdown or under pressure."""
    with _arenas_lock:
        arenas = tuple(_arenas)
    for arena in arenas:
        arena.release()
