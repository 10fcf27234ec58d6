"""Opt-out: the hosts whose owners asked not to be visited, with all their subdomains."""

from __future__ import annotations

from collections.abc import Iterable

from weaver.base.url import host_of, join


class OptOut:
    """The list, asked by origin. An entry is a host name, `*.host`, or any URL on the host; O(labels) a question."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._hosts = frozenset(filter(None, map(_host_named_by, entries)))

    def __repr__(self) -> str:
        return f"OptOut({len(self._hosts)} hosts)"

    def __len__(self) -> int:
        return len(self._hosts)

    def covers(self, origin: str) -> bool:
        """Whether the host of this origin, or a domain it lies in, is on the list."""
        if not self._hosts:
            return False
        host = host_of(origin).rstrip(".")
        while host:
            if host in self._hosts:
                return True
            host = host.partition(".")[2]
        return False


def _host_named_by(entry: str) -> str:
    text = entry.strip().removeprefix("*.").removeprefix(".")
    url = join(text if "://" in text else f"http://{text}/")
    return host_of(url).rstrip(".") if url and url.startswith("http") else ""
