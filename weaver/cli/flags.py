"""The flags that are settings: one table from flag to `section.key`, for all commands that crawl."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import click

from weaver.base.sources import parse_assignment


class SettingFlag(NamedTuple):
    """A flag, the setting that it is, and its line in the help."""

    flag: str
    path: str
    help: str
    kind: Any = str
    is_repeatable: bool = False


LIMIT_FLAGS = (
    SettingFlag("--memory", "memory.budget", "For all of weaver's own structures together, such as 256MiB."),
    SettingFlag("--max-pages", "crawl.max_pages", "Stop after so many pages.", int),
    SettingFlag("--max-depth", "crawl.max_depth", "Links away from the nearest seed (redirects not counted).", int),
    SettingFlag(
        "--max-duration", "crawl.max_duration", "Stop after so long, such as 10m; what is under way gets 2 s more."
    ),
    SettingFlag(
        "--scope", "scope.mode", "What belongs to the crawl.", click.Choice(["host", "domain", "prefix", "any"])
    ),
    SettingFlag("--include", "scope.include", "A regular expression that a URL must match.", is_repeatable=True),
    SettingFlag("--exclude", "scope.exclude", "A regular expression of URLs to leave out.", is_repeatable=True),
    SettingFlag("--delay", "politeness.delay", "Between two requests to one host, such as 1s."),
    SettingFlag("--per-host", "politeness.per_host", "Requests under way at one host.", int),
    SettingFlag("--concurrency", "crawl.concurrency", "Requests under way at once, all hosts together.", int),
    SettingFlag("--workers", "crawl.workers", "Processes in all, or auto: more than one once it is busy."),
    SettingFlag("--user-agent", "politeness.user_agent", "Sent with each request."),
    SettingFlag("--contact", "politeness.contact", "A URL or e-mail address that site owners can write to."),
    SettingFlag("--warc", "warc.directory", "Archive all that is fetched, in DIR seen from the crawl's directory."),
)

_METAVARS = {
    "memory.budget": "SIZE",
    "politeness.delay": "TIME",
    "crawl.max_duration": "TIME",
    "crawl.workers": "N",
    "warc.directory": "DIR",
}
_PATTERN_METAVAR = "REGEX"

FlagPairs = list[tuple[str, Any]]
Command = Callable[..., Any]


def setting_flags(command: Command) -> Command:
    """Give a command all flags that are settings, among them `--allow-private` and `--set`."""
    command = click.option("--set", "assignments", multiple=True, metavar="A.B=C", help="Any setting.")(command)
    command = click.option(
        "--allow-private", is_flag=True, default=None, help="Visit private and loopback addresses too."
    )(command)
    for flag in reversed(LIMIT_FLAGS):
        command = click.option(
            flag.flag, type=flag.kind, multiple=flag.is_repeatable, metavar=_metavar(flag), help=flag.help
        )(command)
    return command


def output_flags(command: Command) -> Command:
    """`--json`, `-q` and `-v`."""
    command = click.option("-v", "--verbose", is_flag=True, help="A line for each page and each event.")(command)
    command = click.option("-q", "--quiet", is_flag=True, help="No progress and no summary.")(command)
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(command)


def flag_pairs(values: dict[str, Any]) -> FlagPairs:
    """What was given, as (`section.key`, value) pairs, `--set` last; raises SettingsError."""
    pairs: FlagPairs = []
    for flag in LIMIT_FLAGS:
        value = values.get(flag.flag.removeprefix("--").replace("-", "_"))
        if value is not None and value != ():
            pairs.append((flag.path, value))
    if values.get("allow_private"):
        pairs.append(("fetch.allow_private", True))
    return pairs + [parse_assignment(text) for text in values.get("assignments", ())]


def _metavar(flag: SettingFlag) -> str | None:
    if flag.is_repeatable:
        return _PATTERN_METAVAR
    return _METAVARS.get(flag.path)
