"""Fetch: one guarded, bounded GET for a task, whatever the server does."""

from weaver.fetch.descriptors import affordable_concurrency
from weaver.fetch.fetcher import Fetcher, FetchStatistics, build_fetcher
from weaver.fetch.transport import ScriptedTransport, SentRequest, Transport, TransportStatistics

__all__ = [
    "FetchStatistics",
    "Fetcher",
    "ScriptedTransport",
    "SentRequest",
    "Transport",
    "TransportStatistics",
    "affordable_concurrency",
    "build_fetcher",
]
