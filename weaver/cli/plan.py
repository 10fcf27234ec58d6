"""`weaver plan`: what a byte budget holds, or what budget so many URLs need."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from weaver.analysis.capacity import BASELINE_RSS_BYTES, Document, baseline_bytes, plan_for_urls, residence
from weaver.analysis.capacity import plan as plan_for_budget
from weaver.base.settings import Settings
from weaver.base.sources import load_settings, parse_assignment
from weaver.base.units import format_count, format_size, parse_count
from weaver.memory.governor import LEAST_JUDGED_BYTES
from weaver.memory.meter import capped_budget, group_limit_bytes

NAME_COLUMNS = 12
TABLE_COLUMNS = 80

_PURPOSES = {
    "database": "page caches and commits",
    "events": "the newest events",
}
"""What an account is for that holds no entries which a user counts."""


def _count(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    try:
        return None if value is None else parse_count(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.option("--memory", "budget", metavar="SIZE", help="The budget, such as 512MiB [memory.budget].")
@click.option("--for-urls", "urls", callback=_count, metavar="N", help="So many URLs, such as 50M, shall stay in RAM.")
@click.option("-c", "--config", "file", type=click.Path(path_type=Path), help="A TOML file with settings.")
@click.option("--set", "assignments", multiple=True, metavar="A.B=C", help="Any setting.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def plan(budget: str | None, urls: int | None, file: Path | None, assignments: tuple[str, ...], as_json: bool) -> None:
    """Say what fits into a budget: URLs, hosts, digests, edges, pages under way; or what budget N URLs need."""
    flags: list[tuple[str, Any]] = [("memory.budget", budget)] if budget is not None else []
    settings = load_settings(file, os.environ, [*flags, *map(parse_assignment, assignments)])
    document = _document(settings, urls, is_for_budget=urls is None or budget is not None)
    click.echo(json.dumps(document) if as_json else "\n".join(plan_lines(document)))


def _document(settings: Settings, urls: int | None, *, is_for_budget: bool) -> Document:
    """1. a budget: what it holds 2. so many URLs: what they need 3. both: the budget, and what the URLs need of it."""
    limit = group_limit_bytes()
    try:
        needed = plan_for_urls(urls, settings) if urls is not None else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for-urls") from error
    if needed is not None and not is_for_budget:
        return {**needed, "limit_bytes": limit, "fitting_bytes": _fitting(needed["budget_bytes"], limit, settings)}
    asked = settings.memory.budget
    fitting = _fitting(asked, limit, settings)
    document = {**plan_for_budget(settings, fitting), "asked_budget_bytes": asked, "limit_bytes": limit}
    if needed is not None:
        document["for_urls"] = {**residence(needed["urls"], document), **_of_the_need(needed)}
    return document


def _of_the_need(needed: Document) -> Document:
    return {"urls": needed["urls"], "needed_budget_bytes": needed["budget_bytes"], "settings": needed["settings"]}


def _fitting(asked: int, limit: int | None, settings: Settings) -> int:
    return capped_budget(asked, limit, baseline_bytes(settings))


def plan_lines(document: Document) -> Iterator[str]:
    """The plan for a person: what it is for, the table, the RSS to expect, the disk."""
    yield from _heading(document)
    yield ""
    yield f"{'account':<{NAME_COLUMNS}}{'share':>6}{'bytes':>11}{'each':>10}{'fit':>7}"
    for tag, account in document["accounts"].items():
        yield from _account(tag, account)
    slack = document["slack_bytes"]
    share = f"{slack / document['budget_bytes']:.0%}"
    yield f"{'slack':<{NAME_COLUMNS}}{share:>6}{format_size(slack):>11}{'':>17}   what no account sees"
    yield from _caps(document["accounts"])
    yield ""
    yield f"graph   the edges of {format_count(document['fits']['pages_at_20_links'])} pages with 20 links"
    yield (
        f"RSS     at most {format_size(document['rss_expected_bytes'])}: a baseline of "
        f"{format_size(BASELINE_RSS_BYTES)}, the budget and 10 % of it"
    )
    if document["budget_bytes"] < LEAST_JUDGED_BYTES:
        yield f"        and, below {format_size(LEAST_JUDGED_BYTES)}, 8 to 40 MiB of working memory whatever it is"
    yield from _workers(document)
    yield f"disk    {_disk(document['disk'])}"
    yield from _costs(document)


def _heading(document: Document) -> Iterator[str]:
    budget, limit = format_size(document["budget_bytes"]), format_size(document["limit_bytes"] or 0)
    if "urls" in document:
        yield f"{format_count(document['urls'])} URLs stay in RAM:"
        for need in document["needs"]:
            entries, size = format_count(need["entries"]), format_size(need["bytes"])
            yield f"  {entries} {need['what']}: {size}, a budget of {format_size(need['budget_bytes'])}"
        yield f"so all of it with a budget of {budget}"
        yield from (f"  and --set {name}={value}" for name, value in document["settings"].items())
        if document["fitting_bytes"] < document["budget_bytes"]:
            fitting = format_size(document["fitting_bytes"])
            yield f"  but this process's group has {limit}, which caps a budget at {fitting}"
        return
    yield f"a budget of {budget}:"
    asked = document["asked_budget_bytes"]
    if asked > document["budget_bytes"]:
        yield f"  asked for was {format_size(asked)}; the limit of this process's group, {limit}, caps it"


def _account(tag: str, account: Mapping[str, Any]) -> Iterator[str]:
    head = f"{tag:<{NAME_COLUMNS}}{account['share']:>6.0%}{format_size(account['bytes']):>11}"
    if not account["parts"]:
        yield f"{head}{'':>17}   {_PURPOSES.get(tag, '')}".rstrip()
    for part in account["parts"]:
        each = f"{part['unit_bytes']:.1f} B" if part["unit_bytes"] < 100 else format_size(part["unit_bytes"])
        yield f"{head}{each:>10}{format_count(part['fits']):>7}{'*' if part['capped_by'] else ' '}  {part['what']}"
        head = " " * len(head)


def _caps(accounts: Mapping[str, Any]) -> Iterator[str]:
    """The settings that keep entries out though there is room for them."""
    parts = (part for account in accounts.values() for part in account["parts"])
    names = list(dict.fromkeys(part["capped_by"] for part in parts if part["capped_by"]))
    if names:
        yield from textwrap.wrap(f"* capped by {', '.join(names)}", TABLE_COLUMNS, subsequent_indent="  ")


def _workers(document: Document) -> Iterator[str]:
    """What the processes that read beside the crawl's own take: part of the RSS where their number is given."""
    count, each = document["workers"], format_size(document["constants"]["worker_base_bytes"])
    if count is None:
        yield f"        and {each} for each process that a busy crawl starts (crawl.workers, at most its cores)"
    elif count > 1:
        yield f"        with {each} for each of {count - 1} beside the crawl's process (crawl.workers)"


def _disk(disk: Mapping[str, Any]) -> str:
    urls, pages = format_count(disk["urls"]), format_count(disk["pages"])
    return f"{format_size(disk['urls_bytes'])} for {urls} URLs, {format_size(disk['pages_bytes'])} for {pages} pages"


def _costs(document: Document) -> Iterator[str]:
    """What it costs when not all of the URLs that were asked about stay in RAM."""
    wanted = document.get("for_urls")
    if wanted:
        yield ""
        yield f"of {format_count(wanted['urls'])} URLs it holds {_residence(wanted).lstrip()}"
        yield "(on disk, for a page with 100 links, all known, none cached)"
        yield f"all of them stay in RAM with a budget of {format_size(wanted['needed_budget_bytes'])}"
    if "smaller" in document:
        yield ""
        yield "with less, the rest is looked up on disk (a page with 100 links, all known, none cached):"
        yield from (
            f"  {format_size(smaller['budget_bytes']):>10}  {_residence(smaller)}" for smaller in document["smaller"]
        )


def _residence(figures: Mapping[str, Any]) -> str:
    return (
        f"{figures['share_in_ram']:>4.0%} of the keys, {figures['digests_share_in_ram']:.0%} of the digests; "
        f"{figures['cold_lookups_per_page']:.0f} look-ups, {figures['cold_ms_per_page']:.2f} ms a page"
    )
