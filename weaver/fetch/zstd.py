"""Zstandard: its content coding, block by block, and the pool of its decompressors."""

from __future__ import annotations

from collections.abc import Iterator

import zstandard

from weaver.memory.budget import Account
from weaver.memory.buffers import PoolStatistics

_MAX_WINDOW_BYTES = 8 << 20
# 94 KiB and the window of the streams it has seen: a page whose frame names its size needs no more, and one that
# has grown beyond (2.5 MiB after a stream of no known size) is not kept.
DECOMPRESSOR_BYTES = 256 << 10


class Decompressors:
    """Zstandard's decompressors, which take 28 us to make, as long as a page of 37 kB takes to decode.

    At most `capacity` idle ones are kept, each charged at DECOMPRESSOR_BYTES; where the account has no room, none.
    All on one thread. (zlib and brotli make theirs in 0.1 us, and can't
    set them back.)
    """

    def __init__(self, capacity: int, account: Account) -> None:
        self.capacity = capacity
        self._account = account
        self._idle: list[zstandard.ZstdDecompressor] = []
        self._in_use = self._peak = self._acquired = self._reused = self._refused = 0

    def __repr__(self) -> str:
        return f"Decompressors({self._in_use} in use, {len(self._idle)} idle of {self.capacity})"

    def acquire(self) -> zstandard.ZstdDecompressor:
        """One that nobody else uses: it decodes one stream at a time."""
        self._acquired += 1
        self._in_use += 1
        self._peak = max(self._peak, self._in_use)
        if not self._idle:
            return zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
        self._account.release(DECOMPRESSOR_BYTES)
        self._reused += 1
        return self._idle.pop()

    def give_back(self, decompressor: zstandard.ZstdDecompressor) -> None:
        """Keep it for the next body, or let it go where it has grown, or there are enough."""
        self._in_use -= 1
        is_small = decompressor.memory_size() <= DECOMPRESSOR_BYTES
        if is_small and len(self._idle) < self.capacity and self._account.try_charge(DECOMPRESSOR_BYTES):
            self._idle.append(decompressor)
        else:
            self._refused += 1

    def release(self) -> int:
        """Free the idle ones; the bytes that went."""
        freed = len(self._idle)
        self._idle.clear()
        self._account.release(freed * DECOMPRESSOR_BYTES)
        return freed * DECOMPRESSOR_BYTES

    def statistics(self) -> PoolStatistics:
        """The figures now; `refused` ones were not kept."""
        return PoolStatistics(
            "zstd", DECOMPRESSOR_BYTES, self.capacity, self._in_use, len(self._idle), self._peak,
            self._acquired, self._reused, self._refused,
        )  # fmt: skip


class ZstdCodec:
    """Frames one after the other (RFC 8878), fed block by block: a block decodes to 128 KiB at most.

    The library bounds no output by itself, and four bytes may stand for 128 KiB.
    """

    _FRAME_MAGIC = b"\x28\xb5\x2f\xfd"
    _SKIPPABLE_MAGIC = b"\x2a\x4d\x18"
    _CHECKSUM_BYTES = 4
    _MAX_BLOCK_BYTES = 128 << 10

    def __init__(self, decompressors: Decompressors) -> None:
        self._decompressors = decompressors
        self._library = decompressors.acquire()
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._buffer = bytearray()
        self._skip_bytes = 0
        self._trailer_bytes = 0
        self._has_ended_once = False
        self._is_over = False

    @property
    def is_complete(self) -> bool:
        """Whether the stream came to its own end."""
        is_between_frames = self._frame is None and not self._buffer and not self._skip_bytes
        return self._is_over or (self._has_ended_once and is_between_frames)

    def decode(self, data: bytes) -> Iterator[bytes]:
        """The decoded bytes of the next part of the stream, a block at a time."""
        if self._is_over:
            return
        self._buffer += data
        while (piece := self._step()) is not None:
            yield piece

    def close(self) -> None:
        """Give the decompressor back; the codec decodes nothing any more."""
        self._frame, self._is_over = None, True
        self._decompressors.give_back(self._library)

    def _step(self) -> bytes | None:
        """The bytes of the next whole part of the stream; None until more of it has come."""
        if self._skip_bytes:
            return self._skip()
        return self._start_frame() if self._frame is None else self._next_block(self._frame)

    def _skip(self) -> bytes | None:
        skipped = min(self._skip_bytes, len(self._buffer))
        del self._buffer[:skipped]
        self._skip_bytes -= skipped
        return b"" if skipped else None

    def _start_frame(self) -> bytes | None:
        head = self._buffer
        if len(head) < 8:
            return None
        if head[1:4] == self._SKIPPABLE_MAGIC and head[0] & 0xF0 == 0x50:
            self._skip_bytes = 8 + int.from_bytes(head[4:8], "little")
            self._has_ended_once = True
            return b""
        if head[:4] != self._FRAME_MAGIC:
            if not self._has_ended_once:
                raise zstandard.ZstdError("no zstd frame")
            self._is_over = True
            return None
        header_bytes = _zstd_header_bytes(head[4])
        if len(head) < header_bytes:
            return None
        self._trailer_bytes = self._CHECKSUM_BYTES if head[4] & 0x04 else 0
        self._frame = self._library.decompressobj()
        return self._frame.decompress(self._take(header_bytes))

    def _next_block(self, frame: zstandard.ZstdDecompressionObj) -> bytes | None:
        if len(self._buffer) < 3:
            return None
        header = int.from_bytes(self._buffer[:3], "little")
        is_last, is_run = header & 1, (header >> 1) & 3 == 1
        block_bytes = 3 + (1 if is_run else header >> 3) + (self._trailer_bytes if is_last else 0)
        if block_bytes > self._MAX_BLOCK_BYTES + 3 + self._CHECKSUM_BYTES:
            raise zstandard.ZstdError("a zstd block larger than 128 KiB")
        if len(self._buffer) < block_bytes:
            return None
        if is_last:
            self._frame, self._has_ended_once = None, True
        return frame.decompress(self._take(block_bytes))

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


def _zstd_header_bytes(descriptor: int) -> int:
    """Bytes of a frame header, magic included (RFC 8878, 3.1.1.1)."""
    is_single_segment = descriptor >> 5 & 1
    size_field = (is_single_segment, 2, 4, 8)[descriptor >> 6]
    return 5 + (1 - is_single_segment) + (0, 1, 2, 4)[descriptor & 3] + size_field
