"""Content decoding of a body as it arrives: one layer, capped by bytes and by ratio, never trusting what it is told.

gzip (all members; what follows the last one is dropped, as browsers do), deflate (zlib or raw), br and zstd (all
frames, window at most 8 MiB: RFC 9659). A codec hands out pieces of bounded size, so a bomb is noticed after one piece.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from types import MappingProxyType
from typing import Protocol, Self

import brotli
import zstandard

from weaver.fetch.gathered import Gathered
from weaver.fetch.zstd import Decompressors, ZstdCodec
from weaver.memory.scratch import Arena

PIECE_BYTES = 64 << 10  # what a codec hands out at once
SLICE_BYTES = 4 << 10  # what it is fed at once: the ratio is judged at least this often
FREE_BYTES = 64 << 10  # decoded bytes below which no ratio is judged
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

    def close(self) -> None:
        """The body is over: give back what can be used again."""
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

    def close(self) -> None:
        """Nothing that could be used again: a zlib stream is made in 0.1 us, and can't be set back."""

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

    def close(self) -> None:
        """Nothing that could be used again."""


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

    def close(self) -> None:
        """Nothing that could be used again."""


_CODECS: MappingProxyType[str, Callable[[], Codec]] = MappingProxyType({
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
})  # fmt: skip

ACCEPT_ENCODING = "gzip, deflate, br, zstd"


def codec_for(content_encoding: Sequence[str], decompressors: Decompressors) -> Codec | None:
    """A codec for a response's Content-Encoding lines, None for a body that is as it is.

    A single name that nobody knows (`utf-8`, `none`: seen in the wild) is taken for none, as browsers do.
    Raises DecodeError('encoding') for more than one layer.
    """
    names = [name for line in content_encoding for name in line.lower().replace(" ", "").split(",")]
    codings = [name for name in names if name not in {"", "identity"}]
    if len(codings) > 1:
        raise DecodeError("encoding", f"expected one content coding, got {', '.join(codings)[:200]}")
    coding = codings[0] if codings else ""
    if coding == "zstd":
        return ZstdCodec(decompressors)
    make = _CODECS.get(coding)
    return make() if make is not None else None


class Body(Protocol):
    """A body that is being received; what its decoder holds goes back at the end of its `with` block."""

    truncated_by: str

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def feed(self, data: bytes) -> Iterator[int]:
        """Take in the next part, in bounded steps; the size of the body after each. Raises DecodeError."""
        ...

    def close(self, *, is_whole: bool) -> bytes:
        """The body so far; `is_whole` tells whether the response's own framing came to its end."""
        ...


class PlainBody:
    """A body in no coding, cut at `max_bytes`."""

    __slots__ = ("_gathered", "_max_bytes", "truncated_by")

    def __init__(self, max_bytes: int, arena: Arena) -> None:
        self._max_bytes = max_bytes
        self._gathered = Gathered(arena)
        self.truncated_by = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def feed(self, data: bytes) -> Iterator[int]:
        self._gathered.add(data)
        if self._gathered.size_bytes > self._max_bytes:
            self.truncated_by = "max_body"
        yield min(self._gathered.size_bytes, self._max_bytes)

    def close(self, *, is_whole: bool) -> bytes:
        if not self.truncated_by:
            self.truncated_by = "" if is_whole else "short"
        return self._gathered.joined(self._max_bytes)


class CodedBody:
    """A body in a content coding, decoded as its parts arrive.

    Invariants: holds at most `max_bytes` + one piece; beyond FREE_BYTES never more than `max_ratio` times what came in.
    """

    def __init__(self, codec: Codec, max_bytes: int, max_ratio: float, arena: Arena) -> None:
        self._codec = codec
        self._max_bytes = max_bytes
        # Random bytes grow a little when encoded.
        self._max_received_bytes = max_bytes + max_bytes // 64 + FREE_BYTES
        self._max_ratio = max_ratio
        self._gathered = Gathered(arena)
        self.received_bytes = 0
        self.truncated_by = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._codec.close()

    def __repr__(self) -> str:
        return f"CodedBody(received={self.received_bytes}, decoded={self.decoded_bytes}, {self.truncated_by!r})"

    @property
    def decoded_bytes(self) -> int:
        """The size of the body so far."""
        return self._gathered.size_bytes

    def feed(self, data: bytes) -> Iterator[int]:
        """Decode the next part. Raises DecodeError for a bomb, or a body that was never in its coding."""
        for start in range(0, len(data), SLICE_BYTES):
            if self.truncated_by:
                return
            self._feed_slice(data[start : start + SLICE_BYTES])
            yield min(self.decoded_bytes, self._max_bytes)

    def close(self, *, is_whole: bool) -> bytes:
        """What was decoded; a stream that did not come to its own end is short, however the response ended."""
        if not self.truncated_by and not (is_whole and (self._codec.is_complete or not self.received_bytes)):
            self.truncated_by = "short"
        return self._gathered.joined(self._max_bytes)

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
        self._gathered.add(piece)
        if self.decoded_bytes > FREE_BYTES and self.decoded_bytes > self.received_bytes * self._max_ratio:
            raise DecodeError("bomb", f"{self.received_bytes} bytes grew to {self.decoded_bytes} and more")
        if self.decoded_bytes > self._max_bytes:
            self.truncated_by = "max_body"


def body_for(
    content_encoding: Sequence[str], max_bytes: int, max_ratio: float, arena: Arena, decompressors: Decompressors
) -> Body:
    """Where to put a response's body, given its Content-Encoding lines; `arena` is the page's own until it is closed.

    Raises DecodeError('encoding').
    """
    codec = codec_for(content_encoding, decompressors) if content_encoding else None
    return PlainBody(max_bytes, arena) if codec is None else CodedBody(codec, max_bytes, max_ratio, arena)
