"""The origin and the target of a URL, whether its origin was asked before or not, and the head that goes there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from weaver.base.page import Failure
from weaver.fetch.aiohttp_messages import RequestHeads
from weaver.fetch.aiohttp_origins import MOST_ORIGINS, Origins

AUTHORITIES = st.sampled_from(["h", "h:80", "h:8080", "h:808", "H.example", "[::1]", "[::1]:8080", "127.0.0.1:1"])
RESTS = st.text("/?#ab@:.;%=", max_size=8).filter(lambda rest: not rest or rest[0] in "/?#")
URLS = st.builds("{}://{}{}".format, st.sampled_from(["http", "https"]), AUTHORITIES, RESTS)


def _told(target: object) -> tuple[str, str, bytes] | str:
    if isinstance(target, Failure):
        return target.reason
    assert isinstance(target, tuple)
    origin, path = target
    return str(origin.url), path, origin.host_line


@given(st.lists(URLS, max_size=20))
async def test_what_was_asked_before_changes_no_target(urls: list[str]) -> None:
    """A URL leads to the same origin and path after any others as it does when it is the first."""
    origins = Origins()
    for url in urls:
        assert _told(origins.target(url)) == _told(Origins().target(url))


@given(URLS)
async def test_a_target_is_what_the_url_says(url: str) -> None:
    """Scheme, host, port and path are as yarl reads them; an empty query keeps its question mark."""
    target, parts = Origins().target(url), URL(url, encoded=True)
    assert isinstance(target, tuple)
    origin, path = target
    assert (str(origin.url), origin.host, origin.is_https) == (
        str(parts.origin()), parts.raw_host, parts.scheme == "https",
    )  # fmt: skip
    has_empty_query = url.partition("#")[0].endswith("?") and not parts.raw_query_string
    assert path == parts.raw_path_qs + ("?" if has_empty_query else "")


async def test_what_must_not_be_sent_is_refused_before_and_after() -> None:
    """User information, other schemes, missing hosts, blanks and control characters lead nowhere."""
    origins = Origins()
    for _ in range(2):
        assert _told(origins.target("http://a/x")) == ("http://a", "/x", b"Host: a\r\n")
        assert _told(origins.target("http://u:p@a/x")) == "userinfo"
        assert _told(origins.target("ftp://a/x")) == "scheme"
        assert _told(origins.target("http:///x")) == "invalid_url"
        assert _told(origins.target("http:x")) == "invalid_url"
        assert _told(origins.target("http://a/x y")) == "invalid_url"
        assert _told(origins.target("http://a/x\r\nHost: b")) == "invalid_url"


async def test_the_origins_kept_are_bounded() -> None:
    """However many origins are asked, no more than so many are kept."""
    origins = Origins()
    for number in range(MOST_ORIGINS + 2):
        assert isinstance(origins.target(f"http://h{number}/"), tuple)
    assert len(origins) <= MOST_ORIGINS


async def test_a_head_carries_the_headers_of_its_own_request() -> None:
    """Headers that were sent to one origin, such as secrets, are in no other request's head."""
    target = Origins().target("http://a:8080/x?y")
    assert isinstance(target, tuple)
    heads, common, secret = RequestHeads(), {"User-Agent": "w"}, {"Authorization": "s"}
    assert heads.head(target, common, "", is_last=False) == (
        b"GET /x?y HTTP/1.1\r\nHost: a:8080\r\nUser-Agent: w\r\n\r\n"
    )
    assert b"Authorization: s\r\n" in heads.head(target, secret, "", is_last=False)
    head = heads.head(target, common, "a=b", is_last=True)
    assert head.endswith(b"\r\nUser-Agent: w\r\nCookie: a=b\r\nConnection: close\r\n\r\n")
    assert b"Authorization" not in head
