"""A tiny web for pipeline tests: pages given as texts, answered by the scripted transport that ships with weaver."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from weaver.base.page import Response
from weaver.base.settings import Settings
from weaver.base.sources import settings_from
from weaver.fetch import ScriptedTransport
from weaver.pipeline import PageResult, open_crawl

SITE = "http://a.test"


def html(body: str = "", *links: str, head: str = "") -> bytes:
    anchors = "".join(f'<a href="{link}">{link}</a> ' for link in links)
    return f"<html><head>{head}</head><body>{body} {anchors}</body></html>".encode()


def answer(
    url: str, body: bytes = b"", status: int = 200, kind: str = "text/html; charset=utf-8", **headers: str
) -> Response:
    fields = {"content-type": kind} | {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(url, status, fields, body, len(body), 0.01)


def redirect(url: str, to: str, status: int = 302) -> Response:
    return answer(url, status=status, location=to)


def site(pages: Mapping[str, bytes | Response], robots: str = "") -> ScriptedTransport:
    """Pages by path (or whole URL) on SITE, with a robots.txt."""
    answers = {}
    for path, page in pages.items():
        url = path if path.startswith("http") else SITE + path
        answers[url] = page if isinstance(page, Response) else answer(url, page)
    robots_url = f"{SITE}/robots.txt"
    answers.setdefault(robots_url, answer(robots_url, robots.encode(), 200 if robots else 404, "text/plain"))
    return ScriptedTransport(answers)


def settings_for(*seeds: str, **values: object) -> Settings:
    """Settings without delays; `values` are section_key names with a double underscore: `crawl__max_pages=3`."""
    tree: dict[str, dict[str, object]] = {
        "crawl": {"seeds": seeds or (f"{SITE}/",), "concurrency": 8},
        "politeness": {"delay": 0.0, "per_host": 8},
        # To collect and freeze all that the test runner holds takes longer than most of the crawls.
        "memory": {"collector": "default"},
    }
    for name, value in values.items():
        section, _, key = name.partition("__")
        tree.setdefault(section, {})[key] = value
    return settings_from(tree)


async def crawl_all(
    transport: ScriptedTransport, directory: Path, settings: Settings | None = None, *, resume: bool = False
) -> dict[str, PageResult]:
    """Run to the end; each page's result by its path on SITE."""
    async with open_crawl(settings or settings_for(), directory, transport=transport, resume=resume) as crawl:
        found = {page.url.removeprefix(SITE): page async for page in crawl.run()}
        status = crawl.status()
        assert status["pages"]["internal_errors"] == 0  # type: ignore[index]
    return found
