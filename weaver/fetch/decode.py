"""Content decoding of a body as it arrives: one layer, capped by bytes and by ratio, never trusting what it is told.

gzip (all members; what follows the last one is dropped, as browsers do), deflate (zlib or raw), br and zstd (all
frames, window at most 8 MiB: RFC 9659). A codec hands out pieces of bounded size, so a bomb is noticed after one piece.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from types import MappingProxyType
from typing import Protocol

import brotli
import zstandard

PIECE_BYTES = 64 << 10  # what a codec hands out at once
SLICE_BYTES = 4 << 10  # what it is fed at once: the ratio is judged at least this often
FREE_BYTES = 64 << 10  # decoded bytes below which no ratio is judged
_MAX_ZSTD_WINDOW_BYTES = 8 << 20
_GZIP_BITS = 16 + zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b"

_FOREIGN = (zlib.error, brotli.error, zstandard.ZstdError, EOFError)


class DecodeError(Exception):
    """The body can't be decoded; `reason` is one of fetch's reasons: `encoding`, `corrupt_encoding`, `bomb`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Codec(Protocol):
    """One stream's decoder, made for one body."""

    @property
    def is_complete(self) -> bool:
        """Whether the stream came to its own end."""
        ...

    def decode(self, data: bytes) -> Iterator[bytes]:
        """The decoded bytes of the next part of the stream, in bounded pieces."""
        ...


class _Inflating(Protocol):
    """What zlib.decompressobj returns, which has no public name."""

    @property
    def eof(self) -> bool: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _inflated(stream: _Inflating, data: bytes) -> Iterator[bytes]:
    while True:
        piece = stream.decompress(data, PIECE_BYTES)
        yield piece
        data = stream.unconsumed_tail
        # A full piece may have more behind it although all input is taken.
        if stream.eof or (not data and len(piece) < PIECE_BYTES):
            return


class _Gzip:
    """Members one after the other (RFC 1952, 2.2)."""

    def __init__(self) -> None:
        self._member: _Inflating = zlib.decompressobj(_GZIP_BITS)
        self._between = b""
        self._is_over = False

    @property
    def is_complete(self) -> bool:
        return self._is_over or self._member.eof

    def decode(self, data: bytes) -> Iterator[bytes]:
        if self._member.eof:
            data = self._next_member(data)
        while data and not self._is_over:
            yield from _inflated(self._member, data)
            data = self._next_member(self._member.unused_data) if self._member.eof else b""

    def _next_member(self, data: bytes) -> bytes:
        """What to feed to the next member; b"" where none begins (yet)."""
        self._between += data
        if len(self._between) < len(_GZIP_MAGIC):
            return b""
        data, self._between = self._between, b""
        self._is_over = not data.startswith(_GZIP_MAGIC)
        self._member = self._member if self._is_over else zlib.decompressobj(_GZIP_BITS)
        return data


class _Deflate:
    """zlib's wrapping (RFC 1950), or none: servers mean either by `deflate`, and browsers take both."""

    def __init__(self) -> None:
        self._head = b""
        self._stream: _Inflating = zlib.decompressobj()
        self._is_open = False

    @property
    def is_complete(self) -> bool:
        return self._stream.eof

    def decode(self, data: bytes) -> Iterator[bytes]:
        if not self._is_open:
            data, self._head = self._head + data, b""
            if len(data) < 2:
                self._head = data
                return
            self._is_open = True
            if not _has_zlib_header(data):
                self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        if not self._stream.eof:
            yield from _inflated(self._stream, data)


def _has_zlib_header(data: bytes) -> bool:
    return data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0


class _Brotli:
    """RFC 7932; the window is at most 16 MiB by the format."""

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    @property
    def is_complete(self) -> bool:
        return bool(self._stream.is_finished())

    def decode(self, data: bytes) -> Iterator[bytes]:
        while not self._stream.is_finished():
            piece = self._stream.process(data, output_buffer_limit=PIECE_BYTES)
            yield piece
            data = b""
            # As with zlib, a full piece may have more behind it.
            if self._stream.can_accept_more_data() and len(piece) < PIECE_BYTES:
                return


class _Zstd:
    """Frames one after the other (RFC 8878), fed block by block: a block decodes to 128 KiB at most.

    The library bounds no output by itself, and four bytes may stand for 128 KiB.
    """

    _FRAME_MAGIC = b"\x28\xb5\x2f\xfd"
    _SKIPPABLE_MAGIC = b"\x2a\x4d\x18"
    _CHECKSUM_BYTES = 4
    _MAX_BLOCK_BYTES = 128 << 10

    def __init__(self) -> None:
        self._library = zstandard.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW_BYTES)
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._buffer = bytearray()
        self._skip_bytes = 0
        self._trailer_bytes = 0
        self._has_ended_once = False
        self._is_over = False

    @property
    def is_complete(self) -> bool:
        is_between_frames = self._frame is None and not self._buffer and not self._skip_bytes
        return self._is_over or (self._has_ended_once and is_between_frames)

    def decode(self, data: bytes) -> Iterator[bytes]:
        if self._is_over:
            return
        self._buffer += data
        while (piece := self._step()) is not None:
            yield piece

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


_CODECS: MappingProxyType[str, Callable[[], Codec]] = MappingProxyType({
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
})  # fmt: skip

ACCEPT_ENCODING = "gzip, deflate, br, zstd"


def codec_for(content_encoding: Sequence[str]) -> Codec | None:
    """A codec for a response's Content-Encoding lines, None for a body that is as it is.

    A single name that nobody knows (`utf-8`, `none`: seen in the wild) is taken for none, as browsers do.
    Raises DecodeError('encoding') for more than one layer.
    """
    names = [name for line in content_encoding for name in line.lower().replace(" ", "").split(",")]
    codings = [name for name in names if name not in {"", "identity"}]
    if len(codings) > 1:
        raise DecodeError("encoding", f"expected one content coding, got {', '.join(codings)[:200]}")
    make = _CODECS.get(codings[0]) if codings else None
    return make() if make is not None else None


class Body(Protocol):
    """A body that is being received."""

    truncated_by: str

    def feed(self, data: bytes) -> None:
        """Take in the next part. Raises DecodeError."""
        ...

    def close(self, *, is_whole: bool) -> bytes:
        """The body so far; `is_whole` tells whether the response's own framing came to its end."""
        ...


class PlainBody:
    """A body in no coding, cut at `max_bytes`."""

    __slots__ = ("_max_bytes", "_parts", "_size_bytes", "truncated_by")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._size_bytes = 0
        self.truncated_by = ""

    def feed(self, data: bytes) -> None:
        self._parts.append(data)
        self._size_bytes += len(data)
        if self._size_bytes > self._max_bytes:
            self.truncated_by = "max_body"

    def close(self, *, is_whole: bool) -> bytes:
        if not self.truncated_by:
            self.truncated_by = "" if is_whole else "short"
            return b"".join(self._parts)
        return b"".join(self._parts)[: self._max_bytes]


class CodedBody:
    """A body in a content coding, decoded as its parts arrive.

    Invariants: holds at most `max_bytes` + one piece; beyond FREE_BYTES never more than `max_ratio` times what came in.
    """

    def __init__(self, codec: Codec, max_bytes: int, max_ratio: float) -> None:
        self._codec = codec
        self._max_bytes = max_bytes
        # Random bytes grow a little when encoded.
        self._max_received_bytes = max_bytes + max_bytes // 64 + FREE_BYTES
        self._max_ratio = max_ratio
        self._pieces: list[bytes] = []
        self.received_bytes = 0
        self.decoded_bytes = 0
        self.truncated_by = ""

    def __repr__(self) -> str:
        return f"CodedBody(received={self.received_bytes}, decoded={self.decoded_bytes}, {self.truncated_by!r})"

    def feed(self, data: bytes) -> None:
        """Decode the next part. Raises DecodeError for a bomb, or a body that was never in its coding."""
        for start in range(0, len(data), SLICE_BYTES):
            if self.truncated_by:
                return
            self._feed_slice(data[start : start + SLICE_BYTES])

    def close(self, *, is_whole: bool) -> bytes:
        """What was decoded; a stream that did not come to its own end is short, however the response ended."""
        if not self.truncated_by and not (is_whole and (self._codec.is_complete or not self.received_bytes)):
            self.truncated_by = "short"
        return b"".join(self._pieces)[: self._max_bytes]

    def _feed_slice(self, data: bytes) -> None:
        self.received_bytes += len(data)
        try:
            for piece in self._codec.decode(data):
                self._keep(piece)
                if self.truncated_by:
                    return
            # A stream that decodes to nothing must not be read for ever either.
            if self.received_bytes > self._max_received_bytes:
                self.truncated_by = "max_body"
        except _FOREIGN as error:
            if not self.decoded_bytes:
                raise DecodeError("corrupt_encoding", str(error)[:200]) from error
            self.truncated_by = "corrupt"

    def _keep(self, piece: bytes) -> None:
        if not piece:
            return
        self._pieces.append(piece)
        self.decoded_bytes += len(piece)
        if self.decoded_bytes > FREE_BYTES and self.decoded_bytes > self.received_bytes * self._max_ratio:
            raise DecodeError("bomb", f"{self.received_bytes} bytes grew to {self.decoded_bytes} and more")
        if self.decoded_bytes > self._max_bytes:
            self.truncated_by = "max_body"


def body_for(content_encoding: Sequence[str], max_bytes: int, max_ratio: float) -> Body:
    """Where to put a response's body, given its Content-Encoding lines. Raises DecodeError('encoding')."""
    codec = codec_for(content_encoding) if content_encoding else None
    return PlainBody(max_bytes) if codec is None else CodedBody(codec, max_bytes, max_ratio)
