"""NearRows: the signatures of the last documents, in the order they came, in blocks that come and go."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from weaver.dedupe.sketch import ROW_WORDS, Words
from weaver.memory.reserve import discard, reserved_zeros

Numbers = NDArray[np.uint32]
Indices = NDArray[np.intp]

BLOCK_ROWS = 64
# With the entry of the ring that says where the block lies, and one to spare, for the ring is a power of two.
BLOCK_BYTES = BLOCK_ROWS * 8 * ROW_WORDS + 8
_SHIFT = np.uint32(BLOCK_ROWS.bit_length() - 1)
_IN_BLOCK = np.uint32(BLOCK_ROWS - 1)
_ID_SHIFT = np.uint64(32)


class NearRows:
    """A queue of rows, each with a running number of some bits; the oldest leave first, and leave their block free.

    A row is a signature's first ROW_WORDS words with the document's id in the high half of word 0. Invariants: `first`
    to `next_number` are the rows held; each block of numbers with a row in it has a place of its own below `blocks`,
    and `free` are the places that are nobody's. `append` is O(1), the others O(rows concerned).
    """

    def __init__(self, most_blocks: int, number_bits: int) -> None:
        self.words: Words = reserved_zeros(most_blocks * BLOCK_ROWS * ROW_WORDS, np.uint64)
        self._by_row = self.words.reshape(-1, ROW_WORDS)
        ring = 1 << (most_blocks + 1).bit_length()
        self._ring_mask = ring - 1
        self._places: Numbers = reserved_zeros(ring, np.uint32)
        self._number_mask = (1 << number_bits) - 1
        # What the compiled look-up reads: the rows, and where their blocks lie.
        self.layout = self.words.data, self._places.data
        self.blocks = 0
        self._free: list[int] = []
        # Not from 0, which a slot that was never written names.
        self.first = self.next_number = BLOCK_ROWS

    def __len__(self) -> int:
        return self.held

    @property
    def held(self) -> int:
        """How many rows there are."""
        return self.next_number - self.first

    @property
    def needs_block(self) -> bool:
        """Whether the next row begins a block and there is no place for it."""
        return not self.next_number % BLOCK_ROWS and not self._free

    @property
    def has_place(self) -> bool:
        """Whether the next row has a place in a block that others are in."""
        return self.next_number % BLOCK_ROWS != 0

    @property
    def in_oldest_block(self) -> int:
        """How many rows the oldest block holds."""
        return min(len(self), BLOCK_ROWS - self.first % BLOCK_ROWS)

    def add_block(self) -> None:
        """A further place."""
        self._free.append(self.blocks)
        self.blocks += 1

    def append(self) -> tuple[int, int]:
        """A further row, to be written at once: its number, and its index among the rows. Not while `needs_block`."""
        number = self.next_number
        if not number % BLOCK_ROWS:
            self._places[number // BLOCK_ROWS & self._ring_mask] = self._free.pop()
        self.next_number = number + 1
        return number & self._number_mask, self._place_of(number // BLOCK_ROWS) * BLOCK_ROWS + number % BLOCK_ROWS

    def appended(self) -> None:
        """The next row was written in its place, which it had (`has_place`)."""
        self.next_number += 1

    def write(self, index: int, row: Words) -> None:
        """Keep the row of a document."""
        self._by_row[index] = row

    def drop(self, count: int) -> list[int]:
        """Let the oldest rows go; their documents' ids, the oldest first."""
        left = self.ids(np.arange(len(self) - 1, len(self) - 1 - count, -1).astype(np.uint32))
        block, self.first = self.first // BLOCK_ROWS, self.first + count
        self._free.extend(self._place_of(gone) for gone in range(block, self.first // BLOCK_ROWS))
        return left

    def ages_of(self, numbers: Numbers) -> Numbers:
        """How many rows came after each number, the youngest and each only once, without those that have left."""
        ages = np.subtract(np.uint32((self.next_number - 1) & self._number_mask), numbers)
        np.bitwise_and(ages, np.uint32(self._number_mask), out=ages)
        ages.sort()
        ages = ages[: int(ages.searchsorted(len(self)))]
        if len(ages) > 1:
            is_first = np.ones(len(ages), np.bool_)
            np.not_equal(ages[1:], ages[:-1], out=is_first[1:])
            ages = ages[is_first]
        return ages

    def take(self, ages: Numbers) -> Words:
        """The rows of these ages, copied."""
        return self._by_row.take(self._indices(ages), axis=0)

    def ids(self, ages: Numbers) -> list[int]:
        """The documents' ids of these ages."""
        words: Words = self._by_row[self._indices(ages), 0]
        ids: list[int] = (words >> _ID_SHIFT).tolist()
        return ids

    def remove_block(self) -> None:
        """Give a free place up; the last block moves there if it is another."""
        place, last = self._free.pop(), self.blocks - 1
        if last in self._free:
            self._free[self._free.index(last)] = place
        elif place != last:
            self._by_row[place * BLOCK_ROWS : (place + 1) * BLOCK_ROWS] = self._by_row[last * BLOCK_ROWS :][:BLOCK_ROWS]
            in_use = self._blocks_in_use()
            moved = next(block for block in in_use if self._places[block] == last)
            self._places[moved] = place
        self.blocks = last

    def trim(self) -> None:
        """Give the RAM of the blocks that are gone back."""
        discard(self.words, self.blocks * BLOCK_ROWS * ROW_WORDS)

    @property
    def has_free_block(self) -> bool:
        """Whether a block can be removed."""
        return bool(self._free)

    def check(self) -> None:
        """Assert the invariants; O(blocks)."""
        in_use = [int(self._places[block]) for block in self._blocks_in_use()]
        assert sorted(in_use + self._free) == list(range(self.blocks)), f"{in_use} in use, {self._free} free"
        assert self.first <= self.next_number

    def _blocks_in_use(self) -> list[int]:
        """Where the ring has the blocks with rows, or with room for the next one."""
        last = -(-self.next_number // BLOCK_ROWS)
        return [block & self._ring_mask for block in range(self.first // BLOCK_ROWS, last)]

    def _place_of(self, block: int) -> int:
        return int(self._places[block & self._ring_mask])

    def _indices(self, ages: Numbers) -> Indices:
        numbers = np.uint32((self.next_number - 1) & 0xFFFFFFFF) - ages
        places = self._places.take((numbers >> _SHIFT) & np.uint32(self._ring_mask))
        return ((places.astype(np.intp)) << int(_SHIFT)) | (numbers & _IN_BLOCK)
