"""The outer form of a sealed block: a header, its sections under zstd, a checksum over all of it.

All numbers are little-endian.

bytes 0-1     magic, "wB"
byte  2       format version, 1
byte  3       the kind of all edges, or 255 where each edge has its own in the section KINDS
bytes 4-7     rows, u32
bytes 8-11    links, u32
bytes 12-15   the first row's node, u32
bytes 16-19   the last row's node, u32
byte  20      s, the number of sections
9 s bytes     for each section: its id, u8; its raw length and its stored length, u32 each
...           the sections, in the order of the table; one stored at its raw length is not compressed
last 8 bytes  xxh3-64 of all bytes before them

A section of no bytes is left out. Raw lengths are bounded by what the header's rows and links can need, so that a
block allocates no more than a small multiple of what it says it holds, and it says at most MOST_ENTRIES of either.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import xxhash
import zstandard
from numpy.typing import NDArray

from weaver.base.errors import BlockDamaged
from weaver.codec.symbols import MOST_FURTHER_BYTES

MAGIC = b"wB"
FORMAT_VERSION = 1
MIXED_KINDS = 255
# A page's links are far fewer; more rows or links in one block would make one cold look-up unbounded.
MOST_ENTRIES = 1 << 24
CHECKSUM_BYTES = 8

_HEAD = struct.Struct("<2sBBIIIIB")
_SECTION = struct.Struct("<BII")
_CHECKSUM = struct.Struct("<Q")


class Section(IntEnum):
    """What a section holds; a column is two of them, symbols and planes. The number is what is stored."""

    NODES = 0
    NODE_PLANES = 1
    DEGREES = 2
    DEGREE_PLANES = 3
    FIRSTS = 4
    FIRST_PLANES = 5
    GAPS = 6
    GAP_PLANES = 7
    KINDS = 8


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """What a block says of itself. `kind` is MIXED_KINDS where its edges differ in kind."""

    rows: int
    links: int
    first_node: int
    last_node: int
    kind: int

    @property
    def is_dense(self) -> bool:
        """Whether its rows are those of consecutive nodes."""
        return self.last_node - self.first_node + 1 == self.rows


def seal(header: BlockHeader, sections: Mapping[Section, bytes], compressor: zstandard.ZstdCompressor) -> bytes:
    """The block's bytes."""
    table, bodies = [], []
    for section, raw in sections.items():
        if raw:
            packed = compressor.compress(raw)
            stored = packed if len(packed) < len(raw) else raw
            table.append(_SECTION.pack(section, len(raw), len(stored)))
            bodies.append(stored)
    head = _HEAD.pack(
        MAGIC,
        FORMAT_VERSION,
        header.kind,
        header.rows,
        header.links,
        header.first_node,
        header.last_node,
        len(table),
    )
    block = b"".join((head, *table, *bodies))
    return block + _CHECKSUM.pack(xxhash.xxh3_64_intdigest(block))


def read_header(block: bytes) -> BlockHeader:
    """The header alone, unverified but for its form. Raises BlockDamaged. O(1)."""
    if len(block) < _HEAD.size + CHECKSUM_BYTES:
        raise BlockDamaged(f"expected a block of at least {_HEAD.size + CHECKSUM_BYTES} bytes, got {len(block)}")
    magic, version, kind, rows, links, first_node, last_node, _ = _HEAD.unpack_from(block)
    if magic != MAGIC or version != FORMAT_VERSION:
        raise BlockDamaged(f"expected a block of format {MAGIC!r} {FORMAT_VERSION}, got {magic!r} {version}")
    if not 0 < rows <= min(MOST_ENTRIES, last_node - first_node + 1) or links > MOST_ENTRIES:
        raise BlockDamaged(f"expected a block's own figures, got {rows} rows with {links} links from {first_node}")
    return BlockHeader(rows, links, first_node, last_node, kind)


def verify(block: bytes) -> None:
    """Raise BlockDamaged unless the checksum is that of the bytes. O(bytes), at some 10 GB/s."""
    if len(block) < CHECKSUM_BYTES:
        raise BlockDamaged(f"expected a checksum of {CHECKSUM_BYTES} bytes, got a block of {len(block)}")
    (expected,) = _CHECKSUM.unpack_from(block, len(block) - CHECKSUM_BYTES)
    actual = xxhash.xxh3_64_intdigest(memoryview(block)[:-CHECKSUM_BYTES])
    if actual != expected:
        raise BlockDamaged(f"expected a block of checksum {expected:016x}, got {actual:016x}")


class Container:
    """A verified block, whose sections are decompressed as they are asked for."""

    __slots__ = ("_block", "_decompressor", "_places", "header")

    def __init__(self, block: bytes, decompressor: zstandard.ZstdDecompressor) -> None:
        verify(block)
        self.header = read_header(block)
        self._block = block
        self._decompressor = decompressor
        self._places = self._read_table()

    def section(self, section: Section) -> NDArray[np.uint8]:
        """The section's raw bytes, none where it was left out. Raises BlockDamaged."""
        place = self._places.get(section)
        if place is None:
            return np.empty(0, np.uint8)
        begin, raw_bytes, stored_bytes = place
        stored = memoryview(self._block)[begin : begin + stored_bytes]
        if raw_bytes == stored_bytes:
            return np.frombuffer(stored, np.uint8)
        return np.frombuffer(self._decompress(stored, raw_bytes), np.uint8)

    def _decompress(self, stored: memoryview, raw_bytes: int) -> bytes:
        try:
            # What the frame says of its size is what would be allocated, so it is asked first.
            if zstandard.frame_content_size(stored) == raw_bytes:
                return self._decompressor.decompress(stored, max_output_size=raw_bytes)
        except zstandard.ZstdError as error:
            raise BlockDamaged(f"expected a zstd frame of {raw_bytes} bytes: {error}") from error
        raise BlockDamaged(f"expected a zstd frame of {raw_bytes} bytes, got one of another size")

    def _read_table(self) -> dict[int, tuple[int, int, int]]:
        """(begin, raw length, stored length) of each section, all within the block and its bounds."""
        count = self._block[_HEAD.size - 1]
        begin = _HEAD.size + _SECTION.size * count
        end = len(self._block) - CHECKSUM_BYTES
        most_bytes = MOST_FURTHER_BYTES * max(self.header.rows, self.header.links)
        if begin > end:
            raise BlockDamaged(f"expected {count} sections, got a block of {len(self._block)} bytes")
        places: dict[int, tuple[int, int, int]] = {}
        for section, raw_bytes, stored_bytes in _SECTION.iter_unpack(self._block[_HEAD.size : begin]):
            if raw_bytes > most_bytes:
                raise BlockDamaged(f"expected at most {most_bytes} bytes in section {section}, got {raw_bytes}")
            places[section] = begin, raw_bytes, stored_bytes
            begin += stored_bytes
        if begin != end:
            raise BlockDamaged(f"expected sections up to byte {end}, got {begin}")
        return places
