"""Sealing: the oldest hot rows, a block's worth at a time, as sealed blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weaver.codec import BLOCK_BYTES, BlockCodec, Degrees, Kinds, Nodes, Targets, sort_rows
from weaver.graph.hot_rows import HotRows
from weaver.graph.slab import RowNumbers, Slab

# A quarter of the time of level 14 for 4 % more bytes (benchmarks/graph_blocks.py): rows are sealed as the crawl goes.
SEAL_LEVEL = 7
# Hot rows may take a quarter of the account, and no more than ids that arrive out of order need to lie side by side
# again: 640,000 edges.
HOT_SHARE = 4
MOST_HOT_BYTES = 4 << 20
# A batch is half of the hot rows: ids that arrive out of order within it still lie side by side.
BATCH_SHARE = 2
# Below this a block's own bytes are more than what it saves.
LEAST_BLOCK_BYTES = 512
# What a row adds to a block's columns beside a byte an edge.
_ROW_BYTES = 4


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that make one block: whose they are, rising, the block, and where they are in the slabs."""

    nodes: Nodes
    block: bytes
    places: list[tuple[int, RowNumbers]]


class Sealing:
    """Takes the oldest slabs a batch at a time, and of a batch the rows of the lowest ids first.

    It remembers only which slabs the present batch has; which of their rows still count it asks them each time. So
    rows that are replaced or evicted meanwhile need no notice.
    """

    def __init__(self, hot: HotRows, codec: BlockCodec, account_bytes: int) -> None:
        self._hot = hot
        self._codec = codec
        self.hot_bytes = min(account_bytes // HOT_SHARE, MOST_HOT_BYTES)
        self._block_bytes = min(BLOCK_BYTES, self.hot_bytes // 8)
        self._slabs: list[tuple[int, int]] = []

    def __repr__(self) -> str:
        return f"Sealing({len(self._slabs)} slabs, beyond {self.hot_bytes} B)"

    @property
    def is_possible(self) -> bool:
        """Whether the account is large enough for blocks to be worth it."""
        return self._block_bytes >= LEAST_BLOCK_BYTES

    @property
    def is_due(self) -> bool:
        """Whether hot rows are more than their share, or a batch is not done yet."""
        return bool(self._slabs) or self._hot.slab_bytes > self.hot_bytes

    def next_block(self) -> Batch | None:
        """The next block's rows, which stay where they are; None where none are left to be sealed. 1-3 ms."""
        slabs = self._present()
        if not slabs:
            self._slabs = self._oldest()
            slabs = self._present()
        return self._block_of(slabs) if slabs else None

    def blocks_of(self, slab_id: int) -> list[Batch]:
        """All rows of one slab as blocks, which stay where they are. Some milliseconds."""
        return list(self._all_blocks(slab_id, self._hot.slab(slab_id)))

    def _all_blocks(self, slab_id: int, slab: Slab) -> list[Batch]:
        rows, nodes, degrees = slab.live()
        order = np.argsort(nodes)
        batches: list[Batch] = []
        while len(order):
            count = self._fitting(degrees[order])
            batches.append(self._encode([(slab_id, rows[order[:count]])], nodes[order[:count]]))
            order = order[count:]
        return batches

    def _oldest(self) -> list[tuple[int, int]]:
        """The slabs of the next batch, with their generations; not the one that is being filled."""
        chosen: list[tuple[int, int]] = []
        held_bytes = 0
        if self._hot.slab_bytes > self.hot_bytes:
            for slab_id, slab in self._hot.slabs:
                if slab_id == self._hot.tail_id or held_bytes >= self.hot_bytes // BATCH_SHARE:
                    break
                chosen.append((slab_id, slab.generation))
                held_bytes += slab.size_bytes
        return chosen

    def _present(self) -> list[tuple[int, Slab]]:
        """The batch's slabs that are still here."""
        self._slabs = [
            (number, generation) for number, generation in self._slabs if self._hot.holds(number, generation)
        ]
        return [(slab_id, self._hot.slab(slab_id)) for slab_id, _ in self._slabs]

    def _block_of(self, slabs: list[tuple[int, Slab]]) -> Batch:
        """The rows of the lowest ids as a block."""
        columns = [slab.live() for _, slab in slabs]
        nodes = np.concatenate([nodes for _, nodes, _ in columns])
        degrees = np.concatenate([degrees for _, _, degrees in columns])
        # A node is in one slab only, so id and place sort as one integer, in a tenth of an argsort's time.
        order = (np.sort((nodes.astype(np.uint64) << np.uint64(32)) | np.arange(len(nodes), dtype=np.uint64))).view(
            np.uint32
        )[_LOW_HALF::2]
        order = order[: self._fitting(degrees[order])]
        chosen = np.zeros(len(nodes), np.bool_)
        chosen[order] = True
        places, begin = [], 0
        for (slab_id, _), (rows, _, _) in zip(slabs, columns, strict=True):
            of_slab = rows[chosen[begin : begin + len(rows)]]
            begin += len(rows)
            if len(of_slab):
                places.append((slab_id, of_slab))
        return self._encode(places, nodes[order])

    def _fitting(self, degrees: Degrees) -> int:
        """How many of these rows a block has room for, one at least."""
        ends = np.cumsum(degrees.astype(np.int64) + _ROW_BYTES)
        return max(1, int(np.searchsorted(ends, self._block_bytes, side="right")))

    def _encode(self, places: list[tuple[int, RowNumbers]], nodes: Nodes) -> Batch:
        gathered = [self._hot.slab(slab_id).gather(rows) for slab_id, rows in places]
        found = [self._hot.slab(slab_id).nodes_and_degrees(rows) for slab_id, rows in places]
        targets, kinds = _joined(gathered)
        ids = np.concatenate([ids for ids, _ in found])
        degrees = np.concatenate([degrees for _, degrees in found])
        ranks: NDArray[np.int64] = np.searchsorted(nodes, ids)
        targets, kinds = sort_rows(degrees, targets, kinds, ranks)
        ordered = np.empty_like(degrees)
        ordered[ranks] = degrees
        return Batch(nodes, self._codec.encode(nodes, ordered, targets, kinds), places)


_LOW_HALF = int(np.array([1], np.uint64).view(np.uint32)[0] == 0)
"""Where the low half of a 64-bit integer is among its two halves, on this machine."""


def _joined(rows: list[tuple[Targets, Kinds]]) -> tuple[Targets, Kinds]:
    return np.concatenate([targets for targets, _ in rows]), np.concatenate([kinds for _, kinds in rows])
