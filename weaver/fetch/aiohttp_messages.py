"""The heads of messages: a request's as it is sent, and an answer's as the other stages read it."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp.http_parser import RawResponseMessage

from weaver.base.page import Exchange, HeaderLines
from weaver.fetch.aiohttp_errors import neutral
from weaver.fetch.aiohttp_origins import Target

# Headers that are lists, which servers may send in several lines (RFC 9110, 5.3).
_LISTS = ("link", "x-robots-tag")
_CLOSE = b"Connection: close\r\n"


class RequestHeads:
    """Writes the heads of requests; the lines of the header that was sent last are kept, for it is mostly the same."""

    def __init__(self) -> None:
        self._headers: Mapping[str, str] = {}
        self._lines = b""

    def head(self, target: Target, headers: Mapping[str, str], cookie: str, *, is_last: bool) -> bytes:
        """A GET of the target; `is_last` says that the connection won't be used again. The values must be sendable."""
        if headers is not self._headers:
            self._headers, self._lines = headers, b"".join(map(_line, headers, headers.values()))
        origin, path = target
        more = (_line("Cookie", cookie) if cookie else b"") + (_CLOSE if is_last else b"")
        return b"GET %b HTTP/1.1\r\n%b%b%b\r\n" % (path.encode("ascii"), origin.host_line, self._lines, more)


def _line(name: str, value: str) -> bytes:
    return f"{name}: {value}\r\n".encode()


def headers_of(message: RawResponseMessage) -> dict[str, str]:
    """An answer's header as a Response has it."""
    headers = {
        name.lower(): value if value.isprintable() else neutral(value) for name, value in message.headers.items()
    }
    for name in _LISTS:
        if name in headers:
            headers[name] = ", ".join(neutral(line) for line in message.headers.getall(name))
    return headers


def exchange_of(head: bytes, message: RawResponseMessage, started_at: float, peer: str) -> Exchange:
    """The request as it was sent, and the status line as it came, which aiohttp does not keep as bytes."""
    request_line, *lines = head[: -len(b"\r\n\r\n")].split(b"\r\n")
    pairs: HeaderLines = tuple((name, value) for name, _, value in (line.partition(b": ") for line in lines))
    reason = (message.reason or "").encode("utf-8", "surrogateescape")
    return Exchange(
        started_at, peer, request_line, pairs, b"HTTP/1.%d %d %s" % (message.version.minor, message.code, reason)
    )
