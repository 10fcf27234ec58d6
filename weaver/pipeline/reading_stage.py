"""Reading in a crawl: who reads its pages, in this process or in others, and what that takes."""

from __future__ import annotations

from collections.abc import Callable

from weaver.base.clock import Clock
from weaver.base.events import Events
from weaver.base.settings import Settings
from weaver.base.url import origin_of
from weaver.fetch import Fetcher
from weaver.memory.budget import Budget
from weaver.memory.meter import Meter
from weaver.memory.processes import WORKER_BASE_BYTES, asked_workers
from weaver.politeness import user_agent
from weaver.reading import LocalReader, Orders, Workers

# Above this share of a control group's limit the kernel throttles (weaver.memory.meter.capped_budget).
_GROUP_SHARE = 0.9
_PROMISED_SHARE = 1.1


def build_workers(
    settings: Settings,
    fetcher: Fetcher,
    clock: Clock,
    events: Events,
    *,
    seed: int,
    is_scripted: bool,
    wants_body: Callable[[], bool],
    may_start: Callable[[int], bool],
) -> Workers:
    """The crawl's reader. Where a test's transport takes the network's place, all is read in this process."""
    local = LocalReader(fetcher, settings.parse, settings.dedupe, settings.fetch.retries, seed)
    keeps_exchange = settings.warc.directory is not None
    orders = Orders(
        settings.fetch, settings.parse, settings.dedupe, user_agent(settings.politeness), settings.crawl.concurrency,
        frozenset(map(origin_of, settings.crawl.seeds)), keeps_exchange,
        is_collector_tuned=settings.memory.collector == "tuned", seed=seed,
    )  # fmt: skip
    return Workers(
        1 if is_scripted else asked_workers(settings), local, fetcher.bodies, orders, clock, events,
        wants_body=lambda: keeps_exchange or wants_body(),
        may_start=may_start,
        is_bound=settings.fetch.cookies,
    )  # fmt: skip


def has_room_for_workers(meter: Meter, budget: Budget, baseline_bytes: int, count: int) -> bool:
    """Whether the control group's limit is enough for so many workers beside what is promised without them."""
    limit_bytes = meter.read().group_limit
    if limit_bytes is None:
        return True
    promised_bytes = baseline_bytes + _PROMISED_SHARE * budget.limit
    return promised_bytes + count * WORKER_BASE_BYTES <= _GROUP_SHARE * limit_bytes
