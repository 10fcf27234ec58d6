"""The tail of a WARC file: where the last whole record ends, in a file that was cut short."""

from __future__ import annotations

import zlib
from typing import BinaryIO

PIECE_BYTES = 64 << 10
_GZIP_BITS = 16 + zlib.MAX_WBITS
_MOST_FIELD_LINES = 1_000
_MOST_LINE_BYTES = 64 << 10
_END = b"\r\n\r\n"
_GZIP_MAGIC = b"\x1f\x8b"


def whole_bytes(stream: BinaryIO) -> int:
    """The size of what is whole in the file, from its beginning; memory is bounded. Raises OSError."""
    size_bytes = 0
    while (end := record_end(stream, size_bytes)) is not None:
        size_bytes = end
    return size_bytes


def record_end(stream: BinaryIO, start: int) -> int | None:
    """Where the gzip member or the plain record that begins at `start` ends; None where none does that is whole."""
    stream.seek(start)
    is_member = stream.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    return _end_of_member(stream, start) if is_member else _end_of_record(stream, start)


def _end_of_member(stream: BinaryIO, start: int) -> int | None:
    """The end of the gzip member that begins at `start`; None where none does, or not all of it is there."""
    stream.seek(start)
    inflating = zlib.decompressobj(_GZIP_BITS)
    try:
        while not inflating.eof and (data := stream.read(PIECE_BYTES)):
            while data and not inflating.eof:
                inflating.decompress(data, PIECE_BYTES)
                data = inflating.unconsumed_tail
    except zlib.error:
        return None
    return stream.tell() - len(inflating.unused_data) if inflating.eof else None


def _end_of_record(stream: BinaryIO, start: int) -> int | None:
    """The end of the plain record that begins at `start`; None where none does, or not all of it is there."""
    stream.seek(start)
    if not stream.readline(_MOST_LINE_BYTES).startswith(b"WARC/"):
        return None
    length = -1
    for _ in range(_MOST_FIELD_LINES):
        name, colon, value = stream.readline(_MOST_LINE_BYTES).partition(b":")
        if not colon:
            break
        if name.lower() == b"content-length" and value.strip().isdigit():
            length = int(value)
    if length < 0:
        return None
    stream.seek(length, 1)
    return stream.tell() if stream.read(len(_END)) == _END else None
