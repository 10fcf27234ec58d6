"""Validators: what a setting's value must be beyond its type, told in the user's words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_network

LEAST_BUDGET_BYTES = 1 << 20
"""Below this, the stores of the smallest accounts have no room for their first entries."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\ud7ff\ue000-\U0010ffff]*")
# What frames a message or names its host belongs to the transport.
_NOT_SETTABLE = frozenset({
    "connection", "content-length", "cookie", "expect", "host", "keep-alive", "proxy-authorization", "te", "trailer",
    "transfer-encoding", "upgrade",
})  # fmt: skip


def number_not_truth(value: object) -> object:
    """The value, which must not be true or false: Python would count those as 1 and 0. Raises ValueError."""
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


def regular_expression(text: str) -> str:
    """The text, which must compile. Raises ValueError."""
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"expected a regular expression, got {text!r}: {error}") from error
    return text


def network(text: str) -> str:
    """The text, which must name an IPv4 or IPv6 network, or one address. Raises ValueError."""
    try:
        ip_network(text, strict=False)
    except ValueError as error:
        raise ValueError(f"expected a network such as 10.1.0.0/16, got {text!r}") from error
    return text


def sendable_headers(headers: dict[str, str]) -> dict[str, str]:
    """The headers, which a request must be able to carry. Raises ValueError; it quotes no value, that may be secret."""
    refusal = header_refusal(headers)
    if refusal:
        raise ValueError(refusal)
    return headers


def header_refusal(headers: Mapping[str, str]) -> str:
    """Why a request can't carry these headers (RFC 9110, 5.1 and 5.5); empty where it can."""
    for name, value in headers.items():
        if _TOKEN.fullmatch(name) is None or name.lower() in _NOT_SETTABLE:
            return f"expected the name of a header that can be set, got {name!r}"
        if _FIELD_VALUE.fullmatch(value) is None:
            return f"expected a value without control characters, got one with them for {name!r}"
    return ""


def enough_memory(size_bytes: int) -> int:
    """The size, which must hold at least the first entries of each store. Raises ValueError."""
    if 0 <= size_bytes < LEAST_BUDGET_BYTES:
        raise ValueError("expected at least 1 MiB")
    return size_bytes
