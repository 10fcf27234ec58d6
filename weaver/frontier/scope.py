"""Scope: which URLs belong to the crawl, and the reason of each that does not."""

from __future__ import annotations

import re
from collections.abc import Iterable

from weaver.base.errors import SettingsError
from weaver.base.settings import ScopeSettings
from weaver.base.url import directory_of, host_of, port_of, registrable_domain

# Why a URL is known but not queued. Those of PROMOTABLE may still be queued when the URL is found again.
TOO_DEEP = "too_deep"
NOFOLLOW = "nofollow"
DUPLICATE_LINKS = "duplicate_links"
SCOPE_REASONS = ("out_of_scope", "port", "url_too_long", "not_included", "excluded", "host_page_cap")
PROMOTABLE = frozenset({TOO_DEEP, NOFOLLOW, DUPLICATE_LINKS})


class Scope:
    """The rule of one crawl: judged once for each URL, at its discovery; a host's part once for each host."""

    def __init__(self, settings: ScopeSettings, seeds: Iterable[str], max_depth: int | None) -> None:
        self._settings = settings
        self._max_depth = max_depth
        self._include = _compiled("scope.include", settings.include)
        self._exclude = _compiled("scope.exclude", settings.exclude)
        self._ports = set(settings.ports)
        self._hosts: set[str] = set()
        self._domains: set[str] = set()
        self._prefixes: tuple[str, ...] = ()
        for seed in seeds:
            self._add_seed(seed)

    def __repr__(self) -> str:
        return f"Scope({self._settings.mode}, hosts={len(self._hosts)})"

    def _add_seed(self, seed: str) -> None:
        host = host_of(seed)
        self._ports.add(port_of(seed))
        self._hosts.add(host)
        self._domains.add(registrable_domain(host))
        self._prefixes += (directory_of(seed),)

    def refusal(self, url: str, depth: int) -> str:
        """Why the canonical URL is not to be fetched; empty when it is."""
        return self.host_refusal(url) or self.page_refusal(url, depth)

    def page_refusal(self, url: str, depth: int) -> str:
        """The part of the verdict that is the URL's own, and not its origin's."""
        if self._max_depth is not None and depth > self._max_depth:
            return TOO_DEEP
        if len(url) > self._settings.max_url_length:
            return "url_too_long"
        if self._settings.mode == "prefix" and not url.startswith(self._prefixes):
            return "out_of_scope"
        return self._pattern_refusal(url)

    def host_refusal(self, url: str) -> str:
        """The part of the verdict that is the same for all URLs of an origin."""
        if not self._covers(host_of(url)):
            return "out_of_scope"
        return "" if port_of(url) in self._ports else "port"

    def _covers(self, host: str) -> bool:
        match self._settings.mode:
            case "host" | "prefix":
                return host in self._hosts
            case "domain":
                return registrable_domain(host) in self._domains
            case "any":
                return True

    def _pattern_refusal(self, url: str) -> str:
        if self._include and not any(pattern.search(url) for pattern in self._include):
            return "not_included"
        if any(pattern.search(url) for pattern in self._exclude):
            return "excluded"
        return ""


def _compiled(name: str, patterns: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    try:
        return tuple(re.compile(pattern) for pattern in patterns)
    except re.error as error:
        raise SettingsError(f"{name}: expected a regular expression, got {error.pattern!r}: {error}") from error
