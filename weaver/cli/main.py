"""The `weaver` command: its table of commands, and how errors become one line and an exit code."""

from __future__ import annotations

from typing import Any

import click

from weaver.base.errors import DirectoryError, SeedError, SettingsError, WeaverError
from weaver.base.version import VERSION
from weaver.cli.exit_codes import ExitCode
from weaver.cli.lazy import CommandEntry, LazyGroup
from weaver.cli.terminal import printable

COMMANDS = {
    "crawl": CommandEntry("weaver.cli.crawl:crawl", "Crawl from one or more seeds."),
    "resume": CommandEntry("weaver.cli.crawl:resume", "Go on with a crawl that was stopped or killed."),
    "status": CommandEntry("weaver.cli.inspect:status", "Tell how a crawl stands, while it runs or afterwards."),
    "export": CommandEntry(
        "weaver.cli.inspect:export", "Write pages, edges, hosts, duplicates or the graph to a file."
    ),
    "why": CommandEntry("weaver.cli.inspect:why", "Tell the whole story of one URL in a crawl."),
    "config": CommandEntry("weaver.cli.configuration:config", "Show, check or describe the settings."),
    "demo": CommandEntry("weaver.cli.demo:demo", "Serve a small web on this machine and crawl it."),
}


class WeaverGroup(LazyGroup):
    """The root group: an error that weaver raises is told in one line, never as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (SettingsError, SeedError, DirectoryError) as error:
            raise WrongUse(str(error)) from error
        except WeaverError as error:
            raise CommandFailed(str(error)) from error
        except KeyboardInterrupt as error:
            raise click.exceptions.Exit(ExitCode.INTERRUPTED) from error


class CommandFailed(click.ClickException):
    """A WeaverError on its way to the terminal."""

    exit_code = ExitCode.FAILED

    def show(self, _file: Any = None) -> None:
        click.echo(f"weaver: error: {printable(self.message)}", err=True)


class WrongUse(CommandFailed):
    """One that the user mends."""

    exit_code = ExitCode.USAGE


def _show_version(ctx: click.Context, _parameter: click.Parameter, is_wanted: bool) -> None:
    if is_wanted and not ctx.resilient_parsing:
        click.echo(f"weaver {VERSION}")
        ctx.exit()


@click.group(
    cls=WeaverGroup,
    table=COMMANDS,
    name="weaver",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 finished, 1 failed, 2 wrong use, 3 stopped at a limit, 130 interrupted (resumable).",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def cli() -> None:
    """A web crawler that cannot outgrow its memory: polite, deduplicating, with the link graph it weaves."""


def main() -> None:
    """The console script."""
    cli(prog_name="weaver")
