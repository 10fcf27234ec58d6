"""Descriptors: a crawl wants no more connections than the system lets the process open."""

from __future__ import annotations

import errno
import resource
import socket
from types import SimpleNamespace

import aiohttp
import pytest

from weaver.fetch import descriptors
from weaver.fetch.aiohttp_errors import Border
from weaver.fetch.descriptors import (
    KEPT_BACK,
    PER_REQUEST,
    RESERVE,
    affordable_concurrency,
    affordable_connections,
    is_last_of_reserve,
)
from weaver.fetch.wire import WireLimits, WireMeter


class FakeLimits:
    """The process's limit, without the process."""

    RLIMIT_NOFILE = resource.RLIMIT_NOFILE
    RLIM_INFINITY = resource.RLIM_INFINITY

    def __init__(self, soft: int, hard: int, *, is_fixed: bool = False) -> None:
        self.soft, self.hard, self.is_fixed = soft, hard, is_fixed

    def getrlimit(self, _kind: int) -> tuple[int, int]:
        return self.soft, self.hard

    def setrlimit(self, _kind: int, limits: tuple[int, int]) -> None:
        if self.is_fixed:
            raise ValueError("not allowed")
        self.soft, self.hard = limits


def _limit(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, *, is_fixed: bool = False) -> FakeLimits:
    limits = FakeLimits(soft, hard, is_fixed=is_fixed)
    monkeypatch.setattr(descriptors, "resource", limits)
    return limits


def test_what_is_wanted_is_given_where_there_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that is high enough changes nothing, and is not changed."""
    limits = _limit(monkeypatch, 1024, 4096)
    assert affordable_concurrency(64) == 64
    assert affordable_connections(192, 64) == 192
    assert limits.soft == 1024


def test_the_soft_limit_is_raised_before_anything_is_lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user may open more than the shell's default: the hard limit counts."""
    limits = _limit(monkeypatch, 256, 4096)
    assert affordable_concurrency(500) == 500
    assert limits.soft == 4096


@pytest.mark.parametrize("is_fixed", [False, True])
def test_requests_fit_into_the_limit(monkeypatch: pytest.MonkeyPatch, is_fixed: bool) -> None:
    """Requests, the connections they race with and those kept alive stay below the limit less the reserve."""
    for limit in range(RESERVE + PER_REQUEST, 400):
        _limit(monkeypatch, limit, limit, is_fixed=is_fixed)
        concurrency = affordable_concurrency(500)
        kept = affordable_connections(3 * concurrency, concurrency)
        assert concurrency >= 1
        assert (PER_REQUEST - 1) * concurrency + kept <= limit - RESERVE


@pytest.mark.parametrize("limit", [0, 10, RESERVE])
def test_one_request_is_always_made(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """However low the limit, a crawl goes on with one request at a time that keeps no connection."""
    _limit(monkeypatch, limit, limit)
    assert affordable_concurrency(500) == 1
    assert affordable_connections(3, 1) == 0


def test_no_limit_is_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system names no limit, none is applied."""
    _limit(monkeypatch, resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    assert affordable_concurrency(4096) == 4096
    assert not is_last_of_reserve(100_000)


def test_the_last_descriptors_are_left_to_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that would be one of the last descriptors is given back."""
    _limit(monkeypatch, 64, 64)
    assert [is_last_of_reserve(number) for number in (3, 63 - KEPT_BACK, 64 - KEPT_BACK, 63)] == [
        False, False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("host", "number", "reason"),
    [
        ("192.0.2.1", errno.EMFILE, "local_limit"),
        ("2001:db8::1", errno.EMFILE, "local_limit"),
        ("192.0.2.1", errno.EADDRNOTAVAIL, "local_limit"),
        ("2001:db8::1", errno.EADDRNOTAVAIL, "connect"),
        ("192.0.2.1", errno.ECONNREFUSED, "connect"),
    ],
)
def test_only_what_waiting_mends_is_local(host: str, number: int, reason: str) -> None:
    """A machine without IPv6 says the same as one that is out of ports: a crawl must not wait for that for ever."""
    key = SimpleNamespace(host=host, port=80, is_ssl=False, ssl=True, proxy=None)
    border = Border(WireMeter(WireLimits(1 << 16, 0, 10.0)))
    with border:
        raise aiohttp.ClientConnectorError(key, OSError(number, "x"))  # type: ignore[arg-type]
    assert border.reason == reason


def test_descriptors_are_numbered_from_the_lowest() -> None:
    """What `is_last_of_reserve` relies on: the system hands out the lowest free number."""
    with socket.socket() as first:
        number = first.fileno()
    with socket.socket() as second:
        assert second.fileno() == number
