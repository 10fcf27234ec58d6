"""`weaver demo`: serves the demo web on loopback, crawls it, and tells what was planted and what was made of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from weaver.analysis.directory import holds_crawl
from weaver.analysis.report import crawl_report
from weaver.base.errors import DirectoryError
from weaver.base.settings import Settings
from weaver.base.sources import load_settings
from weaver.base.url import port_of
from weaver.cli.crawl import document_of, progress_for
from weaver.cli.demo_findings import findings
from weaver.cli.demo_web import DemoWeb, demo_web
from weaver.cli.exit_codes import EXIT_CODES, ExitCode
from weaver.cli.flags import output_flags
from weaver.cli.running import Ended, Job, crawl_job, loop_factory
from weaver.cli.summary import summary

DEMO_SETTINGS: dict[str, dict[str, Any]] = {
    "crawl": {"max_depth": 8, "concurrency": 16},
    "scope": {"mode": "any"},
    "politeness": {"delay": "20ms", "max_backoff": "200ms", "contact": "https://example.org/weaver-demo"},
    "fetch": {"allow_private": False, "allow_networks": ["127.0.0.0/8", "::1/128"], "timeout": "10s", "retries": 1},
    "memory": {"budget": "64MiB"},
}
"""Those of configs/demo.toml and the limits that end the traps: fit for loopback, where alone they may go."""


@click.command()
@click.option("--serve-only", is_flag=True, help="Serve the demo web until Ctrl-C, and crawl nothing.")
@click.option("-o", "--output", "directory", type=click.Path(path_type=Path), help="Where to keep it [a new folder].")
@click.option("--memory", metavar="SIZE", help="For weaver's own structures [64MiB].")
@output_flags
def demo(
    serve_only: bool, directory: Path | None, memory: str | None, as_json: bool, quiet: bool, verbose: bool
) -> None:
    """Serve a small web on this machine (four hosts, about 200 pages, every trick in the book) and crawl it."""
    if serve_only:
        asyncio.run(_serve())
        return
    if directory is not None and holds_crawl(directory):
        raise DirectoryError(f"{directory} already holds a crawl: name another place with -o")
    place = directory or Path(tempfile.mkdtemp(prefix="weaver-demo-"))
    settings = demo_settings(memory=memory)
    with asyncio.Runner(loop_factory=loop_factory(settings)) as runner:
        ended, facts = runner.run(_crawl(place, memory, quiet, verbose))
    _tell(ended, facts, place, as_json, quiet)
    sys.exit(EXIT_CODES.get(ended.exit_reason, ExitCode.FAILED))


def demo_settings(web: DemoWeb | None = None, memory: str | None = None) -> Settings:
    """The settings of the demo crawl: those of DEMO_SETTINGS, the budget asked for, and where the web is served."""
    flags: list[tuple[str, Any]] = [] if memory is None else [("memory.budget", memory)]
    if web is not None:
        flags += [("crawl.seeds", (web.seed,)), ("scope.ports", tuple(map(port_of, web.origins.values())))]
    return load_settings(None, None, flags, DEMO_SETTINGS)


async def _crawl(
    place: Path, memory: str | None, is_quiet: bool, is_verbose: bool
) -> tuple[Ended, list[dict[str, Any]]]:
    async with demo_web() as web:
        settings = demo_settings(web, memory)
        progress = progress_for("the demo web", settings.crawl, is_quiet)
        ended = await crawl_job(Job(settings, place, progress, has_page_lines=is_verbose))
        return ended, findings(place, web)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with demo_web() as web:
        for site in web.sites.values():
            click.echo(f"{web.origins[site.name]}/  {site.name}: {site.about}")
        click.echo("serving until Ctrl-C", err=True)
        with contextlib.suppress(asyncio.CancelledError):
            await ended.wait()


def _tell(ended: Ended, facts: list[dict[str, Any]], place: Path, as_json: bool, is_quiet: bool) -> None:
    if as_json:
        click.echo(json.dumps({**document_of(ended, place), "findings": facts}))
        return
    if is_quiet:
        return
    click.echo("What was planted in the demo web, and what the crawl made of it:\n")
    for fact in facts:
        click.echo(f"  {'+' if fact['ok'] else '!'} {fact['planted']}\n      {fact['found']}")
    click.echo(f"\n{summary(ended.status, crawl_report(place), place)}")
