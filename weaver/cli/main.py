"""The `weaver` command: its table of commands, and how errors become one line and an exit code."""

from __future__ import annotations

import contextlib
import errno
import sys
from typing import Any

import click

from weaver.base.errors import WeaverError
from weaver.base.version import VERSION
from weaver.cli.exit_codes import ExitCode, error_code
from weaver.cli.lazy import CommandEntry, LazyGroup, hasten
from weaver.cli.terminal import printable
from weaver.native import description as native_state

COMMANDS = {
    "crawl": CommandEntry("weaver.cli.crawl:crawl", "Crawl from one or more seeds.", "aiohttp"),
    "resume": CommandEntry("weaver.cli.crawl:resume", "Go on with a crawl that was stopped or killed.", "aiohttp"),
    "status": CommandEntry("weaver.cli.inspect:status", "Tell how a crawl stands, while it runs or afterwards."),
    "export": CommandEntry(
        "weaver.cli.inspect:export", "Write pages, edges, hosts, duplicates or the graph to a file."
    ),
    "why": CommandEntry("weaver.cli.inspect:why", "Tell the whole story of one URL in a crawl."),
    "graph": CommandEntry("weaver.cli.graph:graph", "Ask the link graph: degrees, ranks, components, paths, hosts."),
    "duplicates": CommandEntry(
        "weaver.cli.duplicates:duplicates", "Tell which pages are copies, what they cost, and what to do."
    ),
    "dedupe": CommandEntry("weaver.cli.dedupe:dedupe", "Find the duplicates in files, folders and archives."),
    "memory": CommandEntry("weaver.cli.memory:memory", "Show how full each account was over time, and draw it."),
    "plan": CommandEntry("weaver.cli.plan:plan", "Say what fits into a budget, or what budget so many URLs need."),
    "config": CommandEntry("weaver.cli.configuration:config", "Show, check or describe the settings."),
    "demo": CommandEntry("weaver.cli.demo:demo", "Serve a small web on this machine and crawl it.", "aiohttp"),
}

_WRITE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class WeaverGroup(LazyGroup):
    """The root group: an error that weaver raises is told in one line, never as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except WeaverError as error:
            failed = WrongUse if error_code(error) is ExitCode.USAGE else CommandFailed
            raise failed(str(error)) from error
        except KeyboardInterrupt as error:
            raise click.exceptions.Exit(ExitCode.INTERRUPTED) from error
        except BrokenPipeError as error:
            _give_up_stdout()
            raise click.exceptions.Exit(ExitCode.CLOSED_PIPE) from error
        except OSError as error:
            raise _failed_by_the_system(error) from error

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            # `--help` and `--version` write before any command is invoked.
            failed = _failed_by_the_system(error)
            failed.show()
            sys.exit(failed.exit_code)


class CommandFailed(click.ClickException):
    """An error on its way to the terminal."""

    exit_code = ExitCode.FAILED

    def show(self, _file: Any = None) -> None:
        with contextlib.suppress(OSError):
            click.echo(f"weaver: error: {printable(self.message)}", err=True)


class WrongUse(CommandFailed):
    """One that the user mends."""

    exit_code = ExitCode.USAGE


def _failed_by_the_system(error: OSError) -> CommandFailed:
    """A full disk that names no file is met by the one stream without a name: stdout."""
    _give_up_stdout()
    where = error.filename or ("can't write to stdout" if error.errno in _WRITE_ERRORS else "")
    reason = error.strerror or repr(error)
    return CommandFailed(f"{where}: {reason}" if where else reason)


def _give_up_stdout() -> None:
    """What is still in its buffer can't be written either, and would be tried again, loudly, when Python ends."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.close()


def _show_version(ctx: click.Context, _parameter: click.Parameter, is_wanted: bool) -> None:
    if is_wanted and not ctx.resilient_parsing:
        click.echo(f"weaver {VERSION}, {native_state()}")
        ctx.exit()


@click.group(
    cls=WeaverGroup,
    table=COMMANDS,
    name="weaver",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 finished, 1 failed, 2 wrong use, 3 stopped at a limit, 4 paused too long for want of memory, "
    "130 interrupted; 3, 4 and 130 can be resumed.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def cli() -> None:
    """A web crawler that cannot outgrow its memory: polite, deduplicating, with the link graph it weaves."""


def main() -> None:
    """The console script."""
    entry = COMMANDS.get(sys.argv[1]) if len(sys.argv) > 1 else None
    if entry is not None:
        try:
            hasten(entry)
        except KeyboardInterrupt:
            sys.exit(ExitCode.INTERRUPTED)
    cli(prog_name="weaver")
