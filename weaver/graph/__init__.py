"""The link graph in RAM: the newest pages' edges, the newest nodes' in-degrees, and which links failed or moved."""

from weaver.codec import Kinds, Targets
from weaver.graph.health import EdgeHealth, LinkHealth
from weaver.graph.store import GraphStore

__all__ = ["EdgeHealth", "GraphStore", "Kinds", "LinkHealth", "Targets"]
