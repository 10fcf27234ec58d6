"""The Fetcher: headers, deadline, caps and counts, over a scripted transport."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from tests.support.fetching import page, robots
from weaver.base.clock import ManualClock
from weaver.base.errors import SettingsError
from weaver.base.page import Failure, Fetched, Response
from weaver.base.settings import FetchSettings
from weaver.fetch import Fetcher, ScriptedTransport, TransportStatistics, build_fetcher
from weaver.fetch.reasons import REASONS
from weaver.memory.admission import Admission

URL = "https://example.org/"
SEEDS = frozenset({"https://example.org"})


def _fetcher(transport: ScriptedTransport, **settings: object) -> Fetcher:
    return build_fetcher(FetchSettings(**settings), "weaver/1", 4, SEEDS, ManualClock(), transport)  # type: ignore[arg-type]


class SilentTransport:
    """A transport that never answers."""

    async def get(
        self, url: str, headers: Mapping[str, str], max_body_bytes: int, room: Admission, *, is_fresh: bool = False
    ) -> Fetched:
        await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None:
        """Nothing to close."""

    def release_memory(self) -> int:
        return 0

    def statistics(self) -> TransportStatistics:
        return TransportStatistics()


async def test_it_says_who_it_is_and_what_it_reads() -> None:
    """Each request carries the User-Agent, what weaver parses and the codings it decodes; no Referer, no Cookie."""
    transport = ScriptedTransport()
    await _fetcher(transport).get(page(URL))
    headers = transport.requests[0].headers
    assert headers["User-Agent"] == "weaver/1"
    assert headers["Accept-Encoding"] == "gzip, deflate, br, zstd"
    assert headers["Accept"].startswith("text/html")
    assert set(headers) == {"User-Agent", "Accept", "Accept-Encoding"}


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "https://example.org:8443/",
        "https://www.example.org/",
        "https://example.org.evil.example/",
        "https://example.com/",
        "https://user@example.org/",
        "nonsense",
    ],
)
async def test_own_headers_stay_with_the_seeds_origins(url: str) -> None:
    """A header that the user set may be a secret: no other host, port or scheme gets it."""
    transport = ScriptedTransport()
    fetcher = _fetcher(transport, headers={"X-Api-Key": "secret", "user-agent": "mine"})
    await fetcher.get(page(URL))
    await fetcher.get(page(url))
    assert transport.requests[0].headers["X-Api-Key"] == "secret"
    assert transport.requests[0].headers["user-agent"] == "mine"
    assert "User-Agent" not in transport.requests[0].headers
    assert transport.requests[1].headers["User-Agent"] == "weaver/1"
    assert "X-Api-Key" not in transport.requests[1].headers


@pytest.mark.parametrize(
    "headers",
    [{"Host": "x"}, {"Bad Name": "x"}, {"": "x"}, {"X": "a\r\nB: c"}, {"X": "a\0"}, {"Transfer-Encoding": "chunked"}],
)
def test_headers_that_break_a_request_are_refused_at_once(headers: dict[str, str]) -> None:
    """What could split a request or lie about its frame is the user's error before the crawl starts."""
    unchecked = FetchSettings().model_copy(update={"headers": headers})
    with pytest.raises(SettingsError, match=r"fetch\.headers"):
        build_fetcher(unchecked, "weaver/1", 4, SEEDS, ManualClock(), ScriptedTransport())


async def test_one_deadline_ends_it_all() -> None:
    """A request that gets nowhere ends with the deadline, and may be tried again."""
    fetcher = build_fetcher(FetchSettings(timeout=0.01), "weaver/1", 4, SEEDS, ManualClock(), SilentTransport())
    fetched = await fetcher.get(page(URL))
    assert isinstance(fetched, Failure)
    assert (fetched.reason, fetched.is_retryable) == ("timeout", True)


async def test_being_cancelled_passes() -> None:
    """A cancelled request is no failure of the server's: the cancellation goes on."""
    fetcher = build_fetcher(FetchSettings(), "weaver/1", 4, SEEDS, ManualClock(), SilentTransport())
    request = asyncio.ensure_future(fetcher.get(page(URL)))
    await asyncio.sleep(0)
    assert fetcher.statistics().under_way == 1
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert fetcher.statistics().under_way == 0


async def test_a_robots_file_is_cut_at_512_kib() -> None:
    """The first 512 KiB of a robots.txt are taken, and the cut says that it was weaver's."""
    long = Response(URL, 200, {}, b"#" * (2 << 20), 2 << 20, 0.1)
    fetcher = _fetcher(ScriptedTransport({URL: long}))
    fetched = await fetcher.get(robots(URL))
    assert isinstance(fetched, Response)
    assert (len(fetched.body), fetched.truncated_by) == (512 << 10, "robots_cap")
    whole = await fetcher.get(page(URL))
    assert isinstance(whole, Response)
    assert (len(whole.body), whole.truncated_by) == (2 << 20, "")


async def test_requests_bytes_and_reasons_are_counted() -> None:
    """The statistics add up."""
    ok = Response(URL, 200, {}, b"x", 100, 0.1)
    fetcher = _fetcher(ScriptedTransport({URL: [ok, Failure(URL, "dns"), Failure(URL, "connect"), ok]}))
    for _ in range(5):
        await fetcher.get(page(URL))
    statistics = fetcher.statistics()
    assert (statistics.requests, statistics.received_bytes) == (5, 300)
    assert statistics.failures == {"dns": 1, "connect": 1}
    assert (statistics.under_way, statistics.peak_under_way) == (0, 1)


async def test_a_scripted_transport_answers_in_turn() -> None:
    """A list is played to its end, its last answer stays; a callable is asked; an unknown URL is a 404."""
    first, second = Response(URL, 200, {}, b"1", 1, 0.0), Response(URL, 200, {}, b"2", 1, 0.0)
    echo = "https://example.org/echo"
    transport = ScriptedTransport({
        URL: [first, second],
        echo: lambda url, headers: Response(url, 200, {}, headers["User-Agent"].encode(), 0, 0.0),
    })
    fetcher = _fetcher(transport)
    assert [await fetcher.get(page(URL)) for _ in range(3)] == [first, second, second]
    echoed, missing = await fetcher.get(page(echo)), await fetcher.get(page(URL + "other"))
    assert isinstance(echoed, Response)
    assert echoed.body == b"weaver/1"
    assert isinstance(missing, Response)
    assert missing.status == 404
    await fetcher.close()
    assert transport.is_closed


def test_each_reason_has_its_words() -> None:
    """The table of reasons says of each whether to try again, and what it means."""
    assert all(isinstance(retry, bool) and meaning for retry, meaning in REASONS.values())
    assert not REASONS["blocked_private"][0]
    assert not REASONS["tls"][0]
    assert REASONS["disconnected"][0]
