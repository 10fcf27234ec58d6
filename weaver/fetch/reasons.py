"""The reasons for which no response came, what each means, and whether a fresh connection may do better."""

from __future__ import annotations

from types import MappingProxyType

from weaver.base.page import Failure

# reason -> (a later try may do better, what it means). The reasons are counted and stored: they don't change.
REASONS = MappingProxyType({
    "blocked_private": (False, "the address is private, loopback, link-local or reserved; nothing was sent to it"),
    "bomb": (False, "the body grew beyond `max_ratio` while it was decoded"),
    "connect": (True, "no connection: refused, unreachable, or reset before it stood"),
    "connect_timeout": (True, "look-up, TCP and TLS took longer than `connect_timeout`"),
    "corrupt_encoding": (False, "the body is not in the content coding that it claims, from its first byte on"),
    "disconnected": (True, "the server closed or reset the connection before its answer"),
    "dns": (False, "the name does not exist, or has no address"),
    "dns_temporary": (True, "the name servers gave no answer"),
    "encoding": (False, "more than one content coding on one body"),
    "framing": (False, "more chunk framing than body"),
    "header_limit": (False, "headers beyond `max_header`, or too many of them"),
    "interim_limit": (False, "too many 1xx responses before the answer"),
    "invalid_url": (False, "the URL can't be sent as it stands"),
    "local_limit": (True, "this machine is out of descriptors, ports or buffers"),
    "protocol": (False, "what the server sent is not HTTP/1.x"),
    "scheme": (False, "neither http nor https"),
    "stale_connection": (True, "a kept-alive connection was dead when the request was sent"),
    "timeout": (True, "the whole request took longer than `timeout`"),
    "tls": (False, "the certificate does not verify, or there is no common TLS version"),
    "too_slow": (False, "less than `min_rate` over one window"),
    "userinfo": (False, "the URL carries a user name or a password; neither is ever sent"),
})  # fmt: skip


def failure(url: str, reason: str, detail: str = "", elapsed_s: float = 0.0) -> Failure:
    """A Failure for one of REASONS."""
    is_retryable, meaning = REASONS[reason]
    return Failure(url, reason, detail or meaning, is_retryable, elapsed_s)
