"""StatusReport: the document that says where a crawl stands, the same live, on disk and in the library."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

from weaver import native
from weaver.base.clock import Clock
from weaver.base.version import VERSION
from weaver.persistence import WarcArchive
from weaver.pipeline.counters import Counters
from weaver.pipeline.engine import ExitReason
from weaver.pipeline.memory_status import MemoryStatus
from weaver.pipeline.page_run import Stages


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the runs before this one used, in seconds."""

    cpu_s: float = 0.0
    wall_s: float = 0.0


class StatusReport:
    """Reads the stages; owns nothing but the time the run began."""

    def __init__(
        self,
        stages: Stages,
        counters: Counters,
        memory: MemoryStatus,
        clock: Clock,
        earlier: Earlier,
        warc: WarcArchive | None = None,
    ) -> None:
        self._stages = stages
        self._counters = counters
        self._memory = memory
        self._clock = clock
        self._earlier = earlier
        self._warc = warc
        self._began_at = clock.monotonic()
        self._cpu_at_start_s = time.process_time()

    @property
    def cpu_s(self) -> float:
        """CPU seconds of this run, the workers' included."""
        return time.process_time() - self._cpu_at_start_s + self._stages.reader.cpu_s

    @property
    def edges(self) -> int:
        """Edges of the graph, on disk and in RAM."""
        return int(self._stages.graph.edges)

    @property
    def wall_s(self) -> float:
        """Wall seconds of this run."""
        return self._clock.monotonic() - self._began_at

    def document(self, ending: ExitReason | None) -> dict[str, object]:
        """The whole status."""
        return {
            "state": ending.value if ending else "running",
            "version": VERSION,
            "native": native.description(),
            "updated_at": self._clock.wall(),
            "pages": self._pages(),
            "urls": self._urls(),
            "hosts": self._stages.hosts.last_id,
            "bytes": {"bodies": self._counters.body_bytes, "wire": self._counters.wire_bytes},
            "graph": self._graph(),
            "edge_health": self._edge_health(),
            "dedupe": self._dedupe(),
            "warc": None if self._warc is None else self._warc.document(),
            "memory": self._memory.document(),
            "workers": self._stages.reader.figures(),
            "cpu_s": round(self._earlier.cpu_s + self.cpu_s, 3),
            "wall_s": round(self._earlier.wall_s + self.wall_s, 3),
        }

    def _pages(self) -> dict[str, object]:
        counters = self._counters
        skipped = {reason: count for reason, count in self._stages.discovery.skipped.items() if count}
        if counters.skipped:
            skipped["opt_out"] = counters.skipped
        return {
            "fetched": counters.fetched,
            "new": counters.new,
            "duplicate": counters.duplicate,
            "near_duplicates": counters.near_duplicates,
            "redirect": counters.redirect,
            "failed": counters.failed,
            "blocked_robots": counters.blocked_robots,
            "skipped": skipped,
            "reasons": dict(counters.reasons),
            "retries": counters.retries,
            "robots_fetched": counters.robots_fetched,
            "internal_errors": counters.internal_errors,
            "local_limits": counters.local_limits,
        }

    def _urls(self) -> dict[str, object]:
        frontier = self._stages.frontier
        return {
            "known": self._stages.discovery.known_urls,
            "queued": max(0, frontier.queued - frontier.in_flight),
            "in_flight": frontier.in_flight,
            "in_window": frontier.in_window,
            "active_hosts": frontier.active_hosts,
        }

    def _graph(self) -> dict[str, object]:
        graph = self._stages.graph
        return {
            "nodes": self._stages.discovery.known_urls,
            "edges": graph.edges,
            "resident_nodes": graph.resident_nodes,
            "resident_edges": graph.resident_edges,
            "sealed_edges": graph.sealed_edges,
            "resident_bytes": graph.resident_bytes,
            "retention": asdict(graph.retention_status()),
        }

    def _edge_health(self) -> dict[str, object]:
        health = self._stages.edge_health
        return {
            "policy": health.policy,
            "current": len(health),
            "capacity": health.capacity,
            "failing": health.failing,
            "moved": health.moved,
            "evicted": health.statistics().evicted,
        }

    def _dedupe(self) -> dict[str, object]:
        contents = self._stages.contents
        return {
            "digests_in_ram": len(contents),
            "cold_lookups": contents.cold_lookups,
            "cold_hits": contents.cold_hits,
            "forgotten": contents.forgotten,
            "reseen": contents.statistics().reseen,
            "links_left_alone": self._stages.duplicate_links.left_alone,
            "bounded_templates": self._stages.duplicate_links.bounded_templates,
            "near": self._near(),
        }

    def _near(self) -> dict[str, object] | None:
        near = self._stages.near
        if near is None:
            return None
        return {
            "pages_in_ram": len(near),
            "capacity": near.capacity,
            "cold_lookups": near.cold_lookups,
            "cold_hits": near.cold_hits,
        }
