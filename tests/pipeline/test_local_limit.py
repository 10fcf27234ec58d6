"""A machine that runs out of descriptors sheds requests and recovers: no page and no host pays for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tiny_web import SITE, answer, html, settings_for, site
from weaver.base.page import Failure, PageState
from weaver.fetch import ScriptedTransport
from weaver.pipeline import PageResult, open_crawl, page_run

OUT = Failure("", "local_limit", is_retryable=True)
ROBOTS = f"{SITE}/robots.txt"


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_run, "LOCAL_PAUSE_S", 0.0)


def _short_of(url: str, times: int, last: bytes, kind: str = "text/html") -> ScriptedTransport:
    web = site({"/": html("home", "/a"), "/a": html("page a")})
    return ScriptedTransport({**web.answers, url: [OUT] * times + [answer(url, last, kind=kind)]})


async def _crawled(
    web: ScriptedTransport, directory: Path, **values: object
) -> tuple[dict[str, PageResult], dict[str, object], dict[str, int]]:
    """Each page's result by its path, the status' pages, and the number of events by kind."""
    async with open_crawl(settings_for(**values), directory, transport=web) as crawl:
        found = {page.url.removeprefix(SITE): page async for page in crawl.run()}
        pages = crawl.status()["pages"]
        assert isinstance(pages, dict)
        return found, pages, dict(crawl.events.counts)


@pytest.mark.parametrize("url", [f"{SITE}/", f"{SITE}/a"])
async def test_a_page_waits_without_counting_a_try(tmp_path: Path, url: str) -> None:
    """A page that no descriptor was left for is fetched later, with no retry counted, even where none is allowed."""
    web = _short_of(url, 2, html("home", "/a"))
    found, pages, events = await _crawled(web, tmp_path / "c", fetch__retries=0)
    assert {page.state for page in found.values()} <= {PageState.FETCHED, PageState.DUPLICATE}
    assert found.keys() == {"/", "/a"}
    assert (pages["retries"], pages["failed"], pages["local_limits"]) == (0, 0, 2)
    assert events["local_limit"] == 1
    assert not any(request.is_fresh for request in web.requests)


async def test_robots_are_asked_for_again_and_obeyed(tmp_path: Path) -> None:
    """A robots.txt that no descriptor was left for is not unreachable: no page comes before it, and it rules."""
    web = _short_of(ROBOTS, 7, b"User-agent: *\nDisallow: /a", kind="text/plain")
    found, pages, events = await _crawled(web, tmp_path / "c")
    assert (found["/"].state, found["/a"].state) == (PageState.FETCHED, PageState.BLOCKED)
    assert [request.url for request in web.requests] == [ROBOTS] * 8 + [f"{SITE}/"]
    assert (pages["robots_fetched"], pages["local_limits"]) == (1, 7)
    assert "robots_unreachable" not in events


async def test_a_long_shortage_is_told_now_and_then(tmp_path: Path) -> None:
    """The log names the first of each hundred, and a shortage of any length ends well."""
    found, pages, events = await _crawled(_short_of(f"{SITE}/a", 250, html("page a")), tmp_path / "c")
    assert found["/a"].state is PageState.FETCHED
    assert (pages["local_limits"], events["local_limit"]) == (250, 3)


async def test_a_lowered_concurrency_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crawl with fewer workers than wanted says so, and fetches the same."""
    monkeypatch.setattr("weaver.pipeline.assemble.affordable_concurrency", lambda wanted: wanted // 4)
    web = site({"/": html("home", "/a"), "/a": html("page a")})
    async with open_crawl(settings_for(), tmp_path / "c", transport=web) as crawl:
        found = [page.url async for page in crawl.run()]
        lowered = next(event for event in crawl.events.newest() if event.kind == "concurrency_lowered")
    assert len(found) == 2
    assert lowered.facts == {"wanted": 8, "got": 2}
