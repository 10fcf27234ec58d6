"""Cookies: for their own host, bounded, and silent about everything else."""

from __future__ import annotations

import pytest

from weaver.base.clock import ManualClock
from weaver.fetch.cookies import MAX_COOKIES_PER_HOST, MAX_HEADER_BYTES, CookieShelf

HOST = "www.example.org"


def _kept(*lines: str, host: str = HOST, path: str = "/", is_secure: bool = True) -> CookieShelf:
    shelf = CookieShelf(ManualClock())
    shelf.keep(host, path, lines, is_secure=is_secure)
    return shelf


def test_a_cookie_goes_back_to_its_host() -> None:
    """What a host set, it gets back, and no other host does."""
    shelf = _kept("a=1; Path=/; HttpOnly", "b=2")
    assert shelf.header_for(HOST, "/x", is_secure=True) == "a=1; b=2"
    for other in ("example.org", "sub.www.example.org", "www.example.com", HOST + "."):
        assert shelf.header_for(other, "/x", is_secure=True) == ""


@pytest.mark.parametrize(
    "domain", ["org", ".org", "co.uk", "example.org", "www.example.org.", "other.example", "EXAMPLE.ORG", "127.0.0.1"]
)
def test_a_cookie_for_another_domain_is_refused(domain: str) -> None:
    """Super-cookies, parents and strangers: a Domain that is not the host itself is not kept."""
    assert len(_kept(f"a=1; Domain={domain}")) == 0


@pytest.mark.parametrize("domain", ["www.example.org", ".www.example.org", "WWW.EXAMPLE.ORG"])
def test_a_domain_that_is_the_host_stays_host_only(domain: str) -> None:
    """A Domain equal to the host makes no domain cookie of it."""
    shelf = _kept(f"a=1; Domain={domain}")
    assert shelf.header_for(HOST, "/", is_secure=True) == "a=1"
    assert shelf.header_for(f"sub.{HOST}", "/", is_secure=True) == ""


@pytest.mark.parametrize(
    "line", ["", ";", "=x", "novalue", "a=1\x01", "a=\x7f", "a=é", " ; a=1", "a=" + "x" * 5_000, "=; Path=/"]
)
def test_a_malformed_cookie_is_left_out(line: str) -> None:
    """Names that are missing, control characters and giants are ignored."""
    assert len(_kept(line)) == 0


def test_secure_cookies_need_https() -> None:
    """A Secure cookie is neither taken from nor sent over plain http."""
    assert len(_kept("a=1; Secure", is_secure=False)) == 0
    shelf = _kept("a=1; Secure")
    assert shelf.header_for(HOST, "/", is_secure=False) == ""
    assert shelf.header_for(HOST, "/", is_secure=True) == "a=1"


def test_paths_are_respected() -> None:
    """A cookie is sent below its path only, the longer path first (RFC 6265, 5.1.4 and 5.4)."""
    shelf = _kept("a=1; Path=/docs", "b=2", "c=3; Path=/", path="/docs/deep/page")
    assert shelf.header_for(HOST, "/docs/deep/other", is_secure=True) == "b=2; a=1; c=3"
    assert shelf.header_for(HOST, "/docs", is_secure=True) == "a=1; c=3"
    assert shelf.header_for(HOST, "/docsmore", is_secure=True) == "c=3"


def test_ages_are_respected() -> None:
    """Max-Age counts before Expires; what has passed is gone; what can't be read lasts for the run."""
    clock = ManualClock()
    shelf = CookieShelf(clock)
    lines = [
        "age=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "date=2; Expires=Wed, 01 Jan 2098 00:00:00 GMT",
        "past=3; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "odd=4; Expires=Wed, 01 Jan 99999 00:00:00 GMT",
        "worse=5; Max-Age=soon",
    ]
    shelf.keep(HOST, "/", lines, is_secure=True)
    assert shelf.header_for(HOST, "/", is_secure=True) == "age=1; date=2; odd=4; worse=5"
    clock.advance(61)
    assert shelf.header_for(HOST, "/", is_secure=True) == "date=2; odd=4; worse=5"
    shelf.keep(HOST, "/", ["date=; Max-Age=0", "odd=; Max-Age=-1"], is_secure=True)
    assert shelf.header_for(HOST, "/", is_secure=True) == "worse=5"


def test_a_flood_stays_bounded() -> None:
    """A million cookies over many hosts leave the caps standing, and the header under its own."""
    shelf = CookieShelf(ManualClock(), max_hosts=10)
    for number in range(100):
        lines = [f"c{index}={'x' * 3_000}" for index in range(200)]
        shelf.keep(f"h{number}.example", "/", lines, is_secure=True)
        assert len(shelf) <= 10 * MAX_COOKIES_PER_HOST
    header = shelf.header_for("h99.example", "/", is_secure=True)
    assert 0 < len(header) <= MAX_HEADER_BYTES


def test_a_newer_value_replaces_the_older() -> None:
    """Same name and path: one cookie."""
    shelf = _kept("a=1", "a=2")
    assert shelf.header_for(HOST, "/", is_secure=True) == "a=2"
    assert len(shelf) == 1
