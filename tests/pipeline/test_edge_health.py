"""What a crawl tells of the links that failed or moved, while it runs and after a resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.tiny_web import SITE, answer, crawl_all, html, redirect, settings_for, site
from weaver.analysis.broken import BrokenQuestion, broken_document
from weaver.fetch import ScriptedTransport
from weaver.pipeline import open_crawl


def _web() -> ScriptedTransport:
    return site({
        "/": html("home", "/a", "/gone", "/old", "/hop"),
        "/a": html("page a", "/gone", "/old"),
        "/gone": answer(f"{SITE}/gone", status=410),
        "/old": redirect(f"{SITE}/old", "/a", 301),
        "/hop": redirect(f"{SITE}/hop", "/old"),
    })


async def _status(directory: Path, transport: ScriptedTransport, *, resume: bool, **values: object) -> Any:
    async with open_crawl(settings_for(**values), directory, transport=transport, resume=resume) as crawl:
        await crawl.run_to_end()
        return crawl.status()


async def test_the_status_tells_how_many_links_fail_or_moved(tmp_path: Path) -> None:
    """A crawl counts the link targets in trouble, live, in an account of their own."""
    status = await _status(tmp_path / "c", _web(), resume=False)
    health = status["edge_health"]
    assert (health["policy"], health["current"], health["failing"], health["moved"]) == ("active_set", 3, 1, 2)
    assert (health["evicted"], health["capacity"] > 3) == (0, True)
    account = status["memory"]["accounts"]["edge_health"]
    assert 0 < account["used"] <= account["limit"]
    assert status["memory"]["stores"]["edge_health"]["current"] == 3


async def test_a_resumed_crawl_knows_the_links_in_trouble(tmp_path: Path) -> None:
    """What failed or moved in an earlier run is known again at once, as far as there is room."""
    first = await _status(tmp_path / "c", _web(), resume=False)
    again = await _status(tmp_path / "c", ScriptedTransport({}), resume=True)
    assert again["edge_health"] == first["edge_health"]
    capped = await _status(tmp_path / "c", ScriptedTransport({}), resume=True, graph__max_edge_health=2)
    assert (capped["edge_health"]["current"], capped["edge_health"]["evicted"]) == (2, 0)


async def test_what_leaves_ram_is_in_the_report(tmp_path: Path) -> None:
    """With room for one link the registry lets go, and the report from disk has all of them, with who carries them."""
    settings = settings_for(graph__max_edge_health=1)
    await crawl_all(_web(), tmp_path / "c", settings)
    report: Any = broken_document(BrokenQuestion(tmp_path / "c"), 10)
    assert [entry["status"] for entry in report["broken"]["top"]] == [410]
    assert report["broken"]["top"][0]["pages"] == 2
    assert [entry["url"] for entry in report["moved_permanently"]["top"]] == [f"{SITE}/old"]
    chain = report["redirect_chains"]["top"][0]
    assert [step["url"] for step in chain["chain"]] == [f"{SITE}/hop", f"{SITE}/old", f"{SITE}/a"]


async def test_retries_count_as_failures_in_a_row(tmp_path: Path) -> None:
    """A page given up after its retries has failed as often as it was asked for."""
    web = site({"/": answer(f"{SITE}/", status=503)})
    settings = settings_for(fetch__retries=2, politeness__max_backoff=0, politeness__max_retry_after=0)
    async with open_crawl(settings, tmp_path / "c", transport=web) as crawl:
        await crawl.run_to_end()
        known = crawl._report._stages.edge_health.get(1)
    assert known is not None
    assert (known.status, known.failures) == (503, 3)
