"""The codec of sealed blocks: rows of edges to a third of a byte a link and back.

A block holds the rows of some nodes, ids ascending, each row's edges sorted by target. It is written as columns:

- *nodes*: each id less the one before, less 1; left out where ids are consecutive;
- *degrees*: a row's number of edges;
- *firsts*: of each row that has edges, its first target less the first target of the row with edges before it,
  modulo 2^32, signs folded in (0, -1, 1, -2, ...); the first one less 0;
- *gaps*: of each other edge, its target less the one before it in the row; 0 where a target occurs under two kinds;
- *kinds*: a byte an edge, left out where all are the same.

The integers are written as `symbols`, the columns as sections of a `container`. Rows that resemble each other, which is
what rows of a site do, give the same run of gap symbols: these repetitions are what zstd finds.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import zstandard
from numpy.typing import NDArray

from weaver.base.errors import BlockDamaged
from weaver.codec import symbols
from weaver.codec.columns import Degrees, Kinds, Nodes, Row, Targets
from weaver.codec.container import (
    MIXED_KINDS,
    MOST_ENTRIES,
    BlockHeader,
    Container,
    Section,
    seal,
)
from weaver.codec.decoded_block import DecodedBlock

_PLANES = {
    Section.NODES: Section.NODE_PLANES,
    Section.DEGREES: Section.DEGREE_PLANES,
    Section.FIRSTS: Section.FIRST_PLANES,
    Section.GAPS: Section.GAP_PLANES,
}
# benchmarks/graph_blocks.py, cnr-2000: level 9 takes a third of the time and gives 3-5 % more bytes, level 19 more than
# three times the time and 2 % less.
DEFAULT_LEVEL = 14
# What a block's columns take before zstd. A cold row costs the decompression of all of them: with 64 KiB it is half as
# slow again, for 2 % less bytes.
BLOCK_BYTES = 1 << 15
# zstd's table of hashes has 2^13 entries: with its own 2^16 it takes 290 KB more, and finds nothing more in a block.
HASH_LOG = 13
# A row's bytes beside one for each link: its degree, and the further bytes of its first target.
_ROW_BYTES = 4


def split_rows(degrees: Degrees, block_bytes: int = BLOCK_BYTES) -> Iterator[tuple[int, int]]:
    """(first, end) of runs of rows that each make a block of about so many bytes of columns, one row at least."""
    ends = np.cumsum(degrees.astype(np.int64) + _ROW_BYTES)
    first, before = 0, 0
    while first < len(ends):
        end = max(first + 1, int(np.searchsorted(ends, before + block_bytes, side="right")))
        yield first, end
        first, before = end, int(ends[end - 1])


def sort_rows(
    degrees: Degrees, targets: Targets, kinds: Kinds, places: NDArray[np.uint64 | np.int64] | None = None
) -> Row:
    """The edges of up to MOST_ENTRIES rows, each row's sorted by target and then kind; the rows in their order, or
    row `i` at `places[i]`. O(n log n)."""
    # Row, target and kind of an edge are one integer: numpy sorts those twenty times as fast as it sorts by three keys.
    ranks = np.arange(len(degrees), dtype=np.uint64) if places is None else places.astype(np.uint64)
    edges = np.repeat(ranks << np.uint64(32), degrees)
    edges |= targets
    edges <<= np.uint64(8)
    edges |= kinds
    edges.sort()
    sorted_kinds = edges.astype(np.uint8)
    edges >>= np.uint64(8)
    return edges.astype(np.uint32), sorted_kinds


class BlockCodec:
    """Writes and reads blocks. It keeps zstd's working memory (`working_bytes`, 350 KB at level 7, 900 KB at 14)
    between calls, so each thread has its own.
    """

    def __init__(self, level: int = DEFAULT_LEVEL) -> None:
        parameters = zstandard.ZstdCompressionParameters.from_level(
            level,
            source_size=BLOCK_BYTES,
            hash_log=HASH_LOG,
            write_content_size=True,
            write_checksum=False,
            write_dict_id=False,
        )
        self.level = level
        self._compressor = zstandard.ZstdCompressor(compression_params=parameters)
        self._decompressor = zstandard.ZstdDecompressor()

    def __repr__(self) -> str:
        return f"BlockCodec(level={self.level})"

    @property
    def working_bytes(self) -> int:
        """What zstd keeps between calls: little before the first block is written."""
        return int(self._compressor.memory_size() + self._decompressor.memory_size())

    def encode(self, nodes: Nodes, degrees: Degrees, targets: Targets, kinds: Kinds | bytes | None = None) -> bytes:
        """The block of these rows: ids ascending, the rows' targets one after the other, sorted within each row.

        Without `kinds` every edge is of kind 0. Raises ValueError for columns that don't fit together. O(edges).
        """
        edge_kinds = np.frombuffer(kinds, np.uint8) if isinstance(kinds, bytes) else kinds
        header = _header(nodes, degrees, targets, edge_kinds)
        starts, is_inner = _starts(degrees, len(targets))
        firsts = targets[starts]
        gaps = np.diff(targets, prepend=np.uint32(0))
        _expect_sorted(targets, is_inner)
        sections = {
            **_column(Section.NODES, np.diff(nodes) - np.uint32(1) if not header.is_dense else nodes[:0]),
            **_column(Section.DEGREES, degrees),
            **_column(Section.FIRSTS, _fold(np.diff(firsts, prepend=np.uint32(0)))),
            **_column(Section.GAPS, gaps[is_inner]),
            Section.KINDS: edge_kinds.tobytes() if edge_kinds is not None and header.kind == MIXED_KINDS else b"",
        }
        return seal(header, sections, self._compressor)

    def encode_all(
        self, nodes: Nodes, degrees: Degrees, targets: Targets, kinds: Kinds | bytes | None = None
    ) -> Iterator[bytes]:
        """The rows as blocks of about BLOCK_BYTES of columns each; otherwise as `encode`."""
        edge_kinds = np.frombuffer(kinds, np.uint8) if isinstance(kinds, bytes) else kinds
        ends = np.concatenate(([0], np.cumsum(degrees, dtype=np.int64)))
        if ends[-1] != len(targets):
            raise ValueError(f"expected {ends[-1]} targets, got {len(targets)}")
        for first, end in split_rows(degrees):
            rows, edges = slice(first, end), slice(ends[first], ends[end])
            row_kinds = None if edge_kinds is None else edge_kinds[edges]
            yield self.encode(nodes[rows], degrees[rows], targets[edges], row_kinds)

    def decode(self, block: bytes) -> DecodedBlock:
        """All rows of a block. Raises BlockDamaged. O(edges)."""
        container = Container(block, self._decompressor)
        header = container.header
        degrees = _read_column(container, Section.DEGREES, header.rows)
        offsets = np.zeros(header.rows + 1, np.int64)
        np.cumsum(degrees, dtype=np.int64, out=offsets[1:])
        _expect("links", header.links, int(offsets[-1]))
        starts, is_inner = _starts(degrees, header.links)
        firsts = _unfold(_read_column(container, Section.FIRSTS, len(starts))).cumsum(dtype=np.uint32)
        targets = np.zeros(header.links, np.uint32)
        targets[is_inner] = _read_column(container, Section.GAPS, header.links - len(starts))
        np.cumsum(targets, dtype=np.uint32, out=targets)
        targets += np.repeat(firsts - targets[starts], degrees[degrees > 0])
        return DecodedBlock(header, _read_nodes(container), offsets, targets, _read_kinds(container))

    def nodes(self, block: bytes) -> Nodes:
        """Whose rows the block has, without decoding their edges. Raises BlockDamaged. O(rows)."""
        return _read_nodes(Container(block, self._decompressor))

    def degrees(self, block: bytes) -> Degrees:
        """How many edges each row has, without decoding them. Raises BlockDamaged. O(rows)."""
        container = Container(block, self._decompressor)
        return _read_column(container, Section.DEGREES, container.header.rows)

    def row(self, block: bytes, node: int) -> Row | None:
        """One node's edges without decoding the others; None where the block has no row of it. Raises BlockDamaged."""
        container = Container(block, self._decompressor)
        header = container.header
        if not header.first_node <= node <= header.last_node:
            return None
        index = node - header.first_node
        if not header.is_dense:
            nodes = _read_nodes(container)
            index = int(np.searchsorted(nodes, np.uint32(node)))
            if nodes[index] != node:
                return None
        return self._read_row(container, index)

    def _read_row(self, container: Container, index: int) -> Row:
        header = container.header
        degrees = _read_column(container, Section.DEGREES, header.rows)
        degree, begin = int(degrees[index]), int(degrees[:index].sum(dtype=np.int64))
        _expect("links up to", min(header.links, begin + degree), begin + degree)
        kinds = _read_kinds(container)
        row_kinds = np.full(degree, header.kind, np.uint8) if kinds is None else kinds[begin : begin + degree]
        if not degree:
            return np.empty(0, np.uint32), row_kinds
        rows_before = int(np.count_nonzero(degrees[:index]))
        firsts = _read_column(container, Section.FIRSTS, int(np.count_nonzero(degrees)))
        gaps = _read_slice(container, Section.GAPS, begin - rows_before, begin - rows_before + degree - 1)
        first = _unfold(firsts[: rows_before + 1]).sum(dtype=np.uint32)
        return np.concatenate(([first], gaps), dtype=np.uint32).cumsum(dtype=np.uint32), row_kinds


def _header(nodes: Nodes, degrees: Degrees, targets: Targets, kinds: Kinds | None) -> BlockHeader:
    """The header of rows that fit together."""
    if not 0 < len(nodes) == len(degrees) <= MOST_ENTRIES:
        raise ValueError(f"expected 1 to {MOST_ENTRIES} nodes with a degree each, got {len(nodes)} and {len(degrees)}")
    edges = int(degrees.sum(dtype=np.int64))
    if not edges == len(targets) <= MOST_ENTRIES:
        raise ValueError(f"expected {edges} targets, at most {MOST_ENTRIES}, got {len(targets)}")
    if kinds is not None and len(kinds) != edges:
        raise ValueError(f"expected {edges} kinds, got {len(kinds)}")
    if not (nodes[1:] > nodes[:-1]).all():
        raise ValueError("expected node ids in ascending order")
    kind = _one_kind(kinds)
    return BlockHeader(len(nodes), edges, int(nodes[0]), int(nodes[-1]), kind)


def _one_kind(kinds: Kinds | None) -> int:
    if kinds is None or not len(kinds):
        return 0
    return int(kinds[0]) if (kinds == kinds[0]).all() else MIXED_KINDS


def _starts(degrees: Degrees, edges: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where the rows that have edges begin, and for each edge whether another of its row is before it."""
    occupied = degrees[degrees > 0]
    starts = np.cumsum(occupied, dtype=np.int64) - occupied
    is_inner = np.ones(edges, np.bool_)
    is_inner[starts] = False
    return starts, is_inner


def _expect_sorted(targets: Targets, is_inner: NDArray[np.bool_]) -> None:
    if (is_inner[1:] & (targets[1:] < targets[:-1])).any():
        raise ValueError("expected each row's targets in ascending order")


def _fold(differences: Targets) -> Targets:
    """Differences modulo 2^32 with their signs folded in: 0, -1, 1, -2, ... to 0, 1, 2, 3, ..."""
    signed = differences.view(np.int32)
    return ((signed << np.int32(1)) ^ (signed >> np.int32(31))).view(np.uint32)


def _unfold(folded: Targets) -> Targets:
    return (folded >> np.uint32(1)) ^ (np.uint32(0) - (folded & np.uint32(1)))


def _column(section: Section, values: Targets) -> dict[Section, bytes]:
    written, planes = symbols.encode(values)
    return {section: written, _PLANES[section]: planes}


def _read_column(container: Container, section: Section, length: int) -> Targets:
    written, planes = container.section(section), container.section(_PLANES[section])
    _expect(section.name, length, len(written))
    try:
        return symbols.decode(written, planes)
    except ValueError as error:
        raise BlockDamaged(f"column {section.name}: {error}") from error


def _read_slice(container: Container, section: Section, start: int, stop: int) -> Targets:
    written, planes = container.section(section), container.section(_PLANES[section])
    _expect(f"{section.name} up to", min(stop, len(written)), stop)
    try:
        return symbols.decode_slice(written, planes, start, stop)
    except ValueError as error:
        raise BlockDamaged(f"column {section.name}: {error}") from error


def _read_nodes(container: Container) -> Nodes:
    header = container.header
    if header.is_dense:
        return np.arange(header.first_node, header.last_node + 1, dtype=np.uint32)
    nodes = np.empty(header.rows, np.uint32)
    nodes[0] = header.first_node
    nodes[1:] = _read_column(container, Section.NODES, header.rows - 1) + np.uint32(1)
    _expect("the last node", header.last_node, int(nodes.sum(dtype=np.int64)))
    return nodes.cumsum(dtype=np.uint32)


def _read_kinds(container: Container) -> Kinds | None:
    header = container.header
    kinds = container.section(Section.KINDS)
    _expect("kinds", header.links if header.kind == MIXED_KINDS else 0, len(kinds))
    return kinds if header.kind == MIXED_KINDS else None


def _expect(what: str, expected: int, actual: int) -> None:
    if actual != expected:
        raise BlockDamaged(f"expected {what} {expected}, got {actual}")
