"""The compiled sum of edges' hashes gives what its twin in Python gives."""

from __future__ import annotations

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from weaver.native import compiled
from weaver.persistence.digest import sum_of_lines_in_python

pytestmark = pytest.mark.skipif(compiled is None, reason="the compiled module isn't there: nothing to compare")

TEXTS = st.lists(st.binary(max_size=140), min_size=1, max_size=5)


@given(TEXTS, TEXTS, st.data())
def test_sums_of_lines_are_those_of_python(starts: list[bytes], ends: list[bytes], data: st.DataObject) -> None:
    """Whatever the lines are and however often they come, the sum is the same."""
    assert compiled is not None
    pairs = st.tuples(st.integers(0, len(starts) - 1), st.integers(0, len(ends) - 1))
    places = np.array(data.draw(st.lists(pairs, min_size=1, max_size=20)), np.int64)
    columns = starts, places[:, 0].copy(), ends, places[:, 1].copy(), xxhash.xxh3_128_digest
    assert compiled.sum_of_lines(*columns) == sum_of_lines_in_python(*columns)


def test_lines_of_every_length_are_hashed_as_xxhash_does() -> None:
    """Each length up to 300 bytes, wherever a line is cut in two, has the digest of the whole line."""
    assert compiled is not None
    text, place = np.random.default_rng(7).bytes(300), np.zeros(1, np.int64)
    for length in range(301):
        line = text[:length]
        for cut in {0, length // 3, length}:
            found = compiled.sum_of_lines([line[:cut]], place, [line[cut:]], place, xxhash.xxh3_128_digest)
            assert found == xxhash.xxh3_128_digest(line), length


def test_a_place_that_is_none_is_refused() -> None:
    """A column that names what is not there, or columns of two lengths, are errors, and no memory is read."""
    assert compiled is not None
    none, one = np.zeros(0, np.int64), np.zeros(1, np.int64)
    for heads, tails in ((one + 1, one), (one, one - 1), (one, none)):
        with pytest.raises(ValueError, match="expected"):
            compiled.sum_of_lines([b"a"], heads, [b"b"], tails, xxhash.xxh3_128_digest)
    with pytest.raises(ValueError, match="expected places of bytes"):
        compiled.sum_of_lines(["a"], one, [b"b"], one, xxhash.xxh3_128_digest)  # type: ignore[list-item]
