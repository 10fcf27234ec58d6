"""Judges of the robots sets, through the rules, and the gate where an HTTP status counts; why the RFC differs.

`explain` is asked of failures only. Each reason is a property of the case itself, so that it holds for cases of the
same kind that were never seen here; what no reason covers is a defect.
"""

from __future__ import annotations

import base64
import difflib
import re
from collections.abc import Callable

from tests.conformance.cases import Case
from tests.support.host_store import MemoryHostStore
from weaver.base.clock import ManualClock
from weaver.base.events import Events
from weaver.base.page import Response, Task
from weaver.base.settings import PolitenessSettings, UrlSettings
from weaver.base.url import Canonicalizer, origin_of, target_of
from weaver.politeness import Decision, Gate
from weaver.politeness.robots import ROBOTS_PATH, SPELLINGS, Directive, parse_rules, product_token, sitemaps_of

_ORIGIN = "http://example.com"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_CANONICALIZER = Canonicalizer(UrlSettings(drop_parameters=(), sort_query=False))
GOOGLE_LINE_BYTES = 2083 * 8


def _body(case: Case) -> bytes:
    if "robots_b64" in case:
        return base64.b64decode(case["robots_b64"])
    return str(case["robots"]).encode("utf-8", "surrogatepass")


def _url(text: str) -> str:
    """What weaver would ask for: the canonical URL; sets that give bare paths mean any host, and ftp any scheme."""
    absolute = text if _SCHEME.match(text) else _ORIGIN + (text if text.startswith("/") else f"/{text}")
    web = absolute if absolute.lower().startswith("http") else _SCHEME.sub("http://", absolute, count=1)
    return _CANONICALIZER.canonical(web) or f"{_ORIGIN}/"


def _agent(case: Case) -> str:
    return case["user_agent"] or next(iter(case.get("user_agents") or [""]))


def _judge_rules(case: Case) -> bool:
    url = _url(case["url"])
    # Rules speak for their own scheme, host and port only (RFC 9309 2.3): they grant nothing elsewhere.
    is_covered = "robots_url" not in case or origin_of(_url(case["robots_url"])) == origin_of(url)
    is_allowed = is_covered and parse_rules(_body(case), product_token(_agent(case))).is_allowed(target_of(url))
    return bool(is_allowed == case["allowed"])


def _judge_records(case: Case) -> bool:
    """Crawl-delay and Sitemap, those of them that the case names."""
    body = _body(case)
    delay_s = parse_rules(body, product_token(_agent(case))).crawl_delay_s
    has_delay = "crawl_delay" not in case or delay_s == case["crawl_delay"]
    has_sitemaps = "sitemaps" not in case or sitemaps_of(body) == case["sitemaps"]
    return has_delay and has_sitemaps and "request_rate" not in case


def _judge_status(case: Case) -> bool:
    """The whole way of RFC 9309 2.3.1: the gate is given the answer, then asked for the page."""
    clock = ManualClock()
    settings = PolitenessSettings(robots_token=case["user_agent"])  # type: ignore[call-arg]
    gate = Gate(settings, retries=2, store=MemoryHostStore(), clock=clock, events=Events(clock))
    task = gate.robots_task(1, _ORIGIN)
    gate.started(1, _ORIGIN)
    answer = Response(task.url, case["http_status"], {}, _body(case), wire_bytes=0, elapsed_s=0.1)
    gate.ready_at(task, answer)
    gate.robots_answered(task, answer)
    decision = gate.judge(Task(1, _url(case["url"]), 1), _ORIGIN)
    return (decision is Decision.ALLOW) == bool(case["allowed"])


def _judge_real_body(case: Case) -> bool:
    """No expectation but this: it parses, for every token, into no more than it was, and answers."""
    body = _body(case)
    for token in ("weaver", "googlebot", "*"):
        rules = parse_rules(body, token)
        rules.is_allowed("/a/b.html?c=d")
        if rules.resident_bytes > 3 * len(body) + 512 or not rules.is_allowed(ROBOTS_PATH):
            return False
    return all(sitemap and "\n" not in sitemap for sitemap in sitemaps_of(body))


SETS: dict[str, Callable[[Case], bool]] = {
    "crawler_commons": _judge_rules,
    "crawler_commons_delay_sitemaps": _judge_records,
    "google_robotstxt": _judge_rules,
    "google_spec_test": _judge_rules,
    "nutch": _judge_rules,
    "nutch_delay": _judge_records,
    "protego": _judge_rules,
    "protego_delay_sitemaps": _judge_records,
    "real_world_bodies": _judge_real_body,
    "reppy": _judge_rules,
    "reppy_delay_sitemaps": _judge_records,
    "robots_parser_js": _judge_rules,
    "robots_parser_js_delay_sitemaps": _judge_records,
    "temoto_go": _judge_rules,
    "temoto_go_http_status": _judge_status,
}


def explain(_set_name: str, case: Case) -> str | None:
    """Why RFC 9309 does not decide the case as it says; None where it does, or no reason is known."""
    return next((reason for reason, applies in _REASONS.items() if applies(case)), None)


def _lines(case: Case) -> list[str]:
    text = _body(case).decode("utf-8", "replace")
    return [line.partition("#")[0].strip() for line in re.split(r"\r\n|\r|\n", text)]


def _records(case: Case) -> list[tuple[str, str]]:
    """Each `name: value` line, the name in lower case, whether the RFC knows it or not."""
    pairs = (line.partition(":") for line in _lines(case))
    return [(name.strip().lower(), value.strip()) for name, mark, value in pairs if mark]


def _agents(case: Case) -> list[str]:
    return [value.lower() for name, value in _records(case) if SPELLINGS.get(name) is Directive.USER_AGENT]


def _patterns(case: Case) -> list[str]:
    return [value for name, value in _records(case) if SPELLINGS.get(name) in _RULES]


_RULES = (Directive.ALLOW, Directive.DISALLOW)


def _asks_for_robots_itself(case: Case) -> bool:
    return case.get("allowed") is False and target_of(_url(case.get("url", ""))) == ROBOTS_PATH


def _has_index_page(case: Case) -> bool:
    return case.get("url", "").endswith("/") and any("/index.htm" in pattern for pattern in _patterns(case))


def _has_long_line(case: Case) -> bool:
    return any(len(line.encode("utf-8", "replace")) > GOOGLE_LINE_BYTES for line in _lines(case))


def _has_two_word_agent(case: Case) -> bool:
    """`Foo Bar` as the crawler's name, or a line that names two crawlers, the second of which asks."""
    agent = _agent(case).lower()
    return " " in agent or any(agent in re.split(r"[\s,]+", value)[1:] for value in _agents(case))


def _has_agent_with_digits(case: Case) -> bool:
    agent = product_token(_agent(case))
    shortened = re.match(r"[a-z_-]*", agent)
    return bool(shortened) and shortened[0] != agent and agent in map(product_token, _agents(case))


def _has_part_of_agent(case: Case) -> bool:
    agent = product_token(_agent(case))
    names = {product_token(value) for value in _agents(case)} - {"*", "", agent}
    return bool(agent) and any(name in agent or agent in name for name in names)


def _begins_with_rules(case: Case) -> bool:
    known = [SPELLINGS[name] for name, _ in _records(case) if name in SPELLINGS]
    acted_on = [directive for directive in known if directive is not Directive.SITEMAP]
    return bool(acted_on) and acted_on[0] is not Directive.USER_AGENT


def _lacks_colon(case: Case) -> bool:
    words = (line.split(maxsplit=1) for line in _lines(case) if ":" not in line)
    return any(len(pair) == 2 and SPELLINGS.get(pair[0].lower()) for pair in words)


def _has_other_record_in_group(case: Case) -> bool:
    """User-agent, then only records that the RFC does not know, then User-agent again."""
    names = [SPELLINGS.get(name) for name, _ in _records(case)]
    marks = "".join("a" if name is Directive.USER_AGENT else "r" if name in _RULES else "o" for name in names)
    return re.search(r"ao+a", marks) is not None


def _has_final_dollar(case: Case) -> bool:
    asks_for_dollar = "$" in case.get("url", "") or "%24" in case.get("url", "")
    return asks_for_dollar and any(pattern.endswith("$") for pattern in _patterns(case))


def _compares_escapes(case: Case) -> bool:
    """Google's matcher wants URLs escaped by its caller, and decodes no rule."""
    unreserved = re.compile(r"%(?:2[DE]|3\d|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])", re.IGNORECASE)
    return not case.get("url", "").isascii() or any(map(unreserved.search, _patterns(case)))


def _has_equal_but_for_star(case: Case) -> bool:
    patterns = set(_patterns(case))
    return any(pattern.endswith("*") and pattern.rstrip("*") in patterns for pattern in patterns)


def _refuses_for_delay(case: Case) -> bool:
    delays = [value for name, value in _records(case) if name == "crawl-delay"]
    return case.get("allowed") is False and any(value.isdigit() and int(value) > 300 for value in delays)


def _has_misspelling(case: Case) -> bool:
    names = {name for name, _ in _records(case)} - SPELLINGS.keys()
    return any(difflib.get_close_matches(name, SPELLINGS, cutoff=0.8) for name in names)


def _has_pattern_without_slash(case: Case) -> bool:
    return any(pattern and not pattern.startswith(("/", "*")) for pattern in _patterns(case))


_REASONS: dict[str, Callable[[Case], bool]] = {
    "/robots.txt itself is always allowed (2.2.2); the case disallows it": _asks_for_robots_itself,
    "several product tokens at once: the RFC knows one crawler with one token": lambda case: bool(
        case.get("user_agents")
    ),
    "Request-rate is no record of the RFC, and weaver's own delay does not follow it": lambda case: (
        "request_rate" in case
    ),
    "the longer pattern wins (2.2.2), a star at its end included; the case does not count that": (
        _has_equal_but_for_star
    ),
    "Google alone takes /index.html for the folder's page": _has_index_page,
    "Google alone cuts a line at 16,664 bytes": _has_long_line,
    "a User-agent line and a crawler have one token without spaces (2.2.1)": _has_two_word_agent,
    "a token has no digits (2.2.1): Google cuts the crawler's own name before them, weaver does not": (
        _has_agent_with_digits
    ),
    "tokens match whole (2.2.1); the case lets a part of the name match": _has_part_of_agent,
    "rules before any User-agent belong to no group (2.2); the case gives them to everyone": _begins_with_rules,
    "a record without its colon is outside the grammar; weaver reads it as it was meant": _lacks_colon,
    "records that the RFC does not know end no group (2.2.4); the case has them end one": _has_other_record_in_group,
    "a `$` at the end is special, the octet is written %24 (2.2.3); the case wants both": _has_final_dollar,
    "escapes of unreserved octets and raw octets are one (2.2.2); the case compares them as written": (
        _compares_escapes
    ),
    "a long Crawl-delay is capped, not taken for a Disallow": _refuses_for_delay,
    "a misspelt record is no record of the RFC": _has_misspelling,
    "a path begins with a slash (2.2); the case matches one without": _has_pattern_without_slash,
    "tagged as disagreeing with the RFC by those who collected the cases": lambda case: (
        "disagrees_rfc" in case.get("tags", ())
    ),
}
