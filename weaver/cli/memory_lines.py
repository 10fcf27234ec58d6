"""What a status document says of memory, as lines: the accounts, what they let go, and where the governor stands."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from weaver.base.events import Event
from weaver.base.units import format_count, format_duration, format_size

RUNG_EVENT = "memory_rung"

Memory = Mapping[str, Any]


def account_lines(accounts: Memory) -> Iterator[str]:
    """A table of the accounts, those never used left out: bytes now, allowed, at most, taken in all, given back."""
    used = {tag: account for tag, account in accounts.items() if account.get("high_water")}
    if not used:
        return
    yield f"{'account':<12}{'used':>10}{'limit':>10}{'high water':>12}{'charged':>11}{'released':>11}{'evicted':>9}"
    for tag, account in used.items():
        sizes = [format_size(account.get(name, 0)) for name in ("used", "limit", "high_water", "charged", "released")]
        widths = (10, 10, 12, 11, 11)
        cells = "".join(f"{size:>{width}}" for size, width in zip(sizes, widths, strict=True))
        yield f"{tag:<12}{cells}{format_count(account.get('evicted', 0)):>9}"


def reseen_line(stores: Memory, told: Collection[str] = ()) -> Iterator[str]:
    """What the caps cost: how much of what was evicted was met again, by store; `told` are those not to repeat."""
    texts = [
        f"{name} {store['reseen']:,} of {store.get('evicted', 0):,}"
        for name, store in stores.items()
        if store.get("reseen") and store.get("evicted") and name not in told
    ]
    if texts:
        yield f"met again after they were evicted: {', '.join(texts)}"


def eviction_text(memory: Memory, tag: str) -> str:
    """What an account let go, and how much of that its store of the same name met again; empty where nothing."""
    evicted = memory.get("accounts", {}).get(tag, {}).get("evicted", 0)
    reseen = memory.get("stores", {}).get(tag, {}).get("reseen", 0)
    if not evicted:
        return ""
    return f"{format_count(evicted)} evicted" + (f", {format_count(reseen)} re-seen" if reseen else "")


def rung_reason(events: Iterable[Event]) -> str:
    """Why the governor stands where it does: the reason of its newest event; empty where there is none."""
    reasons = [str(event.facts.get("reason", "")) for event in events if event.kind == RUNG_EVENT]
    return reasons[-1] if reasons else ""


def process_line(memory: Memory) -> str:
    """What the process has, and what of it the budget knows."""
    accounts = sum(account.get("used", 0) for account in memory.get("accounts", {}).values())
    text = f"RSS {format_size(memory.get('rss_bytes', 0))}{_above(memory)}"
    text += f", accounts {format_size(accounts)} of {format_size(memory.get('budget_bytes', 0))}"
    untracked = memory.get("untracked_bytes")
    return text if untracked is None else f"{text}, untracked {format_size(untracked)}"


def _above(memory: Memory) -> str:
    baseline, peak = memory.get("baseline_rss_bytes"), memory.get("peak_rss_bytes")
    if not baseline or not peak:
        return ""
    return f" (at most {format_size(peak)}, baseline {format_size(baseline)})"


def rung_line(memory: Memory, reason: str = "") -> Iterator[str]:
    """Where the governor stands, why, and how long until the limit at this pace; nothing without a governor."""
    if rung := memory.get("rung"):
        why = f": {reason}" if reason and rung != "calm" else ""
        yield f"rung {rung}{why}{_time_left(memory)}"


def capped_line(memory: Memory) -> Iterator[str]:
    """That the budget is less than was asked for, and why; nothing where it is not."""
    asked, budget, limit = memory.get("asked_budget_bytes"), memory.get("budget_bytes", 0), memory.get("limit_bytes")
    if asked and asked > budget:
        within = f": the process's group may have {format_size(limit)}" if limit else ""
        yield f"the budget is {format_size(budget)}, not {format_size(asked)}{within}"


def _time_left(memory: Memory) -> str:
    left_s = memory.get("time_to_limit_s")
    return "" if left_s is None else f", {format_duration(left_s)} to the limit"


def machinery_lines(memory: Memory) -> Iterator[str]:
    """What kept the memory in hand: governor, collector, allocator and pools, each where the status tells of it."""
    for label, text in (
        ("governor", _governor(memory.get("governor") or {})),
        ("collector", _collector(memory.get("collector") or {})),
        ("allocator", " ".join(str(word) for word in (memory.get("allocator") or {}).values())),
    ):
        if text:
            yield f"{label:<12}{text}"
    for name, pool in (memory.get("pools") or {}).items():
        yield f"{'pool':<12}{name}: {_pool(pool)}"


def _governor(governor: Memory) -> str:
    if not governor.get("samples"):
        return ""
    climbs, paused_s = governor.get("climbs", 0), float(governor.get("paused_s", 0.0))
    paused = f", paused {format_duration(paused_s)}" if paused_s else ""
    return f"{governor['samples']:,} samples, {climbs:,} climbs{paused}, {governor.get('cpu_s', 0.0):.3f} s of CPU"


def _collector(collector: Memory) -> str:
    if not collector.get("collections"):
        return ""
    pauses = ", ".join(f"{name} {collector.get(f'pause_{name}_ms', 0.0):.1f} ms" for name in ("p50", "p99", "max"))
    return f"{collector.get('mode', '')}: {sum(collector['collections']):,} collections, pauses {pauses}"


def _pool(pool: Memory) -> str:
    taken = f"{pool.get('in_use', 0):,} of {pool.get('capacity', 0):,} in use, at most {pool.get('peak', 0):,}"
    reuse = f", {pool.get('reuse_rate', 0.0):.0%} of {pool['acquired']:,} reused" if pool.get("acquired") else ""
    return f"{format_size(pool.get('size_bytes', 0))} each, {taken}{reuse}"
