"""Cookies for the run, where the user asks for them: host-only, bounded, never on disk.

Every cookie goes back to the very host that set it and to no other, whatever its Domain says (RFC 6265, 5.3, leaves
that to the client): a cookie for a public suffix or a foreign host can't come about. Ports don't separate cookies
(RFC 6265, 8.5); Secure ones are neither taken from nor sent over plain http.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from weaver.base.clock import Clock

MAX_HOSTS = 1_000
MAX_COOKIES_PER_HOST = 50  # RFC 6265, 6.1
MAX_COOKIE_BYTES = 4 << 10
MAX_HEADER_BYTES = 8 << 10


@dataclass(frozen=True, slots=True)
class _Cookie:
    name: str
    value: str
    path: str
    is_secure: bool
    expires_at: float | None

    def is_for(self, path: str, now: float, *, is_secure: bool) -> bool:
        has_expired = self.expires_at is not None and self.expires_at <= now
        return not has_expired and (is_secure or not self.is_secure) and _is_below(path, self.path)


class CookieShelf:
    """The cookies of the hosts used last, at most MAX_HOSTS times MAX_COOKIES_PER_HOST, each MAX_COOKIE_BYTES."""

    def __init__(self, clock: Clock, max_hosts: int = MAX_HOSTS) -> None:
        self._clock = clock
        self._max_hosts = max_hosts
        self._hosts: OrderedDict[str, OrderedDict[tuple[str, str], _Cookie]] = OrderedDict()

    def __repr__(self) -> str:
        return f"CookieShelf(hosts={len(self._hosts)}/{self._max_hosts})"

    def __len__(self) -> int:
        return sum(len(cookies) for cookies in self._hosts.values())

    def header_for(self, host: str, path: str, *, is_secure: bool) -> str:
        """The Cookie header for a request, at most MAX_HEADER_BYTES; empty where there is nothing to send."""
        now = self._clock.wall()
        kept = [
            cookie for cookie in self._hosts.get(host, {}).values() if cookie.is_for(path, now, is_secure=is_secure)
        ]
        pairs: list[str] = []
        room = MAX_HEADER_BYTES
        for cookie in sorted(kept, key=lambda cookie: -len(cookie.path)):
            pair = f"{cookie.name}={cookie.value}"
            room -= len(pair) + 2
            if room >= 0:
                pairs.append(pair)
        return "; ".join(pairs)

    def keep(self, host: str, path: str, lines: Iterable[str], *, is_secure: bool) -> None:
        """Take in the Set-Cookie lines of a response; what is malformed, too long or for others is left out."""
        cookies = self._hosts.pop(host, OrderedDict())
        for line in lines:
            cookie = _parsed(line, host, path, self._clock.wall())
            if cookie is not None and (is_secure or not cookie.is_secure):
                self._replace(cookies, cookie)
        if cookies:
            self._hosts[host] = cookies
        while len(self._hosts) > self._max_hosts:
            self._hosts.popitem(last=False)

    def _replace(self, cookies: OrderedDict[tuple[str, str], _Cookie], cookie: _Cookie) -> None:
        key = (cookie.name, cookie.path)
        cookies.pop(key, None)
        if cookie.expires_at is None or cookie.expires_at > self._clock.wall():
            cookies[key] = cookie
        while len(cookies) > MAX_COOKIES_PER_HOST:
            cookies.popitem(last=False)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder if folder.endswith("/") else folder + "/")


def _parsed(line: str, host: str, path: str, now: float) -> _Cookie | None:
    """One Set-Cookie line (RFC 6265, 5.2); None for what weaver won't keep."""
    if len(line) > MAX_COOKIE_BYTES or not line.isascii() or not line.isprintable():
        return None
    pair, *rest = line.split(";")
    name, equals, value = pair.partition("=")
    attributes = {key.strip().lower(): text.strip() for key, _, text in (part.partition("=") for part in rest)}
    domain = attributes.get("domain", "").lstrip(".").lower()
    if not equals or not name.strip() or domain not in {"", host}:
        return None
    folder = attributes.get("path", "")
    folder = folder if folder.startswith("/") else path.rpartition("/")[0] or "/"
    return _Cookie(name.strip(), value.strip(), folder, "secure" in attributes, _expiry(attributes, now))


def _expiry(attributes: dict[str, str], now: float) -> float | None:
    """Wall seconds; Max-Age before Expires; None for the session, and for what can't be read."""
    age = attributes.get("max-age", "")
    if age.removeprefix("-").isdigit():
        return now + int(age[:12])
    try:
        return parsedate_to_datetime(attributes.get("expires", "")).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
