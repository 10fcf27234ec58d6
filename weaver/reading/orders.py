"""Orders: what a worker process must know before its first task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from weaver.base.settings import DedupeSettings, FetchSettings, ParseSettings


@dataclass(frozen=True, slots=True)
class Orders:
    """How a worker fetches and reads; `seed` is the crawl's own, `bodies_bytes` and `names_bytes` are the worker's part
    of its two accounts."""

    fetch: FetchSettings
    parse: ParseSettings
    dedupe: DedupeSettings
    user_agent: str
    concurrency: int
    private_headers_for: frozenset[str]
    keeps_exchange: bool
    is_collector_tuned: bool
    seed: int = 0
    bodies_bytes: int = 0
    names_bytes: int = 0

    def packed(self) -> tuple[Any, ...]:
        """The orders in plain values."""
        return (
            self.fetch.model_dump_json(), self.parse.model_dump_json(), self.dedupe.model_dump_json(), self.user_agent,
            self.concurrency, tuple(self.private_headers_for), self.keeps_exchange, self.is_collector_tuned,
            self.seed, self.bodies_bytes, self.names_bytes,
        )  # fmt: skip


def unpacked_orders(packed: tuple[Any, ...]) -> Orders:
    """The orders that were packed."""
    fetch, parse, dedupe, user_agent, concurrency, origins, *rest = packed
    return Orders(
        FetchSettings.model_validate_json(fetch),
        ParseSettings.model_validate_json(parse),
        DedupeSettings.model_validate_json(dedupe),
        user_agent, concurrency, frozenset(origins), *rest,
    )  # fmt: skip
