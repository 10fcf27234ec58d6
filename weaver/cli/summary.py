"""What a crawl came to, as lines that are worth reading: at its end, and for `weaver status`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from weaver.base.events import Event
from weaver.base.units import format_duration, format_size
from weaver.base.url import redacted
from weaver.cli.figures import Status, pages_done
from weaver.cli.memory_lines import capped_line, eviction_text, process_line, reseen_line, rung_line, rung_reason
from weaver.cli.progress import event_line, hosts_known
from weaver.cli.terminal import printable, shortened
from weaver.cli.worker_lines import worker_line

LABEL_COLUMNS = 12
URL_COLUMNS = 60
REASONS_SHOWN = 8
BLOCKED_PRIVATE = "blocked_private"

RUNNING = "running"
STATES = {
    RUNNING: "running",
    "finished": "finished: every URL in scope has an outcome",
    "max_pages": "stopped at the limit of pages",
    "max_duration": "stopped at the limit of time",
    "paused": "paused too long for want of memory; what was under way is finished, the rest is queued",
    "drained": "interrupted; what was under way is finished, the rest is queued",
    "stopped": "interrupted at once; what was under way is queued again",
    "interrupted": "interrupted without a word (killed, or the machine stopped); nothing that was committed is lost",
    "disk_failed": "stopped, for the disk failed; nothing that was committed is lost",
    "failed": "failed",
}
NO_PAGES = "finished without one page: no seed led to any"
SEED_FATES = {"skipped": "was left out", "blocked_robots": "was not fetched", "failed": "failed"}
REFUSED_BY = {
    "not_included": "scope.include",
    "excluded": "scope.exclude",
    "url_too_long": "scope.max_url_length",
    "opt_out": "politeness.opt_out",
}
"""The setting that keeps a URL out, by the reason."""
UNFINISHED = frozenset(STATES) - {RUNNING, "finished"}


def summary(status: Status, report: Mapping[str, Any], directory: Path) -> str:
    """The whole summary; `status` is the status document, `report` what the directory tells beyond it."""
    lines = [
        _line("crawl", f"{directory}: {_state(status, report)}"),
        *_seeds(report),
        *_pages(status),
        *_skipped(status),
        *_counted("blocked", report.get("blocked", {})),
        *_counted("failed", report.get("failures", {})),
        *_duplicates(status, report),
        *_hosts(status, report),
        *_sizes(status),
        *_archive(status),
        *_memory(status, rung_reason(_newest(report))),
        *(_line("workers", text) for text in worker_line(status)),
        *_time(status),
        *_events(report),
        *_next(status, directory),
    ]
    return "\n".join(lines)


def _line(label: str, text: str) -> str:
    return f"{label:<{LABEL_COLUMNS}}{printable(text)}"


def _state(status: Status, report: Mapping[str, Any]) -> str:
    state = str(status.get("state", ""))
    if state == "finished" and report.get("fruitless_seeds") and not pages_done(status):
        return NO_PAGES
    error = status.get("disk_error")
    return STATES.get(state, state) + (f" ({error})" if error else "")


def _seeds(report: Mapping[str, Any]) -> list[str]:
    """The seeds that led to nothing, each with the reason: the crawl's user named them, and looks for them here."""
    texts = [seed_line(seed) for seed in report.get("fruitless_seeds", ())]
    return [_line("" if index else "seeds", text) for index, text in enumerate(texts)]


def seed_line(seed: Mapping[str, Any]) -> str:
    """A seed that led to nothing, and why."""
    reason = str(seed["reason"]).replace("_", " ")
    setting = REFUSED_BY.get(seed["reason"])
    fate = SEED_FATES.get(seed["state"], seed["state"])
    return printable(f"{redacted(seed['url'])} {fate}: {reason}{f' ({setting})' if setting else ''}")


def _pages(status: Status) -> list[str]:
    pages, urls = status.get("pages", {}), status.get("urls", {})
    others = {"redirect": "redirects", "failed": "failed", "blocked_robots": "blocked by robots.txt"}
    besides = ", ".join(f"{pages[name]:,} {words}" for name, words in others.items() if pages.get(name))
    fetched = f"{pages_done(status):,} fetched: {pages.get('new', 0):,} new, {pages.get('duplicate', 0):,} duplicates"
    waiting = urls.get("queued", 0) + urls.get("in_flight", 0)
    return [
        _line("pages", fetched + (f"; besides {besides}" if besides else "")),
        _line("urls", f"{urls.get('known', 0):,} known, {waiting:,} still to be fetched"),
    ]


def _skipped(status: Status) -> list[str]:
    return _counted("left out", status.get("pages", {}).get("skipped", {}))


def _duplicates(status: Status, report: Mapping[str, Any]) -> list[str]:
    """The copies, near ones, what the cap on digests cost, and how many copies' links were left alone."""
    clusters, dedupe = report.get("clusters", {}), status.get("dedupe", {})
    texts = []
    if clusters.get("pages"):
        texts.append(f"{clusters['pages']:,} pages are copies of {clusters['representatives']:,} others")
    if clusters.get("near_pages"):
        texts.append(f"{clusters['near_pages']:,} are nearly the same as another")
    if dedupe.get("links_left_alone"):
        of_templates = f", of {dedupe['bounded_templates']:,} URL templates" if dedupe.get("bounded_templates") else ""
        texts.append(f"links of {dedupe['links_left_alone']:,} not followed (crawl.duplicates){of_templates}")
    if dedupe.get("forgotten"):
        texts.append(
            f"{dedupe['forgotten']:,} digests forgotten (dedupe.disk = drop), about {dedupe['reseen']:,} met again"
        )
    return [_line("duplicates", "; ".join(texts))] if texts else []


def _counted(label: str, counts: Mapping[str, int]) -> list[str]:
    if not counts:
        return []
    shown = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    texts = [f"{count:,} {reason.replace('_', ' ')}" for reason, count in shown[:REASONS_SHOWN]]
    rest = len(shown) - REASONS_SHOWN
    return [_line(label, ", ".join(texts) + (f" and {rest} further reasons" if rest > 0 else ""))]


def _hosts(status: Status, report: Mapping[str, Any]) -> list[str]:
    lines = [_line("hosts", f"{hosts_known(status):,} known")]
    lines += _paces("slowest", report.get("slowest_hosts", ()), _pace)
    return lines + _paces("failing", report.get("failing_hosts", ()), _failing)


def _paces(label: str, hosts: Iterable[Mapping[str, Any]], text: Any) -> list[str]:
    return [_line(label if first else "", text(host)) for first, host in _marked(hosts)]


def _marked(hosts: Iterable[Mapping[str, Any]]) -> Iterable[tuple[bool, Mapping[str, Any]]]:
    return ((index == 0, host) for index, host in enumerate(hosts))


def _pace(host: Mapping[str, Any]) -> str:
    between_s = host["span_s"] / max(1, host["pages"] - 1)
    name = shortened(host["origin"], URL_COLUMNS)
    return f"{name}: {host['pages']:,} pages in {format_duration(host['span_s'])}, one each {between_s:.2f} s"


def _failing(host: Mapping[str, Any]) -> str:
    return f"{shortened(host['origin'], URL_COLUMNS)}: {host['failed']:,} of {host['pages']:,} pages failed"


def _sizes(status: Status) -> list[str]:
    graph = status.get("graph", {})
    nodes = f"{graph.get('nodes', 0):,} nodes, {graph.get('edges', 0):,} edges"
    resident = f"{graph.get('resident_edges', 0):,} edges in {format_size(graph.get('resident_bytes', 0))} of RAM"
    return [_line("graph", f"{nodes}; {resident}")]


def _archive(status: Status) -> list[str]:
    """What lies in WARC files, where an archive is kept."""
    warc = status.get("warc")
    if not warc:
        return []
    left_out = f", {warc['left_out']:,} left out (warc.duplicates)" if warc["left_out"] else ""
    records = f"{warc['responses']:,} responses, {warc['revisits']:,} revisits{left_out}"
    files = f"{warc['files']:,} file{'' if warc['files'] == 1 else 's'} in {warc['directory']}"
    return [_line("archive", f"{records}; {format_size(warc['bytes'])} in {files}")]


def _memory(status: Status, reason: str) -> list[str]:
    """What the process has, where the governor stands, and each account that was used."""
    memory = status.get("memory", {})
    accounts = {tag: account for tag, account in memory.get("accounts", {}).items() if account.get("high_water")}
    stores = memory.get("stores", {})
    if status.get("state") != RUNNING:
        # A crawl that has ended heads for no limit, and stands where it stood only if that ended it.
        memory = {**memory, "time_to_limit_s": None, "rung": memory.get("rung") if reason else None}
    beside = (*rung_line(memory, reason), *capped_line(memory), *reseen_line(stores, told=accounts))
    lines = [_line("memory", process_line(memory)), *(_line("", text) for text in beside)]
    for index, (tag, account) in enumerate(accounts.items()):
        sizes = f"{format_size(account.get('used', 0))} of {format_size(account.get('limit', 0))}"
        evicted = eviction_text(memory, tag)
        text = f"{tag:<12}{sizes}, at most {format_size(account['high_water'])}{f'; {evicted}' if evicted else ''}"
        lines.append(_line("" if index else "accounts", text))
    return lines


def _time(status: Status) -> list[str]:
    cpu_s, wall_s, pages = float(status.get("cpu_s", 0)), float(status.get("wall_s", 0)), pages_done(status)
    each = f", {1000 * cpu_s / pages:.2f} ms a page" if pages else ""
    rate = f", {pages / wall_s:.1f} pages/s" if wall_s else ""
    return [_line("time", f"{format_duration(wall_s)}{rate}; CPU {format_duration(cpu_s)}{each}")]


def _events(report: Mapping[str, Any]) -> list[str]:
    """The newest events, and what to do about the one that meets most people at their first try."""
    events = _newest(report)
    lines = [_line("" if index else "events", event_line(event)) for index, event in enumerate(events)]
    if any(BLOCKED_PRIVATE in reasons for reasons in _reasons(events, report)):
        lines.append(_line("hint", "private and loopback addresses are visited with --allow-private only"))
    return lines


def _newest(report: Mapping[str, Any]) -> list[Event]:
    return [Event(str(facts.pop("kind", "")), float(facts.pop("at", 0.0)), facts) for facts in _copies(report)]


def _copies(report: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    return (dict(facts) for facts in report.get("events", ()))


def _reasons(events: Iterable[Event], report: Mapping[str, Any]) -> Iterable[Iterable[object]]:
    yield report.get("failures", {})
    for event in events:
        yield map(str, event.facts.values())


def _next(status: Status, directory: Path) -> list[str]:
    place = shlex.quote(os.fspath(directory))
    lines = [f"weaver export {place} --format csv --table pages -o pages.csv", f"weaver why {place} URL"]
    if status.get("state") in UNFINISHED:
        lines.insert(0, f"weaver resume {place}")
    return [_line("next" if index == 0 else "", text) for index, text in enumerate(lines)]
