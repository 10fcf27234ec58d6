"""KeySlots: the columns of a table of keys, where in them a key may be, and whether it is there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaver.memory.reserve import reserved_zeros
from weaver.memory.second_chance import SecondChance

Keys = NDArray[np.uint64]
Ids = NDArray[np.uint32]
Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]
Counts = NDArray[np.uint8]

WAYS = 8
CHOICES = 2
SLOT_BYTES = 8 + 4
# With what each bucket has besides its slots: how many are taken, which were used, whether it lost a key.
BUCKET_BYTES = WAYS * SLOT_BYTES + 3
# Never in bucket 0, where alone the key 0 of fresh slots could be looked for.
_NOT_IN_BUCKET_0 = np.uint64((1 << 32) | 1)


class KeySlots:
    """Buckets of 8 slots, of which a key may be in two; address space for the most of them, RAM for those in use."""

    def __init__(self, most_buckets: int, first_buckets: int) -> None:
        self._most_buckets = most_buckets
        self._resize(min(first_buckets, most_buckets))
        slots = most_buckets * WAYS
        self._keys: Keys = reserved_zeros(slots, np.uint64)
        self._ids: Ids = reserved_zeros(slots, np.uint32)
        self._taken: Counts = reserved_zeros(most_buckets, np.uint8)
        self._second_chance = SecondChance(most_buckets)
        self._lost: Flags = reserved_zeros(most_buckets, np.bool_)
        self._key_rows = self._keys.reshape(-1, WAYS)
        self._id_rows = self._ids.reshape(-1, WAYS)
        self._key_view = self._keys.data
        self._id_view = self._ids.data
        self._key_rows[0] = _NOT_IN_BUCKET_0
        self._count = 0

    def _resize(self, buckets: int) -> None:
        self._buckets = buckets
        half = 1 << (buckets.bit_length() - 1)
        self._mask, self._half, self._unsplit_from = np.uint32(2 * half - 1), np.uint32(half), np.uint32(buckets)

    def _buckets_of(self, keys: Keys) -> Indices:
        """The two buckets of each key: its halves modulo the next power of two, or the one below where none is yet."""
        halves = keys.view(np.uint32) & self._mask
        np.subtract(halves, self._half, out=halves, where=halves >= self._unsplit_from)
        buckets: Indices = halves.astype(np.intp).reshape(-1, CHOICES)
        return buckets

    def _find(self, keys: Keys) -> tuple[Indices, Indices, Indices]:
        """The buckets of each key, which keys are there, and in which slots."""
        buckets = self._buckets_of(keys)
        rows = self._key_rows.take(buckets, axis=0).reshape(-1, CHOICES * WAYS)
        hits = (rows == keys[:, None]).reshape(-1).nonzero()[0]
        # A hit is the number choice * 8 + way among all the slots looked at; its slot is bucket * 8 + way.
        choices = hits >> 3
        slots = buckets.take(choices)
        slots -= choices
        slots *= WAYS
        slots += hits
        choices >>= 1
        return buckets, choices, slots

    def _fill(self, slots: Indices, keys: Keys, ids: Ids) -> None:
        self._keys[slots] = keys
        self._ids[slots] = ids

    def _claim(self, buckets: Indices) -> Indices:
        """A free slot of each bucket, which counts as taken from now on."""
        slots: Indices = (self._id_rows.take(buckets, axis=0) == 0).argmax(axis=1)
        slots += buckets * WAYS
        self._taken[buckets] += 1
        self._count += len(buckets)
        return slots

    def _free(self, slots: Indices) -> None:
        self._ids[slots] = 0
        self._keys[slots] = (slots < WAYS) * _NOT_IN_BUCKET_0
