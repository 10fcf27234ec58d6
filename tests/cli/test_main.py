"""The command: quick to answer, one line for an error, an exit code for a script."""

from __future__ import annotations

import errno
import gc
import sqlite3
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from weaver.base.errors import DirectoryError, DirectoryLocked, PersistenceError, SeedError, SettingsError, WeaverError
from weaver.cli.exit_codes import error_code
from weaver.cli.lazy import CommandEntry, hasten
from weaver.cli.main import COMMANDS, WeaverGroup, cli

HEAVY = ("aiohttp", "numpy", "rich", "networkx", "weaver.pipeline", "weaver.persistence")


def run(*arguments: str):  # type: ignore[no-untyped-def]
    """`weaver` with these arguments."""
    return CliRunner().invoke(cli, list(arguments))


def test_help_names_every_command() -> None:
    """`weaver --help` lists each command of the table with its line, and the exit codes."""
    result = run("--help")
    assert result.exit_code == 0
    assert all(name in result.output for name in COMMANDS)
    assert "130" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_loads_and_helps(name: str) -> None:
    """Every entry of the table names a command that exists and explains itself."""
    result = run(name, "--help")
    assert result.exit_code == 0, result.output
    assert "Usage" in result.output


@pytest.mark.slow
def test_help_imports_no_stage() -> None:
    """`weaver --help` answers without importing what a crawl needs."""
    code = (
        "import sys\nfrom weaver.cli.main import cli\n"
        "try:\n    cli(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_a_crawl_s_start_is_hastened_and_leaves_no_trace() -> None:
    """A command is imported without collections, which go on afterwards; no terminal, no library to draw on one."""
    code = (
        "import gc, sys\nfrom weaver.cli.lazy import hasten\nfrom weaver.cli.main import COMMANDS\n"
        "hasten(COMMANDS['crawl'])\n"
        "names = 'weaver.cli.crawl', 'aiohttp', 'rich'\n"
        "print(gc.isenabled(), gc.get_freeze_count() > 10_000, *(name in sys.modules for name in names))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["True", "True", "True", "True", "False"]


def test_what_is_wrong_with_a_command_is_told_when_it_is_called() -> None:
    """An import that fails early says nothing: the call that needs it will."""
    before = gc.isenabled()
    hasten(CommandEntry("weaver.cli.nothing:at_all", "Nothing.", "no_such_module"))
    gc.unfreeze()
    assert gc.isenabled() is before


def test_the_version_is_told() -> None:
    """`weaver --version` names the version."""
    assert run("--version").output.startswith("weaver 0.")


def test_a_command_that_is_not_there_is_wrong_use() -> None:
    """An unknown command ends with exit code 2 and names it."""
    result = run("crwl")
    assert result.exit_code == 2
    assert "crwl" in result.output


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (SettingsError("x"), 2), (SeedError("x"), 2), (DirectoryLocked("x"), 2),
        (PersistenceError("x"), 1), (WeaverError("x"), 1), (KeyboardInterrupt(), 130),
    ],
)  # fmt: skip
def test_an_error_is_one_line_and_an_exit_code(error: BaseException, exit_code: int) -> None:
    """What weaver raises is told in one line on stderr; the exit code says whose fault it was."""

    @click.command()
    def fail() -> None:
        raise error

    group = WeaverGroup(name="weaver", table={"fail": CommandEntry(f"{__name__}:held", "")})
    globals()["held"] = fail
    result = CliRunner().invoke(group, ["fail"])
    assert result.exit_code == exit_code
    if exit_code != 130:
        assert result.stderr == "weaver: error: x\n"
    assert "Traceback" not in result.output


def sqlite_error(name: str) -> sqlite3.Error:
    """An error as SQLite's module raises it, by its name."""
    error = sqlite3.OperationalError("x")
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("cause", "exit_code"),
    [
        (None, 2), (OSError(errno.ENOSPC, "x"), 1), (OSError(errno.EROFS, "x"), 1), (PermissionError(), 1),
        (sqlite_error("SQLITE_FULL"), 1), (sqlite_error("SQLITE_IOERR_WRITE"), 1), (sqlite_error("SQLITE_READONLY"), 1),
        (sqlite_error("SQLITE_NOTADB"), 2), (FileNotFoundError(), 2), (IsADirectoryError(), 2), (ValueError(), 2),
    ],
)  # fmt: skip
def test_a_disk_that_fails_is_not_wrong_use(cause: Exception | None, exit_code: int) -> None:
    """A directory that can't be used exits 1 where the disk is the cause, and 2 where another one must be named."""
    error = DirectoryError("x")
    error.__cause__ = cause
    assert error_code(error) == exit_code


def test_an_error_that_quotes_a_stranger_can_not_drive_the_terminal() -> None:
    """Control characters in a message are shown as escapes."""
    result = run("status", "no\x1b[2Jwhere")
    assert result.exit_code == 2
    assert "\x1b" not in result.stderr
    assert "\\x1b[2J" in result.stderr


@pytest.mark.slow
def test_python_m_weaver_is_the_command() -> None:
    """`python -m weaver` is the same command."""
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-m", "weaver", "--version"], capture_output=True, text=True, check=True, cwd=root
    )
    assert result.stdout.startswith("weaver ")
