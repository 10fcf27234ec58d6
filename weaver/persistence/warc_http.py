"""HTTP heads for the archive: a request's without its secrets, an answer's so that it fits the body that is kept."""

from __future__ import annotations

from collections.abc import Iterable

from weaver.base.page import Exchange, HeaderLines, Response

# A body is kept without its coding and its framing. What told of them is kept under the names that Common Crawl gave
# it, since whoever replays a record takes its header lines at their word.
KEPT_AS = b"X-Crawler-"
REDACTED = b"[redacted]"
SECRETS = frozenset({"authorization", "cookie", "proxy-authorization"})
_LENGTH = b"content-length"
_CODINGS = frozenset({b"content-encoding", b"transfer-encoding"})


def request_head(exchange: Exchange, secrets: frozenset[str] = SECRETS) -> bytes:
    """The request as it was sent, but for the values of headers that are secret (names in lower case)."""
    lines = ((name, REDACTED if name.decode("latin-1").lower() in secrets else value)
             for name, value in exchange.request_lines)  # fmt: skip
    return _head(exchange.request_line, lines)


def response_head(response: Response) -> bytes:
    """The status line and the header lines as received, where they fit the body.

    Else Content-Encoding, Transfer-Encoding and Content-Length get other names, and the body's own length is told.
    """
    exchange = response.exchange
    status_line = exchange.status_line if exchange is not None else b"HTTP/1.1 %d" % response.status
    lines = response.header_lines or _encoded(response)
    return _head(status_line, lines if _fits(lines, len(response.body)) else _renamed(lines, len(response.body)))


def _encoded(response: Response) -> HeaderLines:
    return tuple((name.encode(), value.encode()) for name, value in response.headers.items())


def _fits(lines: HeaderLines, body_bytes: int) -> bool:
    length = b"%d" % body_bytes
    return all(
        name not in _CODINGS and (name != _LENGTH or value == length)
        for name, value in ((name.lower(), value) for name, value in lines)
    )


def _renamed(lines: HeaderLines, body_bytes: int) -> Iterable[tuple[bytes, bytes]]:
    for name, value in lines:
        is_framing = name.lower() in _CODINGS or name.lower() == _LENGTH
        yield (KEPT_AS + name if is_framing else name), value
    yield b"Content-Length", b"%d" % body_bytes


def _head(first: bytes, lines: Iterable[tuple[bytes, bytes]]) -> bytes:
    # No line may end early: what a server folded over several is one here (RFC 9112, 5.2).
    whole = (b"%b: %b" % (name, b" ".join(value.splitlines())) for name, value in lines)
    return b"\r\n".join((b" ".join(first.splitlines()), *whole, b"\r\n"))
