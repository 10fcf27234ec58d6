"""`weaver crawl` and `weaver resume`: settings together, a directory chosen, a crawl run, its end told."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from weaver.analysis.directory import holds_crawl
from weaver.analysis.report import crawl_report, stored_settings
from weaver.base.errors import DirectoryError, SeedError
from weaver.base.settings import CrawlSettings, Settings
from weaver.base.sources import load_settings
from weaver.base.url import Canonicalizer, host_of, redacted
from weaver.cli.exit_codes import EXIT_CODES, ExitCode
from weaver.cli.flags import flag_pairs, output_flags, setting_flags
from weaver.cli.lazy import imported
from weaver.cli.progress import LineProgress, NoProgress, Progress, say
from weaver.cli.running import Ended, Job, run_job
from weaver.cli.summary import seed_line, summary


@click.command()
@click.argument("seeds", nargs=-1, metavar="[SEED]...")
@click.option("-c", "--config", "file", type=click.Path(path_type=Path), help="A TOML file with settings.")
@click.option("-o", "--output", "directory", type=click.Path(path_type=Path), help="Where to keep it [crawl-HOST].")
@setting_flags
@output_flags
def crawl(
    seeds: tuple[str, ...],
    file: Path | None,
    directory: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **values: Any,
) -> None:
    """Crawl from one or more SEEDs (absolute http(s) URLs) into a directory that can be resumed."""
    pairs = flag_pairs(values)
    if seeds:
        pairs.append(("crawl.seeds", seeds))
    settings = load_settings(file, os.environ, pairs)
    if not settings.crawl.seeds:
        raise click.UsageError("expected a SEED such as https://example.org/, or crawl.seeds in a settings file")
    place = directory or default_directory(settings)
    if holds_crawl(place):
        raise DirectoryError(
            f"{place} already holds a crawl: go on with it by `weaver resume {place}`, or name another place with -o"
        )
    progress = progress_for(settings.crawl.seeds[0], settings.crawl, quiet)
    run_and_tell(Job(settings, place, progress, has_page_lines=verbose), as_json, quiet)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@setting_flags
@output_flags
def resume(directory: Path, as_json: bool, quiet: bool, verbose: bool, **values: Any) -> None:
    """Go on with the crawl in DIRECTORY, by the settings it was started with and the flags given now."""
    settings = load_settings(None, None, flag_pairs(values), stored_settings(directory))
    progress = progress_for(str(directory), settings.crawl, quiet)
    run_and_tell(Job(settings, directory, progress, is_resumed=True, has_page_lines=verbose), as_json, quiet)


def default_directory(settings: Settings) -> Path:
    """`crawl-HOST` of the first seed, in the current folder."""
    seed = settings.crawl.seeds[0]
    url = Canonicalizer(settings.url).canonical(seed)
    if url is None:
        raise SeedError(f"expected an absolute http(s) URL such as https://example.org/, got {redacted(seed)!r}")
    host = host_of(url).strip("[]").replace(":", "-")
    return Path(f"crawl-{host}")


def progress_for(title: str, settings: CrawlSettings, is_quiet: bool) -> Progress:
    """Nothing, a live view, or lines: as asked, and as stderr can show."""
    if is_quiet:
        return NoProgress()
    if not sys.stderr.isatty():
        return LineProgress(settings)
    live: Progress = imported("weaver.cli.live:LiveProgress")(redacted(title), settings)
    return live


def run_and_tell(job: Job, as_json: bool, is_quiet: bool) -> None:
    """Run the job, print the summary or the document, and leave with the exit code of its end."""
    ended = run_job(job)
    code = exit_code_of(ended)
    if as_json:
        click.echo(json.dumps(document_of(ended, job.directory)))
    elif not is_quiet:
        click.echo(summary(ended.status, crawl_report(job.directory), job.directory))
    if code is ExitCode.FAILED and (as_json or is_quiet):
        _tell_seeds(job.directory)
    sys.exit(code)


def _tell_seeds(directory: Path) -> None:
    """Where no summary is read: why a crawl has no pages."""
    for seed in crawl_report(directory)["fruitless_seeds"]:
        say(f"error: {seed_line(seed)}")


def exit_code_of(ended: Ended) -> ExitCode:
    """By the exit reason; a crawl that came to its end without one page has failed."""
    code = EXIT_CODES.get(ended.exit_reason, ExitCode.FAILED)
    is_empty = not ended.status["pages"]["fetched"]
    return ExitCode.FAILED if is_empty and code is ExitCode.FINISHED else code


def document_of(ended: Ended, directory: Path) -> dict[str, Any]:
    """The `--json` document of a crawl that ended: its status, and how it ended."""
    return {
        **ended.status,
        "exit_reason": ended.exit_reason,
        "directory": str(directory),
        "graph_digest": ended.graph_digest,
    }
