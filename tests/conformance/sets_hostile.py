"""Judges of the hostile servers: the cases are prose, so that each of fetch's is mapped here to behaviours of a server.

The behaviours are those of `tests/loopback`, each with the end that it must have, or a check written here. A rule is a
class and a pattern for a case's name: where the pattern is a whole name, its prose was read and is what the check does.
The wider patterns are for cases that nobody here has read: they show that the behaviours of that family end as they
must, not that the case's own words are met. What other stages answer for, and what has no rule, is told in `explain`.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import brotli
import zstandard

from tests.conformance.cases import Case
from tests.loopback.test_hostile_responses import ACCEPTED, REFUSED
from tests.loopback.test_private_addresses import CANONICAL, SPELLINGS
from tests.support.fetching import fetching, page, robots
from tests.support.hostile_server import CLOSE, WAIT, Behaviour, HostileServer, Repeat, answer, head
from weaver.base.page import Fetched, Response

POLICY = frozenset({"cases"})

_OK = answer(b"hi")
_SHORT_TIMES = {"timeout": 0.5, "connect_timeout": 0.3}
_MAX_BODY_BYTES = 1 << 20
Check = Callable[[], Awaitable[bool]]


def _end(fetched: Fetched) -> str:
    return fetched.truncated_by if isinstance(fetched, Response) else fetched.reason


async def _ends(behaviour: Behaviour, *ends: str, is_robots: bool = False) -> bool:
    """Whether a request ends in one of `ends`, and the next one is served."""
    server = HostileServer({"/x": behaviour, "/ok": (_OK,)})
    async with server, fetching(**_SHORT_TIMES, max_body=_MAX_BODY_BYTES, rate_window_s=0.2) as fetcher:
        task = robots(server.url("/x")) if is_robots else page(server.url("/x"))
        fetched = await fetcher.get(task)
        following = await fetcher.get(page(server.url("/ok")))
        return _end(fetched) in ends and isinstance(following, Response) and following.body == b"hi"


def _in_table(*names: str) -> Check:
    async def check() -> bool:
        refused = [await _ends(REFUSED[name][0], REFUSED[name][1]) for name in names if name in REFUSED]
        accepted = [await _ends(ACCEPTED[name][0], ACCEPTED[name][1][2]) for name in names if name in ACCEPTED]
        return all(refused + accepted)

    return check


def _behaves(behaviour: Behaviour, *ends: str, is_robots: bool = False) -> Check:
    async def check() -> bool:
        return await _ends(behaviour, *ends, is_robots=is_robots)

    return check


def _all(*checks: Check) -> Check:
    async def check() -> bool:
        return all([await one() for one in checks])

    return check


def _coded(coding: str, body: bytes) -> Behaviour:
    return (answer(body, headers=[("Content-Encoding", coding)]),)


def _bomb(coding: str, *, is_robots: bool = False) -> Check:
    content = bytes(32 << 20)
    encoded = brotli.compress(content) if coding == "br" else zstandard.ZstdCompressor().compress(content)
    return _behaves(_coded(coding, encoded), "bomb", is_robots=is_robots)


_ZSTD_2_GIB_WINDOW = b"\x28\xb5\x2f\xfd" + bytes([0x00, (31 - 10) << 3]) + b"\x01\x00\x00"
_ENDLESS = (head(), Repeat(b"a" * 4096))


async def _no_spelling_is_reached() -> bool:
    async with HostileServer(address="0.0.0.0") as server, fetching(**_SHORT_TIMES, allow_private=False) as fetcher:
        for spelling in SPELLINGS.split():
            raw = f"http://{spelling}:{server.port}/"
            for url in {raw, CANONICAL.canonical(raw) or raw}:
                await fetcher.get(page(url))
                await fetcher.get(robots(url))
        return server.connections == 0


async def _rebinding_is_pinned() -> bool:
    turns = iter([("127.0.0.9",), ("127.0.0.1",)])

    async def lookup(_: str) -> Sequence[str]:
        return next(turns)

    closing = answer(b"hi", headers=[("Connection", "close")])
    allowed = {"allow_private": False, "allow_networks": ("127.0.0.9/32",), "dns_ttl": 0.0}
    async with HostileServer({"/": (closing,)}, address="0.0.0.0") as server:
        async with fetching(**_SHORT_TIMES, **allowed, lookup=lookup) as fetcher:
            url = page(f"http://rebinding.example:{server.port}/")
            ends = [_end(await fetcher.get(url)) for _ in range(2)]
        return ends == ["", "blocked_private"] and server.connections == 1


async def _redirects_are_data() -> bool:
    schemes = ("file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "data:,x", "javascript:1", "http://0/")
    redirects = [(answer(status="302 Found", headers=[("Location", target)]),) for target in schemes]
    async with HostileServer({"/": redirects}) as server, fetching(**_SHORT_TIMES) as fetcher:
        answers = [await fetcher.get(page(server.url())) for _ in schemes]
        locations = [one.headers.get("location") for one in answers if isinstance(one, Response)]
        return locations == list(schemes) and server.targets == ["/"] * len(schemes)


async def _stale_connection_is_replaced() -> bool:
    async with HostileServer({"/": (_OK,), "/2": [(CLOSE,), (_OK,)]}) as server, fetching() as fetcher:
        tasks = (page(server.url()), page(server.url("/2")), replace(page(server.url("/2")), attempts=1))
        ends = [_end(await fetcher.get(task)) for task in tasks]
        return ends == ["", "stale_connection", ""]


async def _cookies_stay_bounded() -> bool:
    lines = [("Set-Cookie", f"c{number}={'x' * 400}; Path=/{number % 7}") for number in range(100)]
    lines += [
        ("Set-Cookie", line) for line in ("=x", "a", "b=1; Domain=com", "c=1; Expires=Wed, 01 Jan 99999 0:0:0 GMT")
    ]
    async with HostileServer({"*": (answer(b"x", headers=lines),)}) as server, fetching(cookies=True) as fetcher:
        for number in range(3):
            await fetcher.get(page(server.url(f"/{number}")))
        cookies = [line for request in server.requests for line in request.split(b"\r\n") if line.startswith(b"Cookie")]
        return len(server.requests) == 3 and all(len(line) < 8 << 10 and b"b=1" not in line for line in cookies)


async def _headers_stay_at_home() -> bool:
    async with HostileServer({"/": (_OK,)}) as mine, HostileServer({"/": (_OK,)}) as other:
        seeds = frozenset({mine.url("")})
        async with fetching(headers={"Authorization": "secret"}, private_headers_for=seeds) as fetcher:
            for server in (mine, other):
                await fetcher.get(page(server.url()))
        return b"secret" in mine.requests[0] and b"secret" not in other.requests[0]


async def _userinfo_is_refused() -> bool:
    async with HostileServer({"*": (_OK,)}) as server, fetching() as fetcher:
        url = server.url().replace("://", "://user:secret@")
        return _end(await fetcher.get(page(url))) == "userinfo" and server.connections == 0


async def _stalls_leave_room() -> bool:
    async with HostileServer({"/": (_OK,), "/stall": (WAIT,)}) as server:
        async with fetching(concurrency=256, **_SHORT_TIMES) as fetcher:
            stalled = [asyncio.ensure_future(fetcher.get(page(server.url("/stall")))) for _ in range(200)]
            served = await asyncio.gather(*(fetcher.get(page(server.url())) for _ in range(20)))
            ends = {_end(await one) for one in stalled}
        return ends == {"timeout"} and all(_end(one) == "" for one in served)


async def _handshake_stall_ends() -> bool:
    async with HostileServer({"/": (WAIT,)}) as server, fetching(**_SHORT_TIMES) as fetcher:
        return _end(await fetcher.get(page(server.url("/", "https")))) == "connect_timeout"


async def _tls_mismatch_ends() -> bool:
    greeting = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    async with HostileServer(greeting=greeting) as server, fetching(**_SHORT_TIMES) as fetcher:
        plain = _end(await fetcher.get(page(server.url("/", "https"))))
    return plain in {"tls", "connect"} and await _ends(*_refused("tls-alert-on-http"))


async def _tls_alert_is_a_failure() -> bool:
    async with HostileServer(greeting=b"\x15\x03\x01\x00\x02\x02\x46") as server, fetching(**_SHORT_TIMES) as fetcher:
        is_modern = ssl.create_default_context().minimum_version >= ssl.TLSVersion.TLSv1_2
        return is_modern and _end(await fetcher.get(page(server.url("/", "https")))) == "tls"


def _refused(name: str) -> tuple[Behaviour, str]:
    return REFUSED[name]


_LENGTHS = _in_table("length-is-negative", "length-is-text", "two-lengths")
_HEADERS = _in_table("header-lines-for-ever", "short-header-lines-for-ever", "one-header-for-ever", "a-reason-for-ever")
_ODD_HEADERS = _in_table("nul-in-header", "header-without-colon", "bare-line-feeds")
_DRIP = _behaves((head(), Repeat(b"a", None, 0.02)), "too_slow", "timeout")
_REDIRECT_BODY = _behaves((head("Location: /x", status="302 F"), Repeat(b"a" * 4096)), "redirect_cap")
_DEFLATE = _all(
    _behaves(_coded("deflate", zlib.compress(b"hello")[2:-4]), ""),
    _behaves(_coded("deflate", zlib.compress(b"hi")), ""),
)
_BOMBS = _all(_bomb("br"), _bomb("zstd"), _behaves(_coded("zstd", _ZSTD_2_GIB_WINDOW), "corrupt_encoding"))
_EXTRA_BYTES = _behaves((answer(b"hi") + answer(b"poison"),), "", "protocol")
_STATUSES = _all(
    _in_table("status-of-one-digit", "status-of-two-digits", "status-299", "status-600", "status-999", "interim-flood"),
    _behaves((answer(b"body", status="204 No Content"),), "", "protocol"),
    _behaves((answer(b"body", status="304 Not Modified"),), "", "protocol"),
)
_GARBAGE = _in_table("no-status-line", "status-is-text", "shoutcast", "version-2-over-1")
_EXTENSIONS = _in_table("chunk-extensions", "chunks-of-one-byte")
_HUGE_LIE = _behaves((head("Content-Length: 1000000000000000") + b"a", WAIT), "timeout")

# Class and name; the first match counts. Whole names first: their prose was read.
RULES: tuple[tuple[str, str, Check], ...] = (
    ("ssrf", "dns_rebinding", _rebinding_is_pinned),
    ("redirect", "redirect_other_scheme", _redirects_are_data),
    ("redirect", "redirect_no_location", _in_table("redirect-without-location", "redirect-with-empty-location")),
    ("redirect", "redirect_body_huge", _REDIRECT_BODY),
    ("body", "brotli_zstd_bomb", _BOMBS),
    ("body", "deflate_raw_and_zlib", _DEFLATE),
    ("body", "gzip_truncated", _in_table("gzip-cut")),
    ("body", "gzip_declared_but_plain", _in_table("plain-as-gzip")),
    ("body", "slow_drip_body", _DRIP),
    ("body", "accept_and_say_nothing", _behaves((WAIT,), "timeout")),
    ("body", "endless_body_tiny_chunks", _EXTENSIONS),
    ("body", "content_length_too_long", _in_table("shorter-than-its-length")),
    ("body", "content_length_huge_lie", _HUGE_LIE),
    ("body", "content_length_negative_or_text", _LENGTHS),
    ("body", "early_close_keepalive_pool", _stale_connection_is_replaced),
    ("body", "http09_and_garbage_status", _GARBAGE),
    ("body", "status_codes_odd", _STATUSES),
    ("header", "headers_100k_lines", _in_table("short-header-lines-for-ever")),
    ("header", "headers_endless", _HEADERS),
    ("header", "cookie_storm", _cookies_stay_bounded),
    ("header", "cookie_malformed", _cookies_stay_bounded),
    ("header", "cookie_supercookie_domain", _cookies_stay_bounded),
    ("header", "etag_last_modified_lies", _in_table("not-modified-unasked")),
    ("robots", "robots_endless", _behaves(_ENDLESS, "robots_cap", is_robots=True)),
    ("robots", "robots_gzip_bomb", _behaves(REFUSED["gzip-bomb"][0], "bomb", "robots_cap", is_robots=True)),
    ("robots", "robots_redirect_private", _all(_no_spelling_is_reached, _redirects_are_data)),
    ("tls", "tls_old_protocol", _tls_alert_is_a_failure),
    ("tls", "tls_handshake_stall", _handshake_stall_ends),
    ("tls", "tls_on_http_port_and_back", _tls_mismatch_ends),
    ("tls", "reset_midway", _in_table("reset-in-the-body", "reset-in-the-head")),
    ("tls", "connection_hog", _stalls_leave_room),
    # Families, for names not read here.
    ("ssrf", ".*redirect.*", _all(_no_spelling_is_reached, _redirects_are_data)),
    ("ssrf", ".*", _no_spelling_is_reached),
    ("redirect", ".*(private|metadata|loopback).*", _all(_no_spelling_is_reached, _redirects_are_data)),
    ("redirect", ".*(auth|credential|secret|cookie).*", _all(_headers_stay_at_home, _userinfo_is_refused)),
    ("body", ".*bomb.*", _all(_in_table("gzip-bomb"), _BOMBS)),
    ("body", ".*(stacked|double|chained|nested).*(encoding|gzip|compress).*", _in_table("two-codings", "ten-codings")),
    ("body", ".*(drip|slow).*", _DRIP),
    ("body", "(endless|infinite|unbounded)_body.*", _behaves(_ENDLESS, "max_body")),
    ("body", ".*(smuggl|transfer_encoding|cl_te|te_cl).*", _in_table("length-and-chunked")),
    ("body", ".*content_length.*(short|extra).*", _EXTRA_BYTES),
    ("body", "chunk.*(bad|invalid|garbage|malformed).*", _in_table("chunk-size-is-text", "chunk-size-is-text-later")),
    ("body", "chunk.*(truncat|cut|unterminated|no_end).*", _in_table("chunks-without-end")),
    ("header", ".*trailer.*", _in_table("trailers-for-ever")),
    ("header", ".*(1xx|103|early_hints|interim).*", _in_table("interim-flood", "16-interims", "100-continue")),
    ("header", ".*(nul|control|crlf|obs_fold|bare_lf).*", _ODD_HEADERS),
    ("header", "header.*(long|large|huge|giant|big|flood).*", _HEADERS),
    ("header", "cookie.*", _cookies_stay_bounded),
)  # fmt: skip
_OTHERS = {
    "trap": "traps belong to frontier and dedupe",
    "robots": "robots rules belong to politeness",
    "sitemap": "sitemaps are not read yet",
    "store": "what is stored belongs to persistence and parse",
    "redirect": "what a redirect leads to belongs to the pipeline: fetch makes one hop",
    "tls": "certificates need an authority of one's own: judged in tests/loopback/test_tls.py",
    "body": "what a body means belongs to parse, or there is no rule for this case yet",
    "header": "what a header means belongs to the pipeline, or there is no rule for this case yet",
}


def _rule_for(case: Case) -> Check | None:
    return next(
        (check for kind, pattern, check in RULES if kind == case["class"] and re.fullmatch(pattern, case["name"])), None
    )


def _judge(case: Case) -> bool:
    check = _rule_for(case)
    return check is not None and asyncio.run(_run(check))


async def _run(check: Check) -> bool:
    return await check()


def explain(_: str, case: Case) -> str | None:
    """Why a case is not fetch's to judge; None for one that is."""
    if _rule_for(case) is not None:
        return None
    return _OTHERS.get(case["class"], "no rule for this case yet")


SETS = {"cases": _judge}
