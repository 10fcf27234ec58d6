"""Capacity: what fits into a byte budget, and what budget so many URLs need, by the stores' own constants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from weaver.analysis.store_costs import LINKS_PER_PAGE, PARTS, UNLIMITED, URLS_PER_PAGE, Part
from weaver.base.record import MAX_NODE_ID
from weaver.base.settings import Settings
from weaver.memory.budget import DEFAULT_SHARES
from weaver.memory.processes import WORKER_BASE_BYTES, asked_workers, base_bytes_of_workers

MIB = 1 << 20
BASELINE_RSS_BYTES = 74 * MIB
"""The interpreter and all libraries before the first page: 73.5 MiB on Linux with Python 3.11 (benchmarks/soak.py)."""
BOUND_SHARE = 0.10
"""RSS stays within the baseline, the budget and this part of the budget."""
URL_ROW_BYTES = 110
PAGE_ROW_BYTES = 600
"""On disk: a known URL of 60 characters with its key, and a page's row, digests and 100 links (benchmarks/soak.py)."""
LINKS_LOOKED_UP = 100
COLD_LOOKUP_US = 5.0
"""CPU for one key of a batch of 100 in a database that the system has in its cache; a slow disk adds a read."""
SMALLER_SHARES = (1.0, 0.5, 0.25, 0.1)
"""Of the budget that holds the URLs' keys: these are told with what they cost, where they are less than is needed."""

Document = dict[str, Any]


class Ratio(NamedTuple):
    """How many of a store's entries there are for each known URL, and in whose words."""

    per_url: float
    words: str


RATIOS = {
    "seen_urls": Ratio(1.0, "keys, one for each URL"),
    "hosts": Ratio(1 / 1_000, "hosts, one for 1,000 URLs"),
    "digests": Ratio(2 / URLS_PER_PAGE, "digests, two for each page, a page for ten URLs"),
}
"""What `for_urls` keeps in RAM; the soak's web, and most wide crawls, know ten URLs for each page that they fetch."""


@dataclass(frozen=True, slots=True)
class Need:
    """What must be in RAM for so many URLs: the entries of a part, their bytes, and the budget that leads to."""

    part: Part
    words: str
    entries: int
    bytes: int
    budget_bytes: int


def plan(settings: Settings, budget_bytes: int, shares: Mapping[str, float] = DEFAULT_SHARES) -> Document:
    """What fits into the budget: `accounts`, each with its parts, `fits` by name, and the constants used."""
    accounts: Document = {
        tag: {"share": share, "bytes": int(budget_bytes * share), "parts": []} for tag, share in shares.items()
    }
    fits: dict[str, int] = {}
    for part in PARTS:
        account = accounts[part.account]
        room_bytes = int(account["bytes"] * part.share)
        cap = part.cap(settings) if part.cap is not None else UNLIMITED
        fits[part.name] = min(cap, int(room_bytes / part.unit_bytes))
        account["parts"].append({
            "name": part.name,
            "what": part.what,
            "bytes": room_bytes,
            "unit_bytes": round(part.unit_bytes, 1),
            "fits": fits[part.name],
            "capped_by": part.setting if fits[part.name] == cap else None,
        })
    fits["pages_at_20_links"] = fits["resident_edges"] // LINKS_PER_PAGE
    return {
        "budget_bytes": budget_bytes,
        "accounts": accounts,
        "slack_bytes": budget_bytes - sum(account["bytes"] for account in accounts.values()),
        "fits": fits,
        "constants": _constants(),
        "workers": asked_workers(settings),
        "rss_expected_bytes": baseline_bytes(settings) + int(budget_bytes * (1 + BOUND_SHARE)),
        "disk": disk_bytes(1_000_000, 1_000_000),
    }


def baseline_bytes(settings: Settings) -> int:
    """What is resident before the first page, in this process and in those that the user wants beside it."""
    return BASELINE_RSS_BYTES + base_bytes_of_workers(settings)


def disk_bytes(urls: int, pages: int) -> Document:
    """What `crawl.db` takes for so many known URLs, and for so many fetched pages besides."""
    return {"urls": urls, "urls_bytes": urls * URL_ROW_BYTES, "pages": pages, "pages_bytes": pages * PAGE_ROW_BYTES}


def plan_for_urls(urls: int, settings: Settings, shares: Mapping[str, float] = DEFAULT_SHARES) -> Document:
    """The budget with which `urls` stay in RAM, with their hosts and digests; and what a smaller one costs.

    `keys_budget_bytes` is that for the URLs' keys alone: with it no link costs a look-up on disk, new content does.
    Raises ValueError where one crawl can't hold so many.
    """
    if not 1 <= urls <= MAX_NODE_ID:
        raise ValueError(f"expected 1 to {MAX_NODE_ID:,} URLs in one crawl, got {urls:,}")
    needs = [_need(part, urls, shares) for part in PARTS if part.name in RATIOS]
    budget_bytes = _whole_mib(max(need.budget_bytes for need in needs))
    wanted = (_hint(need, settings) for need in needs)
    keys_budget_bytes = _whole_mib(needs[0].budget_bytes)
    smaller = [_whole_mib(int(keys_budget_bytes * share)) for share in SMALLER_SHARES]
    pages = urls // URLS_PER_PAGE
    return {
        **plan(_uncapped(settings, needs), budget_bytes, shares),
        "urls": urls,
        "needs": [_need_document(need) for need in needs],
        "settings": {setting: entries for setting, entries in wanted if entries},
        "keys_budget_bytes": keys_budget_bytes,
        "smaller": [residence(urls, plan(settings, size, shares)) for size in smaller if size < budget_bytes],
        "disk": disk_bytes(urls, pages),
    }


def residence(urls: int, planned: Mapping[str, Any]) -> Document:
    """How many of so many URLs a plan keeps in RAM, and what the rest costs: the most cold look-ups, and their time."""
    in_ram = min(urls, int(planned["fits"]["seen_urls"]))
    digests = max(1, round(urls * RATIOS["digests"].per_url))
    cold_share = 1 - in_ram / urls
    return {
        "budget_bytes": planned["budget_bytes"],
        "urls_in_ram": in_ram,
        "share_in_ram": round(1 - cold_share, 4),
        "digests_share_in_ram": round(min(1.0, planned["fits"]["digests"] / digests), 4),
        "cold_lookups_per_page": round(LINKS_LOOKED_UP * cold_share, 1),
        "cold_ms_per_page": round(LINKS_LOOKED_UP * cold_share * COLD_LOOKUP_US / 1000, 3),
        "rss_expected_bytes": planned["rss_expected_bytes"],
    }


def _hint(need: Need, settings: Settings) -> tuple[str, int]:
    """The setting that keeps the entries out of RAM though the bytes are there, and what it should be; 0 where none."""
    cap = need.part.cap(settings) if need.part.cap is not None else UNLIMITED
    return need.part.setting, need.entries if need.entries > cap else 0


def _uncapped(settings: Settings, needs: list[Need]) -> Settings:
    """The settings with the caps that the plan asks for."""
    for setting, entries in (_hint(need, settings) for need in needs):
        if entries:
            section, _, key = setting.partition(".")
            changed = getattr(settings, section).model_copy(update={key: entries})
            settings = settings.model_copy(update={section: changed})
    return settings


def _need(part: Part, urls: int, shares: Mapping[str, float]) -> Need:
    ratio = RATIOS[part.name]
    entries = max(1, round(urls * ratio.per_url))
    size_bytes = int(entries * part.unit_bytes) + 1
    return Need(part, ratio.words, entries, size_bytes, int(size_bytes / (part.share * shares[part.account])) + 1)


def _need_document(need: Need) -> Document:
    return {
        "name": need.part.name,
        "what": need.words,
        "account": need.part.account,
        "entries": need.entries,
        "bytes": need.bytes,
        "budget_bytes": need.budget_bytes,
    }


def _whole_mib(size_bytes: int) -> int:
    return max(1, -(-size_bytes // MIB)) * MIB


def _constants() -> dict[str, float]:
    return {
        **{part.constant: round(part.unit_bytes, 1) for part in PARTS},
        "baseline_rss_bytes": BASELINE_RSS_BYTES,
        "worker_base_bytes": WORKER_BASE_BYTES,
        "url_row_bytes": URL_ROW_BYTES,
        "page_row_bytes": PAGE_ROW_BYTES,
        "cold_lookup_us": COLD_LOOKUP_US,
        "links_per_page": LINKS_PER_PAGE,
    }
