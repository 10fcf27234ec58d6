"""The codec of sealed blocks: what goes in comes out, and what was damaged never does."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from weaver.base.errors import BlockDamaged
from weaver.codec import symbols
from weaver.codec.block_codec import BLOCK_BYTES, BlockCodec, sort_rows, split_rows
from weaver.codec.container import MOST_ENTRIES, read_header, verify
from weaver.codec.decoded_block import DecodedBlock

Rows = dict[int, list[tuple[int, int]]]
HIGHEST = (1 << 32) - 1
IDS = st.one_of(st.integers(0, 50), st.integers(0, 70_000), st.integers(0, HIGHEST))
KINDS = st.one_of(st.just(0), st.integers(0, 4), st.integers(0, 255))
ROWS: st.SearchStrategy[Rows] = st.dictionaries(
    IDS, st.sets(st.tuples(IDS, KINDS), max_size=30).map(sorted), min_size=1, max_size=30
)
CODEC = BlockCodec(level=3)
CHECKSUM = struct.Struct("<Q")


def columns(rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray, bytes]:
    nodes = sorted(rows)
    edges = [edge for node in nodes for edge in rows[node]]
    degrees = np.array([len(rows[node]) for node in nodes], np.uint32)
    targets = np.array([target for target, _ in edges], np.uint32)
    return np.array(nodes, np.uint32), degrees, targets, bytes(kind for _, kind in edges)


def read_back(decoded: DecodedBlock) -> Rows:
    return {node: list(zip(targets.tolist(), kinds.tolist(), strict=True)) for node, targets, kinds in decoded.rows()}


def resealed(block: bytes) -> bytes:
    """The block with a checksum that is right for what it now says."""
    return block[:-8] + CHECKSUM.pack(xxhash.xxh3_64_intdigest(block[:-8]))


def site(pages: int) -> Rows:
    """Pages that share a menu, as those of a site do, with a link or two of their own."""
    menu = [(target, 0) for target in (1, 2, 3, 40, 300, 9_000, 70_000)]
    return {page: sorted({*menu, (page + 1, 0), (page * 7919 % 10**6, 0)}) for page in range(100, 100 + pages)}


@given(st.lists(IDS, max_size=300), st.integers(0, 300), st.integers(0, 300))
def test_a_column_of_integers_comes_back(values, start, length):
    """Any 32-bit integers come back from their symbols, all of them and any slice of them."""
    column = np.array(values, np.uint32)
    written, planes = (np.frombuffer(part, np.uint8) for part in symbols.encode(column))
    assert len(written) == len(column)
    assert symbols.decode(written, planes).tolist() == values
    start, stop = min(start, len(values)), min(start + length, len(values))
    assert symbols.decode_slice(written, planes, start, stop).tolist() == values[start:stop]


@pytest.mark.parametrize("value", [0, 223, 224, 6_367, 6_368, 268_511, 268_512, 50_600_159, 50_600_160, HIGHEST])
def test_the_ends_of_each_range_come_back(value):
    """The first and last value of each range of the table is written and read in the same range."""
    written, planes = (np.frombuffer(part, np.uint8) for part in symbols.encode(np.array([value], np.uint32)))
    further = [223, 6_367, 268_511, 50_600_159, HIGHEST]
    assert len(planes) == next(size for size, last in enumerate(further) if value <= last)
    assert symbols.decode(written, planes).tolist() == [value]


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_planes_of_other_symbols_are_refused(written, planes):
    """Symbols with planes of the wrong length raise ValueError and nothing else."""
    parts = np.frombuffer(written, np.uint8), np.frombuffer(planes, np.uint8)
    needed = sum((symbol >= 224) + (symbol >= 248) + (symbol >= 252) + (symbol == 255) for symbol in written)
    if needed == len(planes):
        assert len(symbols.decode(*parts)) == len(written)
    else:
        with pytest.raises(ValueError, match=r"expected|broadcast"):
            symbols.decode(*parts)


@given(ROWS)
@settings(deadline=None)
def test_any_rows_come_back(rows):
    """Any rows come back: ids sparse or consecutive, of any size, empty rows, a target under two kinds."""
    block = CODEC.encode(*columns(rows))
    assert read_back(CODEC.decode(block)) == rows


@given(ROWS, IDS)
@settings(deadline=None)
def test_one_row_is_read_as_from_the_whole(rows, other):
    """A row read from a cold block is the row of the decoded one; a node without a row gives None in both."""
    block = CODEC.encode(*columns(rows))
    decoded = CODEC.decode(block)
    for node in {*rows, other}:
        found = [
            row and list(zip(row[0].tolist(), row[1].tolist(), strict=True))
            for row in (CODEC.row(block, node), decoded.row(node))
        ]
        assert found == [rows.get(node)] * 2


@given(ROWS, st.data())
@settings(deadline=None)
def test_a_flipped_bit_is_always_found(rows, data):
    """A block with any one bit flipped, or cut short anywhere, raises BlockDamaged from every call."""
    block = CODEC.encode(*columns(rows))
    bit = data.draw(st.integers(0, 8 * len(block) - 1))
    flipped = bytearray(block)
    flipped[bit // 8] ^= 1 << bit % 8
    for damaged in (bytes(flipped), block[: bit // 8]):
        for read in (verify, CODEC.decode, lambda damaged: CODEC.row(damaged, next(iter(rows)))):
            with pytest.raises(BlockDamaged):
                read(damaged)


@given(ROWS, st.data())
@settings(deadline=None)
def test_a_forged_block_raises_only_block_damaged(rows, data):
    """Bytes altered under a right checksum give rows of some kind or BlockDamaged, no other error."""
    forged = bytearray(CODEC.encode(*columns(rows)))
    for _ in range(data.draw(st.integers(1, 3))):
        forged[data.draw(st.integers(0, len(forged) - 9))] = data.draw(st.integers(0, 255))
    block = resealed(bytes(forged))
    reads: list[Callable[[], object]] = [lambda: CODEC.decode(block), lambda: CODEC.row(block, next(iter(rows)))]
    for read in reads:
        try:
            read()
        except BlockDamaged:
            continue


@given(st.binary(max_size=200))
def test_any_bytes_are_no_block(data):
    """Bytes of another origin raise BlockDamaged."""
    with pytest.raises(BlockDamaged):
        CODEC.decode(data)


def test_a_frame_that_claims_more_than_it_may_is_not_decompressed():
    """A section whose raw length passes what rows and links can need is refused before anything is allocated."""
    block = bytearray(CODEC.encode(*columns(site(100))))
    struct.pack_into("<I", block, 22, 1 << 30)
    with pytest.raises(BlockDamaged, match="at most"):
        CODEC.decode(resealed(bytes(block)))


def test_an_older_or_newer_format_is_named():
    """A block of another version is refused with the version that was expected and the one found."""
    block = bytearray(CODEC.encode(*columns(site(3))))
    block[2] = 9
    with pytest.raises(BlockDamaged, match="format b'wB' 1, got b'wB' 9"):
        read_header(resealed(bytes(block)))


@pytest.mark.parametrize(
    ("nodes", "degrees", "targets", "kinds"),
    [
        ([], [], [], None),
        ([1, 2], [1], [5], None),
        ([1], [2], [5], None),
        ([1], [1], [5, 6], None),
        ([1], [1], [5], b"\0\0"),
        ([2, 1], [1, 1], [5, 6], None),
        ([1, 1], [1, 1], [5, 6], None),
        ([1], [2], [6, 5], None),
    ],
)
def test_columns_that_do_not_fit_are_refused(nodes, degrees, targets, kinds):
    """Columns of unequal length, ids out of order and unsorted rows raise ValueError."""
    with pytest.raises(ValueError, match="expected"):
        CODEC.encode(*(np.array(column, np.uint32) for column in (nodes, degrees, targets)), kinds)


def test_a_header_tells_what_a_block_holds():
    """Rows, links, the range of nodes and the one kind are known without decompressing anything."""
    rows = {7: [(1, 2), (9, 2)], 12: [], 40: [(3, 2)]}
    header = read_header(CODEC.encode(*columns(rows)))
    assert (header.rows, header.links, header.first_node, header.last_node) == (3, 3, 7, 40)
    assert header.kind == 2
    assert not header.is_dense


def test_edges_of_one_kind_cost_no_kinds():
    """A block whose edges are all of one kind takes as many bytes as one without kinds."""
    nodes, degrees, targets, kinds = columns(site(50))
    assert len(CODEC.encode(nodes, degrees, targets, kinds)) == len(CODEC.encode(nodes, degrees, targets))


def test_rows_that_resemble_each_other_cost_a_few_bits_a_link():
    """Pages of one site, a menu and two links of their own each, take less than 5 bits a link."""
    nodes, degrees, targets, _ = columns(site(3_000))
    blocks = list(BlockCodec().encode_all(nodes, degrees, targets))
    assert 8 * sum(map(len, blocks)) / len(targets) < 5


@given(st.lists(st.integers(0, 500), max_size=60), st.integers(1, 2_000))
def test_rows_are_split_without_a_gap(degrees, block_bytes):
    """The runs follow each other from the first row to the last, each within its bytes or of one row."""
    column = np.array(degrees, np.uint32)
    runs = list(split_rows(column, block_bytes))
    assert [row for first, end in runs for row in range(first, end)] == list(range(len(degrees)))
    assert all(end - first == 1 or sum(degrees[first:end]) <= block_bytes for first, end in runs)


@given(ROWS)
@settings(deadline=None)
def test_many_rows_become_blocks(rows):
    """`encode_all` gives blocks whose rows together are the rows given."""
    blocks = list(CODEC.encode_all(*columns(rows)))
    assert {node: row for block in blocks for node, row in read_back(CODEC.decode(block)).items()} == rows


def test_many_rows_become_several_blocks():
    """A block ends where its columns would pass BLOCK_BYTES."""
    nodes, degrees, targets, _ = columns(site(10_000))
    blocks = list(CODEC.encode_all(nodes, degrees, targets))
    assert len(blocks) == -(-(len(targets) + 4 * len(nodes)) // BLOCK_BYTES)
    with pytest.raises(ValueError, match="targets"):
        next(CODEC.encode_all(nodes, degrees, targets[1:]))


@given(st.lists(st.lists(st.tuples(IDS, KINDS), max_size=12), max_size=12))
def test_rows_are_sorted_each_by_itself(rows):
    """`sort_rows` orders each row's edges by target and kind, and moves none to another row."""
    edges = [edge for row in rows for edge in row]
    degrees = np.array([len(row) for row in rows], np.uint32)
    targets = np.array([target for target, _ in edges], np.uint32)
    kinds = np.array([kind for _, kind in edges], np.uint8)
    ordered = sort_rows(degrees, targets, kinds)
    expected = [edge for row in rows for edge in sorted(row)]
    assert list(zip(ordered[0].tolist(), ordered[1].tolist(), strict=True)) == expected


def test_decoded_arrays_are_read_only():
    """A row is a view that nobody can write through."""
    decoded = CODEC.decode(CODEC.encode(*columns(site(3))))
    row = decoded.row(100)
    assert row is not None
    with pytest.raises(ValueError, match="read-only"):
        row[0][0] = 1


def test_a_block_of_too_many_rows_is_not_believed():
    """A header that says more rows than MOST_ENTRIES, or than its range has ids, is refused."""
    block = bytearray(CODEC.encode(*columns(site(3))))
    for rows in (0, 4, MOST_ENTRIES + 1):
        struct.pack_into("<I", block, 4, rows)
        with pytest.raises(BlockDamaged, match="figures"):
            CODEC.decode(resealed(bytes(block)))
