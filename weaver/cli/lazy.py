"""A click group whose commands are imported when they are called, so that `weaver --help` answers at once."""

from __future__ import annotations

import contextlib
import gc
import importlib
import threading
from typing import Any, NamedTuple

import click


class CommandEntry(NamedTuple):
    """Where a command lives, as `module:attribute`, its line in the help, and what to import beside it (`hasten`)."""

    target: str
    help: str
    beside: str = ""


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
    # Imports at run time are in this module alone: a crawl's stages take 0.3 s to import, and most commands need none.
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def hasten(entry: CommandEntry) -> None:
    """Import a command before it is called, in a process that is there for it alone: less long than by itself.

    Imports make objects by the hundred thousand and no garbage: to look for some took a sixth of a start. What they
    made stays to the end, so that no later collection looks at it either. The module `beside` is imported in a thread:
    aiohttp reads the certificates of all authorities, twice, which needs no lock of Python's. What goes wrong is told
    when the command is called.
    """
    beside = threading.Thread(target=_attempt, args=(entry.beside,), daemon=True)
    gc.disable()
    try:
        if entry.beside:
            beside.start()
        _attempt(entry.target.partition(":")[0])
    finally:
        gc.freeze()
        gc.enable()


def _attempt(module: str) -> None:
    with contextlib.suppress(Exception):
        importlib.import_module(module)


def _command(target: str) -> click.Command:
    command = imported(target)
    if not isinstance(command, click.Command):
        raise TypeError(f"expected a click command at {target}, got {command!r}")
    return command
