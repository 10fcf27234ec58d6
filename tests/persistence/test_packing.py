"""The links blob: what is packed comes back, and what is damaged is refused."""

from __future__ import annotations

import json
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weaver.base.errors import PersistenceError
from weaver.base.page import EdgeKind
from weaver.base.record import Adjacency
from weaver.persistence.keys import to_signed, to_unsigned
from weaver.persistence.packing import (
    edges_by_kind,
    links_json,
    pack,
    unpack,
    unpack_many,
)

EDGES = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.sampled_from(list(EdgeKind))))


def _adjacency(edges: list[tuple[int, EdgeKind]]) -> Adjacency:
    return Adjacency(array("I", [target for target, _ in edges]).tobytes(), bytes(kind for _, kind in edges))


@given(EDGES)
def test_edges_survive_packing_in_any_order(edges: list[tuple[int, EdgeKind]]) -> None:
    """Whatever the edges and the order of their kinds, unpacking gives them back."""
    packed = pack(_adjacency(edges))
    targets, kinds = unpack(packed)
    assert (targets.dtype, kinds.dtype) == (np.uint32, np.uint8)
    assert list(zip(targets.tolist(), kinds.tolist(), strict=True)) == edges
    assert json.loads(links_json(packed)) == [[target, int(kind)] for target, kind in edges]
    assert sum(edges_by_kind(packed).values()) == len(edges)


def test_the_format_is_as_documented() -> None:
    """Version, runs, their kinds and lengths, then the targets, little-endian: other programs may rely on it."""
    packed = pack(_adjacency([(1, EdgeKind.HYPERLINK), (2, EdgeKind.HYPERLINK), (258, EdgeKind.CANONICAL)]))
    assert packed.hex(" ", 1) == "01 02 00 00 00 00 03 02 00 00 00 01 00 00 00 01 00 00 00 02 00 00 00 02 01 00 00"
    one_run = pack(_adjacency([(7, EdgeKind.REDIRECT)]))
    assert one_run.hex(" ", 1) == "01 01 00 00 00 02 01 00 00 00 07 00 00 00"


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\x02\x00\x00\x00\x00",
        b"\x01\xff\xff\xff\xff",
        b"\x01\x01\x00\x00\x00\x00\x02\x00\x00\x00\x07\x00\x00\x00",
        b"\x01\x00\x00\x00\x00\x07\x00\x00",
    ],
    ids=["empty", "other version", "too many runs", "too few targets", "loose bytes"],
)
def test_a_damaged_blob_is_refused(packed: bytes) -> None:
    """A blob of another version or length raises, and is never half read."""
    with pytest.raises(PersistenceError):
        unpack(packed)


@given(st.lists(EDGES, max_size=8))
def test_many_blobs_unpack_as_each_alone(pages: list[list[tuple[int, EdgeKind]]]) -> None:
    """Whatever their runs of kinds, all edges come one after the other, with the number of each blob's."""
    blobs = [pack(_adjacency(edges)) for edges in pages]
    degrees, targets, kinds = unpack_many(blobs)
    alone = [unpack(packed) for packed in blobs]
    assert degrees.tolist() == [len(row_targets) for row_targets, _ in alone]
    assert targets.tolist() == [target for row_targets, _ in alone for target in row_targets.tolist()]
    assert kinds.tolist() == [kind for _, row_kinds in alone for kind in row_kinds.tolist()]


def test_a_damaged_blob_among_many_is_refused() -> None:
    """A blob that was cut off is found among whole ones."""
    whole = pack(_adjacency([(1, EdgeKind.HYPERLINK), (2, EdgeKind.HYPERLINK)]))
    for damaged in (whole[:-1], whole[:7], b""):
        with pytest.raises(PersistenceError):
            unpack_many([whole, damaged])


def test_uneven_columns_are_refused() -> None:
    """An adjacency whose columns differ in length never reaches the disk."""
    with pytest.raises(ValueError, match="4 bytes of target"):
        pack(Adjacency(b"\x01\x00\x00\x00", b"\x00\x00"))


@given(st.integers(0, 2**64 - 1))
def test_keys_survive_the_sign(key: int) -> None:
    """Every unsigned key has one signed form that SQLite holds, and comes back from it."""
    assert -(2**63) <= to_signed(key) < 2**63
    assert to_unsigned(to_signed(key)) == key


@pytest.mark.parametrize("key", [-1, 2**64])
def test_a_key_of_more_than_64_bits_is_refused(key: int) -> None:
    """What is no unsigned 64-bit number is an error, not another URL's key."""
    with pytest.raises(OverflowError):
        to_signed(key)
