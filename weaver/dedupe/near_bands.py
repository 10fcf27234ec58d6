"""NearBands: which of the last documents have a band key in common with a signature, in four bytes a key."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaver.dedupe.sketch import BANDS, ROW_WORDS, Words
from weaver.memory.reserve import discard, reserved_zeros
from weaver.native import compiled

Numbers = NDArray[np.uint32]
Indices = NDArray[np.intp]

WAYS = 32
BUCKET_BYTES = 4 * WAYS
# Candidates of one signature at most, whatever the documents are: no page makes the look-up of another one long.
MOST_CANDIDATES = BANDS * WAYS
# A slot is a number of a document, as far as it has room, and below it a part of the key.
NUMBER_BITS = 24
_PART_BITS = 8
_PART_SHIFT = np.uint32(NUMBER_BITS)
_NUMBER = np.uint32((1 << NUMBER_BITS) - 1)
_KEY_SHIFT = np.uint64(64 - _PART_BITS)


class NearBands:
    """Band key to the numbers of the last documents that have it, in buckets of 32; the newest pushes the oldest out.

    What a bucket holds are candidates, to be verified by their signatures; a number that is of no document any more is
    passed over there, so that nothing is ever deleted. Of a key a slot keeps eight bits, those that say to which of
    two buckets it goes when one splits (linear hashing: Litwin 1980): the table can grow to 256 times its first size.
    `most` is a power of two times the first size, for in between some buckets have split and others are twice as full.
    A look-up is O(1): eight buckets, however many documents share a key.

    Invariant: a slot that is not 0 is in the bucket that its eight bits name.
    """

    def __init__(self, most_buckets: int, first_buckets: int) -> None:
        levels = min(_PART_BITS, max(1, most_buckets // first_buckets).bit_length() - 1)
        self.first = max(1, most_buckets >> levels)
        self.most = self.first << levels
        self._slots: Numbers = reserved_zeros(self.most * WAYS, np.uint32)
        self._buckets = self._slots.reshape(-1, WAYS)
        self._level = 0
        self._view = self._slots.data
        self._resize(self.first)

    @property
    def buckets(self) -> int:
        """Buckets of the present size."""
        return self._count

    def candidates(self, signature: Words) -> Numbers:
        """Numbers that may have one of the signature's keys, with repeats, and with 0 where nothing is."""
        numbers = self._buckets.take(self._homes(signature)[0], axis=0).reshape(-1)
        return np.bitwise_and(numbers, _NUMBER, out=numbers)

    def put(self, signature: Words, number: int) -> None:
        """Keep the number, of NUMBER_BITS, under each of the signature's keys."""
        buckets, parts = self._homes(signature)
        slots = (parts.astype(np.uint32) << _PART_SHIFT) | np.uint32(number)
        if len(set(buckets.tolist())) == len(buckets):
            self._buckets[buckets, 1:] = self._buckets[buckets, :-1]
            self._buckets[buckets, 0] = slots
            return
        for bucket, slot in zip(buckets.tolist(), slots.tolist(), strict=True):
            ways = self._buckets[bucket]
            ways[1:] = ways[:-1]
            ways[0] = slot

    def grow(self, buckets: int) -> None:
        """Have so many buckets: some split, one after the other."""
        while self._count < min(buckets, self.most):
            step = min(min(buckets, self.most) - self._count, 2 * self._half - self._count)
            lower, bit = self._count - self._half, 1 << NUMBER_BITS + self._level
            if compiled is None:
                self._split_in_numpy(lower, step, bit)
            else:
                compiled.near_split(self._view, lower, self._count, step, bit)
            self._resize(self._count + step)

    def merge(self, buckets: int) -> None:
        """Have so few buckets, not fewer than at first: of two that become one the newer halves stay."""
        while self._count > max(buckets, self.first):
            half = self._half if self._count > self._half else self._half // 2
            start = max(half, buckets)
            upper, lower = self._buckets[start : self._count], self._buckets[start - half : self._count - half]
            both = np.stack((lower, upper), axis=2).reshape(len(lower), -1)
            lower[:] = _only(both, both != 0)[:, :WAYS]
            upper[:] = 0
            self._resize(start)

    def trim(self) -> None:
        """Give the RAM of the buckets that are gone back."""
        discard(self._slots, self._count * WAYS)

    def check(self) -> None:
        """Assert the invariants; O(slots)."""
        for start in range(0, self._count, 1_024):
            slots = self._buckets[start : min(start + 1_024, self._count)]
            at = np.arange(start, start + len(slots))[:, None]
            homes = at % self.first + self.first * (slots >> _PART_SHIFT).astype(np.intp)
            assert bool(((self._folded(homes) == at) | (slots == 0)).all()), "a slot in a bucket that is not its own"
        assert not self._slots[self._count * WAYS :].any(), "a slot beyond the buckets in use"

    def _resize(self, buckets: int) -> None:
        self._count = buckets
        self._level = (buckets // self.first).bit_length() - 1
        self._half = self.first << self._level
        # What the compiled look-up reads: the slots, and from which buckets on they are folded.
        self.layout = self._view, self.first, self._count, self._half

    def _split_in_numpy(self, start: int, step: int, bit: int) -> None:
        lower = self._buckets[start : start + step]
        goes = lower & np.uint32(bit) != 0
        self._buckets[self._count : self._count + step] = _only(lower, goes)
        lower[:] = _only(lower, ~goes)

    def _homes(self, signature: Words) -> tuple[Indices, Indices]:
        """Where the signature's keys belong: buckets, and what a slot keeps of each key."""
        keys = signature[ROW_WORDS:]
        parts = (keys >> _KEY_SHIFT).view(np.intp)
        return self._folded((keys % np.uint64(self.first)).view(np.intp) + parts * self.first), parts

    def _folded(self, homes: Indices) -> Indices:
        """Where what lives in a bucket of the largest table lives now."""
        buckets = homes % (2 * self._half)
        np.subtract(buckets, self._half, out=buckets, where=buckets >= self._count)
        return buckets


def _only(slots: Numbers, stays: NDArray[np.bool_]) -> Numbers:
    """Each bucket with those slots that stay, in their order, moved up to its front; zeros behind them."""
    order = np.argsort(~stays, axis=1, kind="stable")
    return np.take_along_axis(np.where(stays, slots, np.uint32(0)), order, axis=1)
