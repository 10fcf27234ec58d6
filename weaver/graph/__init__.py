"""The link graph in RAM: pages' edges, hot and sealed, what is counted of all, and which links failed or moved."""

from weaver.codec import Kinds, Targets
from weaver.graph.blocks import SealedBlocks
from weaver.graph.health import EdgeHealth, LinkHealth
from weaver.graph.hops import Hops, k_hop
from weaver.graph.retention import Limits, RetentionStatus
from weaver.graph.store import GraphStore
from weaver.graph.totals import HostTotals

__all__ = [
    "EdgeHealth",
    "GraphStore",
    "Hops",
    "HostTotals",
    "Kinds",
    "Limits",
    "LinkHealth",
    "RetentionStatus",
    "SealedBlocks",
    "Targets",
    "k_hop",
]
