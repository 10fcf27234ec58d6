"""GraphMatrices: the rows of a graph and their transpose, derived once for each version within a memory window."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from weaver.analysis.csr import Csr, build_csr
from weaver.analysis.edge_stream import EDGES_PER_WINDOW, EdgeSource, EdgeWindow, distinct_pairs, of_kinds
from weaver.analysis.sorted_pairs import PairSorter
from weaver.base.errors import SettingsError
from weaver.base.page import EdgeKind
from weaver.base.units import format_count, format_size

DEFAULT_MEMORY_BYTES = 256 << 20
LEAST_WINDOW_EDGES = 1 << 12
EDGE_BYTES = 48
"""What an edge of a window takes at most in any analysis: its columns, and what is made of them."""
WINDOW_SHARE = 4


@dataclass(frozen=True, slots=True)
class MemoryWindow:
    """How many bytes an analysis may take beside the interpreter: a quarter for the window, the rest for nodes."""

    limit_bytes: int = DEFAULT_MEMORY_BYTES

    @property
    def edges_per_window(self) -> int:
        fitting = self.limit_bytes // WINDOW_SHARE // EDGE_BYTES
        return max(LEAST_WINDOW_EDGES, min(EDGES_PER_WINDOW, fitting))

    def spare_bytes(self, nodes: int, bytes_per_node: int) -> int:
        """What is left beside the window and the nodes' vectors. Raises SettingsError where these don't fit."""
        needed = nodes * bytes_per_node + self.edges_per_window * EDGE_BYTES
        if needed > self.limit_bytes:
            least = nodes * bytes_per_node * WINDOW_SHARE // (WINDOW_SHARE - 1) + (1 << 20)
            raise SettingsError(
                f"{format_count(nodes)} nodes at {bytes_per_node} B need --memory {-(-least >> 20)}MiB,"
                f" got {format_size(self.limit_bytes)}"
            )
        return self.limit_bytes - needed


class GraphMatrices:
    """Rows and transposed rows of an edge source as `Csr`, kept while the source's version stays.

    Whoever asks for a matrix shares it with all others who do; it goes with its last user. What is in use when the
    version moves stays as it was, and so does its room: the new one is made beside it.

    Both hold distinct (source, target) pairs of the chosen kinds; a pair that several kinds join counts once, a loop
    stays. Targets are in RAM as far as the memory window has room beside `bytes_per_node`, else in scratch files in
    `directory`.
    """

    def __init__(
        self,
        source: EdgeSource,
        memory: MemoryWindow,
        directory: Path,
        bytes_per_node: int,
        kinds: frozenset[EdgeKind] | None = None,
    ) -> None:
        self.source = source
        self.memory = memory
        self._directory = directory
        self._bytes_per_node = bytes_per_node
        self._kinds = kinds
        self._kept: dict[str, tuple[object, Csr]] = {}
        self._hits = self._misses = 0

    def __repr__(self) -> str:
        return f"GraphMatrices(kept={sorted(self._kept)}, hits={self._hits}, misses={self._misses})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def reserve(self, bytes_per_node: int) -> None:
        """Leave so much room for each node's values in what is built from now on."""
        self._bytes_per_node = bytes_per_node

    def rows(self) -> Csr:
        """Each node's targets."""
        return self._get("rows") or self._keep("rows", self._built_rows())

    def transposed(self) -> Csr:
        """Each node's sources."""
        return self._get("transposed") or self._keep("transposed", self._built_transposed())

    def statistics(self) -> dict[str, Any]:
        """How often a matrix was there already, and where they are."""
        asked = self._hits + self._misses
        return {
            "hits": self._hits,
            "misses": self._misses,
            "hit_ratio": round(self._hits / asked, 4) if asked else None,
            "resident_bytes": sum(csr.resident_bytes for _, csr in self._kept.values()),
            "file_bytes": sum(csr.file_bytes for _, csr in self._kept.values()),
        }

    def close(self) -> None:
        """Let all matrices go, but for those still in use elsewhere."""
        self._kept.clear()

    def _get(self, name: str) -> Csr | None:
        version, csr = self._kept.get(name, (None, None))
        if csr is not None and version == self.source.version:
            self._hits += 1
            return csr
        self._kept.pop(name, None)
        self._misses += 1
        return None

    def _keep(self, name: str, csr: Csr) -> Csr:
        self._kept[name] = (self.source.version, csr)
        return csr

    def _built_rows(self) -> Csr:
        kinds = self._kinds
        windows = self.source if kinds is None else (of_kinds(window, kinds) for window in self.source)
        return self._build(map(distinct_pairs, windows))

    def _built_transposed(self) -> Csr:
        rows = self.rows()
        with PairSorter(self.memory.limit_bytes // WINDOW_SHARE, self._directory) as sorter:
            for window in rows.windows():
                sorter.add(window.targets + np.uint32(1), (window.sources + 1).astype(np.uint32))
            return self._build(sorter.windows())

    def _build(self, windows: Iterable[EdgeWindow]) -> Csr:
        nodes = self.source.nodes
        # Either matrix may take half of what is spare.
        spare = self.memory.spare_bytes(nodes, self._bytes_per_node) // 2
        return build_csr(windows, nodes, spare, self._directory, self.memory.edges_per_window)
