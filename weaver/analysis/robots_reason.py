"""Why a robots.txt keeps weaver from a URL, so that a person can look at it: the line, or the tries to get it."""

from __future__ import annotations

import re
from typing import NamedTuple

from weaver.politeness.robots import parse_rules
from weaver.politeness.robots_policy import ROBOTS_TRIES

_RULE = re.compile(r"^\s*(dis?s?allow|allow)\b\s*:?\s*([^#]*)", re.IGNORECASE)
_ALONE = "User-agent: *\n{line}\n"
_EMPTY_RULE = "Disallow:"
MAX_CANDIDATES = 64


class RobotsLine(NamedTuple):
    """A line of a robots.txt by its number, counted from 1."""

    number: int
    text: str


def blocking_line(body: bytes, token: str, target: str) -> RobotsLine | None:
    """The longest rule that forbids `target` (path and query) to `token`; None where no single line does.

    Asks the same matcher as the crawl: each line that would forbid the target alone is tried with all other rules
    made empty, so that the groups of the file stay as they are.
    """
    lines = re.split(r"\r\n|\n|\r", body.decode("utf-8", "replace").removeprefix("\ufeff"))
    candidates = [index for index, line in enumerate(lines) if _forbids(_ALONE.format(line=line), token, target)]
    candidates.sort(key=lambda index: len(_value(lines[index])), reverse=True)
    for index in candidates[:MAX_CANDIDATES]:
        if _forbids("\n".join(_only_rule(lines, index)), token, target):
            return RobotsLine(index + 1, lines[index].strip())
    return None


def tries_in_words(tries: object) -> str:
    """The number of a fruitless try for a robots.txt, with how many there are before its pages are turned away."""
    return f"{tries} of {ROBOTS_TRIES}" if isinstance(tries, int) and tries <= ROBOTS_TRIES else str(tries)


def _forbids(text: str, token: str, target: str) -> bool:
    return not parse_rules(text.encode(), token).is_allowed(target)


def _only_rule(lines: list[str], kept: int) -> list[str]:
    # An empty rule still ends the list of User-agent lines before it (RFC 9309 2.2.1), a missing one would not.
    return [_EMPTY_RULE if _RULE.match(line) and index != kept else line for index, line in enumerate(lines)]


def _value(line: str) -> str:
    match = _RULE.match(line)
    return match[2].strip() if match else ""
