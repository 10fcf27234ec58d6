"""A click group whose commands are imported when they are called, so that `weaver --help` answers at once."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import click


class CommandEntry(NamedTuple):
    """Where a command lives, as `module:attribute`, and its line in the help."""

    target: str
    help: str


class LazyGroup(click.Group):
    """A group with a table of commands; `--help` reads the table only."""

    def __init__(self, *args: Any, table: dict[str, CommandEntry], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table = table

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(self._table)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self._table.get(cmd_name)
        return _command(entry.target) if entry else None

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self._table.items()])


def imported(target: str) -> Any:
    """What `module:attribute` names."""
    # The one import at run time in weaver: a crawl's stages take 0.3 s to import, and most commands need none.
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _command(target: str) -> click.Command:
    command = imported(target)
    if not isinstance(command, click.Command):
        raise TypeError(f"expected a click command at {target}, got {command!r}")
    return command
