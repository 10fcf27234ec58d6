"""DecodedBlock: the rows of a sealed block as plain arrays."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from weaver.codec.columns import Kinds, Nodes, Offsets, Row, Targets
from weaver.codec.container import BlockHeader


class DecodedBlock:
    """Row `i` is that of `nodes[i]`, its edges `offsets[i]:offsets[i + 1]`; all arrays are read-only.

    `kinds` is None where all edges are of the one kind that the header names.
    """

    __slots__ = ("_node_ids", "_row_ends", "header", "kinds", "nodes", "offsets", "targets")

    def __init__(self, header: BlockHeader, nodes: Nodes, offsets: Offsets, targets: Targets, kinds: Kinds | None):
        self.header = header
        self.nodes = nodes
        self.offsets = offsets
        self.targets = targets
        self.kinds = kinds
        for column in (nodes, offsets, targets):
            column.flags.writeable = False
        # Scalars are read through memoryviews, which give Python ints at a third of numpy's cost.
        self._node_ids = nodes.data
        self._row_ends = offsets.data

    def __repr__(self) -> str:
        return f"DecodedBlock({len(self)} rows, {len(self.targets)} edges, from node {self.header.first_node})"

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def bytes(self) -> int:
        """What its arrays take."""
        kind_bytes = 0 if self.kinds is None else self.kinds.nbytes
        return self.nodes.nbytes + self.offsets.nbytes + self.targets.nbytes + kind_bytes

    def row(self, node: int) -> Row | None:
        """The node's edges as views of the block, which they keep alive; None where it has no row. O(log rows)."""
        index = self._index(node)
        if index is None:
            return None
        begin, end = self._row_ends[index], self._row_ends[index + 1]
        if self.kinds is None:
            return self.targets[begin:end], np.full(end - begin, self.header.kind, np.uint8)
        return self.targets[begin:end], self.kinds[begin:end]

    def rows(self) -> Iterator[tuple[int, Targets, Kinds]]:
        """Every row, ids ascending, as views of the block."""
        kinds = self.edge_kinds()
        for node, begin, end in zip(self._node_ids, self._row_ends, self._row_ends[1:], strict=False):
            yield node, self.targets[begin:end], kinds[begin:end]

    def only(self, wanted: NDArray[np.bool_]) -> DecodedBlock:
        """The block with the wanted ones of its rows, one at least; itself where it is all of them. O(edges)."""
        if wanted.all():
            return self
        degrees = np.diff(self.offsets)
        edges = np.repeat(wanted, degrees)
        nodes, targets = self.nodes[wanted], self.targets[edges]
        header = BlockHeader(len(nodes), len(targets), int(nodes[0]), int(nodes[-1]), self.header.kind)
        offsets = np.concatenate(([0], np.cumsum(degrees[wanted])))
        return DecodedBlock(header, nodes, offsets, targets, None if self.kinds is None else self.kinds[edges])

    def edge_kinds(self) -> Kinds:
        """The kind of each edge."""
        return np.full(len(self.targets), self.header.kind, np.uint8) if self.kinds is None else self.kinds

    def _index(self, node: int) -> int | None:
        if not self.header.first_node <= node <= self.header.last_node:
            return None
        if self.header.is_dense:
            return node - self.header.first_node
        index = bisect_left(self._node_ids, node)
        return index if self._node_ids[index] == node else None
