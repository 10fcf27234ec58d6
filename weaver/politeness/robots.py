"""The rules that one robots.txt gives to one product token: read once, kept small, asked for every URL (RFC 9309).

Own matcher instead of a library: protego ends a group at an unknown line, matches the token as a prefix and holds
20 kB a host; here a host costs the text of the rules that are meant for weaver, and nothing else.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

MAX_BODY_BYTES = 512 << 10  # RFC 9309 2.5 asks for 500 KiB at least
ROBOTS_PATH = "/robots.txt"


class Directive(Enum):
    """The records that weaver acts on; all others are passed over and end nothing (RFC 9309 2.2.4)."""

    USER_AGENT = "user-agent"
    ALLOW = "allow"
    DISALLOW = "disallow"
    CRAWL_DELAY = "crawl-delay"
    SITEMAP = "sitemap"


# What people write; whoever wrote `disalow` did not want a visit.
SPELLINGS = {
    "user-agent": Directive.USER_AGENT,
    "useragent": Directive.USER_AGENT,
    "user agent": Directive.USER_AGENT,
    "users-agent": Directive.USER_AGENT,
    "useg-agent": Directive.USER_AGENT,
    "ser-agent": Directive.USER_AGENT,
    "allow": Directive.ALLOW,
    "disallow": Directive.DISALLOW,
    "dissallow": Directive.DISALLOW,
    "dissalow": Directive.DISALLOW,
    "disalow": Directive.DISALLOW,
    "diasllow": Directive.DISALLOW,
    "disallaw": Directive.DISALLOW,
    "desallow": Directive.DISALLOW,
    "crawl-delay": Directive.CRAWL_DELAY,
    "crawl delay": Directive.CRAWL_DELAY,
    "crawldelay": Directive.CRAWL_DELAY,
    "sitemap": Directive.SITEMAP,
    "site-map": Directive.SITEMAP,
}
BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}

# Possessive throughout: a line is read once, whatever stands in it. The colon may be forgotten, the space then not.
_RECORD = re.compile(
    rf"^[ \t\f\v]*+({'|'.join(SPELLINGS)})(?:[ \t\f\v]*+:|[ \t\f\v]++)[ \t\f\v]*+([^\n#]*+)",
    re.IGNORECASE | re.MULTILINE,
)
_UTF8_MARK = re.compile(rb"\xef?\xbb?\xbf?")
_TOKEN_END = re.compile(r"[\s/]")
_TOKEN = re.compile(r"[a-z_-]+")
_SECONDS = re.compile(r"\d{1,9}(?:\.\d*)?|\.\d+", re.ASCII)
_UNCANONICAL = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~/?:@!&'()+,;=%$*]")
_QUERY_DATA = re.compile(r"%(?:2F|3A|3F|40)")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

_OURS, _EVERYONES = 1, 2


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """What a host asks of one crawler: its rules as text, split for each question.

    A line is `+` (allow) or `-` and a normalised pattern, in `plain` those that are mere prefixes, in `globs` those
    with a special character. Longest first, allow before disallow: the first match of each text is its strongest
    (RFC 9309 2.2.2). As text, 50 rules take 1.2 kB and 4 us; a tuple of patterns took four times the RAM.
    """

    plain: str = ""
    globs: str = ""
    crawl_delay_s: float | None = None

    def is_allowed(self, target: str) -> bool:
        """Whether `target` (path and query of a canonical URL) may be fetched. O(rules + length of both)."""
        if target == ROBOTS_PATH:
            return True
        return max(map(self._strongest, _spellings(target)), key=_strength)[:1] != "-"

    @property
    def resident_bytes(self) -> int:
        """What the rules cost in RAM."""
        return sum(map(sys.getsizeof, (self, self.plain, self.globs, self.crawl_delay_s)))

    def _strongest(self, text: str) -> str:
        plain = next((line for line in self.plain.split("\n") if text.startswith(line[1:])), "")
        if not self.globs:
            return plain
        glob = next((line for line in self.globs.split("\n") if _matches(line[1:], text)), "")
        return max(plain, glob, key=_strength)


NO_RULES = RobotsRules()


def parse_rules(body: bytes, token: str) -> RobotsRules:
    """The rules for `token` in a robots.txt of any shape; never raises, linear in the first 512 KiB."""
    reader = _Reader(product_token(token))
    for directive, value in _records(body):
        reader.read(directive, value)
    return reader.rules()


def sitemaps_of(body: bytes) -> list[str]:
    """The values of the Sitemap records, which belong to no group, in order, as written."""
    return [value for directive, value in _records(body) if directive is Directive.SITEMAP and value]


def product_token(text: str) -> str:
    """The token that a User-agent line or a whole User-Agent begins with, lower case: `weaver/1.0` is `weaver`."""
    return _TOKEN_END.split(text.strip(), maxsplit=1)[0].lower()


def _records(body: bytes) -> Iterator[tuple[Directive, str]]:
    for match in _RECORD.finditer(_text_of(body)):
        yield SPELLINGS[match[1].lower()], match[2].strip()


def _text_of(body: bytes) -> str:
    kept = body[:MAX_BODY_BYTES]
    encoding = BYTE_ORDER_MARKS.get(kept[:2], "utf-8")
    mark = _UTF8_MARK.match(kept)
    text = kept[mark.end() if mark else 0 :].decode(encoding, "replace").removeprefix("\ufeff")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(body) > len(kept):
        # A rule cut in the middle would cover more than was meant: `/private` becomes `/`.
        text = text[: text.rfind("\n") + 1]
    return text


class _Reader:
    """Gathers, record by record, what concerns one token; lives for one file.

    Rules belong to all User-agent lines since the last rule. A Crawl-delay ends nothing for them, but itself belongs
    only to the User-agent lines right before it: the readings of RFC 9309 2.2.4 and of those who write Crawl-delay.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._seen = 0
        self._group = 0
        self._delay_group = 0
        self._group_is_open = False
        self._delay_group_is_open = False
        self._rules: dict[int, set[str]] = {_OURS: set(), _EVERYONES: set()}
        self._delays: dict[int, float] = {}

    def read(self, directive: Directive, value: str) -> None:
        if directive is Directive.USER_AGENT:
            self._read_agent(value)
        elif directive is Directive.CRAWL_DELAY:
            self._read_delay(value)
        elif directive is not Directive.SITEMAP:
            self._read_rule("+" if directive is Directive.ALLOW else "-", value)

    def rules(self) -> RobotsRules:
        """The most specific group's rules: those for the token if it is named at all, else those for `*`."""
        audience = _OURS if self._seen & _OURS else _EVERYONES
        ordered = sorted(self._rules[audience], key=_strength, reverse=True)
        plain = "\n".join(line for line in ordered if not _is_glob(line))
        globs = "\n".join(line for line in ordered if _is_glob(line))
        rules = RobotsRules(plain, globs, self._delays.get(audience))
        return NO_RULES if rules == NO_RULES else rules

    def _read_agent(self, value: str) -> None:
        name = product_token(value)
        if not name:
            return
        # RFC 9309 2.2.1 knows letters, `-` and `_` only: `Weaver2.1` names `weaver`, as it does for Google's parser.
        leading = _TOKEN.match(name)
        names = (name, leading[0] if leading else name)
        named = _EVERYONES if name == "*" else _OURS if self._token in names else 0
        self._seen |= named
        self._group = named | (self._group if self._group_is_open else 0)
        self._delay_group = named | (self._delay_group if self._delay_group_is_open else 0)
        self._group_is_open = self._delay_group_is_open = True

    def _read_delay(self, value: str) -> None:
        self._delay_group_is_open = False
        if not _SECONDS.fullmatch(value):
            return
        for audience in (_OURS, _EVERYONES):
            if self._delay_group & audience:
                self._delays[audience] = max(float(value), self._delays.get(audience, 0.0))

    def _read_rule(self, sign: str, value: str) -> None:
        self._group_is_open = self._delay_group_is_open = False
        if not self._group or not value.startswith(("/", "*")):
            return
        line = sign + _pattern_of(value)
        for audience in (_OURS, _EVERYONES):
            if self._group & audience:
                self._rules[audience].add(line)


def _pattern_of(value: str) -> str:
    """The value in normal form: `*` and a `$` at its end are special, any other `$` is an octet (RFC 9309 2.2.3)."""
    anchor = "$" if value.endswith("$") else ""
    text = _normalised(value.removesuffix(anchor)).replace("$", "%24")
    return _with_plain_query(text) + anchor


def _spellings(target: str) -> tuple[str, ...]:
    """The normal forms of a target: one, or two where its query encodes what need not be encoded."""
    text = _normalised(target).replace("*", "%2A").replace("$", "%24")
    plain = _with_plain_query(text)
    return (text,) if plain == text else (text, plain)


def _normalised(text: str) -> str:
    """Percent-encoding as RFC 9309 2.2.2 compares it: unreserved octets bare, others encoded in upper case."""
    return _UNCANONICAL.sub(_normal_octets, text)


def _normal_octets(match: re.Match[str]) -> str:
    found = match[0]
    if len(found) == 3:
        octet = chr(int(found[1:], 16))
        return octet if octet in _UNRESERVED else found.upper()
    return "".join(f"%{octet:02X}" for octet in found.encode("utf-8", "surrogatepass"))


def _with_plain_query(text: str) -> str:
    """`/`, `?`, `:` and `@` are plain data in a query (RFC 3986 3.4), so `u=https%3A%2F%2F` is `u=https://`.

    The second row of the table in RFC 9309 2.2.2 asks for that; in a path `%2F` is not `/`.
    """
    path, mark, query = text.partition("?")
    return path + mark + _QUERY_DATA.sub(lambda match: chr(int(match[0][1:], 16)), query) if "%" in query else text


def _strength(line: str) -> tuple[int, bool]:
    return len(line), line[:1] == "+"


def _is_glob(line: str) -> bool:
    return "*" in line or line.endswith("$")


def _matches(pattern: str, target: str) -> bool:
    """Whether the pattern covers a prefix of the target, or all of it where it ends in `$`.

    Each piece between stars takes its leftmost place: no back-tracking, so no `*a*a*a*b` can stop the crawl.
    """
    is_anchored = pattern.endswith("$")
    head, *pieces = pattern.removesuffix("$").split("*")
    if not target.startswith(head):
        return False
    if not pieces:
        return target == head or not is_anchored
    end = _end_of_pieces(pieces[:-1], target, len(head))
    if end < 0:
        return False
    tail = pieces[-1]
    return target.endswith(tail) and len(target) - len(tail) >= end if is_anchored else target.find(tail, end) >= 0


def _end_of_pieces(pieces: list[str], target: str, start: int) -> int:
    for piece in pieces:
        found = target.find(piece, start)
        if found < 0:
            return -1
        start = found + len(piece)
    return start
