"""Gathered: the pieces of one body on their way to becoming one."""

from __future__ import annotations

from weaver.memory.scratch import Arena

ARENA_FROM_BYTES = 512 << 10  # below it, the copy into the arena costs more than it saves


class Gathered:
    """The pieces of one body: a list, and once it outgrows ARENA_FROM_BYTES, a copy in the page's arena.

    For large bodies the copy costs at most what it saves in allocating (0.5 to 1.05 times the CPU of a list from 1 to
    8 MiB, benchmarks/bodies.py), and the socket's parts are freed as they come. Below that the list is cheaper.
    """

    __slots__ = ("_arena", "_pieces", "size_bytes")

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._pieces: list[bytes] = []
        self.size_bytes = 0

    def add(self, piece: bytes) -> None:
        """Put a piece to the end."""
        self.size_bytes += len(piece)
        if self.size_bytes <= ARENA_FROM_BYTES:
            self._pieces.append(piece)
            return
        for earlier in self._pieces:
            self._arena.append(earlier)
        self._pieces.clear()
        self._arena.append(piece)

    def joined(self, limit_bytes: int) -> bytes:
        """All of it, up to `limit_bytes`, as bytes of its own."""
        if self._arena.size_bytes:
            return self._arena.joined(limit_bytes)
        joined = b"".join(self._pieces)
        return joined if len(joined) <= limit_bytes else joined[:limit_bytes]
