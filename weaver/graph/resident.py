"""ResidentRows: pages' edges in RAM, the newest hot in slabs, the others sealed in blocks, as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from weaver.codec import BlockCodec, DecodedBlock, Kinds, Nodes, Row, Targets
from weaver.graph.blocks import Places, SealedBlocks
from weaver.graph.hot_rows import HotRows
from weaver.graph.retention import EVERY_ROW, Excess
from weaver.graph.sealing import SEAL_LEVEL, Batch, Sealing
from weaver.graph.slab import places_of
from weaver.memory.budget import Account

# Slabs that one `relieve` seals: 20 ms.
SLABS_PER_RELIEF = 3
# The blocks that leave in one `relieve`: 20 ms.
BLOCKS_PER_RELIEF = 100

OnLeaving = Callable[[Nodes], None]


class ResidentRows:
    """One row a node, hot or sealed; what was added first leaves first, to the width of a block.

    Rows come in hot. Beyond the hot share the oldest of them are sealed, a block with each row that is added, so that
    no call takes long. Sealed blocks leave before hot slabs, and a block's rows leave from its lowest id on; then
    `on_leaving` is told whose rows they were. The codec's working memory, 350 KB however large the account is, is not
    charged. Invariants: those of both parts; no node has a row in both.
    """

    def __init__(self, account: Account, on_leaving: OnLeaving, *, seals: bool, wasted_share: float) -> None:
        self._account = account
        self._on_leaving = on_leaving
        self.hot = HotRows(account)
        codec = BlockCodec(SEAL_LEVEL)
        self.sealed = SealedBlocks(account, codec, wasted_share=wasted_share)
        self._sealing = Sealing(self.hot, codec, account.limit)
        self._seals = seals and self._sealing.is_possible
        self._highest_node = 0
        # Moves with whatever ends an iteration.
        self.moves = 0

    def __repr__(self) -> str:
        return f"ResidentRows({self.hot!r}, {self.sealed!r})"

    def __len__(self) -> int:
        return len(self.hot) + self.sealed.rows

    def __contains__(self, node: int) -> bool:
        # Most pages are asked for as they are added, and are new.
        return node <= self._highest_node and (node in self.hot or self.sealed.has_row(node))

    @property
    def edges(self) -> int:
        """Edges of all rows."""
        return self.hot.edges + self.sealed.edges

    @property
    def size_bytes(self) -> int:
        """What is charged."""
        return self.hot.size_bytes + self.sealed.resident_bytes

    @property
    def hot_share_bytes(self) -> int | None:
        """The slabs' bytes beyond which rows are sealed; None where they never are."""
        return self._sealing.hot_bytes if self._seals else None

    def row(self, node: int) -> Row | None:
        """The node's edges, copied out; None where they are not here. O(row), or O(rows of a block) where sealed."""
        found = self.hot.row(node)
        if found is None and (sealed := self.sealed.row(node)) is not None:
            found = sealed[0].copy(), sealed[1].copy()
        return found

    def length(self, node: int) -> int | None:
        """How many edges the node's row has; as `row`."""
        length = self.hot.length(node)
        if length is None and (sealed := self.sealed.row(node)) is not None:
            length = len(sealed[0])
        return length

    def add(self, node: int, targets: Targets | bytes, kinds: Kinds | bytes) -> bool:
        """Add a row for a node that has none, after others made way; False where it can't fit. O(row) amortised."""
        self.moves += 1
        self._highest_node = max(self._highest_node, node)
        while not self.hot.add(node, targets, kinds):
            # What could never fit must not empty the store first.
            if not self._could_fit(len(kinds)) or not self.make_room():
                return False
        return True

    def remove(self, node: int) -> Row | None:
        """Take the node's row out, because another replaces it or the page is gone; what it was. As `row`."""
        self.moves += 1
        return self.hot.remove(node) if node in self.hot else self.sealed.remove(node)

    def restore(self, block: bytes, nodes: Nodes) -> bool:
        """Keep a block of rows whose nodes, which rise, have none here; False where it doesn't fit."""
        if not self._seals or not self._account.would_fit(self.sealed.needed_bytes(block, nodes)):
            return False
        self.moves += 1
        self._highest_node = max(self._highest_node, int(nodes[-1]))
        return self.sealed.put(self.sealed.free_number(), block)

    def settle(self) -> None:
        """The upkeep after a row was added or removed: one block sealed or written anew, 1-3 ms; worn slabs moved."""
        while self.hot.suspects:
            for node, targets, kinds in self.hot.take_worn(self.hot.suspects.pop()):
                if not self.add(node, targets, kinds):
                    self._on_leaving(np.array([node], np.uint32))
        if self._seals and self._sealing.is_due:
            self._seal_block()
        elif self.sealed.is_wasteful:
            self.moves += 1
            self.sealed.compact()

    def make_room(self) -> bool:
        """Let something go: spare slabs, a decoded block, or the oldest rows, a block or slab of them; False if nothing
        is left."""
        if self.hot.free_spare() or self.sealed.forget_decoded():
            return True
        return bool(len(self) and len(self.evict_oldest(EVERY_ROW)))

    def evict_oldest(self, excess: Excess) -> Nodes:
        """Let of the oldest block or slab go what is in excess, of rows that are there; whose they were.

        O(rows of the block).
        """
        self.moves += 1
        left = self.sealed.evict_oldest(excess) if len(self.sealed) else self.hot.evict_oldest(excess)
        self._on_leaving(left)
        return left

    def relieve(self) -> None:
        """Towards the account's present limit: decoded blocks go, then hot rows are sealed, then the oldest leave.

        Some 20 ms a call. It never uses more than it did before.
        """
        while self._account.used > self._account.limit and (self.hot.free_spare() or self.sealed.forget_decoded()):
            pass
        if self._account.used > self._account.limit and not self._seal_slabs(SLABS_PER_RELIEF):
            for _ in range(BLOCKS_PER_RELIEF):
                if self._account.used <= self._account.limit or not len(self):
                    break
                self.evict_oldest(EVERY_ROW)

    def rows(self) -> Iterator[tuple[int, Targets, Kinds]]:
        """Every row: the sealed ones, by block and id, then the hot ones, oldest first. RuntimeError if rows move
        meanwhile."""
        moves = self.moves
        for block in self.sealed.decoded():
            for row in block.rows():
                yield row
                self._expect_still(moves)
        for row in self.hot.rows():
            yield row
            self._expect_still(moves)

    def links_to(self, targets: Targets | None) -> Iterator[tuple[Nodes, Targets, Kinds]]:
        """The edges that lead to any of these nodes, to all where None, as (sources, targets, kinds), block by block.

        O(resident edges), some 10 ns each where sealed and 1-5 where hot.
        """
        for block in self.sealed.decoded():
            hits = places_of(targets, block.targets)
            yield _sources(block, hits), block.targets[hits], block.edge_kinds()[hits]
        for _, slab in self.hot.slabs:
            yield slab.find(targets)

    def check(self) -> None:
        """Assert the invariants; O(everything)."""
        self.hot.check()
        self.sealed.check()
        for number in self.sealed.numbers():
            assert not any(node in self.hot for node in self.sealed.live_rows(number)[1].tolist()), self

    def _could_fit(self, edges: int) -> bool:
        return self.hot.could_fit(edges, self.sealed.resident_bytes)

    def _seal_block(self) -> None:
        """Seal the next block's rows; where the account has no room for the block at all, they leave."""
        batch = self._sealing.next_block()
        if batch is None:
            return
        self.moves += 1
        needed_bytes = self.sealed.needed_bytes(batch.block, batch.nodes)
        while not self._account.would_fit(needed_bytes) and len(self.sealed) + self.hot.spare_bytes:
            self.make_room()
        is_kept = self._account.would_fit(needed_bytes) and self._put(batch)
        for slab_id, rows in batch.places:
            self.hot.take(slab_id, rows)
        if not is_kept:
            self._on_leaving(batch.nodes)

    def _seal_slabs(self, most: int) -> int:
        """Seal the oldest slabs, each at once, until the account fits; how many. None that is being filled."""
        slab_ids = [number for number, _ in self.hot.slabs if number != self.hot.tail_id] if self._seals else []
        limit = self._account.limit
        for done, slab_id in enumerate(slab_ids[:most]):
            if self._account.used <= limit:
                return done
            self._seal_slab(slab_id)
        return len(slab_ids[:most])

    def _seal_slab(self, slab_id: int) -> None:
        self.moves += 1
        batches = self._sealing.blocks_of(slab_id)
        limit, used = self._account.limit, self._account.used
        for batch in batches:
            self.hot.take(slab_id, batch.places[0][1])
        self.hot.free_spare()
        # Blocks take less than the slab did, and may, though the account is still over its limit.
        self._account.limit = max(limit, used)
        try:
            for batch in batches:
                needed_bytes = self.sealed.needed_bytes(batch.block, batch.nodes)
                if not self._account.would_fit(needed_bytes) or not self._put(batch):
                    self._on_leaving(batch.nodes)
        finally:
            self._account.limit = limit

    def _put(self, batch: Batch) -> bool:
        return self.sealed.put(self.sealed.free_number(), batch.block)

    def _expect_still(self, moves: int) -> None:
        if self.moves != moves:
            raise RuntimeError(f"expected the graph to stay at change {moves} meanwhile, got {self.moves}")


def _sources(block: DecodedBlock, hits: Places) -> Nodes:
    return block.nodes[np.searchsorted(block.offsets, hits, side="right") - 1]
