"""Room: how much of a graph on disk a resumed one can take back."""

from __future__ import annotations

from typing import NamedTuple

from weaver.graph.retention import Limits
from weaver.graph.slab import EDGE_BYTES
from weaver.graph.totals import IN_DEGREE_SHARE


class Room(NamedTuple):
    """About as many edges as fit hot, and as many edges and bytes of blocks as fit beside a full share of hot ones.

    Blocks have no room where none are kept. `needs_hosts`: the retention policy goes by the host of each page.
    """

    row_edges: int
    block_edges: int
    block_bytes: int
    needs_hosts: bool


def room_of(limits: Limits, hot_share_bytes: int | None, policy: str) -> Room:
    """The room within limits; `hot_share_bytes` beyond which rows are sealed, None where they never are."""
    rows_bytes = limits.bytes * (IN_DEGREE_SHARE - 1) // IN_DEGREE_SHARE
    row_edges = min(limits.edges, rows_bytes // (EDGE_BYTES + 1))
    block_bytes = 0 if hot_share_bytes is None else rows_bytes - hot_share_bytes
    return Room(row_edges, limits.edges if block_bytes else 0, block_bytes, policy == "host_share")
