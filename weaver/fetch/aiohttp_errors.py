"""The border to aiohttp: every exception that it, ssl or the system raise, mapped to one of fetch's reasons."""

from __future__ import annotations

import errno
import re
import ssl
from types import TracebackType

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from weaver.fetch.decode import DecodeError
from weaver.fetch.descriptors import LOCAL_ERRNOS
from weaver.fetch.resolver import ResolutionError
from weaver.fetch.wire import WireMeter

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def neutral(text: str) -> str:
    """Text from a server without what could steer a terminal, a log or a parser; bytes that are no UTF-8 as latin-1."""
    if not text.isascii() and not text.isprintable():
        # aiohttp smuggles undecodable bytes through as lone surrogates (PEP 383), which nothing else can encode.
        raw = text.encode("utf-8", "surrogateescape")
        text = text if raw == text.encode("utf-8", "replace") else raw.decode("latin-1")
    return _UNPRINTABLE.sub("\ufffd", text.replace("\t", " "))


class AddressRefusedError(OSError):
    """The guard refused an address; all say the same, or aiohappyeyeballs would merge several into a plain OSError."""

    def __init__(self) -> None:
        super().__init__(errno.EACCES, "private address")


# First match counts. ServerDisconnectedError and ClientOSError are what a connection's end looks like.
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (aiohttp.NonHttpUrlClientError, "scheme"),
    (aiohttp.InvalidURL, "invalid_url"),
    (aiohttp.ClientConnectorCertificateError, "tls"),
    (aiohttp.ClientSSLError, "tls"),
    (ssl.SSLError, "tls"),
    (aiohttp.ConnectionTimeoutError, "connect_timeout"),
    (aiohttp.ClientConnectorError, "connect"),
    (aiohttp.ServerTimeoutError, "timeout"),
    (aiohttp.ServerDisconnectedError, "disconnected"),
    (aiohttp.ClientOSError, "disconnected"),
    (aiohttp.ClientConnectionError, "disconnected"),
    (aiohttp.ClientError, "protocol"),
    (HttpProcessingError, "protocol"),
    (OSError, "connect"),
    (RuntimeError, "connect"),  # uvloop's, for a socket that is gone
    (ValueError, "invalid_url"),
)
_FOREIGN = (aiohttp.ClientError, HttpProcessingError, OSError, RuntimeError, ValueError, DecodeError)


def _own(error: BaseException) -> BaseException:
    """The error below aiohttp's wrapping: weaver's own, or the system's."""
    return error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error


def _reason_of(error: BaseException, meter: WireMeter) -> str:
    """Fetch's reason for a foreign error; what the meter cut says why by itself."""
    own = _own(error)
    if meter.violation:
        return meter.violation
    if isinstance(own, DecodeError | ResolutionError):
        return own.reason
    if isinstance(own, AddressRefusedError):
        return "blocked_private"
    if isinstance(own, OSError) and (own.errno in LOCAL_ERRNOS or _is_out_of_ports(error, own)):
        return "local_limit"
    if _is_about_headers(error):
        return "header_limit"
    return next(reason for kind, reason in _REASONS if isinstance(error, kind))


def _is_out_of_ports(error: BaseException, own: OSError) -> bool:
    """The same error also says that the machine has no IPv6 at all, which no waiting mends: only IPv4 counts."""
    is_ipv6 = isinstance(error, aiohttp.ClientConnectorError) and ":" in (error.host or "")
    return own.errno == errno.EADDRNOTAVAIL and not is_ipv6


def _is_about_headers(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, LineTooLong):
        if "Too many headers" in str(cause):
            return True
        cause = cause.__cause__
    return cause is not None


class Border:
    """Where foreign exceptions end: a block that leaves with one has its reason and detail here."""

    __slots__ = ("detail", "meter", "reason")

    def __init__(self, meter: WireMeter) -> None:
        self.meter = meter
        self.reason = ""
        self.detail = ""

    def __enter__(self) -> None: ...

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> bool:
        if not isinstance(error, _FOREIGN):
            return False
        self.reason = _reason_of(error, self.meter)
        own = _own(error)
        detail = str(own) if isinstance(own, DecodeError | ResolutionError) else f"{type(error).__name__}: {error}"
        self.detail = "" if self.meter.violation else neutral(" ".join(detail[:300].split()))
        return True
