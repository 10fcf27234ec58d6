"""The link graph in RAM: the newest pages' edges and the newest nodes' in-degrees, within one account."""

from weaver.graph.slab import Kinds, Targets
from weaver.graph.store import GraphStore

__all__ = ["GraphStore", "Kinds", "Targets"]
